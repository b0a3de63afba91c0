"""A learner that is made up: what it has learned, and what its episodes return.

Progress goes from 0, untrained, to 1, where the mean base return is ``TARGET``. What a
signal is worth is how much progress a step on it makes. The curve is foraging's:
plain PPO reaches .9 after 122,000, 165,000 and 212,000 environment steps, and the base
returns on the way there are those of the untrained branches in ``branches.json``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = [
    "EPISODE",
    "TARGET",
    "Candidates",
    "Signal",
    "base_return",
    "pace",
    "play",
    "progress_of",
]

#: What a policy is trained on. ``base`` is the base reward alone, and what does no
#: more than that.
Signal = Literal["base", "good", "harmful"]

#: Mean base return of an episode that training is to reach, of 1 at most.
TARGET = 0.9
#: Environment steps of an episode.
EPISODE = 50
#: Progress at which the mean base return is one half.
_HALF = 0.75
_STEEPNESS = math.log(TARGET / (1.0 - TARGET)) / (1.0 - _HALF)
#: Standard deviation of how fast trainings learn that differ by their seed only.
_PACES = 0.25


@dataclass(frozen=True)
class Candidates:
    """Says what an advisor's candidates are worth.

    Attributes:
        rates: Progress of an environment step, by signal.
        good: Probability that a candidate is good.
        harmful: Probability that it is harmful; what is neither changes nothing.
    """

    rates: Mapping[Signal, float]
    good: float
    harmful: float

    def draw(self, random: np.random.Generator) -> Signal:
        """Returns one candidate."""
        chance = random.random()
        if chance < self.good:
            return "good"
        return "harmful" if chance < self.good + self.harmful else "base"

    def at(self, pace: float) -> Candidates:
        """Returns what they are worth in a training that learns so fast."""
        rates = {signal: pace * rate for signal, rate in self.rates.items()}
        return replace(self, rates=rates)


def base_return(progress: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Returns the mean base return of an episode.

    Example:
        >>> base_return([0.0, 0.75, 1.0]).round(3).tolist()
        [0.001, 0.5, 0.9]
    """
    odds = np.exp(_STEEPNESS * (np.asarray(progress) - _HALF))
    return np.asarray(odds / (1.0 + odds), dtype=np.float64)


def progress_of(returned: float) -> float:
    """Returns the progress at which episodes return so much in the mean.

    Example:
        >>> round(progress_of(0.9), 9)
        1.0
    """
    share = min(max(returned, 1e-4), 1.0 - 1e-4)
    return max(_HALF + math.log(share / (1.0 - share)) / _STEEPNESS, 0.0)


def pace(random: np.random.Generator) -> float:
    """Draws how fast one training learns, 1 in the mean."""
    return math.exp(_PACES * random.normal() - _PACES**2 / 2.0)


def play(
    returned: npt.NDArray[np.float64], episodes: int, random: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Returns the mean base returns of episodes that return 0 or 1, in equal parts.

    A part in which no episode ends has one.

    Args:
        returned: Mean base return that is expected in each of the parts.
        episodes: Episodes of all parts together.
        random: Where episodes come from.
    """
    ends = episodes * np.arange(len(returned) + 1) // len(returned)
    drawn = np.maximum(ends[1:] - ends[:-1], 1)
    return np.asarray(random.binomial(drawn, returned) / drawn, dtype=np.float64)
