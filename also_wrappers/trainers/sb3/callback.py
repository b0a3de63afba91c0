"""Runs the loop at Stable-Baselines3's pause point, as a callback."""

from __future__ import annotations

from typing import Unpack

from stable_baselines3.common.callbacks import BaseCallback

from also_wrappers.advisors.base import Advisor
from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.loop.adaptation import Adaptation
from also_wrappers.loop.settings import AdaptationOptions
from also_wrappers.run.run import Run
from also_wrappers.trainers.earned import Earned
from also_wrappers.trainers.progress import Progress
from also_wrappers.trainers.sb3.figures import LoggedFigures
from also_wrappers.trainers.sb3.fork import Algorithm, MakeVecEnv
from also_wrappers.trainers.sb3.imitation import Imitation, begin_imitation
from also_wrappers.trainers.sb3.interrupt import Interrupt
from also_wrappers.trainers.sb3.trainer import SB3Trainer, check_model

__all__ = ["AdaptationCallback"]


class AdaptationCallback(BaseCallback):
    """Adapts the learning signal while an SB3 model learns.

    Pauses are at rollout starts, the one point where everything is at rest: the
    update is done, the buffer is empty, the last observation is current. The model's
    logger gets the figures of the adaptation under ``also/``: see ``LoggedFigures``.

    Args:
        run: The run.
        make_venv: Makes the training environments, with the given shape around each:
            the mainline, every branch and every evaluation need the same environment
            with another wrapper, so the factory must use the shape that it is given.
        advisor: Proposes signals; ``RuleAdvisor`` if not given.
        verbose: 1 prints a line per stage, and, where Ctrl-C ends the training, a line
            that says how to go on; 0 prints nothing.
        **options: See ``also_wrappers.loop.AdaptationOptions``.

    Raises:
        ConfigurationError: When training starts, if the model cannot be forked.

    Example:
        >>> import tempfile
        >>> from stable_baselines3 import PPO
        >>> from also_wrappers import PettingZooVecEnv, Run, Task
        >>> from also_wrappers.testing import Corridor, corridor_features
        >>> def make_venv(shape):
        ...     return PettingZooVecEnv(lambda: shape(Corridor()), num_envs=2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = Run(Task("Walk.", corridor_features()), f"{folder}/run")
        ...     venv = make_venv(run.shape)
        ...     model = PPO("MlpPolicy", venv, n_steps=32, batch_size=32)
        ...     callback = AdaptationCallback(run, make_venv, budget=0, verbose=0)
        ...     _ = model.learn(256, callback)
        ...     run.close()
        >>> model.num_timesteps
        256
    """

    def __init__(
        self,
        run: Run,
        make_venv: MakeVecEnv,
        advisor: Advisor | None = None,
        *,
        verbose: int = 1,
        **options: Unpack[AdaptationOptions],
    ) -> None:
        super().__init__(verbose)
        self.adaptation = Adaptation(run, advisor, **options)
        self._make_venv = make_venv
        self._trainer: SB3Trainer | None = None
        self._earned = Earned()
        self._figures = LoggedFigures()
        self._imitation: Imitation | None = None
        self._posting: Posting | None = None
        self._next_pause = 0
        self._progress = Progress(run, verbose)
        self._interrupt: Interrupt | None = None
        self._listening = False

    def _on_training_start(self) -> None:
        model = check_model(self.model)
        total = int(self.locals["total_timesteps"])
        run = self.adaptation.run
        imitation = begin_imitation(model, run.shape, self._earned)
        self._imitation = imitation
        self._trainer = SB3Trainer(
            model,
            self._make_venv,
            total,
            self._earned,
            imitation,
            _agents_per_env(model, run.board),
        )
        buffer = getattr(self.model, "replay_buffer", None)
        if buffer is not None and buffer.shape.board.path != run.board.path:
            raise ConfigurationError(
                "the replay buffer reads the board of another run; give it this run's "
                "run.shape"
            )
        starts = getattr(model, "learning_starts", 0)
        settings = self.adaptation.settings
        pause = settings.first_pause(total)
        if settings.budget and pause <= starts < total:
            raise ConfigurationError(
                f"the first round would be at {pause:,} steps, and nothing is learned "
                f"before learning_starts={starts:,}; give first={2 * starts:,} or so"
            )
        if not run.board.acknowledged():  # SB3 has reset the environments by now
            raise ConfigurationError(
                "no environment of the model reads the run's board: make the model's "
                "environments with make_venv(run.shape), and let make_venv put the "
                "shape around each of them"
            )
        if self.verbose:
            self._interrupt = Interrupt(model, self._say_how_to_go_on)
            self._interrupt.begin()
        if self._listening:
            return
        self._listening = True
        for event in read_ledger(run.ledger.path):
            self._figures(event)
        run.ledger.listeners.append(self._figures)
        self._progress.begin()

    def _on_rollout_start(self) -> None:
        assert self._trainer is not None
        self._imitate()  # before the pause, so that snapshots hold whole updates
        if self.num_timesteps < self._next_pause:
            return  # short rollouts of off-policy models have no pause each
        self._trainer.observe()
        self.adaptation.step(self._trainer)
        self._next_pause = self._trainer.steps + self._trainer.rollout

    def _on_step(self) -> bool:
        if self._imitation is not None:
            self._imitation.step(self.locals["infos"], self.locals["dones"])
        return True

    def _on_rollout_end(self) -> None:
        self._figures.record(self.logger)
        if self._imitation is not None:
            self._imitation.end()

    def _imitate(self) -> None:
        """Pulls the policy towards the expert on the states of the last rollout."""
        if self._imitation is None:
            return
        pull = self._posted().pull(self._earned.mean)
        agreement = self._imitation.start(pull)
        if agreement is not None:
            self.logger.record("also/pull", pull)
            self.logger.record("also/agreement", agreement)

    def _posted(self) -> Posting:
        """Returns the posting; reads it again only where it is new."""
        board = self.adaptation.run.board
        if self._posting is None or self._posting.version != board.version:
            self._posting = board.read()
        return self._posting

    def _say_how_to_go_on(self) -> None:
        assert self._trainer is not None
        run = self.adaptation.run
        self._progress.say(
            "stop",
            f"interrupted at {self._trainer.steps:,} of {self._trainer.total:,} "
            f'trainer steps; Run(task, "{run.dir}", resume="auto") goes on from the '
            "last checkpoint",
        )

    def _on_training_end(self) -> None:
        assert self._trainer is not None
        self._imitate()  # the last update is followed by imitation, too
        self.adaptation.finish(self._trainer)
        if self._interrupt is not None:
            self._interrupt.end()
        self._progress.end()


def _agents_per_env(model: Algorithm, board: Board) -> int:
    """Returns the number of agents of one environment, as copies record them.

    A foreign VecEnv of multi-agent environments, such as SuperSuit's
    ``concat_vec_envs_v1``, does not say that each of its indices is an agent.
    """
    layout = board.layout
    agents = len(layout.agents) if layout else 1
    return agents if model.n_envs == board.copies * agents else 1
