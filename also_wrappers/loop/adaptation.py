"""Adapts the learning signal of one run with ``Adaptation``, whatever trains it."""

from __future__ import annotations

from typing import Unpack

from also_wrappers.advisors.base import Advisor, check_is_advisor
from also_wrappers.advisors.rules import RuleAdvisor
from also_wrappers.branches.executors import Executor, ProcessExecutor, check_sendable
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate.rule import Rule
from also_wrappers.ledger.events import (
    Decided,
    FadeStopped,
    RolledBack,
    RunFinished,
    RunResumed,
    RunStarted,
    Swapped,
)
from also_wrappers.ledger.lineage import of_the_lineage
from also_wrappers.loop.audition import MOST_RANKED
from also_wrappers.loop.fading import strength
from also_wrappers.loop.lineage import Lineage
from also_wrappers.loop.mainline import Mainline
from also_wrappers.loop.plan import LONGEST, check_pays, forecast, horizon_of
from also_wrappers.loop.provisionals import Provisionals
from also_wrappers.loop.rehearsal import rehearse
from also_wrappers.loop.replay import Replay
from also_wrappers.loop.rounds import Rounds
from also_wrappers.loop.settings import AdaptationOptions, Settings
from also_wrappers.loop.state import LoopState, Poster
from also_wrappers.proposals.outcomes import RoundOutcome
from also_wrappers.run.run import Run
from also_wrappers.trainer import Trainer

__all__ = ["Adaptation"]


