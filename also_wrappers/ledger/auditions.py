"""The events of auditions in a ledger: what experts earned before any branch."""

from __future__ import annotations

import math
from typing import Literal

from also_wrappers.ledger.stamp import RoundEvent
from also_wrappers.signal.model import Signal

__all__ = ["Auditioned", "Ranked"]


class Auditioned(RoundEvent):
    """Says what an expert earned that played before any branch.

    Attributes:
        signal: Id of the signal with the expert.
        expert: The expert and the definitions that it uses, as a signal of their own.
        passed: Whether the expert is tried, or pulls on.
        active: Whether the expert was in force already.
        refusal: Why the expert is not tried, in a sentence; empty if it is.
        promised: Base return at which the pull of the expert ends; ``None`` where it is
            not tried, or only declared conditions speak for it.
        earned: Mean base return of the expert, the larger one of those that it earns
            exactly and with some of the actions at random.
        error: Standard error of ``earned``.
        noise: Share of the actions that were random where it earned so much.
        policy: Mean base return of the policy alone, on the same seeds.
        episodes: Number of episodes of which ``earned`` is the mean.
        steps: Trainer steps that were played.
        coverage: Share of the steps at which the expert was not silent.
        distance: How far the policy was from the expert there: 1 less the share of good
            actions among its own; ``None`` where the expert was silent.
        shares: Share of the steps at which each rule spoke.
        late: The same of the last steps of episodes without reward; empty where there
            were none.
    """

    event: Literal["audition"] = "audition"
    signal: str
    expert: Signal
    passed: bool
    active: bool = False
    refusal: str
    promised: float | None
    earned: float
    error: float
    noise: float
    policy: float
    episodes: int
    steps: int
    coverage: float
    distance: float | None
    shares: tuple[float, ...]
    late: tuple[float, ...]

    @property
    def spread(self) -> float:
        """Standard deviation of the base return between episodes."""
        return self.error * math.sqrt(self.episodes)

    def is_of(self, signal: Signal) -> bool:
        """Returns whether it was the expert of a signal that played.

        Args:
            signal: The signal; how hard its expert pulls makes no difference.
        """
        mine, other = self.expert.expert, signal.expert
        if mine is None or other is None:
            return False
        return mine.rules == other.rules and self.expert.define == signal.define


class Ranked(RoundEvent):
    """Says which of many experts earned most; the best becomes a candidate.

    Attributes:
        played: How many experts played.
        best: The signal of the best one.
        earned: Its mean base return, with a tenth of the actions at random.
        error: Standard error of ``earned``.
        policy: Mean base return of the policy alone.
        steps: Trainer steps that all of them played.
    """

    event: Literal["ranking"] = "ranking"
    played: int
    best: Signal
    earned: float
    error: float
    policy: float
    steps: int
