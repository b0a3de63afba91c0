"""What a signal adds to the rewards of many environments that step together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from also_wrappers.board.board import Board
from also_wrappers.evidence.vector import VectorRecorder
from also_wrappers.signal.advice import Advice
from also_wrappers.signal.batch import BatchShaper
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.model import Signal
from also_wrappers.signal.vector import VectorShaper
from also_wrappers.wrappers.source import Options, SignalSource, flat_action

__all__ = ["ShapedVector"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_Shaper = BatchShaper | VectorShaper


class ShapedVector:
    """Computes what a signal adds to the rewards of many environments, and records.

    Feature columns go in, added rewards come out, and episodes are left on the board.
    Every environment takes a new signal at its own next reset, so several signals can
    be in force at a time, each with a shaper of its own. Agents stay to the end of the
    episode of their environment.

    Arrays end in an axis of environments. Those of a team have an axis of agents before
    it; those of a single agent may have it. Where evidence is recorded, and for a team,
    all numbers are to the last digit those that ``ShapedTeam`` has in each environment;
    else they are made in a quicker way and differ by rounding.

    Args:
        features: The vocabulary.
        agents: What the agents of every environment are called.
        action_spaces: Their action spaces, in the same order.
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
        agents: Sequence[str],
        action_spaces: Sequence[spaces.Space[Any]],
        count: int,
        signal: Signal | None,
        board: Board | None,
        options: Options,
    ) -> None:
        self._features = features
        self._spaces = list(action_spaces)
        self._count = count
        self._source = SignalSource(
            features, agents, action_spaces, signal, board, options, copies=count
        )
        self._steps = np.zeros(count, dtype=np.int64)
        self._versions = np.zeros(count, dtype=np.int64)
        self._shapers: list[tuple[_Shaper, Mask]] = []
        #: By the id of a signal: what its expert says.
        self._advice: dict[str, Advice] = {}
        self._columns: Array = np.zeros((len(features), count))
        self._ids: npt.NDArray[np.object_] = np.empty(0, dtype=object)
        self._compile()

    def reset(self, columns: Array, which: Mask | None = None) -> None:
        """Starts episodes; a signal that was posted meanwhile is taken now.

        Args:
            columns: First features, shape ``(features, ..., environments)``.
            which: The environments whose episodes start; all if not given.
        """
        source = self._source
        if source.refresh():
            self._put_in_force()
        if len(self._shapers) > 1:
            self._move(self._everywhere if which is None else which)
        newest, _ = self._shapers[-1]
        strength: float | Array = source.posting.strength
        if source.fades:
            strength = np.ones(self._count)
            for k in np.flatnonzero(self._everywhere if which is None else which):
                strength[k] = source.strength(int(self._steps[k]))
        newest.reset(columns, which, strength)
        if self._recorder is not None:
            begun = self._everywhere if which is None else which
            self._versions[begun] = source.posting.version
            self._recorder.begin(columns, begun)
        self._columns = columns

    def step(
        self,
        actions: Sequence[Any],
        columns: Array,
        rewards: npt.NDArray[Any],
        terminated: Mask,
        truncated: Mask,
        skipped: Mask | None = None,
        over: Mask | None = None,
    ) -> Array | None:
        """Returns what the signal adds to the rewards of all environments at one step.

        Args:
            actions: The actions of all environments, for each agent.
            columns: Features that the step arrived at, shape ``(features, ...,
                environments)``; not changed afterwards.
            rewards: Base rewards, shape ``(..., environments)``.
            terminated: Whose episode terminated, in that shape.
            truncated: Whose episode was truncated.
            skipped: Environments for which it was no step, but a reset that is told
                next; they get 0.
            over: The environments whose episode ended, shape ``(environments,)``; to be
                given where there is an axis of agents.

        Returns:
            Shape ``(..., environments)``, or ``None`` where no signal adds anything and
            the rewards must stay as they are.
        """
        if self._source.swaps_at_step and self._source.outdated:
            self._swap()
        if self._source.counts_steps:
            self._steps += 1 if skipped is None else ~skipped
        added: Array | None = None
        counted = None if skipped is None else ~skipped
        for shaper, mask in self._shapers:
            paid = shaper.step(columns, terminated, truncated, counted)
            if shaper.signal.terms:
                if len(self._shapers) > 1:
                    paid = np.where(mask, paid, 0.0)
                added = paid if added is None else added + paid
        if skipped is not None and added is not None:
            added[..., skipped] = 0.0
        recorder = self._recorder
        if recorder is not None:
            recorder.step(columns, self._taken(actions), rewards, added)
            if over is None:
                over = terminated | truncated
            if skipped is not None:
                over = over & ~skipped
            places = np.flatnonzero(over | recorder.full)
            if len(places):
                ends = terminated if terminated.ndim == 1 else terminated.any(axis=0)
                self._leave(places, (over & ends)[places])
                recorder.go_on(places)
        self._columns = columns
        return added

    def info(
        self,
        base: Array,
        total: Array,
        which: Mask | None = None,
        over: Mask | None = None,
    ) -> dict[str, Any]:
        """Returns what a step tells, under ``"shaping"``, in Gymnasium's vector form.

        To be asked between a step and the resets that follow it.

        Args:
            base: Base rewards, shape ``(environments,)``.
            total: Shaped rewards, likewise.
            which: The environments that it tells of; all if not given.
            over: Those of them whose episode ended, to which it tells the terms.
        """
        mask = self._everywhere if which is None else which
        shaping: dict[str, Any] = {
            "base": base,
            "_base": mask,
            "total": total,
            "_total": mask,
            "signal": self._ids,
            "_signal": mask,
        }
        if over is not None:
            shaping["terms"], shaping["_terms"] = self._terms(over), over
        if self._advice:
            bits, shaping["_advice"] = self.advice(mask)
            shaping["advice"] = bits[:, 0]
        return {"shaping": shaping, "_shaping": mask}

    def first_info(self, infos: dict[str, Any], which: Mask | None) -> dict[str, Any]:
        """Returns infos with the advice for the first states of episodes.

        They stay as they are where no expert is in force.

        Args:
            infos: What is told so far.
            which: The environments whose episodes start; all if ``None``.
        """
        if not self._advice:
            return infos
        advice, mask = self.advice(self._everywhere if which is None else which)
        bits = advice[:, 0]
        shaping = infos.get("shaping", {})
        if "advice" in shaping:
            bits, mask = (
                np.where(mask, bits, shaping["advice"]),
                mask | shaping["_advice"],
            )
        shown = mask | infos["_shaping"] if shaping else mask
        shaping = {**shaping, "advice": bits, "_advice": mask}
        return {**infos, "shaping": shaping, "_shaping": shown}

    def advice(self, which: Mask) -> tuple[npt.NDArray[np.int64], Mask]:
        """Returns what experts say about the current states.

        Args:
            which: The environments that are asked about.

        Returns:
            Bits, shape ``(environments, agents)``, 0 where an expert is silent; and the
            environments among those asked about in which an expert is in force.
        """
        agents = len(self._spaces)
        rows = self._columns.T.reshape(self._count, agents, len(self._features))
        bits = np.zeros((self._count, agents), dtype=np.int64)
        advised = np.zeros(self._count, dtype=bool)
        alive = np.ones(bits.shape, dtype=bool)
        for shaper, mask in self._shapers:
            advice = self._advice.get(shaper.signal.id)
            if advice is not None:
                theirs = mask & which
                bits[theirs] = advice.batch(rows, alive)[theirs]
                advised |= theirs
        return bits, advised

    def signal_of(self, k: int) -> Signal:
        """Returns the signal in force in one environment."""
        return self._shaper_of(k).signal

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out compiled code, and the recorder: neither travels."""
        state = self.__dict__.copy()
        state["_shapers"] = state["_recorder"] = state["_advice"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._compile()

    def _compile(self) -> None:
        self._advice = {}
        self._shapers = [(self._shaper(), np.ones(self._count, dtype=bool))]
        self._recorder: VectorRecorder | None = None
        if self._source.live:
            self._recorder = VectorRecorder(
                self._source.layout, self._source.success(), self._count
            )
        # What infos show at every step is made once, and nobody may write to it.
        self._everywhere: Mask = np.ones(self._count, dtype=bool)
        self._ids = np.full(self._count, self._source.signal.id, dtype=object)
        self._everywhere.setflags(write=False)
        self._ids.setflags(write=False)

    def _put_in_force(self) -> None:
        """Moves the shaper of what is posted to the end; makes it if there is none."""
        source = self._source
        posted = source.signal, source.gamma, source.posting.bootstraps_truncation
        same = [pair for pair in self._shapers if pair[0].pays(*posted)]
        newest = same[0] if same else (self._shaper(), np.zeros(self._count, bool))
        others = [pair for pair in self._shapers if pair is not newest]
        self._shapers = [*others, newest]

    def _move(self, which: Mask) -> None:
        """Puts the newest shaper in force in some environments, for all others."""
        newest, mask = self._shapers[-1]
        self._ids = self._ids.copy()  # infos that were handed out stay
        self._ids[which] = newest.signal.id
        self._ids.setflags(write=False)
        newest.values.forgive(which & ~mask)
        for _, theirs in self._shapers:
            theirs[which] = False
        mask[which] = True
        self._shapers = [pair for pair in self._shapers if pair[1].any()]
        in_force = {shaper.signal.id for shaper, _ in self._shapers}
        self._advice = {
            k: advice for k, advice in self._advice.items() if k in in_force
        }

    def _shaper(self) -> _Shaper:
        """Returns a shaper of the signal that is posted."""
        source = self._source
        advice = source.advice()
        if advice is not None:
            self._advice[source.signal.id] = advice
        signal, features, gamma = source.signal, self._features, source.gamma
        bootstraps = source.posting.bootstraps_truncation
        if source.live or len(self._spaces) > 1:
            return BatchShaper(signal, features, source.names, gamma, bootstraps)
        return VectorShaper(signal, features, gamma, bootstraps)

    def _taken(self, actions: Sequence[Any]) -> Array:
        """Returns actions as numbers, shape ``(environments, agents, components)``."""
        components = self._source.layout.components
        flat = [
            flat_action(space, theirs, components, self._count)
            for space, theirs in zip(self._spaces, actions, strict=True)
        ]
        return flat[0][:, None] if len(flat) == 1 else np.stack(flat, axis=1)

    def _shaper_of(self, k: int) -> _Shaper:
        return next(shaper for shaper, mask in self._shapers if mask[k])

    def _terms(self, over: Mask) -> dict[str, Any]:
        """Returns what each term paid in the episodes that are over, with masks."""
        terms: dict[str, Any] = {}
        for shaper, mask in self._shapers:
            theirs = over & mask
            places = np.flatnonzero(theirs)
            if not len(places):
                continue
            paid = np.zeros((len(shaper.signal.terms), self._count))
            paid[:, places] = shaper.paid(places).T
            for term, row in zip(shaper.signal.terms, paid, strict=True):
                name, who = term.name, theirs
                if name in terms:  # another signal pays it in other environments
                    row, who = row + terms[name], who | terms[f"_{name}"]
                terms[name], terms[f"_{name}"] = row, who
        return terms

    def _swap(self) -> None:
        """Takes a new posting in the middle of all episodes, which are cut in two."""
        if self._recorder is not None:
            places = np.flatnonzero(self._recorder.steps)
            if len(places):
                self._leave(places, np.zeros(len(places), dtype=bool))
        self.reset(self._columns)

    def _leave(self, places: npt.NDArray[np.int64], terminated: Mask) -> None:
        """Leaves the episodes of some environments on the board."""
        assert self._recorder is not None
        source = self._source
        has_terms = self._versions[places] == source.posting.version
        has_terms &= not source.outdated
        most = max(len(shaper.signal.terms) for shaper, _ in self._shapers)
        paid, invalid = np.zeros((2, len(places), most))
        for shaper, mask in self._shapers:
            theirs, count = mask[places], len(shaper.signal.terms)
            paid[theirs, :count] = shaper.paid(places[theirs])
            invalid[theirs, :count] = shaper.values.invalid.T[places[theirs]]
        source.leave_all(
            self._recorder.finish(
                places, self._steps[places], terminated, has_terms, paid, invalid
            )
        )
