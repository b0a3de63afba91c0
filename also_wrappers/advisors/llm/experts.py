"""Reads the expert of an answer: its definitions and its rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from also_wrappers.advisors.base import Situation
from also_wrappers.exceptions import AlsoError
from also_wrappers.signal.actions import Actions
from also_wrappers.signal.advice import Advice
from also_wrappers.signal.definitions import parse_definitions
from also_wrappers.signal.model import MAX_DEFINITIONS, MAX_RULES, Expert, Rule, Signal

__all__ = ["combined", "read_definitions", "read_expert"]


def read_definitions(data: Any, situation: Situation) -> dict[str, str]:
    """Reads a candidate's definitions: a list of names and expressions, or an object.

    Args:
        data: The definitions as they stand in the answer.
        situation: The situation that the Generator was asked about.

    Raises:
        TypeError: There are too many definitions, or they are neither a list nor an
            object.
        ValueError: A definition is no name with an expression, or comes twice.
        AlsoError: A definition is not a valid expression.
    """
    if isinstance(data, dict):
        data = [{"name": name, "expression": text} for name, text in data.items()]
    if not isinstance(data, list) or len(data) > MAX_DEFINITIONS:
        raise TypeError(f"'define' must be a list of at most {MAX_DEFINITIONS}")
    define: dict[str, str] = {}
    for place, item in enumerate(data, start=1):
        name = item.get("name") if isinstance(item, dict) else None
        text = item.get("expression") if isinstance(item, dict) else None
        if not isinstance(name, str) or not isinstance(text, str):
            raise ValueError(f"definition {place} must have a 'name', an 'expression'")
        if name in define:
            raise ValueError(f"{name[:40]!r} is defined twice; use two names")
        define[name] = text
    Signal(define=define)  # checks names and lengths
    parse_definitions(define, situation.features)
    return define


def read_expert(
    data: Any,
    define: Mapping[str, str],
    situation: Situation,
    actions: Actions,
    problems: list[str],
) -> Expert | None:
    """Reads a candidate's expert.

    Args:
        data: The rules.
        define: The definitions that rules may use.
        situation: The situation that the Generator was asked about.
        actions: The actions that rules may say.
        problems: Gets what is wrong with each rule, with the rule's number.

    Returns:
        The expert; ``None`` without a rule that is valid.

    Raises:
        TypeError: The rules are no list, or too many.
    """
    if not isinstance(data, list) or len(data) > MAX_RULES:
        raise TypeError(f"'expert' must be a list of at most {MAX_RULES} rules")
    rules = []
    for number, item in enumerate(data, start=1):
        try:
            rule = _rule(item, situation.agents)
            alone = Signal(define=dict(define), expert=Expert(rules=(rule,)))
            Advice(alone, situation.features, actions, situation.agents)
        except (AlsoError, ValidationError, TypeError) as error:
            problem = _problem(error).removeprefix("rule 1").lstrip(":")
            problems.append(f"rule {number}: {problem.strip()}")
        else:
            rules.append(rule)
    return Expert(rules=tuple(rules)) if rules else None


def combined(
    active: Signal, own: Signal, *, keep_terms: bool, keep_expert: bool
) -> Signal:
    """Joins a candidate's own signal with the parts of the active signal that stay.

    Args:
        active: The active signal.
        own: The candidate's own signal, without the parts that stay.
        keep_terms: Whether the active signal's terms stay.
        keep_expert: Whether the active signal's expert stays.

    Raises:
        ValueError: A name is defined differently in the candidate and in what stays.

    Example:
        >>> from also_wrappers.signal import Term
        >>> go = Expert(rules=(Rule(when="my_far", do="toward goal"),))
        >>> active = Signal(define={"my_far": "d > 2", "my_near": "d < 1"}, expert=go)
        >>> term = Term(name="t", kind="progress", expression="-d", weight=1.0)
        >>> own = Signal(terms=(term,))
        >>> joined = combined(active, own, keep_terms=False, keep_expert=True)
        >>> joined.expert == go, dict(joined.define)
        (True, {'my_far': 'd > 2'})
    """
    stays = Signal(
        terms=active.terms if keep_terms else (),
        expert=active.expert if keep_expert else None,
    )
    define = _used(active.define, stays)
    for name, text in own.define.items():
        if define.setdefault(name, text) != text:
            raise ValueError(
                f"the part of the active signal that stays uses {name!r} for "
                f"{define[name]!r}; choose another name"
            )
    if len(define) > MAX_DEFINITIONS:
        raise ValueError(
            f"with those of the part that stays there are {len(define)} definitions; "
            f"at most {MAX_DEFINITIONS} are allowed"
        )
    return Signal(
        terms=stays.terms or own.terms,
        fade=own.fade,
        define=define,
        expert=stays.expert or own.expert,
    )


def _rule(item: Any, agents: tuple[str, ...]) -> Rule:
    if not isinstance(item, dict):
        raise TypeError("a rule must be an object with 'when', 'do' and 'agents'")
    whose = item.get("agents") or []
    if not isinstance(whose, list) or not all(isinstance(name, str) for name in whose):
        raise TypeError(f"'agents' must be a list of names among {', '.join(agents)}")
    return Rule(
        when=item.get("when", ""),
        do=item.get("do", ""),
        agents=tuple(dict.fromkeys(whose)) or None,
    )


def _problem(error: Exception) -> str:
    if isinstance(error, ValidationError):
        detail = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}"
    return str(error)


def _used(define: Mapping[str, str], signal: Signal) -> dict[str, str]:
    """Returns the definitions that a signal uses, in the order of definition."""
    texts = [term.expression for term in signal.terms]
    texts += [rule.when for rule in signal.expert.rules] if signal.expert else []
    used = {}
    for name, text in reversed([*define.items()]):
        if any(re.search(rf"\b{name}\b", other) for other in texts):
            used[name] = text
            texts.append(text)
    return dict(reversed([*used.items()]))
