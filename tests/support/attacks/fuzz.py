"""Attacks the language with random expressions, signals, experts and answers."""

from __future__ import annotations

import contextlib
import json
import math
import random
import time
from typing import Any

import numpy as np

from also_wrappers.advisors.llm.advisor import LLMAdvisor
from also_wrappers.checks.check import Checks
from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.exceptions import AdvisorError, AlsoError
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal import Feature, FeatureMap, Shaper, Signal, compile_signal
from also_wrappers.signal.advice import Advice
from also_wrappers.signal.batch import BatchShaper
from also_wrappers.signal.kinds import KINDS
from also_wrappers.signal.language.arrays import evaluate_batch
from also_wrappers.signal.language.compiler import compile_nodes
from also_wrappers.signal.language.parser import FUNCTIONS, REDUCTIONS, parse
from also_wrappers.signal.vector import VectorShaper
from also_wrappers.testing import ScriptedModel, corridor_situation
from tests.support.advice import DRIVE, FEATURES, TEAM, WALK
from tests.support.answers import EXPERT
from tests.support.answers import WALK as CORRIDOR
from tests.support.attacks.tally import Attempt, Tally, attempt_until
from tests.support.babble import babble
from tests.support.interpreter import interpret
from tests.support.language import NAMES
from tests.support.malformed import damaged, malformed

__all__ = ["ATTEMPTS", "attack"]

_PLAIN = FeatureMap(*[Feature(name, f"obs[{k}]") for k, name in enumerate(NAMES)])
_NUMBERS = [0.0, 1.0, -1.0, 0.5, -3.25, 1e6, 1e300, -1e-300, math.nan, math.inf]
_OPERATORS = [*"+-*/<>", "<=", ">=", "==", "!=", "and", "or"]
#: Seconds of the processor that one attempt may take.
_SECONDS = 1.0


def _timed(attempt: Attempt) -> Attempt:
    """Lets an attempt fail that takes long; other processes do not count."""

    def timed(randomness: random.Random) -> None:
        began = time.process_time()
        try:
            attempt(randomness)
        finally:
            seconds = time.process_time() - began
        assert seconds < _SECONDS, f"it took {seconds:.1f} seconds"

    return timed


def _expression(chance: random.Random, depth: int) -> str:
    """A text in the term language."""
    if depth == 0 or chance.random() < 0.15:
        return chance.choice([*NAMES, *NAMES, f"{chance.uniform(-9, 9):.3f}", "1e6"])

    def inner() -> str:
        return _expression(chance, depth - 1)

    match chance.randrange(7):
        case 0:
            name = chance.choice([*FUNCTIONS])
            return f"{name}({', '.join(inner() for _ in range(FUNCTIONS[name][0]))})"
        case 1:
            return f"{chance.choice([*REDUCTIONS])}({inner()})"
        case 2:
            return f"({inner()}) ** {chance.choice([-2, -0.5, 0.5, 2, 4, 8])}"
        case 3:
            return f"{chance.choice(['-', 'not '])}({inner()})"
        case 4 if chance.random() < 0.3:
            return f"delta({inner()})"
        case _:
            return f"({inner()} {chance.choice(_OPERATORS)} {inner()})"


def _text(chance: random.Random) -> str:
    """An expression, which may be damaged."""
    text = _expression(chance, chance.choice([1, 2, 3, 3, 4, 5]))
    for _ in range(chance.choice([0, 0, 0, 1, 2])):
        begin = chance.randrange(len(text) + 1)
        end = begin + chance.choice([0, 0, 1, 1, 5])
        piece = chance.choice(
            ["", "", "(", ")", "*", " ", "é", "\0", "1e999", ".", "_"]
        )
        other = _expression(chance, 1)
        text = text[:begin] + chance.choice([piece, other]) + text[end:]
    return text


def _frame(chance: random.Random, agents: int, features: int) -> list[list[float]]:
    return [
        [chance.choice([chance.uniform(-5, 5), *_NUMBERS]) for _ in range(features)]
        for _ in range(agents)
    ]


