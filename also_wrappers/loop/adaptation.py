"""The loop: record, and at a pause play a round and swap in what was confirmed."""

from __future__ import annotations

import math
from typing import Any, Literal

import cloudpickle

from also_wrappers.advisors.base import Advisor, Situation
from also_wrappers.advisors.rules.advisor import RuleAdvisor
from also_wrappers.board.board import Collected
from also_wrappers.board.posting import Posting
from also_wrappers.branches.executors import Executor, ProcessExecutor
from also_wrappers.branches.randomness import generator_states, restore_generators
from also_wrappers.evidence.stage import STUCK
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import write_json
from also_wrappers.gate.gate import Gate, Rule
from also_wrappers.loop.guard import Guard
from also_wrappers.loop.mainline import Mainline
from also_wrappers.loop.plan import Limits, Plan
from also_wrappers.loop.rehearsal import rehearse
from also_wrappers.loop.round import Round, RoundResult
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
        first: Trainer steps before the first round; ``every`` if not given. An
            untrained policy responds to a signal, a stuck one hardly does.
        candidates: Candidates of a round.
        refinements: Replacements after the first results of a round.
        horizon: Trainer steps of a branch; by default the larger of a fifth of the
            planned training and what gives 300 scored episodes, or down to half of
            that where less of the planned training is left.
        budget: Trainer steps that branches may spend, as a multiple of the planned
            training; 0 records only.
        fade_out: Share of the planned training at whose end the signal's strength goes
            to zero, so that the policy ends on the base reward alone; no round is
            played there. By default a tenth, but 0 where values of a replay buffer
            would fade with it.
        pause_on: ``"interval"`` plays a round every so many steps; ``"stage"`` waits
            then until the run is stuck: no signal, a plateau or a regression.
        gate: What decides.
        executor: Where branches run; worker processes if not given.
        seed: Of the branches.

    Raises:
        ConfigurationError: A number is out of range.

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
        first: int | None = None,
        candidates: int = 3,
        refinements: int = 2,
        horizon: int | None = None,
        budget: float = 1.0,
        fade_out: float | None = None,
        pause_on: Literal["interval", "stage"] = "interval",
        gate: Rule | None = None,
        executor: Executor | None = None,
        seed: int = 0,
    ) -> None:
        for name, value in (
            ("every", every),
            ("first", first or every),
            ("candidates", candidates),
            ("horizon", horizon or 1),
        ):
            if value < 1:
                raise ConfigurationError(f"{name} must be at least 1, not {value}")
        if budget < 0.0 or refinements < 0:
            raise ConfigurationError("budget and refinements must not be negative")
        if fade_out is not None and not 0.0 <= fade_out < 1.0:
            raise ConfigurationError(
                f"fade_out is a share of the training from 0 up to 1, not {fade_out}"
            )
        self.run = run
        self.advisor: Advisor = advisor or RuleAdvisor()
        self.gate: Rule = gate or Gate()
        self.rounds = 0
        self.history: list[RoundOutcome] = []
        self._every = every
        self._limits = Limits(candidates, refinements, horizon, seed)
        self.budget = budget
        if pause_on not in ("interval", "stage"):
            raise ConfigurationError(
                f"pause_on is 'interval' or 'stage', not {pause_on!r}"
            )
        self._fade_out = fade_out
        self._pause_on = pause_on
        self._executor: Executor = executor or ProcessExecutor()
        self.next_pause = first or every
        self._started = False
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
        self._mainline.record(trainer)
        guard = self._mainline.guard
        fall = guard.fall() if guard else None
        if fall is not None:
            self._roll_back(trainer, fall)
        due = trainer.steps >= self.next_pause
        if due and (self._pause_on == "interval" or self._mainline.stage in STUCK):
            self._round(trainer)
        self._fade(trainer)

    def finish(self, trainer: Trainer) -> None:
        """Ends the record and the workers; call it when training is over."""
        self.run.accounting.mainline = trainer.steps
        self._mainline.record(trainer, at_least=1)
        self.run.ledger.write(
            "run_finished",
            rounds=self.rounds,
            signal=self.run.board.read().signal.model_dump(mode="json"),
        )
        self._executor.close()

    def _start(self, trainer: Trainer) -> None:
        self._started = True
        self.advisor.prepare()
        accounting = self.run.accounting
        accounting.agents_per_env = trainer.agents_per_env
        self._limits.check(trainer, self.budget)
        try:
            cloudpickle.dumps(trainer.fork())
        except Exception as error:
            raise ConfigurationError(
                f"make_venv cannot be sent to a worker process ({error}); let it "
                "make everything it needs itself, from plain values"
            ) from error
        if self.budget > 0.0:
            self._executor.warm(trainer.fork())
        if self.run.resumed:
            self._resume(trainer)
        else:
            accounting.evaluation += rehearse(self.run, trainer)
        self._post(
            trainer,
            signal=self.run.board.read().signal,
            probes=self.run.board.read().probes,
        )
        if self.run.load_checkpoint() is not None:
            return
        accounting.mainline = trainer.steps
        self._save("start", trainer)
        self.run.ledger.write(
            "run_started",
            task=self.run.task.description,
            features=list(self.run.task.features.names),
            advisor=self.advisor.name,
            total=trainer.total,
            every=self._every,
            budget=self.budget,
            seed=self._limits.seed,
        )

    def _resume(self, trainer: Trainer) -> None:
        """Goes on from the last checkpoint; what was trained after it is lost and
        stays counted, as steps that were spent and discarded."""
        accounting = self.run.accounting
        events = self.run.events()
        for event in events:
            if event["event"] == "decision":
                outcome = RoundOutcome.model_validate(event["outcome"])
                self.history = [h for h in self.history if h.round != outcome.round]
                self.history.append(outcome)
        checkpoint = self.run.load_checkpoint()
        spent = events[-1]["trainer_steps"] if events else accounting.trainer_steps()
        accounting.branches = spent["branches"]
        accounting.evaluation = spent["evaluation"]
        if checkpoint is not None:
            state = checkpoint.state
            trainer.adopt(checkpoint.snapshot)
            restore_generators(state["generators"])
            accounting.mainline = state["mainline"]
            accounting.branches += max(spent["mainline"] - state["mainline"], 0)
            self.next_pause = state["next_pause"]
            self.rounds = state["rounds"]
            self.history = [h for h in self.history if h.round <= self.rounds]
        self._mainline.resume(events, accounting.mainline)
        self.run.ledger.write("run_resumed", rounds=self.rounds, total=trainer.total)

    def _fade(self, trainer: Trainer) -> None:
        """Posts the strength, in steps of a hundredth: that of the run's end, times
        that of a signal that fades by itself."""
        posted = self.run.board.read()
        begin = self._fade_begin(trainer)
        strength = _falling(begin, trainer.total - begin, trainer.steps)
        if posted.signal.fade is not None:
            lasts = posted.signal.fade * trainer.total
            strength *= _falling(posted.since, lasts, trainer.steps)
        strength = math.floor(100.0 * strength) / 100.0
        if not posted.signal.empty and strength != posted.strength:
            self._post(trainer, strength=strength)

    def _fade_begin(self, trainer: Trainer) -> int:
        usual = 0.0 if trainer.replays else 0.1
        share = usual if self._fade_out is None else self._fade_out
        return int((1.0 - share) * trainer.total)

    def _round(self, trainer: Trainer) -> None:
        posting = self.run.board.read()
        collected = self.run.board.collect(self.run.task.conditions)
        self.rounds += 1
        self.run.ledger.write(
            "round_started", round=self.rounds, signal=posting.signal.id
        )
        self._save("pause", trainer, rounds=self.rounds - 1)
        self.next_pause = trainer.steps + self._every
        if collected is None:
            self._skip("no episode has ended yet")
            return
        situation = self._situation(trainer, posting, collected)
        plan = Plan.make(
            self._limits,
            trainer,
            length=situation.evidence.values.get("team.episode_length", 1.0),
            copies=collected.copies,
            until=self._fade_begin(trainer),
            budget=int(self.budget * trainer.total) - self.run.accounting.branches,
        )
        if isinstance(plan, str):
            self._skip(plan)
            return
        wanted = self._limits.candidates
        self.run.ledger.write("plan", round=self.rounds, wanted=wanted, **vars(plan))
        try:
            result = Round(
                self.rounds,
                self.run,
                trainer,
                self.advisor,
                self.gate,
                self._executor,
                plan,
                situation,
                collected.episodes,
                posting,
            ).play()
        except Exception as error:  # a round that breaks must not end the run
            self._skip(f"the round failed: {type(error).__name__}: {error}")
            return
        self._swap(trainer, result)

    def _situation(
        self, trainer: Trainer, posting: Posting, collected: Collected
    ) -> Situation:
        task = self.run.task
        evidence = self._mainline.evidence(trainer, posting, collected)
        stage = self._mainline.stage
        self.run.ledger.write(
            "evidence",
            round=self.rounds,
            stage=stage,
            evidence=evidence.model_dump(mode="json"),
        )
        write_json(
            self.run.round_dir(self.rounds) / "evidence.json",
            evidence.model_dump(mode="json"),
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
        self.run.ledger.write("round_finished", round=self.rounds, skipped=reason)
        self.run.board.begin_window()

    def _swap(self, trainer: Trainer, result: RoundResult) -> None:
        """Makes the branch that was fixed beforehand the mainline."""
        self.history.append(result.outcome)
        accounting = self.run.accounting
        if result.decision.winner is not None:
            self.run.copy_checkpoint("pause", "before_swap")
        if result.snapshot:
            trainer.adopt(result.snapshot)
            accounting.branches -= result.adopted
            accounting.mainline = trainer.steps
        posting, winner = self.run.board.read(), result.decision.winner
        signal, since = posting.signal, posting.since
        if winner is not None:
            signal = result.arms[winner].signal
            since = trainer.steps - result.adopted
        self._post(
            trainer,
            signal=signal,
            since=since,
            strength=posting.strength if winner is None else 1.0,
            probes=self.run.task.valid_probes(result.probes),
        )
        self.next_pause = trainer.steps + self._every
        if winner is not None:
            self._mainline.guard = Guard()
            self.run.ledger.write(
                "swap",
                round=self.rounds,
                old=posting.signal.id,
                new=signal.id,
                signal=signal.model_dump(mode="json"),
                describe=signal.describe(),
            )
            self.run.write_schedule()
        self.run.ledger.write(
            "round_finished", round=self.rounds, adopted_steps=result.adopted
        )
        self.run.board.begin_window()
        self._save("round", trainer)

    def _roll_back(self, trainer: Trainer, fall: float) -> None:
        """Undoes a swap that was hacked: signal and weights."""
        checkpoint = self.run.load_checkpoint("before_swap")
        assert checkpoint is not None  # a swap is guarded only after it was saved
        lost = trainer.steps - checkpoint.state["mainline"]
        trainer.adopt(checkpoint.snapshot)
        self._mainline.guard = None
        accounting = self.run.accounting
        accounting.branches += lost
        accounting.mainline = trainer.steps
        before = checkpoint.posting
        self._post(trainer, signal=before.signal, since=before.since, probes={})
        self.next_pause = trainer.steps + self._every
        self.run.ledger.write(
            "rollback", lost_steps=lost, fall=fall, signal=checkpoint.posting.signal.id
        )
        self.run.board.begin_window()
        self._save("round", trainer)

    def _post(self, trainer: Trainer, **update: Any) -> None:
        posting = self.run.board.read()
        self.run.board.post(
            posting.model_copy(
                update={
                    "version": posting.version + 1,
                    "gamma": trainer.gamma,
                    "bootstraps_truncation": trainer.bootstraps_truncation,
                    **update,
                }
            )
        )

    def _save(self, name: str, trainer: Trainer, rounds: int | None = None) -> None:
        self.run.save_checkpoint(
            name,
            trainer.snapshot(),
            {
                "next_pause": self.next_pause,
                "rounds": self.rounds if rounds is None else rounds,
                "generators": generator_states(),
            },
        )


def _falling(begin: float, lasts: float, steps: int) -> float:
    """A strength that falls from 1 to 0 within so many steps from a beginning."""
    return min(max(1.0 - (steps - begin) / max(lasts, 1.0), 0.0), 1.0)
