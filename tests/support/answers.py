"""Answers of a model, as text."""

from __future__ import annotations

import json
from typing import Any

from also_wrappers.signal import (
    Action,
    Actions,
    Compass,
    Expert,
    Heading,
    Rule,
    Signal,
    Term,
)

ACTIVE = Signal(
    terms=(Term(name="on", kind="progress", expression="place", weight=1.0),)
)

#: What experts may say in the corridor.
WALK = Actions(
    (
        Action("stay", 0),
        Action("back", 1, (-1,)),
        Action("on", 2, (1,), "place < 0.99"),
    ),
    places={"mate": ("mate_place",)},
)
#: The same by a robot that turns and drives.
TURN = Actions(
    (Action("left", 0), Action("right", 1), Action("on", 2)),
    compass=Compass(
        "on",
        "left",
        "right",
        {"west": Heading("place", (-1,)), "east": Heading("mate_place", (1,))},
    ),
)
EXPERT = Signal(
    define={"my_far": "1 - place", "my_late": "my_far < 0.5"},
    expert=Expert(rules=(Rule(when="my_late", do="on"),), pull=2.0),
)

CLAIM = {"key": "feature.place.reward_min", "reads": "positive", "than": ""}
DIAGNOSIS: dict[str, Any] = {
    "stage": "no_signal",
    "findings": [
        {
            "failure": "undirected_exploration",
            "severity": "severe",
            "confidence": "high",
            "claims": [CLAIM],
            "argument": "rewards come at the end",
        }
    ],
    "advice": "draw both to the end",
    "keep": "",
    "probes": [],
    "insufficient": False,
}


def diagnosis(*claims: dict[str, Any], **more: Any) -> str:
    finding = {**DIAGNOSIS["findings"][0], "claims": list(claims or [CLAIM])}
    return json.dumps({**DIAGNOSIS, "findings": [finding], **more})


def candidate(expression: str = "place", **more: Any) -> dict[str, Any]:
    """A candidate; what is said of neither its term nor itself is as usual."""
    term = {"kind": "progress", "expression": expression, "weight": 0.5}
    own = {
        "intent": "new_term",
        "rationale": "r",
        "hypothesis": {"key": "feature.place.change", "moves": "up"},
        "answers": ["feature.place.reward_min"],
        "fade": 0,
    }
    for name, value in more.items():
        (term if name in term else own)[name] = value
    return {**own, "terms": own.get("terms", [term])}


def expert(*rules: Any, **more: Any) -> dict[str, Any]:
    """A candidate with an expert and no terms."""
    return candidate(expert=list(rules), terms=[], intent="expert", **more)


def rule(when: str = "place < 0.5", do: str = "on", *agents: str) -> dict[str, Any]:
    return {"when": when, "do": do, "agents": list(agents)}


def candidates(*items: Any) -> str:
    return json.dumps({"candidates": items})
