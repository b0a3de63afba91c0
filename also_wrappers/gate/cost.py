"""Computes what a rule costs, by playing the rule on made-up branches."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from functools import lru_cache

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate.rule import Decision, Request, Rule, Trial

__all__ = ["cheapest", "check_extends"]

#: Times that a rule is asked before it counts as one that never decides.
_ENDLESS = 200
_PARTS = 8


def cheapest(rule: Rule, arms: int) -> float:
    """Returns the cost of a rule's cheapest swap, in horizons of branches.

    The rule is played where the evidence is overwhelming: one candidate has all the
    base return there is, the others and control have hardly any, and no score is
    uncertain. The cost of a rule that swaps nothing in even then is that of its first
    branches.

    Args:
        rule: The rule.
        arms: Number of arms, control included; 2 at least.

    Returns:
        The length of all branches of the round together, as a multiple of one branch
        of the round's horizon; an extension counts with the steps that it adds.

    Raises:
        ConfigurationError: The rule asks to extend a branch without having asked to
            keep the end of that branch.

    Example:
        >>> from also_wrappers.gate import Provisional, Race
        >>> cheapest(Provisional(), arms=3), cheapest(Race(), arms=3)
        (3.0, 6.0)
    """
    if isinstance(rule, Hashable):
        return _remembered(rule, arms)
    return _play(rule, arms)


def _play(rule: Rule, arms: int) -> float:
    trials: list[Trial] = []
    horizons = first = 0.0
    for _ in range(_ENDLESS):
        step = rule.next(arms, trials, 1)
        first = first or horizons
        if isinstance(step, Decision):
            return horizons if step.winner is not None else first
        for request in step:
            check_extends(request, [trial.request for trial in trials])
            shorter = [
                trial.request.stretch
                for trial in trials
                if _same_branch(trial.request, request)
                and trial.request.stretch < request.stretch
            ]
            horizons += request.stretch - max(shorter, default=0.0)
            score = 1.0 if request.arm == 1 else 0.01
            trials.append(
                Trial(request, score, 1e-6, points=(score,) * _PARTS),
            )
    return first


_remembered = lru_cache(maxsize=256)(_play)


def check_extends(request: Request, earlier: list[Request]) -> None:
    """Refuses a request that extends a branch whose end was not kept.

    Args:
        request: The request of a rule.
        earlier: All earlier requests of the rule.

    Raises:
        ConfigurationError: The end of the branch was not to be kept.
    """
    for before in earlier:
        shorter = before.stretch < request.stretch
        if _same_branch(before, request) and shorter and not before.keep:
            raise ConfigurationError(
                f"the rule asks to extend the branch {before.phase} {before.index} of "
                f"arm {before.arm}, whose end is not kept; request the shorter branch "
                "with keep=True"
            )


def _same_branch(one: Request, other: Request) -> bool:
    return replace(one, stretch=other.stretch) == other
