"""``ShapeRewardTransform``: the wrapper for batches of torchrl environments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from also_wrappers.wrappers.shape import Shape
from also_wrappers.wrappers.shaped_team import ShapedTeam

__all__ = ["ShapeRewardTransform"]

#: What is told of experts, and of what kind these numbers are.
_TOLD = {"advice": torch.int64, "base_return": torch.float64}


class ShapeRewardTransform(Transform):
    """Adds the signal on a board to the rewards of a batch of torchrl environments.

    Every row of the batch is an environment copy: it takes a new signal at its own
    reset and leaves its own episodes on the board. Observations and what else the
    environment returns stay as they are. Where the task says what the actions are, an
    entry ``advice`` of each group says what the expert in force finds good in the state
    that it is next to, one bit for each action, and ``base_return`` the agents' base
    rewards of the episode so far. For replay buffers, ``transition`` encodes the last
    step of the team, and ``base_reward`` are its base rewards. None of them is an input
    of policies and critics.

    Args:
        shape: Says which board and which task; ``run.shape``, or what a branch is
            given.
        groups: The agents of each group, by the group's name.
        env: An environment of the same kind, to read the specs of actions.
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
        if replays:
            shape.board.ask_for_rows()
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
        self._rows: list[ShapedTeam] = []
        self._base = torch.zeros(0, len(self._agents), dtype=torch.float64)

    def _reset(
        self, tensordict: TensorDictBase, tensordict_reset: TensorDictBase
    ) -> TensorDictBase:
        """Begins the episodes of those rows that were reset."""
        count = tensordict_reset.numel()
        if not self._rows:
            self._rows = [self._team() for _ in range(count)]
            self._base = self._base.new_zeros(count, len(self._agents))
        rows = np.flatnonzero(self._was_reset(tensordict, count)).tolist()
        self._base[rows] = 0.0
        seen, infos, states = self._read(tensordict_reset, rows)
        for row in rows:
            self._rows[row].reset(seen[row], infos[row], states[row])
        if self._replays:
            for name, spec in self._replayed((count,), tensordict_reset.device).items():
                tensordict_reset.set(name, spec.zero())
        return self._tell(tensordict_reset)

    def _step(
        self, tensordict: TensorDictBase, next_tensordict: TensorDictBase
    ) -> TensorDictBase:
        """Adds to the rewards of a step."""
        rows = range(len(self._rows))
        seen, infos, states = self._read(next_tensordict, rows)
        acted = self._per_agent(tensordict, "action", rows)
        paid = self._per_agent(next_tensordict, "reward", rows)
        base = _of_agents(next_tensordict, "reward", self._groups)
        self._base += base
        if self._replays:
            next_tensordict.set("base_reward", base.to(next_tensordict.device))
        whole = _rows_of(next_tensordict["done"], len(self._rows)).any(axis=1)
        terminated = self._ends(next_tensordict, "terminated")
        over = self._ends(next_tensordict, "done") | whole[:, None]
        added = np.zeros((len(self._rows), len(self._agents)))
        for row, team in enumerate(self._rows):
            ended = dict(zip(self._agents, terminated[row].tolist(), strict=True))
            cut = over[row] & ~terminated[row]
            pays = team.step(
                {a: _action(v) for a, v in acted[row].items()},
                seen[row],
                {a: float(v.reshape(-1)[0]) for a, v in paid[row].items()},
                ended,
                dict(zip(self._agents, cut.tolist(), strict=True)),
                infos[row],
                states[row],
                ended=bool(over[row].any()),
                over=bool(whole[row]),
            )
            if pays is not None:
                added[row] = pays
        if added.any():
            self._pay(next_tensordict, torch.from_numpy(added))
        if self._replays:
            transition = np.stack([team.transition for team in self._rows])
            encoded = torch.from_numpy(transition).to(next_tensordict.device)
            next_tensordict.set("transition", encoded)
        return self._tell(next_tensordict)

    def transform_observation_spec(self, observation_spec: Composite) -> Composite:
        """Returns the specs with those of what is told of experts."""
        for group in self._groups if self._advises else ():
            of_group = observation_spec[group]
            for name, kind in _TOLD.items():
                spec = Unbounded(of_group.shape, of_group.device, kind)
                of_group[name] = spec
        if self._replays:
            shape, device = observation_spec.shape, observation_spec.device
            for name, spec in self._replayed(shape, device).items():
                observation_spec[name] = spec
        return observation_spec

    def _replayed(self, shape: Sequence[int], device: Any) -> dict[str, Unbounded]:
        """Returns the specs of what replay buffers need."""
        team = len(self._agents)
        encoded = 2, team, len(self._shape.task.features) + 1
        return {
            "base_reward": Unbounded((*shape, team), device, torch.float64),
            "transition": Unbounded((*shape, *encoded), device, torch.float32),
        }

    def _tell(self, tensordict: TensorDictBase) -> TensorDictBase:
        """Writes what the expert in force finds good in the state of each row, and the
        base returns so far."""
        if self._advises:
            advice = torch.tensor([team.advised for team in self._rows])
            told = {"advice": advice, "base_return": self._base.clone()}
            at = 0
            for group, names in self._groups.items():
                entries = tensordict[group]
                for name, numbers in told.items():
                    part = numbers[:, at : at + len(names)].reshape(entries.shape)
                    entries.set(name, part.to(tensordict.device, _TOLD[name]))
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

    def _team(self) -> ShapedTeam:
        task = self._shape.task
        return ShapedTeam(
            task.features,
            self._agents,
            self._spaces,
            None,
            self._shape.board,
            conditions=task.conditions,
            success=task.success,
            swap_at=task.swap_at,
            actions=task.actions,
        )

    def _was_reset(self, tensordict: TensorDictBase | None, count: int) -> Any:
        """Returns which rows were reset, shape ``(rows,)``."""
        if tensordict is None:
            return np.ones(count, dtype=bool)
        keys = ["_reset", *((group, "_reset") for group in self._groups)]
        masks = [tensordict.get(key, None) for key in keys]
        found = [
            _rows_of(mask, count).any(axis=1) for mask in masks if mask is not None
        ]
        return np.any(found, axis=0) if found else np.ones(count, dtype=bool)

    def _read(
        self, tensordict: TensorDictBase, rows: Sequence[int]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[Any]]:
        """Returns observations and infos by agent, and the states, of each row."""
        seen = self._per_agent(tensordict, "observation", rows)
        infos = [
            {agent: _numbers(info) for agent, info in of_row.items()}
            for of_row in self._per_agent(tensordict, "info", rows)
        ]
        state = tensordict.get("state", None)
        states = [None] * len(self._rows)
        if state is not None:
            states = list(state.detach().cpu().numpy())
        return seen, infos, states

    def _per_agent(
        self, tensordict: TensorDictBase, key: str, rows: Sequence[int]
    ) -> list[dict[str, Any]]:
        """Returns an entry of each row by agent, as arrays; nothing where there is
        none."""
        entries: list[dict[str, Any]] = [{} for _ in self._rows]
        agents = iter(self._agents)
        for group, names in self._groups.items():
            entry = tensordict.get((group, key), None)
            members = [next(agents) for _ in names]
            if entry is None:
                continue
            arrays = _arrays(entry)
            for row in rows:
                for place, agent in enumerate(members):
                    entries[row][agent] = _pick(arrays, row, place)
        return entries

    def _ends(self, tensordict: TensorDictBase, key: str) -> Any:
        """Returns whose episode ended, shape ``(rows, agents)``, as the learner reads
        it: from the group, or else from the environment."""
        whole = _rows_of(tensordict[key], len(self._rows))[:, :1]
        parts = []
        for group, names in self._groups.items():
            mask = tensordict.get((group, key), None)
            parts.append(
                np.repeat(whole, len(names), axis=1)
                if mask is None
                else _rows_of(mask, len(self._rows))
            )
        return np.concatenate(parts, axis=1).astype(bool)


