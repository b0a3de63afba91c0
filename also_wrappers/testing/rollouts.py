"""Plays environments with actions that only the seed decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from pettingzoo import AECEnv, ParallelEnv

__all__ = ["alike", "choose", "equal", "one_agent", "play", "play_turns", "rollout"]


def rollout(env: Any, seed: int, steps: int) -> list[Any]:
    """Plays an environment with actions that only the seed decides.

    Returns:
        Observations after every reset, and (observation, reward, termination,
        truncation) of every step.
    """
    return [
        returned[:4] if len(returned) == 5 else returned[0]
        for returned in play(env, seed, steps)
    ]


def play(env: Any, seed: int, steps: int) -> Iterator[tuple[Any, ...]]:
    """Yields what an environment returns to actions that only the seed decides.

    Args:
        env: A Gymnasium environment or a PettingZoo one of either form.
        seed: Seed of the first reset, and of the actions.
        steps: Number of steps to play; where an episode ends, the next one begins.

    Yields:
        Two elements for every reset, and five for every step; for a turn-based
        environment, the elements of ``last()``.
    """
    if isinstance(env, AECEnv):
        yield from _play_aec(env, seed, steps)
        return
    parallel = hasattr(env, "possible_agents")
    agents = list(env.possible_agents) if parallel else []
    spaces = [env.action_space(a) for a in agents] if parallel else [env.action_space]
    for k, space in enumerate(spaces):
        space.seed(seed + k)
    yield env.reset(seed=seed)
    for _ in range(steps):
        chosen = [space.sample() for space in spaces]
        if parallel:
            action: Any = {
                a: chosen[k] for k, a in enumerate(agents) if a in env.agents
            }
        else:
            action = chosen[0]
        returned = env.step(action)
        yield returned
        if not env.agents if parallel else returned[2] or returned[3]:
            yield env.reset()


def choose(space: Any, observation: Any, info: Any = None) -> Any:
    """Draws an allowed action, by ``action_mask`` where there is one."""
    for source in (observation, info):
        if isinstance(source, dict) and source.get("action_mask") is not None:
            return space.sample(mask=np.asarray(source["action_mask"], dtype=np.int8))
    return space.sample()


def _play_aec(env: Any, seed: int, steps: int) -> Iterator[tuple[Any, ...]]:
    for k, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(seed + k)
    env.reset(seed=seed)
    for _ in range(steps):
        if not env.agents:
            env.reset()
        observation, reward, ended, cut, info = env.last()
        yield observation, float(reward), ended, cut, info
        space = env.action_space(env.agent_selection)
        env.step(None if ended or cut else choose(space, observation, info))


def play_turns(
    env: Any, seed: int, steps: int
) -> dict[Any, list[tuple[float, dict[str, Any]]]]:
    """Plays an AEC environment as ``rollout`` plays a parallel one.

    Returns:
        The reward and the info of each agent for each of its steps.
    """
    agents = list(env.possible_agents)
    for k, agent in enumerate(agents):
        env.action_space(agent).seed(seed + k)
    returned: dict[Any, list[tuple[float, dict[str, Any]]]] = {a: [] for a in agents}
    env.reset(seed=seed)
    chosen: dict[Any, Any] = {}
    acted: set[Any] = set(agents)  # as if a cycle had just ended
    owed: set[Any] = set()
    cycles = 0
    while True:
        if not env.agents:
            env.reset()
            acted, owed = set(agents), set()
        agent = env.agent_selection
        _, reward, ended, cut, info = env.last()
        if agent in owed:
            returned[agent].append((float(reward), info))
            owed.discard(agent)
        if ended or cut:
            env.step(None)
            continue
        if agent in acted:
            if cycles == steps:
                return returned
            cycles += 1
            acted = set()
            chosen = {other: env.action_space(other).sample() for other in agents}
        env.step(chosen[agent])
        acted.add(agent)
        owed.add(agent)


def one_agent(make_env: Callable[[], gym.Env[Any, Any]]) -> Callable[[], Any]:
    """Returns a factory of parallel environments of one agent."""
    return lambda: _OneAgent(make_env())


class _OneAgent(ParallelEnv[str, Any, Any]):
    def __init__(self, env: gym.Env[Any, Any]) -> None:
        self._env = env
        self.possible_agents = ["agent"]
        self.agents: list[str] = []
        self.metadata = {"name": "one_agent", "is_parallelizable": True}
        self.render_mode = None

    def observation_space(self, agent: str) -> Any:
        return self._env.observation_space

    def action_space(self, agent: str) -> Any:
        return self._env.action_space

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        observation, info = self._env.reset(seed=seed, options=options)
        self.agents = ["agent"]
        return {"agent": observation}, {"agent": info}

    def step(self, actions: dict[str, Any]) -> Any:
        parts = self._env.step(actions["agent"])
        if parts[2] or parts[3]:
            self.agents = []
        return tuple({"agent": part} for part in parts)

    def state(self) -> Any:
        return self._env.get_wrapper_attr("state")()


def equal(a: Any, b: Any) -> bool:
    """True where two nested structures are equal, bit for bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return bool(np.array_equal(np.asarray(a), np.asarray(b)))


def alike(a: Any, b: Any) -> bool:
    """True where two nested structures are equal, numbers to within 1e-9."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(alike(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, str | dict | None) or isinstance(b, str | dict | None):
        return bool(a == b)
    return bool(np.allclose(a, b, rtol=0.0, atol=1e-9))
