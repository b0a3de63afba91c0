"""Runs Tianshou's own loop with a pause after each update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tianshou.algorithm.algorithm_base import OnPolicyAlgorithm
from tianshou.trainer import OnPolicyTrainer, OnPolicyTrainerParams

from also_wrappers.trainers.earned import Earned
from also_wrappers.trainers.tianshou.imitation import Imitation, imitates
from also_wrappers.trainers.tianshou.vector_env import ListeningVectorEnv, agents_of
from also_wrappers.wrappers.shape import Shape

__all__ = ["PausedTrainer"]


class PausedTrainer(OnPolicyTrainer):
    """Trains with Tianshou on a lineage of snapshots, with pauses.

    ``env_step`` counts the steps of the lineage: where a pause loads another state, the
    count becomes that state's, and epochs end at the same steps as before.

    Args:
        algorithm: The algorithm.
        params: Parameters of the training; the environments of the training collector
            get a ``ListeningVectorEnv`` around them.
        shape: The shape around each environment; the experts that are posted on its
            board are imitated, where the algorithm can imitate.

    Attributes:
        env: The environments of the training.
        earned: What the training earns of the base reward.
        imitation: Pulls the policy; ``None`` where no expert can be posted.
        rollout: Steps of one collection, of all indices together.
        total: Steps of all epochs.
    """

    def __init__(
        self,
        algorithm: OnPolicyAlgorithm[Any],
        params: OnPolicyTrainerParams,
        shape: Any = None,
    ) -> None:
        super().__init__(algorithm, params)
        collector = params.training_collector
        self.env = ListeningVectorEnv.around(collector.env)
        collector.env = self.env
        count = len(self.env)
        assert params.collection_step_num_env_steps is not None
        self.rollout = -(-params.collection_step_num_env_steps // count) * count
        self._per_epoch = -(-params.epoch_num_steps // self.rollout) * self.rollout
        self.total = params.max_epochs * self._per_epoch
        self._until = self.total
        self._rest: Callable[[], None] | None = None
        self._counted = 0
        self.earned = Earned()
        self.imitation: Imitation | None = None
        if isinstance(shape, Shape) and shape.task.actions and imitates(algorithm):
            batch = params.batch_size
            self.imitation = Imitation(algorithm, agents_of(self.env), batch)
            self._board = shape.board

    @property
    def steps(self) -> int:
        """The steps of the lineage so far, of all indices together."""
        return int(self._env_step)

    @steps.setter
    def steps(self, steps: int) -> None:
        self._env_step = steps

    def train(self, until: int, rest: Callable[[], None] | None = None) -> None:
        """Trains in whole rollouts, without a reset.

        Args:
            until: Steps of the lineage at which to stop.
            rest: Called before each rollout, where everything is at rest: the update is
                done and the buffer is empty. The function may load another state.
        """
        self._until, self._rest = until, rest
        if rest is not None and self.steps < until:
            rest()
        while self.steps < until and not self._stop_fn_flag:
            self.execute_epoch()

    @property
    def _pbar(self) -> Callable[..., Any]:
        # A bar of tqdm that shows nothing leaves a lock behind in every worker.
        return super()._pbar if self.params.show_progress else _NoBar

    def execute_epoch(self) -> Any:
        """Trains to the end of the lineage's present epoch."""
        self._epoch = self.steps // self._per_epoch
        self._counted = 0
        return super().execute_epoch()

    def _training_step(self) -> Any:
        result = super()._training_step()
        self._env_step += result.get_env_step_advancement()
        self._learn_from_experts()
        if self._rest is not None and self.steps < self._until:
            self._rest()
        done = self.steps - (self._epoch - 1) * self._per_epoch
        if self.steps >= self._until:
            done = max(done, self.params.epoch_num_steps)
        advanced, self._counted = done - self._counted, done
        return _Counted(result, advanced)

    def _learn_from_experts(self) -> None:
        told = self.env.take()
        for _, base in told.episodes:
            self.earned.add(base)
        if self.imitation is not None and told.advised:
            posting = self._board.read()
            pull = posting.pull(self.earned.mean, self.env.steps)
            self.imitation.pull(told, pull)


class _Counted(OnPolicyTrainer._TrainingStepResult):
    """Holds the result of a training step whose steps are counted already.

    Args:
        result: Tianshou's result of the training step.
        advanced: Steps by which the epoch has advanced, including those of a state that
            a pause has loaded.
    """

    def __init__(self, result: Any, advanced: int) -> None:
        super().__init__(
            result.get_collect_stats(),
            result.get_training_stats(),
            result.is_training_done(),
        )
        self._advanced = advanced

    def get_steps_in_epoch_advancement(self) -> int:
        return self._advanced

    def get_env_step_advancement(self) -> int:
        return 0


class _NoBar:
    """Stands in for a progress bar."""

    def __init__(self, **settings: Any) -> None:
        pass

    def __enter__(self) -> _NoBar:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def update(self, steps: int) -> None:
        """Shows no progress."""

    def set_postfix(self, **figures: str) -> None:
        """Shows no figures."""
