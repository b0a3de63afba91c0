"""Counts the base return of every index of a VecEnv, episode by episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.trainers.earned import Earned

__all__ = ["EpisodeReturns"]


class EpisodeReturns:
    """Adds up the base rewards of every index of a VecEnv until its episode ends.

    Args:
        earned: Gets the base returns of the episodes that end.
        begun: True for indices at the begin of an episode, shape ``(indices,)``. The
            base return of an episode that goes on from an earlier ``learn`` is unknown.

    Example:
        >>> returns = EpisodeReturns(Earned(), np.array([True, False]))
        >>> infos = [{"shaping": {"base": 0.5}}, {"shaping": {"base": 0.25}}]
        >>> for dones in ([False, False], [True, True], [True, True]):
        ...     returns.step(infos, dones)
        >>> returns.earned
        Earned(mean=0.5833333333333334, episodes=3)
    """

    def __init__(self, earned: Earned, begun: npt.NDArray[np.bool_]) -> None:
        self.earned = earned
        self._sums = np.where(begun, 0.0, np.nan)

    def step(self, infos: Sequence[Mapping[str, Any]], dones: Sequence[bool]) -> None:
        """Adds the base rewards of a step, and counts the episodes that ended.

        Args:
            infos: The infos of the step, one per index.
            dones: True for each index whose episode ended.
        """
        self._sums += [info.get("shaping", {}).get("base", 0.0) for info in infos]
        for index in np.flatnonzero(dones):
            if not np.isnan(self._sums[index]):
                self.earned.add(float(self._sums[index]))
            self._sums[index] = 0.0
