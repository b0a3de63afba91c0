"""Plans what adapting costs: the length of branches, and what a round tries.

All plans are pure functions of numbers; ``python tests/calibration/economy.py`` shows
what the numbers bring.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate.cost import cheapest
from also_wrappers.gate.rule import Rule
from also_wrappers.loop.settings import Settings
from also_wrappers.trainer import Trainer

__all__ = ["LONGEST", "Forecast", "Plan", "check_pays", "forecast", "horizon_of"]

#: Share of the planned training that a first branch takes.
_HORIZON_SHARE = 0.03
#: The longest branch of a later round, in horizons of the first round.
LONGEST = 4
#: Wanted number of episodes in the last half of a branch, from which its score comes.
_SCORED_EPISODES = 50


def horizon_of(settings: Settings, trainer: Trainer, length: float, copies: int) -> int:
    """Returns the trainer steps of a branch of the first round, in whole rollouts.

    By default an episode of each environment copy ends in half a branch, by which
    candidates are screened.

    Args:
        settings: What the user allows.
        trainer: The trainer.
        length: Environment steps of an episode; 0 where that is not known.
        copies: Number of environment copies, which step together.
    """
    grain = trainer.rollout
    if settings.horizon is not None:
        return math.ceil(settings.horizon / grain) * grain
    steps = 0.0 if trainer.evaluates else length * trainer.agents_per_env
    enough = 2.0 * max(_SCORED_EPISODES, copies) * steps
    wanted = max(_HORIZON_SHARE * trainer.total, enough)
    # Both halves of a branch are looked at.
    return math.ceil(wanted / (2 * grain)) * 2 * grain


def check_pays(
    settings: Settings, rule: Rule, trainer: Trainer, horizon: int, until: int
) -> None:
    """Refuses a plan in which no round could ever change anything.

    Args:
        settings: What the user allows.
        rule: The rule that decides rounds.
        trainer: The trainer.
        horizon: Trainer steps of a branch of the first round.
        until: Trainer steps of the lineage at which the last branch must end.

    Raises:
        ConfigurationError: No round could change anything; the sentence names a budget,
            a horizon or a plan that would do.
    """
    total, grain = trainer.total, trainer.rollout
    if settings.horizon is not None and settings.horizon < grain:
        raise ConfigurationError(
            f"a horizon of {settings.horizon} steps is shorter than one rollout of "
            f"{grain}; use a multiple of it"
        )
    branches = cheapest(rule, 2)
    least = horizon * branches
    if settings.budget == 0.0:
        return
    if settings.budget * total < least:
        raise ConfigurationError(
            f"a budget of {settings.budget:g} times the {total:,} steps of the "
            f"training pays for {int(settings.budget * total):,} steps of branches, "
            f"and the smallest round that can change something takes {least:,.0f}: "
            f"{branches:g} branches of {horizon:,}; use budget="
            f"{math.ceil(100 * least / total) / 100:g} or more, plan "
            f"{math.ceil(least / settings.budget):,} steps or more, or use budget=0 to "
            "record only"
        )
    if horizon + grain > until:
        raise ConfigurationError(
            f"a branch takes {horizon:,} steps, and only {max(until - grain, 0):,} of "
            f"the {total:,} steps of the training are open to branches; use a shorter "
            f"horizon, plan {math.ceil((horizon + grain) * total / max(until, 1)):,} "
            "steps or more, or use budget=0 to record only"
        )


@dataclass(frozen=True)
class Forecast:
    """Holds what adapting may cost in a run in which no round finds anything.

    Attributes:
        rounds: Rounds that the budget pays for.
        steps: Trainer steps of the branches of these rounds.
    """

    rounds: int
    steps: int


def forecast(
    settings: Settings, rule: Rule, horizon: int, budget: int, rollout: int
) -> Forecast:
    """Returns what the rounds of a run cost if no round finds anything.

    Where base return is rare, branches are extended, and there are fewer rounds.

    Args:
        settings: What the user allows.
        rule: The rule that decides rounds.
        horizon: Trainer steps of a branch of the first round.
        budget: Trainer steps that branches may spend.
        rollout: Trainer steps of one rollout.

    Example:
        >>> from also_wrappers.gate import Provisional
        >>> forecast(Settings(), Provisional(), 1_000, budget=16_000, rollout=100)
        Forecast(rounds=3, steps=16000)
    """
    rounds, spent, shortest, longest = 0, 0, horizon, LONGEST * horizon
    while rounds < 100:
        tried = _tried(settings, rule, horizon, shortest, budget - spent, rollout)
        if tried is None:
            break
        horizon, candidates, refinements = tried
        spent += round(horizon * cheapest(rule, 1 + candidates + refinements))
        rounds += 1
        horizon = min(2 * horizon, longest)
    return Forecast(rounds, spent)


@dataclass(frozen=True)
class Plan:
    """Holds how much one round may try.

    Attributes:
        candidates: Candidates of the first proposal.
        refinements: Replacements after the first results.
        horizon: Trainer steps of a branch.
        budget: Trainer steps that branches may still spend.
        longest: Trainer steps that a branch may have at most.
        total: Trainer steps that are planned in all.
        copy_steps: Trainer steps of one step of all environment copies.
        seed: Seed of the run.
    """

    candidates: int
    refinements: int
    horizon: int
    budget: int
    longest: int
    total: int
    copy_steps: int
    seed: int

    @classmethod
    def make(
        cls,
        settings: Settings,
        rule: Rule,
        *,
        horizon: int,
        shortest: int,
        budget: int,
        longest: int,
        total: int,
        rollout: int,
        copy_steps: int,
        at_sight: bool = False,
    ) -> Plan | str:
        """Returns the largest plan that the budget pays for, or why there is none.

        Where the budget does not pay for all candidates and replacements, there are
        fewer candidates, then no replacements, then shorter branches. Where the budget
        pays for no decision, an expert that needs no branch may still be tried.

        Args:
            settings: What the user allows.
            rule: The rule that decides rounds.
            horizon: Trainer steps of a branch that are wanted.
            shortest: Trainer steps of a branch of the first round.
            budget: Trainer steps that branches may still spend.
            longest: Trainer steps that a branch may have at most.
            total: Trainer steps that are planned in all.
            rollout: Trainer steps of one rollout.
            copy_steps: Trainer steps of one step of all environment copies.
            at_sight: Whether an expert may be used without a branch.

        Returns:
            The plan, or a sentence that says why the round is not worth playing.

        Example:
            >>> from also_wrappers.gate import Provisional
            >>> rule, numbers = Provisional(), dict(longest=9000, total=10_000)
            >>> numbers |= dict(rollout=100, copy_steps=4, horizon=1000, shortest=800)
            >>> for budget in (5000, 2500, 1800, 1500):
            ...     plan = Plan.make(Settings(), rule, budget=budget, **numbers)
            ...     if isinstance(plan, Plan):
            ...         print(plan.candidates, plan.horizon)
            2 1000
            1 1000
            1 800
        """
        half = longest // rollout * rollout
        if settings.horizon is None and horizon <= 2 * half:
            horizon = min(horizon, half)
        if horizon > longest:
            return (
                "too little of the planned training is left: a branch may have "
                f"{max(longest, 0):,} steps, and takes {horizon:,}; for more rounds, "
                "plan more steps or give a shorter horizon"
            )
        tried = _tried(settings, rule, horizon, shortest, budget, rollout)
        if tried is None and at_sight:
            tried, budget = (horizon, 1, 0), 0
        if tried is None:
            least = round(shortest * cheapest(rule, 2))
            return (
                f"{max(budget, 0):,} steps of the branch budget are left, and a round "
                f"that can end takes {least:,}; for more rounds, give a larger budget"
            )
        horizon, candidates, refinements = tried
        return cls(
            candidates,
            refinements,
            horizon,
            budget,
            longest,
            total,
            copy_steps,
            settings.seed,
        )


def _tried(
    settings: Settings,
    rule: Rule,
    horizon: int,
    shortest: int,
    budget: int,
    rollout: int,
) -> tuple[int, int, int] | None:
    """Returns horizon, candidates and replacements that the budget can pay for."""
    for candidates, refinements in _fewer(settings.candidates, settings.refinements):
        if horizon * cheapest(rule, 1 + candidates + refinements) <= budget:
            return horizon, candidates, refinements
    grain = 2 * rollout  # both halves of a branch are scored
    horizon = int(budget / cheapest(rule, 2)) // grain * grain
    return (horizon, 1, 0) if horizon >= shortest else None


def _fewer(candidates: int, refinements: int) -> Iterator[tuple[int, int]]:
    """Yields ever fewer candidates, and then one with ever fewer replacements."""
    for fewer in range(candidates, 0, -1):
        yield fewer, refinements
    for fewer in range(refinements - 1, -1, -1):
        yield 1, fewer
