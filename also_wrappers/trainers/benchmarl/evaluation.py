"""Evaluates branches of BenchMARL whose training explores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from benchmarl.experiment import Experiment
from tensordict import TensorDictBase
from tensordict.nn import TensorDictSequential
from torchrl.envs.utils import ExplorationType, set_exploration_type

from also_wrappers.branches.randomness import randomness_restored, seed_randomness
from also_wrappers.trainer import EVALUATED

__all__ = ["Judge", "explores"]

#: Frames of a branch for each evaluation, so that evaluations cost less than the
#: branch; the most evaluations of a branch; and the episodes of an evaluation.
_FRAMES_PER_LOOK, _LOOKS, _EPISODES_PER_LOOK = 2048, 5, 10


class Judge:
    """Evaluates a branch at equal distances in the last half of its training.

    Args:
        experiment: The experiment of the branch.
        seed: Seed of the episodes.
        steps: Frames that the branch will train.

    Attributes:
        steps: Frames that the evaluations took.
    """

    def __init__(self, experiment: Experiment, seed: int, steps: int) -> None:
        self.steps = 0
        self._experiment = experiment
        self._seed = seed
        self._episodes: list[tuple[int, float]] = []
        self._first = int(experiment.total_frames)
        looks = max(min(steps // _FRAMES_PER_LOOK, _LOOKS), 1)
        self._due = [
            self._first + steps * (1.0 + k / looks) / 2.0 for k in range(1, looks + 1)
        ]

    @property
    def evaluated(self) -> npt.NDArray[np.void]:
        """The episodes of all evaluations, an array of ``EVALUATED``."""
        return np.array(self._episodes, dtype=EVALUATED)

    def look(self) -> None:
        """Evaluates the branch at rest, if an evaluation is due."""
        experiment = self._experiment
        now = int(experiment.total_frames)
        while self._due and now >= self._due[0]:
            del self._due[0]
            copies = experiment.config.n_envs_per_worker(experiment.on_policy)
            end = (now - self._first) // copies
            self._episodes += [(end, base) for base in self._evaluate()]

    def _evaluate(self) -> list[float]:
        """Returns the base returns of the policy without exploration."""
        experiment = self._experiment
        env = experiment.test_env
        whole = bool(env.batch_size)
        returns: list[float] = []
        with (
            randomness_restored(),
            torch.no_grad(),
            set_exploration_type(ExplorationType.DETERMINISTIC),
        ):
            seed = (self._seed + self.steps) % 2**31
            seed_randomness(seed)
            env.set_seed(seed)
            while len(returns) < _EPISODES_PER_LOOK:
                played = env.rollout(
                    experiment.max_steps,
                    experiment.policy,
                    auto_cast_to_device=True,
                    break_when_any_done=not whole,
                )
                self.steps += played.numel()
                returns += self._returns(played if whole else played.unsqueeze(0))
        return returns

    def _returns(self, played: TensorDictBase) -> list[float]:
        """Returns the base return of the first episode of each copy.

        Args:
            played: Steps, shape ``(copies, steps)``.
        """
        rewards = [
            played["next", group, "reward"].reshape(*played.shape, -1)
            for group in self._experiment.group_map
        ]
        of_team = torch.cat(rewards, dim=-1).double().mean(dim=-1)
        over = played["next", "done"].reshape(played.shape).long()
        running = over.cumsum(dim=1) - over == 0
        returns: list[float] = (of_team * running).sum(dim=1).tolist()
        return returns


def explores(experiment: Experiment) -> bool:
    """True where training adds exploration to the actions of the policies."""
    policies = experiment.group_policies.values()
    last = [
        [*policy][-1] for policy in policies if isinstance(policy, TensorDictSequential)
    ]
    return any(hasattr(layer, "step") for layer in last)  # BenchMARL has the same test