def _near(one: float, other: float, size: float = 1.0) -> bool:
    """True where two numbers that come from others of a size are the same."""
    return (
        math.isclose(one, other, rel_tol=1e-9, abs_tol=max(1e-9, 1e-14 * size))
        or one == other
        or (math.isnan(one) and math.isnan(other))
    )


def _expressions(chance: random.Random) -> None:
    """The compiled, the numpy and the plain form of a text have the same values."""
    text = _text(chance)
    node = parse(text, NAMES, allow_delta=True)
    rows, before = _frame(chance, 3, 3), _frame(chance, 3, 3)
    alive = sorted(chance.sample(range(3), chance.randrange(1, 4)))
    compiled = compile_nodes([node])(rows, before, alive)[0]
    mask = np.array([[i in alive for i in range(3)]])
    batch = evaluate_batch(node, np.array([rows]), np.array([before]), mask)[0].tolist()
    for i in range(3):
        expected = interpret(node, rows, before, alive, i) if i in alive else 0.0
        for form, value in (("compiled", compiled[i]), ("numpy", batch[i])):
            said = f"{value} is not {expected} in the {form} form of {text!r}"
            assert _near(value, expected), said


def _signal_data(chance: random.Random) -> dict[str, Any]:
    """A signal of terms as JSON; a few of them are damaged."""
    made: dict[str, Any] = {
        "define": {"gap": _expression(chance, 1)} if chance.random() < 0.3 else {},
        "terms": [
            {
                "name": f"t{k}",
                "kind": chance.choice([*KINDS]),
                "expression": chance.choice(
                    [_text(chance), _text(chance), "-distance"]
                ),
                "weight": chance.choice([1.0, -0.5, 100.0, chance.uniform(-100, 100)]),
                "bound": chance.choice([10.0, 0.1, 1e6]),
            }
            for k in range(chance.choice([1, 1, 2, 3]))
        ],
    }
    return damaged(chance, made) if chance.random() < 0.3 else made


def _signals(chance: random.Random) -> None:
    """A vector of environments is paid what each is paid by itself, in finite sums."""
    data = _signal_data(chance)
    with contextlib.suppress(TypeError, ValueError, RecursionError):
        data = json.loads(json.dumps(data))
    signal = Signal.model_validate(data)
    compiled = compile_signal(signal, _PLAIN, ["agent"])
    size = sum(abs(term.weight) * term.bound for term in signal.terms)
    bootstraps = chance.random() < 0.5
    many: VectorShaper | BatchShaper = VectorShaper(signal, _PLAIN, 0.9, bootstraps)
    if chance.random() < 0.5:
        many = BatchShaper(signal, _PLAIN, ["agent"], 0.9, bootstraps)
    singles = [Shaper(1, 0.9, bootstraps) for _ in range(4)]
    frame = _frame(chance, 4, 3)
    strength = chance.choice([1.0, 0.5])
    many.reset(np.array(frame).T, None, strength)
    for row, single in zip(frame, singles, strict=True):
        single.reset(compiled, [row], (0,), strength)
    for _ in range(chance.choice([3, 10, 130])):
        frame = _frame(chance, 4, 3)
        ended = [chance.random() < 0.2 for _ in range(4)]
        cut = [chance.random() < 0.2 for _ in range(4)]
        added = many.step(np.array(frame).T, np.array(ended), np.array(cut)).tolist()
        for k, single in enumerate(singles):
            (paid,) = single.step(
                [frame[k]], (0,), [0] if ended[k] else (), [0] if cut[k] else ()
            )
            assert math.isfinite(paid), f"{paid} is paid by {signal.describe()}"
            said = f"{added[k]} is not {paid} for {signal.describe()}"
            assert _near(added[k], paid, size), said
        over = np.array(ended) | np.array(cut)
        many.reset(np.array(frame).T, over, strength)
        for k in np.flatnonzero(over).tolist():
            singles[k].reset(compiled, [frame[k]], (0,), strength)


