"""From a block of episodes to accumulators, all episodes of the block at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.accumulators import Accumulators
from also_wrappers.evidence.block import Block
from also_wrappers.evidence.numbers import FAMILIES
from also_wrappers.evidence.statistics import Layout
from also_wrappers.evidence.steps import Steps
from also_wrappers.signal.language.parser import Node

__all__ = ["accumulate"]

Array = npt.NDArray[np.float64]

_OF_ALL = [family for family in FAMILIES if not family.in_detail]
_OF_DETAILED = [family for family in FAMILIES if family.in_detail]


def accumulate(
    layout: Layout, values: Array, block: Block, conditions: Sequence[Node]
) -> None:
    """Adds the episodes of a block to accumulators, in place.

    Args:
        layout: Names and places of the accumulators.
        values: The accumulators.
        block: The episodes, which are not changed.
        conditions: Trees of the named expressions to look for.
    """
    totals = Accumulators(values, layout.blocks)
    every = Steps(layout, block, conditions)
    part = block.in_detail()
    in_detail = every if part is block else Steps(layout, part, conditions)
    with np.errstate(all="ignore"):  # a feature may be nan; its numbers then are
        for steps, families in ((every, _OF_ALL), (in_detail, _OF_DETAILED)):
            for family in families if steps.count else ():
                family.add(steps, totals)
