"""Adds the signal to batches of torchrl environments, with ``ShapeRewardTransform``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from tensordict import TensorDictBase
from torchrl.data import (
    Bounded,
    Categorical,
    Composite,
    MultiCategorical,
    OneHot,
    Unbounded,
)
from torchrl.envs import EnvBase, Transform

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal.features import View
from also_wrappers.signal.transitions import encode_batch
from also_wrappers.wrappers.shape import Shape
from also_wrappers.wrappers.shaped_vector import ShapedVector

__all__ = ["ShapeRewardTransform"]


#: Entries that tell of experts, with the types of their numbers.
_DTYPES = {"advice": torch.int64, "base_return": torch.float64}


class ShapeRewardTransform(Transform):
    """Adds the signal on a board to the rewards of a batch of torchrl environments.

    Every row of the batch is an environment copy: it takes a new signal at its own
    reset and leaves its own episodes on the board. Observations and what else the
    environment returns stay as they are. Where the task declares actions, each group
    has an entry ``advice``, with the good actions in the state of the same tensordict,
    one bit for each action, and an entry ``base_return``, the agents' base rewards of
    the episode so far. For replay buffers, ``transition`` encodes the last step of the
    team, and ``base_reward`` has its base rewards. No entry is an input of policies or
    critics.

    Args:
        shape: ``run.shape``, or the shape of a branch, with board and task.
        groups: The agents of each group, by the group's name.
        env: An environment of the same kind, whose specs of actions are read.
        replays: Whether a replay buffer needs the transitions.

    Raises:
        ConfigurationError: An action is of a kind that cannot be recorded, or agents
            may leave during an episode.
    """

    def __init__(
        self,
        shape: Shape,
        groups: Mapping[str, Sequence[str]],
        env: EnvBase,
        replays: bool = False,
    ) -> None:
        super().__init__(in_keys=[], out_keys=[])
        self._shape = shape
        self._advises = shape.task.actions is not None
        self._replays = replays
        self._groups = {group: list(names) for group, names in groups.items()}
        self._agents = [name for names in self._groups.values() for name in names]
        self._spaces = [
            space
            for group, names in self._groups.items()
            for space in [_space(env, group)] * len(names)
        ]
        for group in self._groups:
            if (group, "mask") in env.observation_keys:
                raise ConfigurationError(
                    f"agents of the group {group!r} may leave during an episode, which "
                    "the transform cannot tell from agents that wait; use an "
                    "environment whose agents stay until its episode ends"
                )
        self._features = shape.task.features
        #: Computes the payments; made at the first reset, which tells the number of
        #: rows.
        self._shaped: ShapedVector | None = None
        #: Features of all rows, shape ``(features, agents, rows)``.
        self._columns = np.zeros((0, 0, 0))
        #: Base rewards of the episodes so far, shape ``(rows, agents)``.
        self._base = torch.zeros(0, len(self._agents), dtype=torch.float64)

    def _reset(
        self, tensordict: TensorDictBase, tensordict_reset: TensorDictBase
    ) -> TensorDictBase:
        """Begins the episodes of the rows that were reset."""
        count = tensordict_reset.numel()
        which = self._was_reset(tensordict, count)
        rows = np.flatnonzero(which)
        entries = self._read(tensordict_reset, None, rows)
        if self._shaped is None:
            self._shaped = self._make(count)
            self._base = self._base.new_zeros(count, len(self._agents))
            self._columns = np.zeros((len(self._features), len(self._agents), count))
            for of_agent in entries if len(rows) else ():
                self._features.check(of_agent.view(0), of_agent.agent)
        self._columns = self._columns.copy()
        self._columns[..., rows] = self._columns_of(entries, len(rows))
        self._shaped.reset(self._columns, None if which.all() else which)
        self._base[rows] = 0.0
        if self._replays:
            for name, spec in self._replayed((count,), tensordict_reset.device).items():
                tensordict_reset.set(name, spec.zero())
        return self._tell(tensordict_reset)

    def _step(
        self, tensordict: TensorDictBase, next_tensordict: TensorDictBase
    ) -> TensorDictBase:
        """Adds the signal to the rewards of a step."""
        assert self._shaped is not None  # made at the first reset
        count = next_tensordict.numel()
        entries = self._read(next_tensordict, tensordict, slice(None))
        before, self._columns = self._columns, self._columns_of(entries, count)
        rewards = np.concatenate(
            [
                _rows_of(next_tensordict[group, "reward"], count)[:, : len(names)].T
                for group, names in self._groups.items()
            ]
        )
        base = torch.from_numpy(rewards.T.astype(np.float64))
        self._base += base
        whole = _rows_of(next_tensordict["done"], count).any(axis=1)
        terminated = self._ends(next_tensordict, "terminated")
        truncated = (self._ends(next_tensordict, "done") | whole) & ~terminated
        added = self._shaped.step(
            [of_agent.actions for of_agent in entries],
            self._columns,
            rewards,
            terminated,
            truncated,
            over=whole,
        )
        if added is not None and added.any():
            self._pay(next_tensordict, torch.from_numpy(added.T))
        if self._replays:
            made = encode_batch(before, self._columns, terminated, truncated)
            device = next_tensordict.device
            next_tensordict.set("transition", torch.from_numpy(made).to(device))
            next_tensordict.set("base_reward", base.to(device))
        return self._tell(next_tensordict)

    def transform_observation_spec(self, observation_spec: Composite) -> Composite:
        """Returns the specs, with those of advice and base return."""
        for group in self._groups if self._advises else ():
            of_group = observation_spec[group]
            for name, kind in _DTYPES.items():
                spec = Unbounded(of_group.shape, of_group.device, kind)
                of_group[name] = spec
        if self._replays:
            shape, device = observation_spec.shape, observation_spec.device
            for name, spec in self._replayed(shape, device).items():
                observation_spec[name] = spec
        return observation_spec

    def _replayed(self, shape: Sequence[int], device: Any) -> dict[str, Unbounded]:
        """Returns the specs of the entries that replay buffers need."""
        team = len(self._agents)
        encoded = 2, team, len(self._shape.task.features) + 1
        return {
            "base_reward": Unbounded((*shape, team), device, torch.float64),
            "transition": Unbounded((*shape, *encoded), device, torch.float32),
        }

    def _tell(self, tensordict: TensorDictBase) -> TensorDictBase:
        """Writes each row's advice for its state, and its base return so far.

        The advice has the good actions of the expert in force.
        """
        if self._advises:
            assert self._shaped is not None  # made at the first reset
            everywhere = np.ones(len(self._base), dtype=bool)
            advice = torch.from_numpy(self._shaped.advice(everywhere)[0])
            columns = {"advice": advice, "base_return": self._base.clone()}
            at = 0
            for group, names in self._groups.items():
                entries = tensordict[group]
                for name, numbers in columns.items():
                    part = numbers[:, at : at + len(names)].reshape(entries.shape)
                    entries.set(name, part.to(tensordict.device, _DTYPES[name]))
                at += len(names)
        return tensordict

    def _pay(self, tensordict: TensorDictBase, added: torch.Tensor) -> None:
        """Adds numbers of shape ``(rows, agents)`` to the rewards of the groups."""
        at = 0
        for group, names in self._groups.items():
            reward = tensordict[group, "reward"]
            part = added[:, at : at + len(names)].to(reward.device)
            total = reward.double() + part.reshape(reward.shape)
            tensordict.set((group, "reward"), total.to(reward.dtype))
            at += len(names)

    def _make(self, count: int) -> ShapedVector:
        """Returns the computation of the payments of ``count`` rows."""
        task = self._shape.task
        return ShapedVector(
            task.features,
            self._agents,
            self._spaces,
            count,
            None,
            self._shape.board,
            {
                "conditions": task.conditions,
                "success": task.success,
                "swap_at": task.swap_at,
                "actions": task.actions,
            },
        )

    def _was_reset(self, tensordict: TensorDictBase | None, count: int) -> Any:
        """Returns a mask of the rows that were reset, shape ``(rows,)``."""
        if tensordict is None:
            return np.ones(count, dtype=bool)
        keys = ["_reset", *((group, "_reset") for group in self._groups)]
        masks = [tensordict.get(key, None) for key in keys]
        resets = [
            _rows_of(mask, count).any(axis=1) for mask in masks if mask is not None
        ]
        return np.any(resets, axis=0) if resets else np.ones(count, dtype=bool)

    def _read(
        self, tensordict: TensorDictBase, acted: TensorDictBase | None, rows: Any
    ) -> list[_Entries]:
        """Returns what there is of each agent, as arrays.

        Args:
            tensordict: The observed entries.
            acted: Tensordict with the actions; ``None`` for first states.
            rows: Indices of the rows to read.
        """
        state = tensordict.get("state", None)
        states = None if state is None else _arrays(state)[rows]
        entries: list[_Entries] = []
        for group, names in self._groups.items():
            observed = _arrays(tensordict.get((group, "observation"), None))
            infos = _arrays(tensordict.get((group, "info"), None))
            actions = None if acted is None else _arrays(acted[group, "action"])
            for place, agent in enumerate(names):
                space = self._spaces[len(entries)]
                entries.append(
                    _Entries(
                        agent,
                        _pick(observed, rows, place),
                        None
                        if actions is None
                        else _actions(actions[rows, place], space),
                        {} if infos is None else _numbers(_pick(infos, rows, place)),
                        states,
                    )
                )
        return entries

    def _columns_of(self, entries: Sequence[_Entries], count: int) -> Any:
        """Returns features, shape ``(features, agents, rows)``."""
        columns = np.empty((len(self._features), len(entries), count))
        for place, of_agent in enumerate(entries):
            columns[:, place] = self._features.columns(
                of_agent.observations,
                of_agent.actions,
                partial(of_agent.views, count),
                count,
                of_agent.infos,
                of_agent.states,
            )
        return columns

    def _ends(self, tensordict: TensorDictBase, key: str) -> Any:
        """Returns a mask of the ended episodes, shape ``(agents, rows)``.

        Ends are read where the learner reads them: from the group's entry, or else from
        the environment's.
        """
        count = tensordict.numel()
        whole = _rows_of(tensordict[key], count)[:, :1]
        parts = []
        for group, names in self._groups.items():
            mask = tensordict.get((group, key), None)
            parts.append(
                np.repeat(whole, len(names), axis=1)
                if mask is None
                else _rows_of(mask, count)
            )
        return np.concatenate(parts, axis=1).astype(bool).T


@dataclass(frozen=True)
class _Entries:
    """Holds what there is of one agent, as arrays with rows as the first axis.

    Attributes:
        agent: Name of the agent.
        observations: Observations of all rows, as one array or as arrays by name.
        actions: Actions of all rows, in the form that the environment's own agents
            give; ``None`` for first states.
        infos: Infos of all rows, as arrays by name.
        states: States of the environment; ``None`` where there are none.
    """

    agent: str
    observations: Any
    actions: Any
    infos: dict[str, Any]
    states: Any

    def view(self, row: int) -> View:
        """Returns the view that a feature's function reads in one row."""
        return View(
            _row(self.observations, row),
            None if self.actions is None else _plain(self.actions[row]),
            {name: _plain(_row(part, row)) for name, part in self.infos.items()},
            None if self.states is None else self.states[row],
            self.agent,
        )

    def views(self, count: int) -> list[View]:
        """Returns the views of the first ``count`` rows."""
        return [self.view(row) for row in range(count)]


