"""Runs the loop at the pauses of a BenchMARL experiment, as a callback."""

from __future__ import annotations

from typing import Any, Unpack

from benchmarl.experiment.callback import Callback
from tensordict import TensorDictBase

from also_wrappers.advisors.base import Advisor
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.loop.adaptation import Adaptation
from also_wrappers.loop.settings import AdaptationOptions
from also_wrappers.run.run import Run
from also_wrappers.trainers.benchmarl.tasks import ShapedRewards
from also_wrappers.trainers.benchmarl.trainer import BenchMARLTrainer, check_experiment
from also_wrappers.trainers.progress import Progress

__all__ = ["AdaptationCallback"]


class AdaptationCallback(Callback):
    """Adapts the learning signal while a BenchMARL experiment runs.

    Pauses are before each batch that BenchMARL collects: the update is done, and the
    last batch is not needed again. ``Experiment.run`` trains, as ever.

    Args:
        run: The run, whose ``run.shape`` the experiment's task was given.
        advisor: Proposes signals; ``RuleAdvisor`` if not given.
        verbose: 1 prints a line per stage; 0 prints nothing.
        **options: See ``also_wrappers.loop.AdaptationOptions``; steps are BenchMARL's
            frames.

    Raises:
        ConfigurationError: When the experiment is made, if the experiment cannot be
            forked, or if its task does not pay the signal of the run.
    """

    def __init__(
        self,
        run: Run,
        advisor: Advisor | None = None,
        *,
        verbose: int = 1,
        **options: Unpack[AdaptationOptions],
    ) -> None:
        super().__init__()
        self.adaptation = Adaptation(run, advisor, **options)
        self._trainer: BenchMARLTrainer | None = None
        self._progress = Progress(run, verbose)

    def on_setup(self) -> None:
        """Checks the experiment, and puts a loop with pauses in its place."""
        check_experiment(self.experiment)
        run = self.adaptation.run
        rewards = self.experiment.task.get_reward_sum_transform
        given = isinstance(rewards, ShapedRewards)
        if not given or rewards.shape.board.path != run.board.path:
            raise ConfigurationError(
                "the experiment's task pays no signal of this run; make the experiment "
                "with shaped_task(task, run.shape)"
            )
        self.experiment._collection_loop = self._train

    def on_batch_collected(self, batch: TensorDictBase) -> None:
        """Keeps observations to measure how policies drift."""
        if self._trainer is not None:
            self._trainer.observe(batch)

    def __reduce__(self) -> Any:
        """Pickles as a callback that does nothing.

        BenchMARL pickles callbacks for experiments that it reloads, but a run goes on
        from its own directory.
        """
        return Callback, ()

    def _train(self) -> None:
        trainer = self._trainer = BenchMARLTrainer(self.experiment)
        self._progress.begin()
        trainer.train(rest=lambda: self.adaptation.step(trainer))
        self.adaptation.finish(trainer)
        self.experiment.close()
        self._progress.end()
