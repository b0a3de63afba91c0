"""Imitates recorded demonstrations of an expert that plays first.

This is the form that LEED (arXiv 2509.14680) gives to experts: a loss towards recorded
episodes stands beside the algorithm's own. Our own form asks the expert on the states
that the policy visits, and needs no recorded episode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.callbacks import BaseCallback

import also_wrappers as also

#: Passes over recorded states, as many as a rollout has, as in this package's
#: imitation.
_EPOCHS = 4


class Demonstrations(BaseCallback):
    """Pulls a policy towards the actions that an expert took in recorded episodes.

    The weight of the imitation falls from 1 to 0 over the planned training. Steps of
    the recorded episodes count as the run's evaluation.

    Args:
        run: The run.
        make_env: Makes one PettingZoo parallel environment, without a wrapper of ours.
        expert: A signal with the expert that plays.
        seed: Seed of the episodes and of all random choices.
        episodes: Episodes that are recorded.
    """

    def __init__(
        self,
        run: also.Run,
        make_env: Callable[[], Any],
        expert: also.Signal,
        seed: int,
        episodes: int = 50,
    ) -> None:
        super().__init__()
        self._run = run
        task = run.task
        self._env = also.wrap(
            make_env(), task.features, signal=expert, actions=task.actions
        )
        self._episodes = episodes
        self._chance = np.random.default_rng(seed)

    def _on_training_start(self) -> None:
        observations, actions, steps = self._record()
        self._observations = np.stack(observations)
        self._actions = th.as_tensor(actions)
        agents = len(self._env.possible_agents)
        self._run.accounting.evaluation += steps * agents

    def _record(self) -> tuple[list[Any], list[int], int]:
        """Records episodes: observations and actions, and environment steps."""
        observations: list[Any] = []
        actions: list[int] = []
        steps = 0
        for _ in range(self._episodes):
            states, infos = self._env.reset(seed=int(self._chance.integers(2**31)))
            while self._env.agents:
                chosen = {}
                for agent in self._env.agents:
                    count = int(self._env.action_space(agent).n)
                    advice = infos[agent]["shaping"]["advice"] >> np.arange(count) & 1
                    # Where the expert is silent, any action may be taken.
                    good = np.flatnonzero(advice) if advice.any() else np.arange(count)
                    chosen[agent] = int(self._chance.choice(good))
                    if advice.any():
                        observations.append(states[agent])
                        actions.append(chosen[agent])
                states, _, _, _, infos = self._env.step(chosen)
                steps += 1
        return observations, actions, steps

    def _on_rollout_start(self) -> None:
        pull = 1.0 - self.model.num_timesteps / self.model._total_timesteps
        if not self.model.num_timesteps or pull <= 0.0:
            return
        model: Any = self.model
        policy = model.policy
        states = model.n_steps * model.n_envs
        policy.set_training_mode(True)
        for _ in range(_EPOCHS * states // model.batch_size):
            part = self._chance.integers(len(self._actions), size=model.batch_size)
            observations, _ = policy.obs_to_tensor(self._observations[part])
            _, likelihood, _ = policy.evaluate_actions(
                observations, self._actions[part]
            )
            policy.optimizer.zero_grad()
            th.autograd.backward(-pull * likelihood.mean())
            th.nn.utils.clip_grad_norm_(policy.parameters(), model.max_grad_norm)
            policy.optimizer.step()
        policy.set_training_mode(False)

    def _on_step(self) -> bool:
        return True