def _rows_of(tensor: torch.Tensor, count: int) -> Any:
    return tensor.detach().cpu().numpy().reshape(count, -1)


def _arrays(entry: Any) -> Any:
    """Returns a tensor, or tensors by name, as numpy arrays."""
    if isinstance(entry, TensorDictBase):
        return {name: _arrays(part) for name, part in entry.items()}
    return None if entry is None else entry.detach().cpu().numpy()


def _pick(arrays: Any, rows: Any, place: int) -> Any:
    """Returns one agent's part of arrays whose first axes are rows and agents."""
    if isinstance(arrays, dict):
        return {name: _pick(part, rows, place) for name, part in arrays.items()}
    return None if arrays is None else arrays[rows, place]


def _row(arrays: Any, row: int) -> Any:
    if isinstance(arrays, dict):
        return {name: _row(part, row) for name, part in arrays.items()}
    return None if arrays is None else arrays[row]


def _numbers(arrays: Any) -> Any:
    """Returns infos with one number per row in place of arrays of length one."""
    if isinstance(arrays, dict):
        return {name: _numbers(part) for name, part in arrays.items()}
    return arrays.reshape(-1) if arrays.size == len(arrays) else arrays


def _plain(value: Any) -> Any:
    """Returns numpy's numbers as Python's numbers."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def _actions(actions: Any, space: spaces.Space[Any]) -> Any:
    """Returns actions in the form that the environment's own agents give."""
    if isinstance(space, spaces.Discrete) and actions.size > len(actions):  # one-hot
        return actions.argmax(axis=-1)
    whole = actions.dtype.kind in "iub" and actions.size == len(actions)
    return actions.reshape(-1) if whole else actions


def _space(env: EnvBase, group: str) -> spaces.Space[Any]:
    """Returns the action space of one agent of a group."""
    spec = env.full_action_spec[group, "action"]
    axes = len(env.batch_size) + 1
    if isinstance(spec, (Categorical, OneHot)):
        return spaces.Discrete(int(spec.space.n))
    if isinstance(spec, MultiCategorical):
        return spaces.MultiDiscrete(
            np.asarray(spec.nvec.cpu()).reshape(-1, spec.shape[-1])[0]
        )
    if isinstance(spec, Bounded):
        first = (0,) * axes
        low = spec.space.low[first].cpu().numpy()
        return spaces.Box(low, spec.space.high[first].cpu().numpy())
    raise ConfigurationError(
        f"the actions of the group {group!r} are {type(spec).__name__}; a signal reads "
        "Categorical, OneHot, MultiCategorical or Bounded ones"
    )
