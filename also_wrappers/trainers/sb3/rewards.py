"""Keeps the base rewards and features of teams in a replay buffer, and pays by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from also_wrappers.board.posting import Posting
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal.advice import Advice
from also_wrappers.signal.model import Signal
from also_wrappers.signal.transitions import Payments, decode
from also_wrappers.wrappers.shape import Shape

__all__ = ["Arrays", "Rewards"]

Arrays = dict[str, npt.NDArray[Any]]

_NOTHING: Mapping[str, Any] = {}
#: The largest relative error of a reward in single precision.
_CLOSE = 1e-4
#: Number of steps of teams whose payments are computed together.
_TOGETHER = 1024
_NO_ROWS = (
    "no environment tells its features, which the replay buffer needs: make the "
    "model's environments with make_venv(run.shape), with the shape around each, and "
    "reset them after the model was made"
)


class Rewards:
    """Stands in for a buffer's array of rewards, and computes the shaped rewards.

    Writing stores base rewards. Reading returns the base reward plus what the posted
    signal adds to it. Payments are computed once for each step of a team, when
    transitions near that step are read, and computed anew after a swap.

    Args:
        base: Array that keeps the base rewards, shape ``(size, environments)``.
        shape: The shape whose board the signal is posted on.

    Attributes:
        base: Base rewards.
        rows: Encoded transitions of teams, shape ``(size, teams, 2, agents,
            features + 1)``; made when the first transition is stored. The buffer's
            environments that lie side by side for a team are its agents.
        places: Place in its team of the agent of each environment.
        steps: Steps of an environment copy that were stored since it was made.
    """

    def __init__(self, base: npt.NDArray[np.float32], shape: Shape) -> None:
        self.base = base
        self.rows: npt.NDArray[np.float32] | None = None
        self.places = np.zeros(base.shape[1], dtype=np.int64)
        self.steps = 0
        #: Payments of the posted signal at full strength; nan where not computed yet.
        self._paid: npt.NDArray[np.float64] | None = None
        self._shape = shape
        self._posting: Posting | None = None
        self._payments: Payments | None = None
        self._expert: Advice | None = None

    @property
    def nbytes(self) -> int:
        """The number of bytes in memory."""
        arrays = (self.base, self.rows, self._paid)
        return sum(array.nbytes for array in arrays if array is not None)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.base[index] = value

    def __getitem__(self, index: Any) -> npt.NDArray[np.float32]:
        base = self.base[index]
        posting, payments = self._posted()
        if payments is None or self.rows is None or posting.gamma is None:
            return np.array(base)
        if self._paid is None:
            self._paid = np.full(self.base.shape, np.nan)
        added = self._paid[index]
        unknown = np.isnan(added)
        if unknown.any():
            self._pay(payments, posting, index, unknown)
            added = self._paid[index]
        fade = posting.fade.strength(self.steps) if posting.fade else 1.0
        return np.asarray(base + posting.strength * fade * added, dtype=np.float32)

    def __getstate__(self) -> dict[str, Any]:
        """Drops what a pickled copy reads from the board itself."""
        own = ("_posting", "_payments", "_expert", "_paid")
        return {**vars(self), **dict.fromkeys(own)}

    def store(
        self, at: int, rewards: npt.NDArray[Any], infos: list[dict[str, Any]]
    ) -> npt.NDArray[np.float64]:
        """Stores the teams' features and base rewards of one step.

        Args:
            at: Index of the step.
            rewards: Shaped rewards of the learner, shape ``(environments,)``.
            infos: Infos of each environment.

        Returns:
            Base rewards, shape ``(environments,)``.

        Raises:
            ConfigurationError: The infos have no features, or the rewards are not those
                that the environments' wrapper has paid.
        """
        shapings = [info.get("shaping", _NOTHING) for info in infos]
        if self.rows is None:
            self._arrange(shapings)
        assert self.rows is not None
        rows = self.rows[at]
        rows[...] = 0.0  # agents whose episode is over have no info
        if self._paid is not None:
            self._paid[at] = np.nan
        base = rewards.tolist()
        each = len(base) // len(rows)
        last = -1
        for i, shaping in enumerate(shapings):
            if "rows" not in shaping:
                continue
            paid, total = base[i], shaping["total"]
            if not -_CLOSE < paid - total < _CLOSE:
                _check(paid, total)
            base[i] = shaping["base"]
            team = i // each
            if team != last:
                rows[team] = shaping["rows"]
                last = team
            if each == 1:
                self.places[i] = shaping["place"]
        self.steps += 1
        return np.array(base)

    def load(self, state: Arrays) -> None:
        """Makes room for the arrays of another buffer, which are written next."""
        self._paid = None
        if "rows" in state:
            self.places[:] = state["places"]
            if self.rows is None:
                _, teams, *shape = state["rows"].shape
                self._reserve(teams, shape)

    def advice(self, index: Any) -> npt.NDArray[np.int64]:
        """Returns the posted expert's advice for the states of transitions.

        Args:
            index: Steps and environments of the transitions.

        Returns:
            One number per transition, with bits as in ``Advice``; 0 where no expert is
            posted, or the expert is silent.
        """
        posting, _ = self._posted()
        if self._expert is None or self.rows is None or posting.gamma is None:
            return np.zeros(self.base[index].shape, dtype=np.int64)
        at, environments = index
        each = self.base.shape[1] // self.rows.shape[1]
        steps = decode(self.rows[at, environments // each])
        bits = self._expert.batch(steps.rows[..., 0, :, :], steps.present[..., 0, :])
        places = self.places[environments][..., None]
        return np.take_along_axis(bits, places, axis=-1)[..., 0]

    def _arrange(self, shapings: Sequence[Mapping[str, Any]]) -> None:
        """Finds out which environments are one team, and makes room for features."""
        shape = next((t["rows"].shape for t in shapings if "rows" in t), None)
        if shape is None:
            raise ConfigurationError(_NO_ROWS)
        agents = shape[1]
        places = np.arange(len(shapings)) % agents
        in_order = all(
            shaping.get("place", place) == place
            for shaping, place in zip(shapings, places.tolist(), strict=True)
        )
        together = in_order and len(shapings) % agents == 0
        if together:
            self.places = places
        self._reserve(len(shapings) // agents if together else len(shapings), shape)

    def _reserve(self, teams: int, shape: Sequence[int]) -> None:
        self.rows = np.zeros((len(self.base), teams, *shape), dtype=np.float32)

    def _pay(
        self,
        payments: Payments,
        posting: Posting,
        index: Any,
        unknown: npt.NDArray[np.bool_],
    ) -> None:
        """Computes the payments at an index and near it that are not known yet.

        All payments of a stretch of steps are computed together, so that later batches
        find most of theirs computed.

        Args:
            payments: Computes the payments.
            posting: The posting, with a discount factor.
            index: Index into an array of rewards.
            unknown: True where payments are not computed yet, in the form of an array
                with that index.
        """
        assert self._paid is not None
        assert self.rows is not None
        assert posting.gamma is not None
        size, count = self.base.shape
        teams = self.rows.shape[1]
        each = count // teams
        if isinstance(index, tuple) and all(isinstance(i, np.ndarray) for i in index):
            steps, _ = np.broadcast_arrays(*index)  # the form of SB3's own batches
        else:
            steps = np.broadcast_to(np.arange(size)[:, None], self.base.shape)[index]
        stretch = max(1, _TOGETHER // teams)
        for number in sorted(set((steps[unknown] // stretch).tolist())):
            part = slice(number * stretch, (number + 1) * stretch)
            at, team = np.nonzero(np.isnan(self._paid[part, ::each]))
            encoded = decode(self.rows[part][at, team], posting.bootstraps_truncation)
            paid = payments(encoded, posting.gamma)
            mates = team[:, None] * each + np.arange(each)
            rows = np.arange(len(team))[:, None]
            self._paid[part][at[:, None], mates] = paid[rows, self.places[mates]]

    def _posted(self) -> tuple[Posting, Payments | None]:
        """Returns the posting, and its payments if anything is paid.

        The expert of the posted signal, if there is one, is compiled as well.
        """
        board = self._shape.board
        posting = self._posting
        if posting is None or posting.version != board.version:
            before, posting = posting, board.read()
            self._posting = posting
            if before is None or _pays(before) != _pays(posting):
                self._payments = self._expert = self._paid = None
        signal, task = posting.signal, self._shape.task
        actions = task.actions if signal.expert is not None else None
        compiled = self._payments is not None or not signal.terms
        compiled &= self._expert is not None or actions is None
        layout = None if compiled else self._shape.board.layout
        if layout is not None:  # it is None until an environment was reset
            if signal.terms:
                self._payments = Payments(signal, task.features, layout.agents)
            if actions is not None:
                agents = layout.agents
                self._expert = Advice(signal, task.features, actions, agents)
        return posting, self._payments


def _check(paid: float, total: float) -> None:
    """Refuses a reward that differs from the shaped one by more than rounding."""
    if abs(paid - total) > _CLOSE * max(1.0, abs(total)):
        raise ConfigurationError(
            f"the learner is paid {paid:g} where the shaped reward is {total:g}: "
            "something changes rewards outside of the shape; put it inside, between "
            "the environment and the shape"
        )


def _pays(posting: Posting) -> tuple[Signal, float | None, bool]:
    """Returns the parts of a posting that payments at full strength depend on."""
    return posting.signal, posting.gamma, posting.bootstraps_truncation
