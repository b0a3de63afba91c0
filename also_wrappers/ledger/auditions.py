"""Declares the events of auditions: what experts earned before any branch."""

from __future__ import annotations

import math
from typing import Literal

from also_wrappers.ledger.stamp import RoundEvent
from also_wrappers.signal.model import Signal

__all__ = ["Auditioned", "Ranked"]


class Auditioned(RoundEvent):
    """Records what an expert earned in its audition, before any branch.

    Attributes:
        signal: Id of the signal with the expert.
        expert: The expert and the definitions that it uses, as a signal of their own.
        passed: Whether the expert is tried, or stays in force.
        active: Whether the expert was in force already.
        refusal: Why the expert is not tried, in a sentence; empty if it is.
        promised: Base return at which the pull of the expert ends; ``None`` where it is
            the expert is not tried, or only declared conditions speak for it.
        earned: Mean base return of the expert: the larger one of its returns when it
            plays exactly and when some of the actions are random.
        error: Standard error of ``earned``.
        noise: Share of the actions that were random in the play of ``earned``.
        policy: Mean base return of the policy alone, on the same seeds.
        episodes: Number of episodes of which ``earned`` is the mean.
        steps: Trainer steps that were played.
        coverage: Share of the steps at which the expert was not silent.
        distance: Distance of the policy from the expert at these steps: 1 less the
            share of good actions among the policy's own; ``None`` where the expert was
            silent throughout.
        shares: Share of the steps at which each rule spoke.
        late: Share of the last steps of episodes without reward at which each rule
            spoke; empty where there were no such episodes.
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
        """The standard deviation of the base return between episodes."""
        return self.error * math.sqrt(self.episodes)

    def is_of(self, signal: Signal) -> bool:
        """True where this was the audition of a signal's expert.

        Args:
            signal: The signal; the pull of its expert makes no difference.
        """
        mine, other = self.expert.expert, signal.expert
        if mine is None or other is None:
            return False
        return mine.rules == other.rules and self.expert.define == signal.define


class Ranked(RoundEvent):
    """Records which of many experts earned most and becomes a candidate.

    Attributes:
        played: How many experts played.
        best: The signal of the best expert.
        earned: Mean base return of the best expert, with a tenth of the actions at
            random.
        error: Standard error of ``earned``.
        policy: Mean base return of the policy alone.
        steps: Trainer steps that all experts played.
    """

    event: Literal["ranking"] = "ranking"
    played: int
    best: Signal
    earned: float
    error: float
    policy: float
    steps: int
