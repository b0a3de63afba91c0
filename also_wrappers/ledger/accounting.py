"""Counts every step of a run once, with ``Accounting``."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, NonNegativeInt

__all__ = ["Accounting", "Counts"]


class Counts(BaseModel):
    """Holds the steps of a run so far, by what they were spent on.

    Attributes:
        mainline: Steps of the final policy's lineage.
        branches: Steps that were spent on branches and discarded.
        evaluation: Steps that were spent on evaluation.
        total: The sum of the three.
        unknown: The most steps that may have been spent besides: steps of failed
            branches, and steps that were being trained when the run was stopped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mainline: NonNegativeInt = 0
    branches: NonNegativeInt = 0
    evaluation: NonNegativeInt = 0
    total: NonNegativeInt = 0
    unknown: NonNegativeInt = 0


@dataclass
class Accounting:
    """Counts every step of a run once.

    Attributes:
        agents_per_env: Trainer steps of one environment step.
        mainline: Trainer steps of the final policy's lineage.
        branches: Trainer steps that were spent on branches and discarded.
        evaluation: Trainer steps that were spent on evaluation.
        unknown: The most trainer steps that may have been spent besides.
        in_flight: The most trainer steps that are being trained now, not counted yet.

    Example:
        >>> steps = Accounting(agents_per_env=2, mainline=100, branches=300)
        >>> steps.env_steps().total
        200
    """

    agents_per_env: int = 1
    mainline: int = 0
    branches: int = 0
    evaluation: int = 0
    unknown: int = 0
    in_flight: int = 0

    def move(self, steps: int) -> None:
        """Moves the lineage to another state, without changing the total.

        Args:
            steps: Trainer steps of the lineage at that state. The steps of a branch
                that becomes the mainline count as the mainline's; the steps that the
                branch replaces count as discarded.
        """
        self.branches += self.mainline - steps
        self.mainline = steps

    def trainer_steps(self) -> Counts:
        """Returns the counts as the trainer counts: one step per agent."""
        return self._counts(1)

    def env_steps(self) -> Counts:
        """Returns the counts in environment steps: one ``step`` of one copy."""
        return self._counts(self.agents_per_env)

    def _counts(self, per_step: int) -> Counts:
        total = self.mainline + self.branches + self.evaluation
        return Counts(
            mainline=self.mainline // per_step,
            branches=self.branches // per_step,
            evaluation=self.evaluation // per_step,
            total=total // per_step,
            unknown=self.unknown // per_step,
        )
