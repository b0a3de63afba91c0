"""Declares ``Posting``: what a board says to every environment copy."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from also_wrappers.signal.model import Fade, Signal

__all__ = ["Posting"]

#: Least size of a promise in a division, as a promise may be 0.
_LEAST = 1e-9


class Posting(BaseModel):
    """Holds what is posted on a board for every environment copy.

    Attributes:
        version: Number of the posting, which grows with every posting.
        signal: The active signal.
        provisional: Whether the signal is in use without having been confirmed.
        strength: Factor of all that the signal adds.
        since: Trainer steps at which the signal was at its full strength last.
        fade: Takes the strength to zero, in steps of an environment copy; for branches,
            whose environments are fresh.
        gamma: The learner's discount factor; until a trainer has posted it, no
            signal is in force.
        bootstraps_truncation: Whether the learner bootstraps truncated episodes.
        probes: Expressions to record as conditions besides the task's, by name.
        promised: Base return that the signal's expert earns by itself; ``None`` where
            that is not known.

    Example:
        >>> from also_wrappers.signal import Expert, Rule
        >>> expert = Expert(rules=(Rule(when="1", do="on"),), pull=2.0)
        >>> posting = Posting(signal=Signal(expert=expert), promised=0.8)
        >>> [posting.pull(earned) for earned in (0.0, 0.4, 1.0)]
        [2.0, 1.0, 0.0]
    """

    model_config = ConfigDict(frozen=True)

    version: Annotated[int, Field(ge=-1, lt=2**63)] = 0
    signal: Signal = Signal()
    provisional: bool = False
    strength: float = 1.0
    since: int = 0
    fade: Fade | None = None
    gamma: float | None = None
    bootstraps_truncation: bool = True
    probes: dict[str, str] = {}
    promised: float | None = None

    def pull(self, earned: float, steps: int = 0) -> float:
        """Returns the weight of imitation, which falls as the policy earns more.

        Where the expert earns nothing by itself, a policy that loses nothing is not
        pulled either.

        Args:
            earned: Base return that the policy earns now.
            steps: Steps of an environment copy since the signal was posted, for signals
                that fade by these.
        """
        expert = self.signal.expert
        if expert is None:
            return 0.0
        pull = expert.pull * self.strength
        if self.fade is not None:
            pull *= self.fade.strength(steps)
        if self.promised is None:
            return pull
        short = self.promised - earned
        return pull * min(max(short, 0.0) / max(abs(self.promised), _LEAST), 1.0)
