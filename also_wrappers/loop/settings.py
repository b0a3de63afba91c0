"""Checks the options of an ``Adaptation``, and gives them their defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypedDict

from also_wrappers.branches.executors import Executor
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate import Provisional, Rule

__all__ = ["AdaptationOptions", "Settings"]

#: Share of the planned training before the first round.
_FIRST_SHARE = 0.03

#: Share of the planned training between two checkpoints, which a kill may cost.
_CHECKPOINT_SHARE = 0.05

PauseOn = Literal["interval", "stage"]


class AdaptationOptions(TypedDict, total=False):
    """Lists the options of ``Adaptation`` besides run and advisor.

    Attributes:
        first: Trainer steps before the first round; .03 of the planned training if not
            given. An untrained policy responds to a signal, a stuck one hardly does.
        every: Trainer steps from the first round to the second; a tenth of the planned
            training if not given. Every later distance is twice the one before.
        candidates: Candidates of a round; 2 if not given.
        refinements: Replacements after the first results of a round; 1 if not given.
        horizon: Trainer steps of a branch of the first round; by default the larger of
            .03 of the planned training and what gives 50 scored episodes, and one of
            each environment copy. Branches are twice as long after every round without
            a winner, up to four times.
        budget: Trainer steps that branches may spend, as a multiple of the planned
            training; 0.5 if not given, 0 records only.
        fade_out: Share of the planned training at whose end the signal's strength goes
            to zero, so that the policy ends on the base reward alone; no round is
            played there. By default a tenth, but 0 where values of a replay buffer
            would fade with the signal. The pull towards an expert without terms does
            not fade.
        checkpoint_every: Trainer steps between two checkpoints outside of rounds; a
            twentieth of the planned training if not given, no checkpoints with 0.
        pause_on: ``"stage"``, the default, plays a round that is due as soon as the
            run is stuck: not while the base return clearly rises, nor once the task is
            solved. ``"interval"`` plays a round that is due in any stage.
        gate: The rule that decides rounds; ``Provisional()`` if not given.
        executor: Where branches run; worker processes if not given.
        seed: Seed of the branches; 0 if not given.
        replay: Directory of an earlier run. Each signal that it swapped in is made
            active after the same trainer steps of this run, without advisor and
            branches; the budget is 0 then.
    """

    first: int | None
    every: int | None
    candidates: int
    refinements: int
    horizon: int | None
    budget: float
    fade_out: float | None
    checkpoint_every: int | None
    pause_on: PauseOn
    gate: Rule
    executor: Executor | None
    seed: int
    replay: str | Path | None


@dataclass(frozen=True)
class Settings:
    """Holds the options of an ``Adaptation``, with their defaults.

    The attributes are those of ``AdaptationOptions``.

    Raises:
        ConfigurationError: An option is out of range.
    """

    first: int | None = None
    every: int | None = None
    candidates: int = 2
    refinements: int = 1
    horizon: int | None = None
    budget: float = 0.5
    fade_out: float | None = None
    checkpoint_every: int | None = None
    pause_on: PauseOn = "stage"
    gate: Rule = field(default_factory=Provisional)
    executor: Executor | None = None
    seed: int = 0
    replay: str | Path | None = None

    def first_pause(self, total: int) -> int:
        """Returns the trainer steps before the first round of a training."""
        return self.first or max(round(_FIRST_SHARE * total), 1)

    def checkpoint_distance(self, total: int) -> int:
        """Returns the trainer steps from one checkpoint to the next.

        The distance 0 stands for no checkpoints outside of rounds.
        """
        share = max(round(_CHECKPOINT_SHARE * total), 1)
        return share if self.checkpoint_every is None else self.checkpoint_every

    def __post_init__(self) -> None:
        if self.replay is not None:
            object.__setattr__(self, "budget", 0.0)
        for name in ("every", "first", "candidates", "horizon"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigurationError(f"{name} must be at least 1, not {value}")
        if min(self.budget, self.refinements, self.checkpoint_every or 0) < 0:
            raise ConfigurationError(
                "budget, refinements and checkpoint_every must not be negative; 0 "
                "turns any of them off"
            )
        if self.fade_out is not None and not 0.0 <= self.fade_out < 1.0:
            raise ConfigurationError(
                "fade_out is a share of the training from 0 up to 1, not "
                f"{self.fade_out}"
            )
        if not callable(getattr(self.gate, "next", None)):
            raise ConfigurationError(
                f"gate must be a rule such as Provisional() or Race(), not "
                f"{self.gate!r:.80}"
            )
        if self.pause_on not in ("interval", "stage"):
            raise ConfigurationError(
                f"pause_on is 'interval' or 'stage', not {self.pause_on!r}"
            )
