"""How much a round may try."""

from __future__ import annotations

import math
from dataclasses import dataclass

from also_wrappers.loop.settings import Settings
from also_wrappers.trainer import Trainer

__all__ = ["Plan"]

#: Episodes in the last half of a branch that make its score worth something.
_SCORED_EPISODES = 300
_HORIZON_SHARE = 0.2


@dataclass(frozen=True)
class Plan:
    """How much one round may try.

    Attributes:
        candidates: Candidates of the first proposal.
        refinements: Replacements after the first results.
        horizon: Trainer steps of a branch.
        budget: Trainer steps that branches may still spend.
        longest: Trainer steps by which the lineage may still grow.
        total: Trainer steps that are planned in all.
        copy_steps: Trainer steps of one step of all environment copies.
        seed: Of the run.
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
        trainer: Trainer,
        *,
        length: float,
        copies: int,
        until: int,
        budget: int,
    ) -> Plan | str:
        """Plans a round.

        Args:
            settings: What the user allows.
            trainer: At rest.
            length: Environment steps of an episode.
            copies: Environment copies.
            until: Trainer steps of the lineage at which the last branch must end.
            budget: Trainer steps that branches may still spend.

        Returns:
            The plan, or why the round is not worth playing.
        """
        episodes = 0.0 if trainer.evaluates else 2.0 * _SCORED_EPISODES
        enough = episodes * length * trainer.agents_per_env
        wanted = settings.horizon or max(_HORIZON_SHARE * trainer.total, enough)
        horizon = math.ceil(wanted / trainer.rollout) * trainer.rollout
        # One rollout is always collected after a pause.
        longest = until - trainer.steps - trainer.rollout
        if settings.horizon is None and wanted / 2.0 <= longest < horizon:
            horizon = longest // trainer.rollout * trainer.rollout
        if horizon > longest:
            return "too little of the planned training is left for a branch"
        candidates = min(settings.candidates, budget // horizon - 1)
        if candidates < 1:
            return (
                f"{max(budget, 0)} steps of the branch budget are left, a round needs "
                f"{2 * horizon} at least"
            )
        return cls(
            candidates,
            settings.refinements,
            horizon,
            budget,
            longest,
            trainer.total,
            copies * trainer.agents_per_env,
            settings.seed,
        )
