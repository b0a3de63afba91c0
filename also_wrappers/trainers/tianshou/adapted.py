"""Runs the loop at the pauses of Tianshou's trainer, with ``AdaptedTrainer``."""

from __future__ import annotations

from typing import Any, Unpack

from tianshou.algorithm.algorithm_base import OnPolicyAlgorithm
from tianshou.trainer import OnPolicyTrainerParams

from also_wrappers.advisors.base import Advisor
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.loop.adaptation import Adaptation
from also_wrappers.loop.settings import AdaptationOptions
from also_wrappers.run.run import Run
from also_wrappers.trainers.progress import Progress
from also_wrappers.trainers.tianshou.fork import MakeVectorEnv
from also_wrappers.trainers.tianshou.loop import PausedTrainer
from also_wrappers.trainers.tianshou.trainer import TianshouTrainer, check_training

__all__ = ["AdaptedTrainer"]


class AdaptedTrainer(PausedTrainer):
    """Trains with Tianshou, and adapts the learning signal meanwhile.

    ``AdaptedTrainer(algorithm, params, run, make_venv).run()`` takes the place of
    ``algorithm.run_training(params)``. Pauses are between training steps: the update is
    done, and the collector's buffer is empty.

    Args:
        algorithm: PPO, A2C, NPG or TRPO.
        params: The parameters that Tianshou's own trainer would be given.
        run: The run.
        make_venv: Makes the vector environments, with the given shape around each
            environment; those of the training collector are ``make_venv(run.shape)``.
        advisor: Proposes signals; ``RuleAdvisor`` if not given.
        verbose: 1 prints a line per stage; 0 prints nothing.
        **options: See ``also_wrappers.loop.AdaptationOptions``; steps are Tianshou's
            environment steps.

    Raises:
        ConfigurationError: The training cannot be forked; or, raised by ``run``, its
            environments do not pay the signal of the run.
    """

    def __init__(
        self,
        algorithm: OnPolicyAlgorithm[Any],
        params: OnPolicyTrainerParams,
        run: Run,
        make_venv: MakeVectorEnv,
        advisor: Advisor | None = None,
        *,
        verbose: int = 1,
        **options: Unpack[AdaptationOptions],
    ) -> None:
        check_training(algorithm, params)
        super().__init__(algorithm, params, run.shape)
        self.adaptation = Adaptation(run, advisor, **options)
        self._trainer = TianshouTrainer(self, make_venv)
        self._progress = Progress(run, verbose)

    def run(
        self, reset_collectors: bool = True, reset_collector_buffers: bool = True
    ) -> Any:
        """Trains all epochs, and ends the record of the run.

        Args:
            reset_collectors: Whether the environments are reset first.
            reset_collector_buffers: Whether the buffers are emptied then.

        Returns:
            The result of Tianshou's own trainer.
        """
        self.reset(reset_collectors, reset_collector_buffers)
        if not self.adaptation.run.board.acknowledged():
            raise ConfigurationError(
                "no environment of the training collector reads the run's board: give "
                "the collector make_venv(run.shape), and let make_venv put the shape "
                "around each environment"
            )
        self._progress.begin()
        self.train(self.total, lambda: self.adaptation.step(self._trainer))
        self.adaptation.finish(self._trainer)
        self._progress.end()
        return self._create_info_stats()
