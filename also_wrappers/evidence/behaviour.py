"""How agents move and share the work, from binned features alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.statistics import BINS, add_scalars
from also_wrappers.evidence.steps import Steps

__all__ = ["movement", "targets"]

Array = npt.NDArray[np.float64]

_total = np.add.reduce
#: Odd numbers that mix the bins of several features into one.
_MIX = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)


def movement(s: Steps, views: dict[str, Array], values: Array) -> None:
    """Adds the cells (binned states) that each agent and the team visited.

    Nothing is added where no feature has a declared range.
    """
    if not s.layout.cells:
        return
    cells = _cells(s)
    visited = []
    for i, own in enumerate(cells):
        alive = s.alive[i]
        pairs = _pairs(s.episode[alive], own[alive])
        visited.append(pairs)
        views["cells"][i] += float(len(pairs))
        views["cell_rows"][i] += float(alive.sum())
        views["cells_seen"][own[alive] % len(views["cells_seen"])] = 1.0
    if len(s.layout.cells) > 1:
        _visits(s, views["visits"])
    team = np.unique(np.concatenate(visited))
    add_scalars(values, [("team_cells", float(len(team)))])


def _visits(s: Steps, visits: Array) -> None:
    """Adds how often each bin of the first two features with a range was visited."""
    alive = s.alive.ravel()
    places = []
    for column, low, width in s.layout.cells[:2]:
        at = np.floor((s.rows[:, column].ravel()[alive] - low) / width)
        places.append(np.clip(np.nan_to_num(at), 0, BINS - 1).astype(np.int64))
    counts = np.bincount(places[0] * BINS + places[1], minlength=BINS * BINS)
    visits += counts.reshape(BINS, BINS)


def targets(s: Steps, views: dict[str, Array], values: Array) -> None:
    """Adds which of several targets each agent is nearest to, and whether agents crowd.

    A step counts if two agents take part and two targets are left. The step is crowded
    if two agents are nearest to the same target, although another one is left.
    """
    pairs = s.layout.targets
    if not pairs:
        return
    rows = s.rows[:, :, 1:]
    distance = rows[:, [column for column, _ in pairs]]
    left = np.ones(distance.shape, dtype=bool)
    for k, (_, column) in enumerate(pairs):
        if column >= 0:
            left[:, k] = rows[:, column] > 0.0
    nearest = np.where(left, distance, np.inf).argmin(axis=1)
    enough = (_total(left, axis=1) >= 2) & s.acted
    choices = np.arange(len(pairs))[None, :, None]
    toward = (nearest[:, None] == choices) & enough[:, None]
    views["target_steps"][...] += _total(toward, axis=2)
    counted = _total(enough) >= 2
    crowded = (_total(toward) >= 2).any(axis=0) & counted
    add_scalars(
        values,
        [
            ("crowded_steps", float(crowded.sum())),
            ("targeted_steps", float(counted.sum())),
        ],
    )


def _cells(s: Steps) -> npt.NDArray[np.uint64]:
    """Returns a number per agent and row that tells binned states apart."""
    with np.errstate(over="ignore", invalid="ignore"):
        mixed = np.zeros((s.rows.shape[0], s.rows.shape[2]), dtype=np.uint64)
        for column, low, width in s.layout.cells:
            at = np.floor((s.rows[:, column] - low) / width + 1e-9)
            bins = np.nan_to_num(at, nan=-1e6, posinf=1e6, neginf=-1e6)
            part = np.clip(bins, -1e6, 1e6).astype(np.int64).astype(np.uint64)
            mixed = (mixed ^ (part + np.uint64(_MIX[0]))) * np.uint64(_MIX[1])
            mixed ^= mixed >> np.uint64(29)
    return mixed


def _pairs(
    episode: npt.NDArray[np.int64], cell: npt.NDArray[np.uint64]
) -> npt.NDArray[np.uint64]:
    """Returns a number per distinct cell of each episode."""
    with np.errstate(over="ignore"):
        mixed = cell ^ (episode.astype(np.uint64) * np.uint64(_MIX[2]))
    return np.unique(mixed)
