"""Answers of a model, as text."""

from __future__ import annotations

import json
from typing import Any

from also_wrappers.signal import Signal, Term

ACTIVE = Signal(
    terms=(Term(name="on", kind="progress", expression="place", weight=1.0),)
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


def candidates(*items: Any) -> str:
    return json.dumps({"candidates": items})
