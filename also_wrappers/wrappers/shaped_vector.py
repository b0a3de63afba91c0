"""The attachment of many single-agent environments that step together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from also_wrappers.board.board import Board
from also_wrappers.evidence.vector import BatchRecorder
from also_wrappers.signal.features import FeatureMap
from also_wrappers.signal.model import Signal
from also_wrappers.signal.vector import VectorShaper
from also_wrappers.wrappers.source import Link, Options, flat_action

__all__ = ["BatchAttachment"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class BatchAttachment:
    """Feature columns in, added rewards out; evidence left on the board on the way.

    Every environment takes a new signal at its own next reset, so several signals can
    be in force at a time, each with a shaper of its own.

    Args:
        features: The vocabulary.
        agent: What the agent of every environment is called.
        action_space: Of one environment.
        count: The number of environments.
        signal: A signal that stays; this or ``board``, not both.
        board: Where to read the active signal and leave evidence.
        options: See ``Options``.

    Raises:
        ConfigurationError: Neither or both of signal and board were given.
        ExpressionError: The signal, a condition or the success does not parse.
    """

    def __init__(
        self,
        features: FeatureMap,
        agent: str,
        action_space: spaces.Space[Any],
        count: int,
        signal: Signal | None,
        board: Board | None,
        options: Options,
    ) -> None:
        self._features = features
        self._space = action_space
        self._count = count
        self._link = Link(
            features, [agent], [action_space], signal, board, options, copies=count
        )
        self._steps = np.zeros(count, dtype=np.int64)
        self._versions = np.zeros(count, dtype=np.int64)
        self._shapers: list[tuple[VectorShaper, Mask]] = []
        self._columns: Array = np.zeros((len(features), count))
        self._compile()

    def reset(self, columns: Array, which: Mask | None = None) -> None:
        """Starts episodes; a signal that was posted meanwhile is taken now.

        Args:
            columns: First features, shape ``(features, environments)``.
            which: The environments whose episodes start; all if not given.
        """
        link = self._link
        everywhere = which is None
        if which is None:
            which = np.ones(self._count, dtype=bool)
        if link.refresh():
            shaper = self._shapers[-1][0]
            if not shaper.pays(
                link.signal, link.gamma, link.posting.bootstraps_truncation
            ):
                self._shapers.append((self._shaper(), np.zeros(self._count, bool)))
        if everywhere:
            self._shapers = self._shapers[-1:]
        newest, mask = self._shapers[-1]
        newest.forgive(which & ~mask)
        for _, theirs in self._shapers:
            theirs[which] = False
        mask[which] = True
        self._versions[which] = link.posting.version
        self._shapers = [pair for pair in self._shapers if pair[1].any()]
        strength: float | Array = link.posting.strength
        if link.fades:
            strength = np.ones(self._count)
            for k in np.flatnonzero(which).tolist():
                strength[k] = link.strength(int(self._steps[k]))
        newest.reset(columns, None if everywhere else which, strength)
        if self._recorder is not None:
            self._recorder.begin(columns, which)
        self._columns = columns

    def step(
        self,
        actions: Any,
        columns: Array,
        rewards: npt.NDArray[Any],
        terminated: Mask,
        truncated: Mask,
        skipped: Mask | None = None,
    ) -> Array | None:
        """Handles one step of all environments.

        Args:
            actions: What was done, in a batch.
            columns: Features that the step arrived at; not changed afterwards.
            rewards: Base rewards.
            terminated: Whose episode terminated.
            truncated: Whose episode was truncated.
            skipped: Environments for which it was no step.

        Returns:
            What to add to the rewards, or ``None`` where no signal adds anything.
        """
        if self._link.counts_steps:
            self._steps += 1 if skipped is None else ~skipped
        if self._link.swaps_at_step and self._link.outdated:
            self._swap()
        added: Array | None = None
        for shaper, mask in self._shapers:
            paid = shaper.step(columns, terminated, truncated)
            if not shaper.signal.empty:
                if len(self._shapers) > 1:
                    paid = np.where(mask, paid, 0.0)
                added = paid if added is None else added + paid
        if skipped is not None and added is not None:
            added[skipped] = 0.0
        recorder = self._recorder
        if recorder is not None:
            components = self._link.layout.components
            flat = flat_action(self._space, actions, components, self._count)
            recorder.step(columns, flat, rewards, added, skipped)
            over = terminated | truncated
            if skipped is not None:
                over &= ~skipped
            for k in np.flatnonzero(over | recorder.full).tolist():
                self._leave(k, bool(terminated[k]))
                recorder.begin_one(columns, k)
        self._columns = columns
        return added

    def signal_of(self, k: int) -> Signal:
        """The signal in force in one environment."""
        return self._shaper_of(k).signal

    def __getstate__(self) -> dict[str, Any]:
        """Compiled code does not travel; nor does what a slot holds."""
        state = self.__dict__.copy()
        state["_shapers"] = state["_recorder"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._compile()

    def _compile(self) -> None:
        everywhere = np.ones(self._count, dtype=bool)
        self._shapers = [(self._shaper(), everywhere)]
        self._recorder: BatchRecorder | None = None
        if self._link.live:
            self._recorder = BatchRecorder(
                self._link.layout, self._link.success(), self._count
            )

    def _shaper(self) -> VectorShaper:
        link = self._link
        return VectorShaper(
            link.signal,
            self._features,
            link.gamma,
            link.posting.bootstraps_truncation,
            track=link.live,
        )

    def _shaper_of(self, k: int) -> VectorShaper:
        return next(shaper for shaper, mask in self._shapers if mask[k])

    def _swap(self) -> None:
        """Takes a new posting in the middle of all episodes, which are cut in two."""
        if self._recorder is not None:
            for k in np.flatnonzero(self._recorder.steps).tolist():
                self._leave(k, terminated=False)
        self.reset(self._columns)

    def _leave(self, k: int, terminated: bool) -> None:
        assert self._recorder is not None
        shaper = self._shaper_of(k)
        link = self._link
        current = not link.outdated and self._versions[k] == link.posting.version
        paid = shaper.totals[:, k].tolist() if current else None
        episode = self._recorder.finish(
            k, terminated, paid, shaper.invalid[:, k].tolist()
        )
        link.leave(episode, int(self._steps[k]))
