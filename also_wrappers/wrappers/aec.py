"""``ShapeRewardAEC``: the wrapper for PettingZoo turn-based (AEC) environments."""

from __future__ import annotations

from typing import Any, Unpack

from pettingzoo import AECEnv
from pettingzoo.utils import BaseWrapper

from also_wrappers.board.board import Board
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.model import Signal
from also_wrappers.wrappers.info import Shaping
from also_wrappers.wrappers.shaped_team import ShapedTeam, action_spaces_of
from also_wrappers.wrappers.source import Options

__all__ = ["ShapeRewardAEC"]


class ShapeRewardAEC(BaseWrapper[str, Any, Any]):
    """Adds a signal to the rewards of a PettingZoo AEC environment.

    A step of the signal is one cycle. A cycle is over when the agent that is next has
    acted in it already, and when an agent's episode ends: then evidence is recorded,
    and all agents that are there are paid. An agent's own step goes from one action of
    its to the next; over the cycles of such a step it is paid what
    ``ShapeRewardParallel`` pays for one, however many others move meanwhile, and
    whoever's move ends its episode. Before its first action an agent is paid for the
    change of its potentials without discount. On an environment that was converted from
    a parallel one, every agent is paid what ``ShapeRewardParallel`` pays it.

    ``infos[agent]["shaping"]`` says what was added since the agent acted last, as
    ``last()`` pays it: see ``Shaping``.

    Args:
        env: The environment.
        features: The vocabulary that the signal speaks.
        signal: A signal that stays as it is. Give this or ``board``.
        board: Where the active signal is posted and evidence is left.
        **options: ``gamma``, ``bootstraps_truncation``, ``conditions``, ``success``,
            ``actions``; see ``also_wrappers.wrappers.Options``.

    Example:
        >>> from pettingzoo.utils import parallel_to_aec
        >>> from also_wrappers.signal import Term
        >>> from also_wrappers.testing import Corridor, corridor_features
        >>> go = Term(name="go", kind="progress", expression="place", weight=1.0)
        >>> env = ShapeRewardAEC(
        ...     parallel_to_aec(Corridor()), corridor_features(), Signal(terms=(go,))
        ... )
        >>> env.reset(seed=0)
        >>> for agent in env.agent_iter(2):
        ...     env.step(2)
        >>> round(env.last()[1], 3)
        0.2
    """

    def __init__(
        self,
        env: AECEnv[str, Any, Any],
        features: FeatureMap,
        signal: Signal | None = None,
        board: Board | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(env)
        self.shaped = ShapedTeam(
            features,
            env.possible_agents,
            action_spaces_of(env, env.possible_agents),
            signal,
            board,
            **options,
        )
        self._clear()

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> None:
        """Resets the environment; a newly posted signal is in force from here on."""
        env = self.env
        env.reset(seed=seed, options=options)
        self._clear()
        self._first.update(env.agents)
        observations = {agent: env.observe(agent) for agent in env.agents}
        self.shaped.reset(observations, env.infos, self._state())
        self.rewards = dict(env.rewards)
        self._cumulative_rewards = dict(env._cumulative_rewards)
        self._shaping.update(self.shaped.first_infos({}))
        self.infos = self._told()

    def step(self, action: Any) -> None:
        """Steps the selected agent; whoever is next is paid for its last step."""
        env = self.env
        agent = env.agent_selection
        sums = self._cumulative_rewards
        if self._is_over(agent):
            self._gone.discard(agent)  # it may come back
            env.step(action)
            self.rewards = dict(env.rewards)
        else:
            self._actions[agent] = action
            self._begun.add(agent)
            self._added.pop(agent, None)
            env.step(action)
            paid = self._move()
            self.rewards = {
                other: reward + paid[other] if other in paid else reward
                for other, reward in env.rewards.items()
            }
            sums = {
                other: (0.0 if other == agent else sums.get(other, 0.0)) + reward
                for other, reward in self.rewards.items()
            }
        # Where nothing is added, rewards stay as the environment adds them up.
        self._cumulative_rewards = {
            other: sums[other] if other in self._added else reward
            for other, reward in env._cumulative_rewards.items()
        }
        self.infos = self._told()

    def _clear(self) -> None:
        """Forgets what the agents did, were paid and were told."""
        #: What was done in this cycle, and what was paid for it.
        self._actions: dict[str, Any] = {}
        self._base: dict[str, float] = {}
        #: Who was there from the start; who has acted; whose episode has ended.
        self._first: set[str] = set()
        self._begun: set[str] = set()
        self._gone: set[str] = set()
        #: What the signal added to an agent's reward since it acted last.
        self._added: dict[str, float] = {}
        self._shaping: dict[str, dict[str, Shaping]] = {}

    def _move(self) -> dict[str, float]:
        """Takes a move of a living agent; returns what is paid if the cycle is over."""
        env = self.env
        for other, reward in env.rewards.items():
            self._base[other] = self._base.get(other, 0.0) + float(reward)
        there = [other for other in env.agents if other not in self._gone]
        ended = [other for other in there if self._is_over(other)]
        over = len(ended) == len(there)
        if ended or env.agent_selection in self._actions:
            paid = self._pay(there, bool(ended), over)
            self._gone.update(ended)
            self._tell(there, over)
            return paid
        if any(env.rewards.values()):
            self._tell(there, over)
        return {}

    def _pay(self, there: list[str], ended: bool, over: bool) -> dict[str, float]:
        """Pays all agents that are there for the cycle that is over."""
        env = self.env
        added = self.shaped.step(
            self._actions,
            {agent: env.observe(agent) for agent in there},
            {agent: self._base.get(agent, 0.0) for agent in there},
            {agent: env.terminations[agent] for agent in there},
            {agent: env.truncations[agent] for agent in there},
            env.infos,
            self._state(),
            ended=ended,
            over=over,
            waiting={
                agent: agent in self._begun or agent not in self._first
                for agent in there
                if agent not in self._actions
            },
        )
        self._actions = {}
        self._base = {}
        if added is None:
            return {}
        places = self.shaped.places
        paid = {agent: added[places[agent]] for agent in there}
        for agent, amount in paid.items():
            self._added[agent] = self._added.get(agent, 0.0) + amount
        return paid

    def _tell(self, there: list[str], over: bool) -> None:
        """Notes what agents that have acted are told of their step so far."""
        self._shaping.update(self.shaped.first_infos({}))
        base = self.env._cumulative_rewards
        places = self.shaped.places
        for agent in there:
            if agent in self._begun:
                added = self._added.get(agent, 0.0)
                shaping = self.shaped.info(
                    float(base[agent]), added, over, places[agent]
                )
                self._shaping[agent] = {"shaping": shaping}

    def _told(self) -> dict[str, dict[str, Any]]:
        """Returns the environment's infos with what agents are told of the signal."""
        return {
            agent: {**info, **self._shaping.get(agent, {})}
            for agent, info in self.env.infos.items()
        }

    def _is_over(self, agent: str) -> bool:
        return bool(self.env.terminations[agent] or self.env.truncations[agent])

    def _state(self) -> Any:
        return self.env.state() if self.shaped.needs_state else None
