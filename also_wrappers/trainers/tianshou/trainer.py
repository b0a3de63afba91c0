"""Adapts Tianshou's on-policy algorithms to the trainer protocol."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tianshou.algorithm import GAIL
from tianshou.algorithm.algorithm_base import OffPolicyAlgorithm, OnPolicyAlgorithm
from tianshou.algorithm.modelfree.a2c import ActorCriticOnPolicyAlgorithm
from tianshou.algorithm.multiagent.marl import MultiAgentOnPolicyAlgorithm
from tianshou.trainer import OnPolicyTrainerParams
from tianshou.utils.torch_utils import torch_train_mode
from torch.distributions import Distribution, kl_divergence

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.trainer import AuditionOutcome, Imitated
from also_wrappers.trainers.tianshou.audition import play_audition
from also_wrappers.trainers.tianshou.fork import MakeVectorEnv, TianshouFork
from also_wrappers.trainers.tianshou.imitation import (
    check_imitates,
    distribution,
    imitates,
    remembers,
)
from also_wrappers.trainers.tianshou.loop import PausedTrainer
from also_wrappers.trainers.tianshou.snapshots import restore, save, share_observations
from also_wrappers.trainers.tianshou.vector_env import agents_of

__all__ = ["TianshouTrainer", "check_training"]

_USE = "use PPO, A2C, NPG or TRPO"


class TianshouTrainer:
    """Adapts a training of Tianshou; its steps are Tianshou's ``env_step``.

    Args:
        loop: Tianshou's trainer, with pauses.
        make_venv: Makes the environments with a given shape around each.

    Raises:
        ConfigurationError: The training cannot be forked.
    """

    bootstraps_truncation = True
    evaluates = False
    replays = False

    def __init__(self, loop: PausedTrainer, make_venv: MakeVectorEnv) -> None:
        check_training(loop.algorithm, loop.params)
        self.loop = loop
        self.total = loop.total
        self.rollout = loop.rollout
        self.agents_per_env = agents_of(loop.env)
        self.imitates = imitates(loop.algorithm)
        self._make_venv = make_venv
        self._probes: Any = None
        self._drift_since: Distribution | None = None

    @property
    def steps(self) -> int:
        """The steps of the lineage so far, of all agents together."""
        return self.loop.steps

    @property
    def gamma(self) -> float:
        """The discount factor of the algorithm."""
        return float(self.loop.algorithm.gamma)

    def snapshot(self, path: Path) -> None:
        """Writes all that training depends on but the environments to a file."""
        save(self.loop, path)

    def adopt(self, path: Path) -> None:
        """Loads a snapshot into the living algorithm."""
        restore(self.loop, path)

    def policy_drift(self) -> list[float] | None:
        """Returns the KL divergence of each agent's last policy from its present one.

        Each divergence is a mean over the first observations of the training. Returns
        ``None`` for recurrent policies, whose actions depend on more than an
        observation, and for distributions without a closed form.
        """
        policy = self.loop.algorithm.policy
        if self._probes is None:
            self._probes = self.loop.env.probes
        if self._probes is None or remembers(policy):
            return None
        with torch.no_grad(), torch_train_mode(policy, enabled=False):
            now = distribution(policy, self._probes)
        before, self._drift_since = self._drift_since, now
        if before is None:
            return None
        try:
            divergence = kl_divergence(before, now)
        except NotImplementedError:
            return None
        each = divergence.reshape(len(self._probes), -1).sum(dim=1)
        drift: list[float] = each.reshape(-1, self.agents_per_env).mean(dim=0).tolist()
        return drift

    def imitated(self) -> Imitated | None:
        """Returns how the expert in force was imitated since the last call."""
        imitation = self.loop.imitation
        return imitation.agreements.take() if imitation else None

    def audition(
        self,
        shape: Callable[[Any], Any],
        episodes: int,
        seed: int,
        noise: float,
        stepped: Callable[[int], None],
    ) -> AuditionOutcome:
        """Plays whole episodes in which an expert acts where the expert speaks."""
        algorithm = self.loop.algorithm
        check_imitates(algorithm)
        venv = self._make_venv(shape)
        share_observations(self.loop.env, venv)
        try:
            return play_audition(algorithm, venv, episodes, seed, noise, stepped)
        finally:
            venv.close()

    def fork(self) -> TianshouFork:
        """Returns what a worker needs to train a branch."""
        return TianshouFork(self.loop.algorithm, self.loop.params, self._make_venv)


def check_training(algorithm: Any, params: Any) -> None:
    """Refuses trainings that cannot be forked, before any training.

    Raises:
        ConfigurationError: The training cannot be forked; the sentence says why, and
            what to do instead.
    """
    name = type(algorithm).__name__
    if isinstance(algorithm, OffPolicyAlgorithm):
        raise ConfigurationError(
            f"{name} learns from a replay buffer, whose rewards would stay those of "
            f"earlier signals; {_USE}"
        )
    if isinstance(algorithm, MultiAgentOnPolicyAlgorithm):
        raise ConfigurationError(
            f"{name} plays in turns and has a policy for each agent; {_USE} in a "
            "ParallelVectorEnv, where all agents share one"
        )
    if isinstance(algorithm, GAIL):
        raise ConfigurationError(
            f"{name} is paid by its discriminator, which no signal reaches; {_USE}"
        )
    if not isinstance(algorithm, ActorCriticOnPolicyAlgorithm):
        if isinstance(algorithm, OnPolicyAlgorithm):
            raise ConfigurationError(
                f"{name} learns without a critic that values what a rollout cuts off; "
                f"{_USE}"
            )
        raise ConfigurationError(
            f"{algorithm!r:.80} is no algorithm of Tianshou that can be forked; {_USE}"
        )
    if not isinstance(params, OnPolicyTrainerParams):
        raise ConfigurationError(
            f"OnPolicyTrainerParams are wanted, not {type(params).__name__}; give "
            "the parameters of an on-policy trainer"
        )
    collector = params.training_collector
    if params.collection_step_num_env_steps is None:
        raise ConfigurationError(
            "collection_step_num_episodes gives rollouts of any length; set "
            "collection_step_num_env_steps instead"
        )
    if collector.policy is not algorithm.policy:
        raise ConfigurationError(
            "the training collector plays another policy than the algorithm's; make it "
            "with Collector(algorithm, venv, buffer)"
        )
    if collector.env.is_async:
        raise ConfigurationError(
            "the environments step at times of their own (wait_num or timeout), so "
            "they are never at rest; leave wait_num and timeout out"
        )
    if collector.buffer.maxsize < params.collection_step_num_env_steps:
        raise ConfigurationError(
            f"the buffer has room for {collector.buffer.maxsize:,} steps, and each "
            f"rollout has {params.collection_step_num_env_steps:,}; give it as much "
            "room"
        )
