"""Checks what a trainer and its branches count."""

from __future__ import annotations

from also_wrappers.trainer import EVALUATED, ForkOutcome, Trainer

__all__ = ["check_enough", "check_outcome"]


def check_enough(counted: int, wanted: int, trainer: Trainer) -> None:
    """Checks that enough steps were trained, and less than a rollout too many.

    Args:
        counted: Trainer steps that were counted.
        wanted: Trainer steps that were asked for.
        trainer: The trainer.

    Raises:
        AssertionError: Fewer steps were counted than wanted, or a rollout or more too
            many.
    """
    assert wanted <= counted < wanted + trainer.rollout, (
        f"{wanted} steps were wanted, {counted} counted"
    )


def check_outcome(
    outcome: ForkOutcome, wanted: int, copies: int, trainer: Trainer
) -> None:
    """Checks the steps of a branch, and the form of its evaluations.

    Args:
        outcome: The outcome that the fork returned.
        wanted: Trainer steps that were asked for.
        copies: Environment copies that have played in the branch.
        trainer: The trainer.

    Raises:
        AssertionError: The counts do not agree, or evaluations have another form.
    """
    check_enough(outcome.steps, wanted, trainer)
    per_step = copies * trainer.agents_per_env
    assert abs(outcome.copy_steps * per_step - outcome.steps) < per_step, (
        f"{outcome.copy_steps} steps of {copies} copies with "
        f"{trainer.agents_per_env} agents are not {outcome.steps} trainer steps"
    )
    evaluated = outcome.evaluated
    assert evaluated is None or evaluated.dtype == EVALUATED, (
        f"evaluated is an array of {evaluated.dtype}; make it one of "
        "also_wrappers.trainer.EVALUATED, with the fields end and base_return"
    )
