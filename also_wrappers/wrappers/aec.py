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

    A step of the signal is one cycle: when every agent that is still there has acted,
    all are paid for the change since the cycle before, and evidence is recorded. On an
    environment that was converted from a parallel one, every agent is paid what
    ``ShapeRewardParallel`` pays it. ``infos[agent]["shaping"]`` says what was added:
    see ``Shaping``.

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
        self._paid_now = False
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
        self.env.reset(seed=seed, options=options)
        self._clear()
        agents = list(self.env.agents)
        self.shaped.reset(self._observations(), self.env.infos, self._state())
        self.rewards = dict(self.env.rewards)
        self._cumulative_rewards = dict(self.env._cumulative_rewards)
        self._shaping.update(self.shaped.first_infos({agent: {} for agent in agents}))
        self.infos = {
            agent: {**self.env.infos[agent], **self._shaping[agent]} for agent in agents
        }

    def step(self, action: Any) -> None:
        """Steps the selected agent; whoever is next is paid for its last step."""
        env = self.env
        agent = env.agent_selection
        dead = env.terminations[agent] or env.truncations[agent]
        if not dead:
            self._actions[agent] = action
        self._added.pop(agent, None)
        env.step(action)
        for other, reward in env.rewards.items():
            self._base[other] = self._base.get(other, 0.0) + float(reward)
        if not dead and env.agents and self._cycle_is_over():
            self._pay()
        self.rewards = dict(env.rewards)
        self._cumulative_rewards = {
            other: reward + self._added[other] if other in self._added else reward
            for other, reward in env._cumulative_rewards.items()
        }
        if self._paid_now:
            for other, paid in self._added.items():
                if other in self.rewards:
                    self.rewards[other] += paid
            self._paid_now = False
        self.infos = {
            other: {**info, **self._shaping.get(other, {})}
            for other, info in env.infos.items()
        }

    def _clear(self) -> None:
        """Forgets what the agents did, were paid and were told."""
        self._actions: dict[str, Any] = {}
        self._base: dict[str, float] = {}
        self._added: dict[str, float] = {}
        self._shaping: dict[str, dict[str, Shaping]] = {}
        self._paid_now = False

    def _cycle_is_over(self) -> bool:
        """Returns whether every agent still there has acted since the last payment."""
        env = self.env
        return all(
            agent in self._actions or env.terminations[agent] or env.truncations[agent]
            for agent in env.agents
        )

    def _pay(self) -> None:
        """Pays all agents that acted for the cycle that is over."""
        env = self.env
        acted = [agent for agent in env.agents if agent in self._actions]
        over = all(env.terminations[a] or env.truncations[a] for a in env.agents)
        base = {agent: self._base.get(agent, 0.0) for agent in acted}
        added = self.shaped.step(
            self._actions,
            {agent: env.observe(agent) for agent in acted},
            base,
            {agent: env.terminations[agent] for agent in acted},
            {agent: env.truncations[agent] for agent in acted},
            env.infos,
            self._state(),
            ended=True,
            over=over,
        )
        places = self.shaped.places
        paid = {agent: added[places[agent]] if added else 0.0 for agent in acted}
        self._shaping = {
            agent: {
                "shaping": self.shaped.info(
                    base[agent], paid[agent], over, places[agent]
                )
            }
            for agent in acted
        }
        if added is not None:
            for agent in acted:
                self._added[agent] = self._added.get(agent, 0.0) + paid[agent]
            self._paid_now = True
        self._actions = {}
        self._base = {}

    def _observations(self) -> dict[str, Any]:
        return {agent: self.env.observe(agent) for agent in self.env.agents}

    def _state(self) -> Any:
        return self.env.state() if self.shaped.needs_state else None