class Adaptation:
    """Adapts the learning signal of one run, whatever trainer trains it.

    Call ``step`` wherever the trainer is at rest; most calls only read the board.

    Args:
        run: The run.
        advisor: Proposes signals; ``RuleAdvisor`` if not given.
        **options: See ``AdaptationOptions``.

    Attributes:
        run: The run.
        advisor: Proposes signals.
        gate: The rule that decides rounds.
        settings: What the user allows.

    Raises:
        ConfigurationError: An option is out of range.

    Example:
        >>> import tempfile
        >>> from also_wrappers import Run, Task
        >>> from also_wrappers.testing import corridor_features
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = Run(Task("Walk.", corridor_features()), f"{folder}/run")
        ...     adaptation = Adaptation(run, budget=0.3)
        ...     run.close()
        >>> adaptation.advisor.name  # then: adaptation.step(trainer), wherever it rests
        'rules'
    """

    def __init__(
        self,
        run: Run,
        advisor: Advisor | None = None,
        **options: Unpack[AdaptationOptions],
    ) -> None:
        settings = self.settings = Settings(**options)
        if not isinstance(run, Run):
            raise ConfigurationError(
                f"run must be a Run(task, run_dir), not {run!r:.80}; it holds the task "
                "and says where to record"
            )
        self.run = run
        if settings.replay is not None and advisor is not None:
            raise ConfigurationError(
                "advisor and replay are both given, and a replay asks no advisor; "
                "leave one of them out"
            )
        self.advisor: Advisor = (
            RuleAdvisor() if advisor is None else check_is_advisor(advisor)
        )
        self.gate: Rule = settings.gate
        self._executor: Executor = settings.executor or ProcessExecutor()
        self._started = False
        self._trains = 0
        self._poster = Poster(run.board)
        self._mainline = Mainline(run)
        self._lineage = Lineage(run, self._poster, self._mainline)
        self._provisionals = Provisionals(
            run,
            self._lineage,
            self._poster,
            self._mainline,
            self._executor,
            self.gate,
        )
        self._rounds = Rounds(
            run,
            self.advisor,
            settings,
            self._executor,
            self._lineage,
            self._poster,
            self._mainline,
        )
        self._replay: Replay | None = None
        if settings.replay is not None:
            self._replay = Replay(
                run, settings.replay, self._lineage, self._poster, self._mainline
            )

    @property
    def state(self) -> LoopState:
        """The state of the loop, as a checkpoint keeps it."""
        return self._lineage.state

    @property
    def history(self) -> list[RoundOutcome]:
        """The outcomes of the rounds that were decided, in order."""
        return self._rounds.history

    def step(self, trainer: Trainer) -> None:
        """Records the latest episodes, and plays a round if a round is due.

        Args:
            trainer: At rest: no update running, no rollout half collected.

        Raises:
            ConfigurationError: At the first call, if the run cannot work as declared.
        """
        if not self._started:
            self._start(trainer)
        rounds, lineage = self._rounds, self._lineage
        self._rest(trainer)
        self._mainline.record(trainer, self._poster.posting.strength)
        guard = self._mainline.guard
        fall = guard.fall() if guard else None
        if fall is not None:
            self._roll_back(trainer, fall)
        if self._replay is not None:
            self._replay.step(trainer)
        else:
            budget, until = rounds.budget(trainer), rounds.until(trainer)
            self._provisionals.step(trainer, budget, until)
            rounds.step(trainer)
        self._fade(trainer)
        distance = self.settings.checkpoint_distance(trainer.total)
        if distance and trainer.steps >= lineage.saved + distance:
            lineage.save("latest", trainer)
        self._trains = trainer.rollout
        self.run.note_in_flight(self._trains)

    def finish(self, trainer: Trainer) -> None:
        """Ends the record and the workers of a run after its training."""
        self._rest(trainer)
        reason = "the training has ended"
        self._provisionals.stop(trainer, reason)
        self._rounds.drop(trainer, reason)
        posting = self._poster.posting
        self._mainline.record(trainer, posting.strength, at_least=1)
        self._lineage.save("end", trainer)  # a longer plan goes on from here
        self.run.ledger.write(
            RunFinished(rounds=self.state.rounds, signal=posting.signal)
        )
        self._executor.close()

    def _rest(self, trainer: Trainer) -> None:
        """Counts the trainer steps since the last call as steps of the mainline."""
        self.run.accounting.mainline = trainer.steps
        self.run.note_in_flight(-self._trains)
        self._trains = 0

    def _start(self, trainer: Trainer) -> None:
        self._started = True
        if self._replay is not None:
            self._replay.check(trainer)
        else:
            self.advisor.prepare()
        settings, accounting = self.settings, self.run.accounting
        accounting.agents_per_env = trainer.agents_per_env
        trained = self.run.finished
        if trained is not None and trainer.total <= trained:
            raise ConfigurationError(
                f"the run in {self.run.dir} is finished: it has trained all of its "
                f"{trained:,} trainer steps; plan more of them to go on with it, or "
                "give another directory"
            )
        until = self._rounds.until(trainer)
        check_pays(
            settings, self.gate, trainer, horizon_of(settings, trainer, 0.0, 0), until
        )
        check_sendable(trainer.fork(), self.run.task)
        if settings.budget > 0.0:
            self._executor.warm(trainer.fork())
        if self.run.resumed and self._resume(trainer):
            return
        horizon = horizon_of(settings, trainer, 0.0, 0)
        if not self.run.resumed:
            self.run.note_in_flight(trainer.rollout)
            rehearsal = rehearse(self.run, trainer)
            accounting.evaluation += rehearsal.steps
            self.run.note_in_flight(-trainer.rollout)
            horizon = horizon_of(
                settings, trainer, rehearsal.length, self.run.board.copies
            )
            check_pays(settings, self.gate, trainer, horizon, until)
        first = settings.first_pause(trainer.total)
        self._lineage.state = LoopState(
            # A slow advisor is asked before the pause at which its answer is tried.
            next_pause=first - self._rounds.lead(trainer),
            distance=settings.every or max(trainer.total // 10, 1),
            horizon=horizon,
            longest=LONGEST * horizon,
        )
        self._poster.post(
            gamma=trainer.gamma, bootstraps_truncation=trainer.bootstraps_truncation
        )
        accounting.mainline = trainer.steps
        self._lineage.save("start", trainer)
        foretold = forecast(
            settings,
            self.gate,
            horizon,
            self._rounds.budget(trainer),
            trainer.rollout,
        )
        actions = self.run.task.actions
        plays = actions is not None and trainer.imitates
        named = () if actions is None else actions.actions
        self.run.ledger.write(
            RunStarted(
                task=self.run.task.description,
                features=self.run.task.features.names,
                actions={action.index: action.name for action in named},
                advisor=self._advisor_name(),
                total=trainer.total,
                every=self.state.distance,
                budget=settings.budget,
                horizon=horizon,
                rounds=foretold.rounds,
                search=foretold.steps,
                auditions=int(MOST_RANKED * trainer.total) if plays else 0,
                seed=settings.seed,
            )
        )

    def _advisor_name(self) -> str:
        """Returns the advisor's name, or names the run that is replayed."""
        if self.settings.replay is not None:
            return f"none, a replay of {self.settings.replay}"
        return self.advisor.name

    def _resume(self, trainer: Trainer) -> bool:
        """Resumes from the last checkpoint; returns False where there is none."""
        accounting = self.run.accounting
        events = self.run.events()
        spent = self.run.spent_before()
        checkpoint = self.run.checkpoints.load(LoopState)
        open_round = going_on = None
        total = 0
        if checkpoint is not None:
            state = checkpoint.state
            trainer.adopt(checkpoint.snapshot)
            state.restore(accounting, spent)
            posting = dict(state.posting) | {
                "gamma": trainer.gamma,
                "bootstraps_truncation": trainer.bootstraps_truncation,
            }
            self._poster.post(**posting)
            self._lineage.state = state
            going_on = state.open.number if state.open else None
            asked = state.claim or state.watch
            open_round = asked.round if asked else going_on
            total = state.trainer_steps.total
        # No other branch can be adopted any longer.
        self.run.drop_snapshots(open_round)
        lived = of_the_lineage(events, total, going_on)
        outcomes = {
            event.round: event.outcome
            for event in lived
            if isinstance(event, Decided) and event.round != going_on
        }
        self._rounds.history = list(outcomes.values())
        self._mainline.resume(
            [e for e in lived if not (isinstance(e, Swapped) and e.round == going_on)]
        )
        self.run.ledger.write(
            RunResumed(
                rounds=self.state.rounds,
                total=trainer.total,
                checkpoint=total,
                going_on=going_on,
            )
        )
        self.run.write_schedule()  # a swap after the checkpoint is undone
        if checkpoint is not None:
            self._rounds.resume(trainer, lived)
        return checkpoint is not None

    def _fade(self, trainer: Trainer) -> None:
        """Posts the strength that the active signal should have now.

        The strength returns to 1, and stays there, once the base return has clearly
        fallen while the signal fades.
        """
        posting = self._poster.posting
        begin = self._rounds.until(trainer)
        if posting.strength < 1.0 and not self.state.keeps:
            fall = self._mainline.fall_since(begin)
            if fall is not None:
                self.state.keeps = True
                self.run.ledger.write(FadeStopped(fall=fall, strength=posting.strength))
        if self.state.keeps:
            begin = trainer.total
        wanted = strength(posting, begin, trainer)
        if not posting.signal.empty and wanted != posting.strength:
            self._poster.post(strength=wanted)

    def _roll_back(self, trainer: Trainer, fall: float) -> None:
        """Undoes a swap after which the base return fell: signal and weights."""
        self._provisionals.drop()
        self._rounds.drop(trainer, "the swap before it was undone")
        checkpoint = self.run.checkpoints.load(LoopState, "before_swap")
        assert checkpoint is not None  # every guarded swap was preceded by a save
        lost = self._lineage.adopt(trainer, checkpoint.snapshot)
        self._mainline.guard = None
        posting = checkpoint.state.posting
        self._poster.post(
            signal=posting.signal,
            provisional=posting.provisional,
            since=posting.since,
            promised=posting.promised,
            probes={},
        )
        self._rounds.end_round(trainer)
        self.run.ledger.write(
            RolledBack(lost_steps=lost, fall=fall, signal=posting.signal.id)
        )
        self.run.write_schedule()
        self._lineage.save("round", trainer)