def _teams(chance: random.Random) -> None:
    """What a team is paid is finite, 0 for the absent, and adds up to the totals."""
    signal = Signal.model_validate(_signal_data(chance))
    compiled = compile_signal(signal, _PLAIN, ["a", "b", "c"])
    shaper = Shaper(3, 0.9, chance.random() < 0.5)
    shaper.reset(compiled, _frame(chance, 3, 3), (0, 1, 2))
    before: tuple[int, ...] = (0, 1, 2)
    total, size = 0.0, 1.0
    for _ in range(chance.choice([3, 10, 130])):
        alive = tuple(sorted(chance.sample(range(3), chance.randrange(1, 4))))
        ended = [i for i in alive if chance.random() < 0.1]
        added = shaper.step(_frame(chance, 3, 3), alive, ended)
        assert all(map(math.isfinite, added)), f"{added} by {signal.describe()}"
        absent = {0, 1, 2} - {*alive, *before}
        assert all(added[i] == 0.0 for i in absent), "who is not there is paid"
        before, total, size = alive, total + sum(added), size + sum(map(abs, added))
    said = f"{total} was paid and {shaper.totals} told by {signal.describe()}"
    assert math.isclose(total, sum(shaper.totals), abs_tol=1e-9 * size), said


def _experts(chance: random.Random) -> None:
    """An expert is refused with a reason, or says the same in both forms."""
    actions = chance.choice([WALK, DRIVE])
    made = malformed(chance, actions.says, FEATURES.names)
    proposal = Proposal.model_validate({"signal": made})
    drawn = np.random.default_rng(chance.getrandbits(32))
    there = np.ones((6, len(TEAM)), dtype=bool)
    played = drawn.normal(size=(6, len(TEAM), len(FEATURES.names)))
    rewards = np.zeros((5, len(TEAM)))
    episode = EpisodeRows(played, rewards, there, 0.0, True, True)
    checks = Checks(FEATURES, TEAM, [episode], 1.0, 0.9, actions=actions)
    admitted, remark = checks.check(proposal, [])
    # What is admitted may have a remark as well.
    assert admitted is not None or remark, "it is refused without a reason"
    if proposal.signal.expert is None:
        return
    try:
        advice = Advice(proposal.signal, FEATURES, actions, TEAM)
    except AlsoError:
        assert admitted is None, "what cannot be compiled is admitted"
        raise
    rows = np.array([_frame(chance, 3, len(FEATURES.names)) for _ in range(4)])
    who = sorted(chance.sample(range(3), chance.randrange(1, 4)))
    alive = np.array([[i in who for i in range(3)]] * 4)
    scalar = [advice(state, who) for state in rows.tolist()]
    assert advice.batch(rows, alive).tolist() == scalar, (
        "the forms say different things"
    )
    assert all(0 <= bits < 1 << 63 for state in scalar for bits in state)


def _answers(chance: random.Random) -> None:
    """An advisor takes an answer, or says in an error of ours what is wrong with it."""
    answer = babble(chance)
    now = chance.choice([_BARE, _ADVISED])
    advisor = LLMAdvisor(ScriptedModel([answer] * 4), repairs=1)
    with contextlib.suppress(AdvisorError):
        advisor.diagnose(now)
    for proposal in advisor.propose(now, 2):
        compile_signal(proposal.signal, now.features, now.agents)
        if proposal.signal.expert is not None:
            Advice(proposal.signal, now.features, CORRIDOR, now.agents)


_BARE = corridor_situation()
_ADVISED = corridor_situation(signal=EXPERT, actions=CORRIDOR)


ATTEMPTS: dict[str, Attempt] = {
    "fuzz: expressions": _timed(_expressions),
    "fuzz: signals": _timed(_signals),
    "fuzz: teams": _timed(_teams),
    "fuzz: experts": _timed(_experts),
    "fuzz: answers": _timed(_answers),
}


def attack(randomness: random.Random, until: float) -> Tally:
    """Makes random texts and data until a time."""
    return attempt_until(ATTEMPTS, randomness, until)
