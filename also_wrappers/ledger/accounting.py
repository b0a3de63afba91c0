"""``Accounting``: every step of a run, counted once."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Accounting"]


@dataclass
class Accounting:
    """Every step, counted once.

    Attributes:
        agents_per_env: Trainer steps of one environment step.
        mainline: Trainer steps of the final policy's lineage.
        branches: Trainer steps that were spent and discarded.
        evaluation: Trainer steps spent on evaluation.

    Example:
        >>> steps = Accounting(agents_per_env=2, mainline=100, branches=300)
        >>> steps.env_steps()["total"]
        200
    """

    agents_per_env: int = 1
    mainline: int = 0
    branches: int = 0
    evaluation: int = 0

    def trainer_steps(self) -> dict[str, int]:
        """The counts as the trainer counts: one per agent."""
        return {
            "mainline": self.mainline,
            "branches": self.branches,
            "evaluation": self.evaluation,
            "total": self.mainline + self.branches + self.evaluation,
        }

    def env_steps(self) -> dict[str, int]:
        """The counts in environment steps: one ``step`` of one copy."""
        counts = self.trainer_steps()
        return {name: count // self.agents_per_env for name, count in counts.items()}
