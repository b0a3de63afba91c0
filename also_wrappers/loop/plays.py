"""Gathers the episodes of an audition's players, and compares the players."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.proposals.outcomes import Played
from also_wrappers.signal.model import Expert

__all__ = ["CLEAR", "Plays", "best_of", "clearness", "more_often", "why_refused"]

#: Share of the most talkative expert's steps at which another expert speaks about as
#: often.
_ALIKE = 0.9
#: Standard errors by which an expert must earn more than the policy, one-sided.
CLEAR = 1.64


@dataclass
class Plays:
    """Gathers the episodes of one player: an expert, or the policy alone.

    Attributes:
        returns: Base return of each episode.
        rows: Some whole episodes.
        timeouts: Number of episodes that did not terminate, and of all episodes.
        rates: Sums over episodes of how often declared conditions held, by name.
        spoken: Number of times that the expert spoke, and that the policy would have
            taken a good action then.
    """

    returns: list[float] = field(default_factory=list)
    rows: list[EpisodeRows] = field(default_factory=list)
    timeouts: list[int] = field(default_factory=lambda: [0, 0])
    rates: dict[str, float] = field(default_factory=dict)
    spoken: tuple[float, float] = (0.0, 0.0)

    def add(self, part: Plays) -> None:
        """Adds further episodes of the same player."""
        self.returns += part.returns
        self.rows += part.rows
        self.timeouts = [
            a + b for a, b in zip(self.timeouts, part.timeouts, strict=True)
        ]
        self.spoken = (
            self.spoken[0] + part.spoken[0],
            self.spoken[1] + part.spoken[1],
        )
        for name, rate in part.rates.items():
            self.rates[name] = self.rates.get(name, 0.0) + rate

    @property
    def mean(self) -> float:
        """The mean base return of an episode."""
        return float(np.mean(self.returns))

    @property
    def error(self) -> float:
        """The standard error of the mean base return."""
        return float(np.std(self.returns, ddof=1)) / math.sqrt(len(self.returns))

    @property
    def distance(self) -> float | None:
        """The policy's distance from the expert; ``None`` if the expert was silent.

        The distance is 1 less the share of good actions among those that the policy
        would have taken.
        """
        spoken, agreed = self.spoken
        return 1.0 - agreed / spoken if spoken else None

    @property
    def rate(self) -> float:
        """The rate at which declared conditions held, a mean over conditions."""
        episodes = max(self.timeouts[1], 1)
        return sum(self.rates.values()) / max(len(self.rates), 1) / episodes


def best_of(played: Sequence[Played]) -> Played | None:
    """Returns the expert that is most worth a try.

    Experts earn alike if their gain over the policy is at most a standard error below
    the largest gain, and at least half of it. Among experts that earn alike, those that
    speak nearly as often as the one that speaks most are kept, and of these the one
    nearest to the policy is returned: the less the other agents change, the less each
    agent's world moves (the concern of RELED, arXiv 2511.19368).

    Args:
        played: What each expert earned.

    Returns:
        The expert; ``None`` where no expert earned more than the policy, and none met
        declared conditions at all.
    """
    most = max(played, key=lambda one: (one.earned, one.rate), default=None)
    if most is None:
        return None
    gain = most.earned - most.policy
    if gain <= 0.0:
        return most if gain == 0.0 and most.rate > 0.0 else None
    least = max(gain - most.error, gain / 2.0)
    alike = [one for one in played if one.earned - one.policy >= least]
    most_said = max(one.coverage for one in alike)
    telling = [one for one in alike if one.coverage >= _ALIKE * most_said]
    return min(telling, key=lambda one: 1.0 if one.distance is None else one.distance)


def clearness(mine: Sequence[float], theirs: Sequence[float]) -> float:
    """Returns by how many standard errors one player earns more than another.

    Returns are compared in pairs on the same seeds. The standard error is taken to be
    at least what one largest return more or less would change in the mean.
    """
    gains = np.subtract(mine, theirs)
    largest = float(np.abs([mine, theirs]).max())
    error = float(np.std(gains, ddof=1)) / math.sqrt(len(gains))
    least = largest / len(gains)
    return float(gains.mean()) / max(error, least) if least else 0.0


def more_often(mine: Plays, theirs: Plays) -> bool:
    """True where declared conditions held clearly more often for ``mine``."""
    error = math.sqrt(
        sum(
            max(
                one.rate * (1.0 - one.rate) / max(one.timeouts[1], 1),
                1.0 / max(one.timeouts[1], 1) ** 2,
            )
            for one in (mine, theirs)
        )
    )
    return mine.rate - theirs.rate >= CLEAR * error


def why_refused(
    expert: Expert | None,
    best: Plays,
    alone: Plays,
    shares: Sequence[float],
    late: Sequence[float],
) -> str:
    """Writes what a refused expert has earned, and which rules went wrong."""
    assert expert is not None
    text = (
        f"the expert earned {best.mean:.3g} (error {best.error:.2g}) in "
        f"{len(best.returns)} episodes and the policy alone {alone.mean:.3g}"
    )
    cut, ended = best.timeouts
    if cut and late:
        silent = 1.0 - sum(late)
        rule = int(np.argmax(late))
        where = f"rule {rule + 1} ({expert.rules[rule].do}) held"
        if silent > late[rule]:
            where = "no rule held"
        text += f"; in {cut / ended:.0%} of them time ran out, mostly while {where}"
    if not sum(shares):
        text += "; no rule ever held"
    elif 0.0 in shares:
        idle = [str(k) for k, share in enumerate(shares, start=1) if not share]
        text += f"; no turn ever came to rule {', '.join(idle)}"
    return text
