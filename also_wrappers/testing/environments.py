"""Defines tiny environments: agents walk together, come and go, or take turns."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv

from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.features import Feature

__all__ = ["Corridor", "Shifts", "Turns", "corridor_features"]


class _Track:
    """Holds what environments share whose agents move along a row of cells."""

    possible_agents: list[str]
    agents: list[str]

    def _lay(self, name: str, length: int, agents: int, limit: int) -> None:
        """Sets the attributes of a track, without placing the agents."""
        self.possible_agents = [f"agent_{i}" for i in range(agents)]
        self.agents = []
        self.metadata: dict[str, Any] = {"name": name, "render_modes": []}
        self.render_mode = None
        self._length = length
        self._limit = limit
        self._randomness = np.random.default_rng()
        self._places: dict[str, int] = {}
        self._observation = spaces.Box(0.0, 1.0, (2,), np.float32)
        self._action = spaces.Discrete(3)

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Returns the space, which is the same for all agents."""
        return self._observation

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Returns the space, which is the same for all agents."""
        return self._action

    def _view_of(self, agent: str) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Returns the agent's place and the mean of its mates', scaled to [0, 1]."""
        last = self._length - 1
        mates = [self._places[other] for other in self.agents if other != agent]
        own = self._places[agent] / last
        mean = sum(mates) / len(mates) / last if mates else own
        return np.array([own, mean], dtype=np.float32)

    def render(self) -> None:
        """Draws nothing."""

    def close(self) -> None:
        """Closes nothing."""

    def _scatter(self, seed: int | None) -> None:
        """Puts every agent into a random cell of the first half."""
        if seed is not None:
            self._randomness = np.random.default_rng(seed)
        self.agents = list(self.possible_agents)
        self._places = {
            agent: int(self._randomness.integers(0, max(self._length // 2, 1)))
            for agent in self.agents
        }


class Corridor(_Track, ParallelEnv[str, Any, Any]):
    """Lets agents walk along a corridor, and pays 1 when all are at its end.

    An agent observes its own and its mates' mean place, both scaled to [0, 1], and
    stays, goes back or goes on (actions 0, 1, 2). The episode terminates when all are
    at the end and is truncated after ``limit`` steps.

    Args:
        length: Number of cells.
        agents: Number of agents.
        limit: The most steps of an episode.
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
        self._lay("corridor_v0", length, agents, limit)
        self._mortal = mortal
        self._steps = 0

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Puts every agent into a random cell of the first half."""
        self._scatter(seed)
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
        """Moves all agents by one step."""
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

    def _observe(self) -> dict[str, Any]:
        return {agent: self._view_of(agent) for agent in self.agents}


class Shifts(Corridor):
    """Lets agents of a corridor leave and come back within an episode.

    An agent leaves by going back from the first cell. After ``rest`` steps the agent
    comes back into a random cell of the first half, with an observation of its own. The
    episode ends when no agent is left.

    Args:
        rest: Steps after which an agent comes back.
        silent: Whether an agent just disappears; otherwise its episode terminates.
        agents: Number of agents.
        limit: The most steps of an episode.

    Example:
        >>> env = Shifts(rest=1)
        >>> observations, infos = env.reset(seed=1)
        >>> while len(env.agents) == 2:
        ...     _ = env.step({"agent_0": 1, "agent_1": 0})
        >>> sorted(env.step({"agent_1": 0})[0]), env.agents
        (['agent_0', 'agent_1'], ['agent_1', 'agent_0'])
    """

    def __init__(
        self, rest: int = 2, silent: bool = False, agents: int = 2, limit: int = 20
    ) -> None:
        super().__init__(agents=agents, limit=limit, mortal=True)
        self._rest = rest
        self._silent = silent
        self._left: dict[str, int] = {}

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Puts every agent into a random cell of the first half."""
        self._left = {}
        return super().reset(seed, options)

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, Any],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Moves the agents that are present."""
        before = self.agents
        observations, rewards, ends, cuts, infos = super().step(actions)
        if self.agents:
            for agent in before:
                if agent not in self.agents:
                    self._left[agent] = self._steps
                    ends[agent] = not self._silent
            for agent, left in list(self._left.items()):
                if self._steps - left >= self._rest:
                    del self._left[agent]
                    self._places[agent] = int(self._randomness.integers(0, 3))
                    self.agents = [*self.agents, agent]
                    observations[agent] = self._observe()[agent]
                    rewards[agent], ends[agent], cuts[agent] = 0.0, False, False
                    infos[agent] = {}
        return observations, rewards, ends, cuts, infos


class Turns(_Track, AECEnv[str, Any, Any]):
    """Lets agents take turns on a corridor; the first one at its end wins.

    Observations and moves are those of ``Corridor``. A winner is paid 1, all others -1,
    and the episode terminates for all. An agent that goes on to a cell where others
    stand ends the episodes of these others, which are paid -1. After ``limit`` moves
    the episode is truncated.

    Args:
        length: Number of cells.
        agents: Number of agents.
        limit: The most moves of an episode.
        by_chance: Whether chance says whose turn it is; otherwise agents take turns in
            order.

    Example:
        >>> env = Turns(length=2, agents=2)
        >>> env.reset(seed=0)
        >>> for action in (0, 0, 2):
        ...     env.step(action)
        >>> env.rewards, env.terminations
        ({'agent_0': 1.0, 'agent_1': -1.0}, {'agent_0': True, 'agent_1': True})
    """

    def __init__(
        self,
        length: int = 6,
        agents: int = 2,
        limit: int = 40,
        by_chance: bool = False,
    ) -> None:
        super().__init__()
        self._lay("turns_v0", length, agents, limit)
        self._by_chance = by_chance
        self._moves = 0

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> None:
        """Puts every agent into a random cell of the first half."""
        self._scatter(seed)
        self._moves = 0
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        self.agent_selection = self._next(self.agents[-1])

    def step(self, action: Any) -> None:
        """Moves the agent whose turn it is."""
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        self._cumulative_rewards[agent] = 0.0
        self._clear_rewards()
        self._moves += 1
        last = self._length - 1
        place = self._places[agent] + (0, -1, 1)[int(action)]
        self._places[agent] = place = min(max(place, 0), last)
        others = [other for other in self.agents if other != agent]
        if place == last:
            self.rewards[agent] = 1.0
            beaten = others
            self.terminations[agent] = True
        else:
            beaten = [o for o in others if action == 2 and self._places[o] == place]
        for other in beaten:
            self.rewards[other] = -1.0
            self.terminations[other] = True
        if self._moves >= self._limit:
            for other in self.agents:
                self.truncations[other] = not self.terminations[other]
        self._accumulate_rewards()
        self.agent_selection = self._next(agent)
        self._deads_step_first()

    def observe(self, agent: str) -> Any:
        """Returns the agent's place and the mean of its mates', scaled to [0, 1]."""
        return self._view_of(agent)

    def _next(self, agent: str) -> str:
        """Returns the agent whose turn comes after an agent's turn."""
        live = [
            other
            for other in self.agents
            if not (self.terminations[other] or self.truncations[other])
        ]
        if not live:
            return agent
        if self._by_chance:
            return live[int(self._randomness.integers(len(live)))]
        order = self.possible_agents
        at = order.index(agent) + 1
        return next(other for other in (*order[at:], *order) if other in live)


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
