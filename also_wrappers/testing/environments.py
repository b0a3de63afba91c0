"""A tiny cooperative environment."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.features import Feature

__all__ = ["Corridor", "corridor_features"]


class Corridor(ParallelEnv[str, Any, Any]):
    """Agents walk along a corridor; all are paid 1 when all stand at its end.

    An agent observes its own and its mates' mean place, both scaled to [0, 1], and
    stays, goes back or goes on (actions 0, 1, 2). The episode terminates when all are
    at the end and is truncated after ``limit`` steps.

    Args:
        length: Number of cells.
        agents: Number of agents.
        limit: Steps of an episode at most.
        mortal: Whether an agent ends its own episode by going back from the first
            cell.

    Example:
        >>> env = Corridor(length=3, agents=1)
        >>> observations, infos = env.reset(seed=0)
        >>> env.step({"agent_0": 2})[1], env.step({"agent_0": 2})[1]
        ({'agent_0': 0.0}, {'agent_0': 1.0})
    """

    def __init__(
        self, length: int = 6, agents: int = 2, limit: int = 20, mortal: bool = False
    ) -> None:
        self.possible_agents = [f"agent_{i}" for i in range(agents)]
        self.agents: list[str] = []
        self.metadata = {"name": "corridor_v0", "render_modes": []}
        self.render_mode = None
        self._length = length
        self._limit = limit
        self._mortal = mortal
        self._randomness = np.random.default_rng()
        self._places: dict[str, int] = {}
        self._steps = 0
        self._observation = spaces.Box(0.0, 1.0, (2,), np.float32)
        self._action = spaces.Discrete(3)

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Returns the space, which is the same for all agents."""
        return self._observation

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Returns the space, which is the same for all agents."""
        return self._action

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Puts every agent into a random cell of the first half."""
        if seed is not None:
            self._randomness = np.random.default_rng(seed)
        self.agents = list(self.possible_agents)
        self._places = {
            agent: int(self._randomness.integers(0, max(self._length // 2, 1)))
            for agent in self.agents
        }
        self._steps = 0
        return self._observe(), {agent: {} for agent in self.agents}

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, Any],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Moves all agents."""
        self._steps += 1
        last = self._length - 1
        dead = set()
        for agent in self.agents:
            move = (0, -1, 1)[int(actions[agent])]
            if self._mortal and self._places[agent] + move < 0:
                dead.add(agent)
            self._places[agent] = min(max(self._places[agent] + move, 0), last)
        solved = all(self._places[agent] == last for agent in self.agents)
        out = self._steps >= self._limit and not solved
        agents = self.agents
        observations = self._observe()
        self.agents = (
            [] if solved or out else [agent for agent in agents if agent not in dead]
        )
        return (
            observations,
            {agent: float(solved) for agent in agents},
            {agent: solved or agent in dead for agent in agents},
            {agent: out and agent not in dead for agent in agents},
            {agent: {} for agent in agents},
        )

    def state(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Returns the places of all agents, scaled to [0, 1]."""
        last = self._length - 1
        places = [self._places.get(agent, 0) / last for agent in self.possible_agents]
        return np.array(places, dtype=np.float32)

    def render(self) -> None:
        """There is nothing to draw."""

    def close(self) -> None:
        """There is nothing to close."""

    def _observe(self) -> dict[str, Any]:
        last = self._length - 1
        observations = {}
        for agent in self.agents:
            mates = [self._places[other] for other in self.agents if other != agent]
            own = self._places[agent] / last
            mean = sum(mates) / len(mates) / last if mates else own
            observations[agent] = np.array([own, mean], dtype=np.float32)
        return observations


def corridor_features() -> FeatureMap:
    """Returns the vocabulary of ``Corridor``.

    Example:
        >>> corridor_features().names
        ('place', 'mate_place', 'move')
    """
    return FeatureMap(
        Feature("place", "obs[0]", "own place, 1 at the end", 0.0, 1.0),
        Feature("mate_place", "obs[1]", "mates' mean place", 0.0, 1.0),
        Feature("move", "action", "0 stay, 1 back, 2 on", 0.0, 2.0),
    )
