"""Coverage: the cells (binned states) that each agent and the team visit."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.accumulators import (
    Accumulator,
    Accumulators,
    highest,
    summed,
)
from also_wrappers.evidence.numbers.family import Family, Meaning, Number
from also_wrappers.evidence.scope import BINS, Scope
from also_wrappers.evidence.steps import Steps
from also_wrappers.evidence.sums import Sums

__all__ = ["Coverage", "visited"]

Array = npt.NDArray[np.float64]
Cells = npt.NDArray[np.uint64]

#: Bits in which cells that were seen are marked; many more cells cannot be counted.
_SKETCH = 2048
#: Odd numbers that mix the bins of several features into one.
_MIX = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)


class Coverage(Family):
    """Distinct cells; nothing is added where no feature has a declared range."""

    scalars = ("team_cells",)
    in_detail = True

    def arrays(self, scope: Scope) -> dict[str, Accumulator]:
        """Returns cells of each agent and its rows, marks of cells, and visits."""
        agents = len(scope.agents)
        return {
            "cells": summed(agents),
            "cell_rows": summed(agents),
            "cells_seen": highest(_SKETCH, empty=0.0),
            "visits": summed(BINS, BINS),
        }

    def add(self, steps: Steps, totals: Accumulators) -> None:
        """Adds the distinct cells of each episode, and marks them as seen."""
        if not steps.scope.cells:
            return
        cells, cell_rows = totals["cells"], totals["cell_rows"]
        marks = totals["cells_seen"]
        visits = []
        for i, own in enumerate(_cells(steps)):
            alive = steps.alive[i]
            pairs = _pairs(steps.episode[alive], own[alive])
            visits.append(pairs)
            cells[i] += float(len(pairs))
            cell_rows[i] += float(alive.sum())
            marks[own[alive] % _SKETCH] = 1.0
        if len(steps.scope.cells) > 1:
            _add_visits(steps, totals["visits"])
        team = np.unique(np.concatenate(visits))
        totals.add({"team_cells": float(len(team))})

    def of_agent(self, sums: Sums, i: int) -> Iterator[Number]:
        """Returns how often an agent comes to a new cell."""
        key = f"{sums.scope.agents[i]}.move.coverage"
        if sums.scope.cells:
            yield key, sums.at("cells", i) / max(sums.at("cell_rows", i), 1.0)
        else:
            yield key, "no feature declares its range"

    def of_team(self, sums: Sums) -> Iterator[Number]:
        """Returns how agents share the cells."""
        if not sums.scope.cells:
            return
        team = sums.at("team_cells")
        yield "team.coverage", team / max(float(sums["cell_rows"].sum()), 1.0)
        yield "team.redundancy", 1.0 - team / max(float(sums["cells"].sum()), 1.0)
        free = float((sums["cells_seen"] == 0.0).mean())
        if free > 0.01:  # linear counting, Whang et al. 1990
            yield "team.cells", -_SKETCH * math.log(free)
        else:
            yield "team.cells", "too many to count"

    meanings = {
        "*.move.coverage": Meaning("share", "its steps to a state new in the episode"),
        "team.coverage": Meaning(
            "share", "visits of the team to a state new in the episode"
        ),
        "team.redundancy": Meaning(
            "share", "states of an agent in an episode that another one visits too"
        ),
        "team.cells": Meaning("states", "distinct binned states seen in the window"),
    }


def visited(sums: Sums) -> tuple[tuple[tuple[float, ...], ...], tuple[str, ...]]:
    """Returns how often the bins of two features were visited, for pictures.

    Args:
        sums: The sums of a window.

    Returns:
        Visits of each bin of the first two features with a declared range, and the
        names of the two; nothing where fewer have one.
    """
    scope = sums.scope
    if len(scope.cells) < 2:
        return (), ()
    names = tuple(scope.features[column] for column, *_ in scope.cells[:2])
    return tuple(map(tuple, sums["visits"].tolist())), names


def _cells(steps: Steps) -> Cells:
    """Returns a number per agent and row that tells binned states apart."""
    rows = steps.rows
    with np.errstate(over="ignore", invalid="ignore"):
        mixed = np.zeros((rows.shape[0], rows.shape[2]), dtype=np.uint64)
        for column, low, width in steps.scope.cells:
            at = np.floor((rows[:, column] - low) / width + 1e-9)
            at[np.isnan(at)] = -1e6
            part = np.clip(at, -1e6, 1e6, out=at).astype(np.int64).astype(np.uint64)
            mixed = (mixed ^ (part + np.uint64(_MIX[0]))) * np.uint64(_MIX[1])
            mixed ^= mixed >> np.uint64(29)
    return mixed


def _pairs(episode: npt.NDArray[np.int64], cell: Cells) -> Cells:
    """Returns a number per distinct cell of each episode."""
    with np.errstate(over="ignore"):
        mixed = cell ^ (episode.astype(np.uint64) * np.uint64(_MIX[2]))
    return np.unique(mixed)


def _add_visits(steps: Steps, visits: Array) -> None:
    """Adds how often each bin of the first two features with a range was visited."""
    alive = steps.alive.ravel()
    places = []
    for column, low, width in steps.scope.cells[:2]:
        at = np.floor((steps.rows[:, column].ravel()[alive] - low) / width)
        at[np.isnan(at)] = 0.0
        places.append(np.clip(at, 0, BINS - 1, out=at).astype(np.int64))
    counts = np.bincount(places[0] * BINS + places[1], minlength=BINS * BINS)
    visits += counts.reshape(BINS, BINS)
