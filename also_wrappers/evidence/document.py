"""Evidence: the compact document that an advisor reads."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from also_wrappers.evidence.meanings import pattern_of
from also_wrappers.evidence.numbers import MEANINGS
from also_wrappers.signal.model import Signal

__all__ = ["Evidence"]

#: Characters of a token, estimated.
_TOKEN = 3.0
#: What is shown first.
_FIRST = ("team", "trainer", "signal", "expert", "condition", "term")
#: Differences between episodes, in standard deviations.
_AGGREGATES = ("mean", "min", "max")
_EFFECTS = ("better", "late", "change_better")
#: Rewards, or episodes, below which a number is an anecdote and says how many.
_FEW = 10


class Evidence(BaseModel):
    """What was seen of the agents in one window.

    Attributes:
        values: Number per dotted key; see ``also_wrappers.evidence.MEANINGS``.
        unavailable: Keys that have no number, with the reason.
        features: Names of the features.
        agents: Names of the agents.
        conditions: Recorded expressions by name.
        signal: The signal that was active.
        insufficient: Reasons for which the evidence says nothing; empty if it does.
        visits: How often the first two features with a declared range (``visits_of``)
            were in each bin of their ranges; for pictures only.
        visits_of: Their names.

    Example:
        >>> seen = Evidence(values={"feature.x.late": -1.5, "team.episodes": 40.0})
        >>> print(seen.text())
        team.episodes = 40 (seen in this window)
        feature.x.late = -1.5
    """

    model_config = ConfigDict(frozen=True)

    values: dict[str, float]
    unavailable: dict[str, str] = {}
    features: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    conditions: dict[str, str] = {}
    signal: Signal = Signal()
    insufficient: tuple[str, ...] = ()
    visits: tuple[tuple[float, ...], ...] = ()
    visits_of: tuple[str, ...] = ()

    def text(
        self,
        budget: Annotated[int, Field(gt=0)] = 1500,
        first: Collection[str] = (),
    ) -> str:
        """The evidence in words, most telling first.

        Args:
            budget: Tokens, estimated as a third of the characters.
            first: Keys that come before all others.

        Returns:
            One ``key = number`` per line, with the meaning of keys that stand for one
            number only, and the count behind a number that rests on few rewards; then
            what was left out, and what is not available and why.
        """
        shown, rest = self._shown(budget, first)
        return "\n".join([*self._head(), *map(self._line, shown), *rest])

    def keys(
        self,
        budget: Annotated[int, Field(gt=0)] = 1500,
        first: Collection[str] = (),
    ) -> list[str]:
        """The keys that ``text`` shows within a budget."""
        return self._shown(budget, first)[0]

    def episodes_of(self, key: str) -> float:
        """Returns how many episodes a number is over.

        Of many environment copies, agents' behaviour and features are recorded for a
        share of the episodes; whatever else there is, for all.

        Args:
            key: The number's key, or a pattern of keys.

        Example:
            >>> few = Evidence(values={"team.episodes": 900.0, "team.detailed": 220.0})
            >>> few.episodes_of("feature.*.better"), few.episodes_of("team.reward_rate")
            (220.0, 900.0)
        """
        episodes = self.values.get("team.episodes", 0.0)
        if key.partition(".")[0] in _FIRST:
            return episodes
        return self.values.get("team.detailed", episodes)

    def _line(self, key: str) -> str:
        meaning = MEANINGS.get(key)
        about = meaning.text if meaning else self._count(key)
        return f"{key} = {self.values[key]:.3g}" + (f" ({about})" if about else "")

    def _count(self, key: str) -> str:
        """Says how many rewards or episodes a number rests on, where these are few."""
        head, _, last = key.rpartition(".")
        episodes = self.episodes_of(key)
        rewarded = episodes * self.values.get("team.reward_rate", 1.0)
        if last == "reward_rate":
            few = episodes * self.values.get(f"{head}.rate", 1.0)
            what = f"in {few:.0f} episodes"
        elif last.startswith("reward_"):
            everything = self.values.get("team.episodes", 0.0)
            share = episodes / everything if everything else 1.0
            few = share * self.values.get("team.reward_steps", math.inf)
            what = f"by {few:.0f} reward(s)"
        elif last in ("better", "change_better"):
            # Where nobody is charged, the better episodes are those with a reward.
            charged = self.values.get("team.base_return.min", -1.0) < 0.0
            few = math.inf if charged else rewarded
            what = f"by {few:.0f} of {episodes:.0f} episodes"
        else:
            return ""
        return what if few < _FEW else ""

    def _shown(
        self, budget: int, first: Collection[str]
    ) -> tuple[list[str], list[str]]:
        """The keys that there is room for, and what is said of the others."""
        keys = sorted(
            self.values, key=lambda key: (key not in first, self._interest(key))
        )
        lines = [self._line(key) for key in keys]
        room = budget * _TOKEN - _size(self._head())
        tail = self._missing(room / 4.0)
        kept = len(lines)
        while (
            kept and _size([*lines[:kept], *self._left_out(keys[kept:]), *tail]) > room
        ):
            kept -= 1
        return keys[:kept], [*self._left_out(keys[kept:]), *tail]

    def _head(self) -> list[str]:
        if not self.insufficient:
            return []
        return [f"insufficient evidence: {'; '.join(self.insufficient)}"]

    def _left_out(self, keys: list[str]) -> list[str]:
        if not keys:
            return []
        patterns = Counter(map(pattern_of, keys))
        named = [f"{pattern} ({n})" for pattern, n in patterns.most_common(8)]
        more = ", ..." if len(patterns) > len(named) else ""
        return [f"left out, {len(keys)} keys: {', '.join(named)}{more}"]

    def _missing(self, room: float) -> list[str]:
        """What is not available and why, in no more characters than there is room."""
        if not self.unavailable:
            return []
        reasons: dict[str, dict[str, None]] = {}
        for key, reason in self.unavailable.items():
            reasons.setdefault(reason, {})[pattern_of(key)] = None
        lines = [
            f"unavailable, {reason}: {', '.join(list(patterns)[:6])}"
            for reason, patterns in sorted(reasons.items())
        ]
        if _size(lines) <= room:
            return lines
        return [f"unavailable: {len(self.unavailable)} keys"]

    def _largest(self, key: str) -> bool:
        """Whether no other aggregate of a feature stands out more before a reward."""
        head = key.rpartition("_")[0]
        sizes = [abs(self.values.get(f"{head}_{a}", 0.0)) for a in _AGGREGATES]
        return abs(self.values[key]) >= max(sizes)

    def _interest(self, key: str) -> tuple[int, float, str]:
        """Returns what the keys of evidence are sorted by, the most telling first.

        First come the team, its trainer and signal, then what clearly differs, the
        agents, what moves, and the rest.
        """
        head, _, tail = key.partition(".")
        last = tail.rpartition(".")[2]
        value = self.values[key]
        if last in _EFFECTS:
            n = max(self.episodes_of(key), 1.0)
            clear = abs(value) > 2.0 * math.sqrt((4.0 + value * value / 2.0) / n)
            return (2 if clear else 7), -abs(value), key
        if head == "feature":
            if last.startswith("reward_") and last != "reward_jump":
                return (2 if self._largest(key) else 6), -abs(value), key
            plain = last in ("mean", "change") and value != 0.0
            return (4 if plain else 6 if last in ("min", "max") else 8), 0.0, key
        if head in _FIRST:
            return _FIRST.index(head) // 3, 0.0, key
        return (8 if last == "share" else 3), 0.0, key


def _size(lines: list[str]) -> int:
    return sum(len(line) + 1 for line in lines)
