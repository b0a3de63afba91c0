"""Builds the JSON schemas of the answers of a language model.

Servers enforce enumerations and not ranges of numbers, so the schemas list all numbers
that may be chosen; every answer is validated again in Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from also_wrappers.evidence.stage import Stage
from also_wrappers.proposals.taxonomy import FAILURES, intents
from also_wrappers.signal.actions import Actions
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.kinds import STATE_KINDS, TRANSITION_KINDS
from also_wrappers.signal.language.parser import FUNCTIONS, REDUCTIONS
from also_wrappers.signal.model import MAX_DEFINITIONS, MAX_RULES

__all__ = ["FADES", "MOST_PROBES", "WEIGHTS", "candidates", "diagnosis"]

WEIGHTS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
#: Shares of the planned training in which a signal may fade out; 0 is no fade.
FADES = (0, 0.1, 0.2, 0.5)
#: The most probes that a Critic may ask for at a time.
MOST_PROBES = 3
#: The most keys that a schema lists, as a longer list makes servers slow; beyond that,
#: a key is any text.
_MOST_KEYS = 120

#: The most words of an expression, spaces and brackets included.
_MOST_WORDS = 80

#: Pattern of a definition's name, whose beginning no feature has: a misspelt feature is
#: not taken for a definition.
_DEFINED = "my_[a-z0-9_]{1,20}"

_TEXT = {"type": "string", "maxLength": 300}


def diagnosis(keys: Sequence[str]) -> dict[str, Any]:
    """Builds the schema of a Critic's answer.

    Args:
        keys: Keys of the evidence that the Critic is shown.
    """
    claim = _object(
        key=_key(keys),
        reads={
            "enum": ["low", "high", "negative", "positive", "zero", "above", "below"]
        },
        than={"type": "string", "maxLength": 80},
    )
    finding = _object(
        failure={"enum": list(FAILURES)},
        severity={"enum": ["minor", "moderate", "severe"]},
        confidence={"enum": ["low", "medium", "high"]},
        claims=_list(claim, 4),
        argument=_TEXT,
    )
    probe = _object(
        name={"type": "string", "maxLength": 40},
        expression={"type": "string", "maxLength": 200},
    )
    return _object(
        stage={"enum": list(get_args(Stage))},
        findings=_list(finding, 4),
        advice=_TEXT,
        keep=_TEXT,
        probes=_list(probe, MOST_PROBES),
        insufficient={"type": "boolean"},
    )


def candidates(
    keys: Sequence[str],
    features: FeatureMap,
    k: int,
    actions: Actions | None = None,
    agents: Sequence[str] = (),
) -> dict[str, Any]:
    """Builds the schema of a Generator's answer.

    Args:
        keys: Keys of the evidence that the Generator may cite.
        features: The vocabulary.
        k: The largest number of candidates.
        actions: The actions that experts may advise; ``None`` where no expert can be
            proposed.
        agents: Names of the agents.
    """
    state = [name for name in features.names if name not in features.action_names]
    defined = [] if actions is None else [_DEFINED]
    terms = [
        _term(TRANSITION_KINDS, _expression([*features.names, *defined], ("delta",)))
    ]
    if state:
        terms.insert(0, _term(STATE_KINDS, _expression([*state, *defined])))
    expert: dict[str, Any] = {}
    if actions is not None:
        of_state = _expression([*state, *defined])
        definition = _object(
            name={"type": "string", "pattern": f"^{_DEFINED}$"}, expression=of_state
        )
        rule = _object(
            when=of_state,
            do={"enum": list(actions.says)},
            agents=_list({"enum": list(agents)}, len(agents)),
        )
        expert = {
            "define": _list(definition, MAX_DEFINITIONS),
            "expert": _list(rule, MAX_RULES),
        }
    candidate = _object(
        intent={"enum": list(intents(experts=actions is not None))},
        rationale=_TEXT,
        hypothesis=_object(key=_key(keys), moves={"enum": ["up", "down"]}),
        answers=_list(_key(keys), 4),
        **expert,
        terms=_list({"anyOf": terms}, 3),
        fade={"enum": list(FADES)},
    )
    return _object(candidates=_list(candidate, k, at_least=1))


def _expression(names: Sequence[str], also: Sequence[str] = ()) -> dict[str, Any]:
    """Builds the schema of an expression, made of words of the term language.

    Where a server enforces the schema, a model can get the grammar wrong, but no name.
    """
    calls = "|".join((*FUNCTIONS, *REDUCTIONS, *also))
    listed = "|".join(sorted(names, key=len, reverse=True))
    word = rf"(({calls})[(]|{listed}|[0-9]+([.][0-9]+)?| (and|or) |not |[-+*/<>=(),]| )"
    return {"type": "string", "pattern": f"^{word}{{1,{_MOST_WORDS}}}$"}


def _term(kinds: Sequence[str], expression: dict[str, Any]) -> dict[str, Any]:
    return _object(
        kind={"enum": list(kinds)},
        expression=expression,
        weight={"enum": list(WEIGHTS)},
    )


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(items: dict[str, Any], most: int, at_least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": at_least, "maxItems": most}


def _key(keys: Sequence[str]) -> dict[str, Any]:
    if 0 < len(keys) <= _MOST_KEYS:
        return {"enum": list(keys)}
    return {"type": "string", "maxLength": 80}