def _of_agents(
    tensordict: TensorDictBase, key: str, groups: Iterable[str]
) -> torch.Tensor:
    """Returns a number of each agent, shape ``(rows, agents)``, in double precision."""
    parts = [tensordict[group, key].detach().cpu().double() for group in groups]
    return torch.cat([part.reshape(len(part), -1) for part in parts], dim=1)


def _rows_of(tensor: torch.Tensor, count: int) -> Any:
    return tensor.detach().cpu().numpy().reshape(count, -1)


def _arrays(entry: Any) -> Any:
    """Returns a tensor, or tensors by name, as arrays with rows and agents in front."""
    if isinstance(entry, TensorDictBase):
        return {name: _arrays(part) for name, part in entry.items()}
    return entry.detach().cpu().numpy()


def _pick(arrays: Any, row: int, place: int) -> Any:
    if isinstance(arrays, dict):
        return {name: _pick(part, row, place) for name, part in arrays.items()}
    return arrays[row, place]


def _numbers(value: Any) -> Any:
    """Returns infos with numbers in place of the arrays of one that torchrl makes."""
    if isinstance(value, dict):
        return {name: _numbers(part) for name, part in value.items()}
    return value.item() if value.size == 1 else value


def _action(value: Any) -> Any:
    """Returns an action as the environment's own agents would give it."""
    if value.dtype == bool and value.ndim:  # one-hot
        return int(value.argmax())
    return value.item() if value.size == 1 and value.dtype.kind in "iub" else value


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
