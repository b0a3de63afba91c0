"""Begins and plays the rounds of a run, and swaps in the signals that win."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from also_wrappers.advisors.base import Advisor
from also_wrappers.board.board import Collected
from also_wrappers.branches.executors import Executor
from also_wrappers.evidence.document import Evidence
from also_wrappers.exceptions import ConfigurationError, brief
from also_wrappers.files import write_json
from also_wrappers.gate.provisional import Provisional
from also_wrappers.ledger.events import (
    Event,
    Observed,
    Planned,
    RoundFinished,
    RoundStarted,
)
from also_wrappers.loop.audition import Auditions
from also_wrappers.loop.confirmation import Claim
from also_wrappers.loop.fading import fade_begin
from also_wrappers.loop.lineage import Lineage
from also_wrappers.loop.mainline import Mainline
from also_wrappers.loop.opened import Begun, Opened, begin, consult, recall
from also_wrappers.loop.plan import Plan, horizon_of
from also_wrappers.loop.round import RoundResult
from also_wrappers.loop.settings import Settings
from also_wrappers.loop.state import OpenRound, Poster
from also_wrappers.loop.watch import Watch
from also_wrappers.proposals.outcomes import RoundOutcome
from also_wrappers.run.run import Run
from also_wrappers.trainer import Trainer

__all__ = ["Rounds"]


class Rounds:
    """Begins the rounds of a run, plays them, and swaps in the signals that win.

    Args:
        run: The run.
        advisor: Proposes signals.
        settings: What the user allows.
        executor: Where branches run.
        lineage: Moves the mainline.
        poster: Writes the posting.
        mainline: Watches the mainline.

    Attributes:
        history: Outcomes of the rounds that were decided.
    """

    def __init__(
        self,
        run: Run,
        advisor: Advisor,
        settings: Settings,
        executor: Executor,
        lineage: Lineage,
        poster: Poster,
        mainline: Mainline,
    ) -> None:
        self.history: list[RoundOutcome] = []
        self._run = run
        self._advisor = advisor
        self._settings = settings
        self._executor = executor
        self._lineage = lineage
        self._poster = poster
        self._mainline = mainline
        self._open: Opened | None = None

    def step(self, trainer: Trainer) -> None:
        """Begins a round if one is due, and plays its branches once they are due.

        Args:
            trainer: The trainer, at rest.
        """
        if self._open is None and self._is_due(trainer):
            self._begin(trainer)
        if self._open is not None and trainer.steps >= self._open.memory.due:
            self._play(trainer, self._open)

    def drop(self, trainer: Trainer, reason: str) -> None:
        """Ends a round whose branches have not begun, if there is one."""
        if self._open is not None:
            memory = self._open.memory
            reason += (
                f" at {trainer.steps:,} trainer steps; its branches were to begin at "
                f"{memory.due:,}"
            )
            self._skip(trainer, memory.number, reason)

    def _is_due(self, trainer: Trainer) -> bool:
        """True where a round is due and worth playing."""
        state = self._lineage.state
        if state.claim is not None or state.watch is not None:
            return False  # an open claim or watch is settled first
        if trainer.steps < state.next_pause:
            return False
        always = self._settings.pause_on == "interval" or not self._settings.budget
        return always or self._mainline.stuck

    def budget(self, trainer: Trainer) -> int:
        """Returns the trainer steps that branches of the run may spend in all."""
        return int(self._settings.budget * trainer.total)

    def until(self, trainer: Trainer) -> int:
        """Returns the lineage's trainer steps at which the last branch must end."""
        return fade_begin(self._settings.fade_out, trainer)

    def lead(self, trainer: Trainer) -> int:
        """Returns how many trainer steps early a slow advisor is asked."""
        first = self._settings.first_pause(trainer.total)
        return first // 2 if self._advisor.slow and self._settings.budget else 0

    def _begin(self, trainer: Trainer) -> None:
        """Begins a round: records the evidence, plans, and asks the advisor."""
        state, settings = self._lineage.state, self._settings
        collected = self._run.board.collect(self._run.task.conditions)
        if collected is None:
            return  # no episode has ended yet, so there is no evidence
        number = state.rounds + 1
        due = trainer.steps + self.lead(trainer)
        # A policy that was trained without any reward learns worse than a fresh one.
        first = self._mainline.stage == "no_signal" and not trainer.replays
        begins = self._lineage.snapshot_of("start")[1] if first else due
        evidence = self._observe(trainer, number, collected)
        length = evidence.values.get("team.episode_length", 0.0)
        shortest = horizon_of(settings, trainer, length, collected.copies)
        if settings.horizon is None:
            state.horizon = max(state.horizon, shortest)
        plan = Plan.make(
            settings,
            settings.gate,
            horizon=state.horizon,
            shortest=shortest,
            budget=self.budget(trainer) - self._run.accounting.branches,
            # One rollout is always collected after a pause.
            longest=self.until(trainer) - begins - trainer.rollout,
            total=trainer.total,
            rollout=trainer.rollout,
            copy_steps=collected.copies * trainer.agents_per_env,
            at_sight=self._run.task.actions is not None
            and trainer.imitates
            and self._mainline.stage == "no_signal"
            and isinstance(settings.gate, Provisional),
        )
        if not settings.budget:
            self._skip(trainer, number, "this run records only: its budget is 0")
            return
        if isinstance(plan, str):
            self._skip(trainer, number, plan)
            # The budget only becomes less, so no later round could be played.
            state.next_pause = 2 * trainer.total
            return
        self._run.ledger.write(
            Planned(
                round=number,
                wanted=settings.candidates,
                candidates=plan.candidates,
                refinements=plan.refinements,
                horizon=plan.horizon,
                budget=plan.budget,
            )
        )
        state.open = OpenRound(
            number=number,
            due=due,
            first=first,
            plan=plan,
            agents=tuple(collected.layout.agents),
            stage=self._mainline.stage,
            progress=trainer.steps / max(trainer.total, 1),
            promised=self._poster.posting.promised,
        )
        folder = self._run.round_dir(number)
        begun = begin(folder, evidence, collected.episodes)
        self._lineage.save("pause", trainer)
        self._consult(trainer, state.open, begun)

    def resume(self, trainer: Trainer, events: Sequence[Event]) -> None:
        """Resumes the round that was interrupted, if there is one.

        Args:
            trainer: The trainer, at rest, in the state of the last checkpoint.
            events: The events of the lineage.
        """
        memory = self._lineage.state.open
        if memory is None:
            return
        try:
            begun = recall(self._run.round_dir(memory.number), memory.number, events)
        except ConfigurationError as error:
            self._skip(trainer, memory.number, f"it cannot go on: {error}")
            return
        self._run.ledger.repeat(begun.repeated)
        self._consult(trainer, memory, begun)

    def _consult(self, trainer: Trainer, memory: OpenRound, begun: Begun) -> None:
        """Asks the advisor about the evidence of a round."""
        self._open = consult(
            self._run,
            self._advisor,
            self._settings,
            self._executor,
            trainer,
            memory,
            begun,
            self._poster.posting.signal,
            self.history,
        )

    def _play(self, trainer: Trainer, begun: Opened) -> None:
        """Plays the branches of a round, and swaps in the signal that won."""
        memory = begun.memory
        start = self._lineage.save("pause", trainer)
        if memory.first:
            start, _ = self._lineage.snapshot_of("start")
        try:
            refusal = begun.consultation.wait(begun.asked)
            auditions = Auditions(
                memory.number, self._run, trainer, memory.plan, begun.journal
            )
            promised = begun.consultation.renew(auditions)
            if promised != self._poster.posting.promised:
                self._poster.post(promised=promised)
            if refusal is None:
                posting = self._poster.posting
                result = begun.round.trial(trainer, auditions, start, posting)
            else:
                result = begun.round.result(refusal)
        except Exception as error:  # a round that breaks must not end the run
            reason = f"the round failed: {brief(error)}"
            self._skip(trainer, memory.number, reason)
            return
        finally:
            begun.consultation.rest()
            self._open = None
        self._swap(trainer, memory, result)

    def _observe(self, trainer: Trainer, number: int, collected: Collected) -> Evidence:
        """Records the evidence that a round begins with."""
        posting = self._poster.posting
        self._run.ledger.write(RoundStarted(round=number, signal=posting.signal.id))
        evidence = self._mainline.evidence(trainer, posting, collected)
        stage = self._mainline.stage
        event = self._run.ledger.write(
            Observed(round=number, stage=stage, evidence=evidence)
        )
        write_json(
            self._run.round_dir(number) / "evidence.json",
            event.evidence.model_dump(mode="json"),
        )
        return evidence

    def _skip(self, trainer: Trainer, number: int, reason: str) -> None:
        state = self._lineage.state
        state.rounds, state.open, self._open = number, None, None
        self.end_round(trainer)
        self._run.ledger.repeat()
        self._run.ledger.write(RoundFinished(round=number, skipped=reason))
        # Without this checkpoint, a stopped run would go on with the skipped round.
        self._lineage.save("round", trainer)
        self._run.drop_snapshots()

    def end_round(self, trainer: Trainer) -> None:
        """Begins a new window, at whose end the next round is due."""
        state = self._lineage.state
        state.next_pause = trainer.steps + state.distance
        if self._settings.budget:  # with budget 0, pauses keep their distance
            state.distance *= 2
        self._lineage.begin_window(trainer)

    def _swap(self, trainer: Trainer, memory: OpenRound, result: RoundResult) -> None:
        """Moves the mainline to the branch that a round has decided on."""
        state, number, decision = self._lineage.state, memory.number, result.decision
        self.history.append(result.outcome)
        before = self._poster.posting
        state.rounds, state.open = number, None
        if result.signal is not None:
            self._run.checkpoints.copy("pause", "before_swap")
        adopted, lost = result.adopted, 0
        if result.snapshot is not None:
            if result.signal is None and memory.first and adopted <= trainer.steps:
                adopted = 0  # the mainline has gone further than control's branch
            else:
                lost = self._lineage.adopt(trainer, result.snapshot) + adopted
        self._poster.post(probes=self._run.task.valid_probes(result.probes))
        if result.insufficient:
            # The window grows to twice its length before the advisor is asked again.
            length = trainer.steps - state.window
            state.next_pause = trainer.steps + max(length, trainer.rollout)
        else:
            self.end_round(trainer)
        if result.signal is None:
            if not result.insufficient:
                state.lengthen()
        else:
            provisional = decision.kind == "provisional"
            self._lineage.swap(
                number,
                result.signal,
                trainer.steps - adopted,
                promised=result.promised,
                provisional=provisional,
                exploratory=decision.exploratory,
            )
            if decision.exploratory:
                state.watch = Watch(
                    round=number,
                    horizon=max(adopted, memory.plan.horizon),
                    until=trainer.steps + 2 * max(adopted, memory.plan.horizon),
                    level=result.outcome.control_score or 0.0,
                    posting=before,
                    turns=result.turns,
                )
            elif decision.then is not None:
                state.claim = Claim(
                    round=number,
                    since=trainer.steps,
                    start="start" if memory.first else "before_swap",
                    posting=before,
                    plan=memory.plan,
                )
        self._run.ledger.write(
            RoundFinished(round=number, adopted_steps=adopted, lost_steps=lost)
        )
        self._run.ledger.repeat()
        self._lineage.save("round", trainer)
        self._drop_all_but(number, result)

    def _drop_all_but(self, number: int, result: RoundResult) -> None:
        """Removes those branches' ends of a round that cannot be adopted now."""
        state = self._lineage.state
        needed: set[Path] = set()
        if state.claim is not None and result.control_end is not None:
            needed = {result.control_end}
        if state.watch is not None:
            folder = self._run.round_dir(number) / "snapshots"
            needed = {folder / turn.snapshot for turn in state.watch.turns}
        self._run.drop_snapshots(number if needed else None, needed)
