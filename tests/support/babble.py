"""Answers as models give them that have lost their way."""

from __future__ import annotations

import json
import random
import string
from typing import Any

from tests.support.answers import DIAGNOSIS, candidate, expert, rule

NUMBERS = [0, -1, 1e308, -1e308, 10**400, 1e-320, float("nan"), float("inf"), 0.5, True]
WORDS = [
    *("place", "", "team_min(place)", "place ** 9", "1 / 0", "(" * 300, "-" * 500),
    *("feature.place.change", "up", "progress", "bonus", "null", "\x00", "\ud800"),
    *("high", "above", "sparse_reward", "a" * 5000, "place + " * 60 + "1"),
]


def value(pick: random.Random, depth: int = 0) -> Any:
    """Any JSON, or nearly."""
    kind = pick.randrange(9 if depth < 4 else 5)
    if kind == 0:
        return pick.choice([None, True, False])
    if kind in (1, 2):
        return pick.choice(NUMBERS)
    if kind in (3, 4):
        return pick.choice(WORDS)
    if kind == 5:
        return [value(pick, depth + 1)] * pick.choice([0, 1, 3, 400])
    names = ["candidates", "terms", "kind", "expression", "weight", "findings", "key"]
    names += ["define", "expert", "when", "do", "agents"]
    return {
        pick.choice([*names, *WORDS[:4]]): value(pick, depth + 1)
        for _ in range(pick.randrange(5))
    }


def damaged(pick: random.Random, data: Any) -> Any:
    """A good answer with a part of it replaced, doubled or gone."""
    data = json.loads(json.dumps(data))
    for _ in range(pick.randrange(4)):
        place = data
        while isinstance(place, (dict, list)) and place:
            key = pick.choice(
                list(place) if isinstance(place, dict) else range(len(place))
            )
            if pick.random() < 0.4 or not isinstance(place[key], (dict, list)):
                change = pick.randrange(3)
                if change == 0:
                    place[key] = value(pick)
                elif change == 1 and isinstance(place, list):
                    place.extend([place[key]] * pick.choice([1, 50]))
                else:
                    del place[key]
                break
            place = place[key]
    return data


def babble(pick: random.Random) -> str:
    """An answer of any shape, now and then a good one."""
    kind = pick.randrange(8)
    if kind == 0:
        return "".join(pick.choices(string.printable, k=pick.randrange(300)))
    if kind == 1:
        return pick.choice('{["') * pick.choice([10, 3000, 19_000])
    if kind == 2 and pick.random() < 0.02:
        return "y" * pick.choice([100_000, 3_000_000])
    rules = [rule("my_near", "toward mate", "agent_0"), rule()]
    define = [{"name": "my_near", "expression": "place > 0.5"}]
    with_expert = expert(*rules, define=define)
    good = pick.choice(
        [DIAGNOSIS, {"candidates": [candidate()] * 2}, {"candidates": [with_expert]}]
    )
    data = value(pick) if kind == 3 else damaged(pick, good)
    answer = json.dumps(data, allow_nan=True)
    if kind == 4:
        return answer[: pick.randrange(len(answer) + 1)]
    if kind == 5:
        at = pick.randrange(len(answer) + 1)
        return answer[:at] + pick.choice(string.printable) + answer[at:]
    return answer if kind != 6 else f"Well. ```json\n{answer}\n``` So."
