"""What the user allows: the options of an ``Adaptation``, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

from also_wrappers.branches.executors import Executor
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate import Provisional, Rule
from also_wrappers.trainer import Trainer

__all__ = ["AdaptationOptions", "Settings"]

PauseOn = Literal["interval", "stage"]


class AdaptationOptions(TypedDict, total=False):
    """Lists what ``Adaptation`` takes besides run, advisor and ``every``.

    Attributes:
        first: Trainer steps before the first round; ``every`` if not given. An
            untrained policy responds to a signal, a stuck one hardly does.
        candidates: Candidates of a round; 3 if not given.
        refinements: Replacements after the first results of a round; 2 if not given.
        horizon: Trainer steps of a branch; by default the larger of a fifth of the
            planned training and what gives 300 scored episodes, or down to half of
            that where less of the planned training is left.
        budget: Trainer steps that branches may spend, as a multiple of the planned
            training; 1.0 if not given, 0 records only.
        fade_out: Share of the planned training at whose end the signal's strength goes
            to zero, so that the policy ends on the base reward alone; no round is
            played there. By default a tenth, but 0 where values of a replay buffer
            would fade with it.
        pause_on: ``"interval"`` plays a round every so many steps; ``"stage"`` waits
            then until the run is stuck: no signal, a plateau or a regression.
        gate: What decides; ``Gate()`` if not given.
        executor: Where branches run; worker processes if not given.
        seed: Seed of the branches; 0 if not given.
    """

    first: int | None
    candidates: int
    refinements: int
    horizon: int | None
    budget: float
    fade_out: float | None
    pause_on: PauseOn
    gate: Rule | None
    executor: Executor | None
    seed: int


@dataclass(frozen=True)
class Settings:
    """Holds the options of an ``Adaptation``, with their defaults.

    Attributes:
        every: Trainer steps between rounds.

    The others are those of ``AdaptationOptions``.

    Raises:
        ConfigurationError: An option is out of range.
    """

    every: int
    first: int | None = None
    candidates: int = 3
    refinements: int = 2
    horizon: int | None = None
    budget: float = 1.0
    fade_out: float | None = None
    pause_on: PauseOn = "interval"
    gate: Rule | None = None
    executor: Executor | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("every", "first", "candidates", "horizon"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigurationError(f"{name} must be at least 1, not {value}")
        if self.budget < 0.0 or self.refinements < 0:
            raise ConfigurationError("budget and refinements must not be negative")
        if self.fade_out is not None and not 0.0 <= self.fade_out < 1.0:
            raise ConfigurationError(
                "fade_out is a share of the training from 0 up to 1, not "
                f"{self.fade_out}"
            )
        if isinstance(self.gate, Provisional):
            raise ConfigurationError(
                "Provisional goes on confirming beside the training, which the loop "
                "does not do yet; use Race(), which confirms before it swaps"
            )
        if self.pause_on not in ("interval", "stage"):
            raise ConfigurationError(
                f"pause_on is 'interval' or 'stage', not {self.pause_on!r}"
            )

    def check(self, trainer: Trainer) -> None:
        """Refuses what leaves no room for a single round.

        Args:
            trainer: The trainer.

        Raises:
            ConfigurationError: With what would leave room.
        """
        horizon = self.horizon
        if horizon is not None and horizon < trainer.rollout:
            raise ConfigurationError(
                f"a horizon of {horizon} steps is shorter than one rollout of "
                f"{trainer.rollout}; use a multiple of it"
            )
        least = 2 * (horizon or trainer.rollout)
        if 0.0 < self.budget * trainer.total < least:
            raise ConfigurationError(
                f"a budget of {self.budget:g} times the {trainer.total} steps of the "
                f"training is less than the {least} steps of the smallest round; use "
                f"{least / trainer.total:.2g} or more, or 0 to record only"
            )
