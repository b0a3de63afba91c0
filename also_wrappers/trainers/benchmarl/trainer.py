"""Adapts BenchMARL's experiments to the trainer protocol."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from benchmarl.algorithms import Ippo, Iql, Maddpg, Mappo, Qmix, Vdn
from benchmarl.experiment import Experiment
from tensordict import TensorDictBase
from torch.distributions import kl_divergence

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.trainer import AuditionOutcome, Imitated
from also_wrappers.trainers.benchmarl.audition import play_audition
from also_wrappers.trainers.benchmarl.evaluation import explores
from also_wrappers.trainers.benchmarl.fork import BenchMARLFork
from also_wrappers.trainers.benchmarl.imitation import (
    begin_imitation,
    check_imitates,
)
from also_wrappers.trainers.benchmarl.loop import train
from also_wrappers.trainers.benchmarl.snapshots import restore, save
from also_wrappers.trainers.benchmarl.tasks import ShapedRewards
from also_wrappers.trainers.benchmarl.vmas import keep_vmas_randomness
from also_wrappers.trainers.earned import Earned

__all__ = ["BenchMARLTrainer", "check_experiment"]

#: Algorithms that pass the trainer contract.
_ALGORITHMS = (Ippo, Iql, Maddpg, Mappo, Qmix, Vdn)
#: Number of frames on whose observations the drift of the policies is measured.
_PROBES = 128


class BenchMARLTrainer:
    """Adapts a BenchMARL experiment; its trainer steps are BenchMARL's frames.

    Args:
        experiment: An experiment of IPPO or MAPPO, or of IQL, VDN, QMIX or MADDPG with
            a task that was shaped with ``replays=True``.

    Raises:
        ConfigurationError: The experiment cannot be forked.
    """

    agents_per_env = 1  # a frame is a step of one environment copy
    bootstraps_truncation = True

    def __init__(self, experiment: Experiment) -> None:
        check_experiment(experiment)
        keep_vmas_randomness()
        config = experiment.config
        self.experiment = experiment
        on_policy = bool(experiment.on_policy)
        self.total = int(config.get_max_n_frames(on_policy))
        copies = int(config.n_envs_per_worker(on_policy))
        # torchrl collects whole steps of all copies.
        frames = config.collected_frames_per_batch(on_policy)
        self.rollout = -(-frames // copies) * copies
        self.replays = not on_policy
        self.evaluates = explores(experiment)
        self.gamma = float(config.gamma)
        self.imitates = _imitates(experiment)
        self._earned = Earned()
        self._imitation = begin_imitation(experiment, self._earned)
        self._probes: TensorDictBase | None = None
        self._drift_since: list[Any] | None = None

    @property
    def steps(self) -> int:
        """The frames of the lineage so far."""
        return int(self.experiment.total_frames)

    def train(
        self, until: int | None = None, rest: Callable[[], None] | None = None
    ) -> None:
        """Trains with BenchMARL's own loop, in whole batches.

        Args:
            until: Frames of the lineage at which to stop; all planned ones if not
                given.
            rest: Called before each batch is collected, where everything is at rest.
        """
        train(self.experiment, until, rest)

    def snapshot(self, path: Path) -> None:
        """Writes all that training depends on but the environments to a file."""
        save(self.experiment, path, self._earned)

    def adopt(self, path: Path) -> None:
        """Loads a snapshot into the living experiment."""
        restore(self.experiment, path, self._earned)

    def observe(self, batch: TensorDictBase) -> None:
        """Keeps observations of the first batch to measure the drift of policies."""
        if self._probes is None:
            self._probes = batch.reshape(-1)[:_PROBES].exclude("next").clone()

    def policy_drift(self) -> list[float] | None:
        """Returns the KL divergence of each agent's last policy from its present one.

        Each divergence is a mean over observations of the first batch. Returns ``None``
        for recurrent policies, whose actions depend on more than an observation, for
        values, and for distributions without a closed form, such as BenchMARL's default
        for continuous actions.
        """
        if self._probes is None or self.replays or self.experiment.algorithm.has_rnn:
            return None
        policies = self.experiment.group_policies.values()
        with torch.no_grad():
            now = [policy.get_dist(self._probes.clone()) for policy in policies]
            before, self._drift_since = self._drift_since, now
            if before is None:
                return None
            try:
                parts = [kl_divergence(b, n) for b, n in zip(before, now, strict=True)]
            except NotImplementedError:
                return None
        return [float(mean) for part in parts for mean in part.flatten(1).mean(dim=0)]

    def imitated(self) -> Imitated | None:
        """Returns how the expert in force was imitated since the last call."""
        return self._imitation.agreements.take() if self._imitation else None

    def audition(
        self,
        shape: Callable[[Any], Any],
        episodes: int,
        seed: int,
        noise: float,
        stepped: Callable[[int], None],
    ) -> AuditionOutcome:
        """Plays whole episodes in which an expert acts where the expert speaks."""
        return play_audition(self.experiment, shape, episodes, seed, noise, stepped)

    def fork(self) -> BenchMARLFork:
        """Returns what a worker needs to train a branch."""
        return BenchMARLFork(self.experiment)


def _imitates(experiment: Experiment) -> bool:
    try:
        check_imitates(experiment)
    except ConfigurationError:
        return False
    return True


def check_experiment(experiment: Any) -> None:
    """Refuses experiments that cannot be forked, before any training.

    Raises:
        ConfigurationError: The experiment cannot be forked; the sentence says why, and
            what to do instead.
    """
    if not isinstance(experiment, Experiment):
        raise ConfigurationError(
            f"an Experiment of BenchMARL is wanted, not {experiment!r:.80}"
        )
    kind = experiment.algorithm_config.associated_class()
    name = kind.__name__
    if kind not in _ALGORITHMS:
        tried = ", ".join(sorted(algorithm.__name__ for algorithm in _ALGORITHMS))
        raise ConfigurationError(
            f"{name} has not been shown to fork exactly; those that have: {tried}"
        )
    rewards = experiment.task.get_reward_sum_transform
    replays = isinstance(rewards, ShapedRewards) and rewards.replays
    if not experiment.on_policy and not replays:
        raise ConfigurationError(
            f"{name} learns from a replay buffer, whose rewards would stay those of "
            "earlier signals; give it shaped_task(task, run.shape, replays=True)"
        )
    prioritized = experiment.config.off_policy_use_prioritized_replay_buffer
    if not experiment.on_policy and prioritized:
        raise ConfigurationError(
            f"{name} replays what surprised it, and with another signal other things "
            "would have; set off_policy_use_prioritized_replay_buffer to False in the "
            "ExperimentConfig"
        )
    if experiment.config.collect_with_grad:
        raise ConfigurationError(
            f"{name} collects with gradients, without a collector that could pause; "
            "set collect_with_grad to False in the ExperimentConfig"
        )
