"""Records many environment copies that step together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.recorder import LONGEST_SEGMENT, Episode, Success
from also_wrappers.evidence.statistics import Layout

__all__ = ["VectorRecorder"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class VectorRecorder:
    """The ``Recorder`` of many environments whose agents stay to the end.

    Arrays end in an axis of environments. Those of a team have an axis of agents before
    it; those of a single agent may have it.

    Args:
        layout: Names and sizes of what is recorded of one environment.
        success: Whether an episode that ended was a success.
        count: The number of environments.

    Attributes:
        steps: Steps of each environment since its episode, or segment, began.
    """

    def __init__(self, layout: Layout, success: Success | None, count: int) -> None:
        self._layout = layout
        self._success = success
        self._count = count
        self.steps = np.zeros(count, dtype=np.int64)
        self._places = np.arange(count)
        self._allocate(64)

    @property
    def full(self) -> Mask:
        """Environments whose segment has to be finished before the next step."""
        full: Mask = self.steps >= LONGEST_SEGMENT
        return full

    def begin(self, columns: Array, which: Mask) -> None:
        """Starts episodes of some environments at a state."""
        self.steps[which] = 0
        self._rows[which, 0] = self._states(columns)[which]

    def begin_one(self, columns: Array, k: int) -> None:
        """Starts an episode of one environment, or a further segment of one."""
        self.steps[k] = 0
        self._rows[k, 0] = columns[..., k].T

    def step(
        self,
        columns: Array,
        actions: Array,
        base: npt.NDArray[np.floating],
        added: Array | None,
        skipped: Mask | None,
    ) -> None:
        """Writes one step of all environments but those that are skipped.

        Args:
            columns: Features, shape ``(features, ..., environments)``.
            actions: Components of the actions, shape ``(environments, agents,
                components)``.
            base: Base rewards, shape ``(..., environments)``.
            added: What the signal added to them; ``None`` for nothing.
            skipped: Environments for which it was no step; ``None`` for none.
        """
        places, steps = self._places, self.steps
        if int(steps.max()) + 1 >= self._rows.shape[1]:
            self._grow()
        per_agent = self._count, -1
        self._rows[places, steps + 1] = self._states(columns)
        self._actions[places, steps] = actions
        self._base[places, steps] = base.T.reshape(per_agent)
        if added is None:
            self._added[places, steps] = 0.0
        else:
            self._added[places, steps] = added.T.reshape(per_agent)
        self.steps += 1 if skipped is None else ~skipped

    def finish(
        self,
        k: int,
        terminated: bool,
        paid: Sequence[float] | None,
        invalid: Sequence[float],
    ) -> Episode:
        """Ends the episode of one environment; see ``Recorder.finish``."""
        t = int(self.steps[k])
        agents = len(self._layout.agents)
        rows = self._rows[k, : t + 1]
        alive = np.ones((t + 1, agents), dtype=bool)
        base = self._base[k, :t]
        base_return = float(base.sum()) / agents
        success = self._success
        return Episode(
            base_return,
            base_return + float(self._added[k, :t].sum()) / agents,
            t,
            success is not None and success(rows[-1], alive[-1], base_return, t),
            terminated,
            rows,
            base,
            self._actions[k, :t],
            alive,
            None if paid is None else [amount / agents for amount in paid],
            invalid,
        )

    def _states(self, columns: Array) -> Array:
        """Returns features, shape ``(environments, agents, features)``."""
        return columns.T.reshape(self._count, -1, len(columns))

    def _allocate(self, steps: int) -> None:
        n, layout = self._count, self._layout
        agents = len(layout.agents)
        self._rows = np.zeros((n, steps + 1, agents, len(layout.features)))
        self._actions = np.zeros((n, steps, agents, layout.components))
        # Steps lie apart, as in a ``Recorder``: numpy then adds them in the same order.
        paid = np.zeros((n, steps, 2, agents))
        self._base, self._added = paid[:, :, 0], paid[:, :, 1]

    def _grow(self) -> None:
        names = ("_rows", "_actions", "_base", "_added")
        before = {name: getattr(self, name) for name in names}
        self._allocate(min(2 * before["_base"].shape[1], LONGEST_SEGMENT))
        for name, old in before.items():
            getattr(self, name)[:, : old.shape[1]] = old
