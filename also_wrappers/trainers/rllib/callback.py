"""Runs the loop at the pauses of an RLlib algorithm, as a callback."""

from __future__ import annotations

from typing import Any, Unpack

from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.callbacks.callbacks import RLlibCallback

from also_wrappers.advisors.base import Advisor
from also_wrappers.branches.ray import RayExecutor
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.loop.adaptation import Adaptation
from also_wrappers.loop.settings import AdaptationOptions
from also_wrappers.run.run import Run
from also_wrappers.trainers.progress import Progress
from also_wrappers.trainers.rllib.environments import check_boards, shape_of
from also_wrappers.trainers.rllib.trainer import RLlibTrainer
from also_wrappers.wrappers.shape import Shape

__all__ = ["AdaptationCallback"]


class AdaptationCallback(RLlibCallback):
    """Adapts the learning signal while an RLlib algorithm trains.

    Give the callback to ``config.callbacks``, alone or in a list with other callbacks,
    and build the algorithm in the same process: in a trial of Tune, inside the function
    of the trial. Pauses are at the end of each ``algorithm.train()``.

    Args:
        run: The run, whose ``run.shape`` was given to ``shaped_config``.
        total: Trainer steps that are planned, which are RLlib's environment steps.
        advisor: Proposes signals; ``RuleAdvisor`` if not given.
        verbose: 1 prints a line per stage; 0 prints nothing.
        **options: See ``also_wrappers.loop.AdaptationOptions``; branches run on the Ray
            that RLlib has started unless an executor is given.

    Attributes:
        adaptation: The loop.
        done: Whether all planned steps are trained. As a branch that is adopted brings
            its steps along, the number of calls is not known beforehand: write
            ``while not callback.done: algorithm.train()``.

    Raises:
        ConfigurationError: When the algorithm is built, if the algorithm cannot be
            forked, if its environments do not pay the signal of the run, or if it is
            built in another process.
    """

    def __init__(
        self,
        run: Run,
        total: int,
        advisor: Advisor | None = None,
        *,
        verbose: int = 1,
        **options: Unpack[AdaptationOptions],
    ) -> None:
        if options.get("executor") is None:
            # In worker processes, every branch would start a Ray of its own.
            options["executor"] = RayExecutor()
        self.adaptation = Adaptation(run, advisor, **options)
        self.done = False
        self._total = total
        self._trainer: RLlibTrainer | None = None
        self._progress = Progress(run, verbose)

    def __call__(self) -> AdaptationCallback:
        """Returns itself, as RLlib is given classes and calls them."""
        return self

    def on_algorithm_init(self, *, algorithm: Algorithm, **_: Any) -> None:
        """Steps the loop for the first time, before any training."""
        trainer = self._trainer = RLlibTrainer(algorithm, self._total)
        run = self.adaptation.run
        shape = shape_of(algorithm.config)
        if not isinstance(shape, Shape) or shape.board.path != run.board.path:
            raise ConfigurationError(
                "the algorithm's environments pay no signal of this run; make the "
                "configuration with shaped_config(config, make_env, run.shape)"
            )
        self._progress.begin()
        self.adaptation.step(trainer)

    def on_train_result(self, **_: Any) -> None:
        """Steps the loop once the update of a training step is done."""
        trainer = self._trainer
        if trainer is None or self.done:
            return
        if trainer.steps < trainer.total:
            self.adaptation.step(trainer)
        # An adopted branch may bring all steps that were left to train.
        if trainer.steps >= trainer.total:
            self.done = True
            self.adaptation.finish(trainer)
            self._progress.end()

    def on_env_runners_recreated(self, *, env_runner_group: Any, **_: Any) -> None:
        """Checks that recreated runners see the board."""
        check_boards(env_runner_group)

    def __deepcopy__(self, memo: dict[int, Any]) -> AdaptationCallback:
        """Returns itself, as RLlib copies configurations."""
        return self

    def __reduce__(self) -> Any:
        """Pickles as a callback that does nothing, for runners elsewhere."""
        return _Elsewhere, ()


class _Elsewhere(RLlibCallback):
    """Stands in for the callback in processes other than the run's."""

    def __call__(self) -> _Elsewhere:
        return self

    def on_algorithm_init(self, **_: Any) -> None:
        raise ConfigurationError(
            "an adapted algorithm was built in another process than its Run; in a "
            "trial of Tune, make Run, configuration and algorithm inside the trial's "
            "function"
        )
