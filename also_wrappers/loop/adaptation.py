"""``Adaptation``: the loop of one run, whatever trains it."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import cloudpickle

from also_wrappers.advisors.base import Advisor, Situation, check_is_advisor
from also_wrappers.advisors.rules import RuleAdvisor
from also_wrappers.board.board import Collected
from also_wrappers.branches.executors import Executor, ProcessExecutor
from also_wrappers.checks.check import Checks
from also_wrappers.evidence.stage import STUCK
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import remove, write_json
from also_wrappers.gate import Gate, Rule
from also_wrappers.ledger.accounting import Counts
from also_wrappers.ledger.events import (
    Decided,
    Observed,
    Planned,
    RolledBack,
    RoundFinished,
    RoundStarted,
    RunFinished,
    RunResumed,
    RunStarted,
    Swapped,
)
from also_wrappers.loop.consult import Consultation
from also_wrappers.loop.fading import fade_begin, strength
from also_wrappers.loop.guard import Guard
from also_wrappers.loop.mainline import Mainline
from also_wrappers.loop.plan import Plan
from also_wrappers.loop.rehearsal import rehearse
from also_wrappers.loop.round import Round, RoundResult
from also_wrappers.loop.settings import AdaptationOptions, Settings
from also_wrappers.loop.state import LoopState, Poster
from also_wrappers.proposals.outcomes import RoundOutcome
from also_wrappers.run.run import Run
from also_wrappers.trainer import Trainer

__all__ = ["Adaptation"]


class Adaptation:
    """Adapts the learning signal of one run, whatever trains it.

    Call ``step`` wherever the trainer is at rest; most calls only read the board.

    Args:
        run: The run.
        advisor: Who proposes; ``RuleAdvisor`` if not given.
        every: Trainer steps between rounds.
        **options: See ``AdaptationOptions``.

    Attributes:
        run: The run.
        advisor: Who proposes.
        gate: What decides.
        budget: Trainer steps that branches may spend, as a multiple of the planned
            training.
        history: What became of the rounds that were decided.
        state: What a checkpoint remembers of the loop.

    Raises:
        ConfigurationError: An option is out of range.

    Example:
        >>> import tempfile
        >>> from also_wrappers import Run, Task
        >>> from also_wrappers.testing import corridor_features
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = Run(Task("Walk.", corridor_features()), f"{folder}/run")
        ...     adaptation = Adaptation(run, every=10_000, budget=2.0)
        ...     run.close()
        >>> adaptation.advisor.name  # then: adaptation.step(trainer), wherever it rests
        'rules'
    """

    def __init__(
        self,
        run: Run,
        advisor: Advisor | None = None,
        *,
        every: int,
        **options: Unpack[AdaptationOptions],
    ) -> None:
        settings = self._settings = Settings(every, **options)
        if not isinstance(run, Run):
            raise ConfigurationError(
                f"run must be a Run(task, run_dir), not {run!r:.80}; it holds the task "
                "and says where to record"
            )
        self.run = run
        self.advisor: Advisor = (
            RuleAdvisor() if advisor is None else check_is_advisor(advisor)
        )
        self.gate: Rule = settings.gate or Gate()
        self.history: list[RoundOutcome] = []
        self.budget = settings.budget
        self.state = LoopState(next_pause=settings.first or every)
        self._executor: Executor = settings.executor or ProcessExecutor()
        self._started = False
        self._poster = Poster(run.board)
        self._mainline = Mainline(run)

    def step(self, trainer: Trainer) -> None:
        """Records what was seen since the last call, and plays a round if one is due.

        Args:
            trainer: At rest: no update running, no rollout half collected.

        Raises:
            ConfigurationError: At the first call, if something cannot work.
        """
        if not self._started:
            self._start(trainer)
        self.run.accounting.mainline = trainer.steps
        self._mainline.record(trainer, self._poster.posting.strength)
        guard = self._mainline.guard
        fall = guard.fall() if guard else None
        if fall is not None:
            self._roll_back(trainer, fall)
        if trainer.steps >= self.state.next_pause and self._wants_a_round():
            self._play(trainer)
        self._fade(trainer)

    def finish(self, trainer: Trainer) -> None:
        """Ends the record and the workers; call it when training is over."""
        self.run.accounting.mainline = trainer.steps
        posting = self._poster.posting
        self._mainline.record(trainer, posting.strength, at_least=1)
        self.run.ledger.write(
            RunFinished(rounds=self.state.rounds, signal=posting.signal)
        )
        self._executor.close()

    def _wants_a_round(self) -> bool:
        """Whether a round is played where one is due."""
        always = self._settings.pause_on == "interval"
        return always or self._mainline.stage in STUCK

    def _start(self, trainer: Trainer) -> None:
        self._started = True
        self.advisor.prepare()
        accounting = self.run.accounting
        accounting.agents_per_env = trainer.agents_per_env
        self._settings.check(trainer)
        try:
            cloudpickle.dumps(trainer.fork())
        except Exception as error:
            raise ConfigurationError(
                f"make_venv cannot be sent to a worker process ({error}); let it "
                "make everything it needs itself, from plain values"
            ) from error
        if self.budget > 0.0:
            self._executor.warm(trainer.fork())
        resumes = self.run.resumed and self._resume(trainer)
        if not self.run.resumed:
            accounting.evaluation += rehearse(self.run, trainer)
        self._poster.post(
            gamma=trainer.gamma, bootstraps_truncation=trainer.bootstraps_truncation
        )
        if resumes:
            return
        accounting.mainline = trainer.steps
        self._save("start", trainer)
        self.run.ledger.write(
            RunStarted(
                task=self.run.task.description,
                features=self.run.task.features.names,
                advisor=self.advisor.name,
                total=trainer.total,
                every=self._settings.every,
                budget=self.budget,
                seed=self._settings.seed,
            )
        )

    def _resume(self, trainer: Trainer) -> bool:
        """Goes on from the last checkpoint; returns whether there was one."""
        accounting = self.run.accounting
        events = self.run.events()
        spent = events[-1].trainer_steps if events else Counts()
        outcomes = {e.round: e.outcome for e in events if isinstance(e, Decided)}
        checkpoint = self.run.checkpoints.load(LoopState)
        if checkpoint is not None:
            state = checkpoint.state
            trainer.adopt(checkpoint.snapshot)
            state.restore(accounting, spent)
            self._poster.post(**dict(state.posting))
            self.state = state
        self.history = [outcomes[r] for r in sorted(outcomes) if r <= self.state.rounds]
        self._mainline.resume(events, accounting.mainline)
        self.run.ledger.write(RunResumed(rounds=self.state.rounds, total=trainer.total))
        return checkpoint is not None

    def _fade(self, trainer: Trainer) -> None:
        posting = self._poster.posting
        wanted = strength(
            posting, fade_begin(self._settings.fade_out, trainer), trainer
        )
        if not posting.signal.empty and wanted != posting.strength:
            self._poster.post(strength=wanted)

    def _play(self, trainer: Trainer) -> None:
        """Plays a round, and swaps in what it has confirmed."""
        posting = self._poster.posting
        collected = self.run.board.collect(self.run.task.conditions)
        number = self.state.rounds + 1
        self.run.ledger.write(RoundStarted(round=number, signal=posting.signal.id))
        start = self._save("pause", trainer)
        self.state.rounds = number
        self.state.next_pause = trainer.steps + self._settings.every
        if collected is None:
            self._skip("no episode has ended yet")
            return
        situation = self._situation(trainer, collected)
        if not self.budget:
            self._skip("this run records only")
            return
        plan = Plan.make(
            self._settings,
            trainer,
            length=situation.evidence.values.get("team.episode_length", 1.0),
            copies=collected.copies,
            until=fade_begin(self._settings.fade_out, trainer),
            budget=int(self.budget * trainer.total) - self.run.accounting.branches,
        )
        if isinstance(plan, str):
            self._skip(plan)
            return
        self.run.ledger.write(
            Planned(
                round=self.state.rounds,
                wanted=self._settings.candidates,
                candidates=plan.candidates,
                refinements=plan.refinements,
                horizon=plan.horizon,
                budget=plan.budget,
            )
        )
        best = situation.evidence.values.get("team.base_return.max", 0.0)
        checks = Checks(
            situation.features,
            situation.agents,
            collected.episodes,
            max(abs(best), 1.0),
            trainer.gamma,
            may_fade=not trainer.replays,
        )
        consultation = Consultation(
            self.state.rounds, self.run, self.advisor, situation, checks
        )
        played = Round(
            self.state.rounds,
            self.run,
            self.gate,
            self._executor,
            plan,
            situation,
            consultation,
        )
        try:
            refusal = played.consult()
            if refusal is not None:
                result = played.result(refusal)
            else:
                result = played.trial(trainer, start, posting)
        except Exception as error:  # a round that breaks must not end the run
            self._skip(f"the round failed: {type(error).__name__}: {error}")
            return
        finally:
            consultation.rest()
        self._swap(trainer, result)

    def _situation(self, trainer: Trainer, collected: Collected) -> Situation:
        task = self.run.task
        posting = self._poster.posting
        evidence = self._mainline.evidence(trainer, posting, collected)
        stage = self._mainline.stage
        event = self.run.ledger.write(
            Observed(round=self.state.rounds, stage=stage, evidence=evidence)
        )
        write_json(
            self.run.round_dir(self.state.rounds) / "evidence.json",
            event.evidence.model_dump(mode="json"),
        )
        return Situation(
            task.description,
            task.features,
            collected.layout.agents,
            posting.signal,
            evidence,
            stage,
            trainer.steps / max(trainer.total, 1),
            tuple(self.history),
        )

    def _skip(self, reason: str) -> None:
        self.run.ledger.write(RoundFinished(round=self.state.rounds, skipped=reason))
        self.run.board.begin_window()
        self._drop_snapshots()

    def _swap(self, trainer: Trainer, result: RoundResult) -> None:
        """Makes the branch that was decided on the mainline."""
        self.history.append(result.outcome)
        accounting = self.run.accounting
        if result.signal is not None:
            self.run.checkpoints.copy("pause", "before_swap")
        if result.snapshot is not None:
            trainer.adopt(result.snapshot)
            accounting.branches -= result.adopted
            accounting.mainline = trainer.steps
        old = self._poster.posting.signal
        changes = {"probes": self.run.task.valid_probes(result.probes)}
        if result.signal is not None:
            since = trainer.steps - result.adopted
            swap = {"signal": result.signal, "since": since, "strength": 1.0}
            self._poster.post(**changes, **swap)
        else:
            self._poster.post(**changes)
        self.state.next_pause = trainer.steps + self._settings.every
        if result.signal is not None:
            self._mainline.guard = Guard()
            self.run.ledger.write(
                Swapped(
                    round=self.state.rounds,
                    old=old.id,
                    signal=result.signal,
                    describe=result.signal.describe(),
                )
            )
            self.run.write_schedule()
        self.run.ledger.write(
            RoundFinished(round=self.state.rounds, adopted_steps=result.adopted)
        )
        self.run.board.begin_window()
        self._save("round", trainer)
        self._drop_snapshots()

    def _roll_back(self, trainer: Trainer, fall: float) -> None:
        """Undoes a swap that was hacked: signal and weights."""
        checkpoint = self.run.checkpoints.load(LoopState, "before_swap")
        assert checkpoint is not None  # a swap is guarded only after it was saved
        before = checkpoint.state
        lost = trainer.steps - before.trainer_steps.mainline
        trainer.adopt(checkpoint.snapshot)
        self._mainline.guard = None
        self.run.accounting.branches += lost
        self.run.accounting.mainline = trainer.steps
        posting = before.posting
        self._poster.post(signal=posting.signal, since=posting.since, probes={})
        self.state.next_pause = trainer.steps + self._settings.every
        self.run.ledger.write(
            RolledBack(lost_steps=lost, fall=fall, signal=posting.signal.id)
        )
        self.run.board.begin_window()
        self._save("round", trainer)

    def _save(self, name: str, trainer: Trainer) -> Path:
        posting = self._poster.posting
        state = self.state.checkpoint(posting, self.run.accounting)
        return self.run.checkpoints.save(name, trainer.snapshot, state)

    def _drop_snapshots(self) -> None:
        """Removes the ends of the round's branches: what was adopted is in the run."""
        remove(self.run.round_dir(self.state.rounds) / "snapshots")
