"""The rounds of a run: when they begin, what they try, what they make the mainline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from also_wrappers.advisors.base import Advisor, Situation
from also_wrappers.board.board import Collected
from also_wrappers.branches.executors import Executor
from also_wrappers.checks.check import Checks
from also_wrappers.exceptions import brief
from also_wrappers.files import write_json
from also_wrappers.gate.provisional import Provisional
from also_wrappers.gate.rule import Decision
from also_wrappers.ledger.events import (
    Observed,
    Planned,
    RoundFinished,
    RoundStarted,
)
from also_wrappers.loop.aside import Aside
from also_wrappers.loop.audition import Auditions
from also_wrappers.loop.confirmation import Claim
from also_wrappers.loop.consult import Consultation
from also_wrappers.loop.fading import fade_begin
from also_wrappers.loop.lineage import Lineage
from also_wrappers.loop.mainline import Mainline
from also_wrappers.loop.plan import Plan, horizon_of
from also_wrappers.loop.round import Round, RoundResult
from also_wrappers.loop.settings import Settings
from also_wrappers.loop.state import Poster
from also_wrappers.loop.watch import Watch
from also_wrappers.proposals.outcomes import RoundOutcome
from also_wrappers.run.run import Run
from also_wrappers.trainer import Trainer

__all__ = ["Rounds"]


@dataclass(frozen=True)
class _Open:
    """Holds a round that was begun and waits for its branches.

    Attributes:
        number: Number of the round.
        due: Trainer steps of the lineage at which the branches begin.
        first: Whether branches begin from the first checkpoint of the run.
        plan: How much the round may try.
        consultation: Asks the advisor.
        round: The round.
        asked: What is left to decide once the advisor has answered.
    """

    number: int
    due: int
    first: bool
    plan: Plan
    consultation: Consultation
    round: Round
    asked: Aside[Decision | None]


class Rounds:
    """Begins the rounds of a run, plays them, and swaps in what they decide on.

    Args:
        run: The run.
        advisor: Who proposes.
        settings: What the user allows.
        executor: Where branches run.
        lineage: Moves the mainline.
        poster: Owns the posting.
        mainline: What is seen of the mainline.

    Attributes:
        history: What became of the rounds that were decided.
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
        self._open: _Open | None = None

    def step(self, trainer: Trainer) -> None:
        """Begins a round if one is due, and plays its branches once these are due.

        Args:
            trainer: At rest.
        """
        if self._open is None and self._is_due(trainer):
            self._begin(trainer)
        if self._open is not None and trainer.steps >= self._open.due:
            self._play(trainer, self._open)

    def drop(self, trainer: Trainer, reason: str) -> None:
        """Ends a round whose branches have not begun, if there is one."""
        if self._open is not None:
            self._skip(trainer, self._open.number, reason)

    def _is_due(self, trainer: Trainer) -> bool:
        """Whether a round is due and worth playing."""
        state = self._lineage.state
        if state.claim is not None or state.watch is not None:
            return False  # one question at a time
        if trainer.steps < state.next_pause:
            return False
        always = self._settings.pause_on == "interval" or not self._settings.budget
        return always or self._mainline.stuck

    def budget(self, trainer: Trainer) -> int:
        """Trainer steps that branches may spend in all."""
        return int(self._settings.budget * trainer.total)

    def until(self, trainer: Trainer) -> int:
        """Trainer steps of the lineage at which the last branch must end."""
        return fade_begin(self._settings.fade_out, trainer)

    def lead(self, trainer: Trainer) -> int:
        """Trainer steps by which an advisor is asked before its answer is tried."""
        first = self._settings.first_pause(trainer.total)
        return first // 2 if self._advisor.slow and self._settings.budget else 0

    def _begin(self, trainer: Trainer) -> None:
        """Begins a round: what was seen goes to the advisor."""
        state, settings = self._lineage.state, self._settings
        collected = self._run.board.collect(self._run.task.conditions)
        if collected is None:
            return  # no episode has ended yet: there is nothing to say
        number = state.rounds + 1
        due = trainer.steps + self.lead(trainer)
        # A policy that was trained on nothing learns worse than a fresh one.
        first = self._mainline.stage == "no_signal" and not trainer.replays
        begins = self._lineage.snapshot_of("start")[1] if first else due
        situation = self._situation(trainer, number, collected)
        length = situation.evidence.values.get("team.episode_length", 0.0)
        if settings.horizon is None:
            state.horizon = max(state.horizon, horizon_of(settings, trainer, length))
        plan = Plan.make(
            settings,
            self._settings.gate,
            horizon=state.horizon,
            budget=self.budget(trainer) - self._run.accounting.branches,
            # One rollout is always collected after a pause.
            longest=self.until(trainer) - begins - trainer.rollout,
            total=trainer.total,
            rollout=trainer.rollout,
            copy_steps=collected.copies * trainer.agents_per_env,
            at_sight=situation.actions is not None
            and situation.stage == "no_signal"
            and isinstance(settings.gate, Provisional),
        )
        self._lineage.save("pause", trainer)
        if not settings.budget:
            self._skip(trainer, number, "this run records only")
            return
        if isinstance(plan, str):
            self._skip(trainer, number, plan)
            state.next_pause = 2 * trainer.total  # and it can only become less
            return
        steps = plan.horizon // trainer.agents_per_env
        situation = replace(situation, horizon=steps)
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
        best = situation.evidence.values.get("team.base_return.max", 0.0)
        checks = Checks(
            situation.features,
            situation.agents,
            collected.episodes,
            max(abs(best), 1.0),
            trainer.gamma,
            may_fade=not trainer.replays,
            actions=self._run.task.actions,  # whoever does not imitate says why
        )
        promised = self._poster.posting.promised
        consultation = Consultation(
            number, self._run, self._advisor, situation, checks, promised
        )
        played = Round(
            number,
            self._run,
            self._settings.gate,
            self._executor,
            plan,
            situation,
            consultation,
        )
        asked = Aside(played.consult, beside=self._advisor.slow)
        self._open = _Open(number, due, first, plan, consultation, played, asked)

    def _play(self, trainer: Trainer, begun: _Open) -> None:
        """Plays the branches of a round, and swaps in what it has decided on."""
        # A death in the round must not cost more than the round.
        start = self._lineage.save("pause", trainer)
        if begun.first:
            start, _ = self._lineage.snapshot_of("start")
        try:
            refusal = begun.consultation.wait(begun.asked)
            auditions = Auditions(begun.number, self._run, trainer, begun.plan)
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
            self._skip(trainer, begun.number, reason)
            return
        finally:
            begun.consultation.rest()
            self._open = None
        self._swap(trainer, begun, result)

    def _situation(
        self, trainer: Trainer, number: int, collected: Collected
    ) -> Situation:
        task = self._run.task
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
        return Situation(
            task.description,
            task.features,
            collected.layout.agents,
            posting.signal,
            evidence,
            stage,
            trainer.steps / max(trainer.total, 1),
            tuple(self.history),
            actions=task.actions if trainer.imitates else None,
            gamma=trainer.gamma,
            episodes=collected.episodes,
        )

    def _skip(self, trainer: Trainer, number: int, reason: str) -> None:
        self._open = None
        self._lineage.state.rounds = number
        self.end_round(trainer)
        self._run.ledger.write(RoundFinished(round=number, skipped=reason))
        self._run.drop_snapshots()

    def end_round(self, trainer: Trainer) -> None:
        """Begins a new window, at whose end the next round is due."""
        state = self._lineage.state
        state.next_pause = trainer.steps + state.distance
        if self._settings.budget:  # a run that records only pauses as it was told to
            state.distance *= 2
        self._lineage.begin_window(trainer)

    def _swap(self, trainer: Trainer, begun: _Open, result: RoundResult) -> None:
        """Makes the branch that was decided on the mainline."""
        state, number, decision = self._lineage.state, begun.number, result.decision
        self.history.append(result.outcome)
        before = self._poster.posting
        state.rounds = number
        if result.signal is not None:
            self._run.checkpoints.copy("pause", "before_swap")
        adopted, lost = result.adopted, 0
        if result.snapshot is not None:
            if result.signal is None and begun.first and adopted <= trainer.steps:
                adopted = 0  # the mainline has gone further than control's branch
            else:
                lost = self._lineage.adopt(trainer, result.snapshot) + adopted
        self._poster.post(probes=self._run.task.valid_probes(result.probes))
        if result.insufficient:
            # As much again is seen before the advisor is asked again.
            seen = trainer.steps - state.window
            state.next_pause = trainer.steps + max(seen, trainer.rollout)
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
                    horizon=max(adopted, begun.plan.horizon),
                    until=trainer.steps + 2 * max(adopted, begun.plan.horizon),
                    level=result.outcome.control_score or 0.0,
                    posting=before,
                    turns=result.turns,
                )
            elif decision.then is not None:
                state.claim = Claim(
                    round=number,
                    since=trainer.steps,
                    start="start" if begun.first else "before_swap",
                    posting=before,
                    plan=begun.plan,
                )
        self._run.ledger.write(
            RoundFinished(round=number, adopted_steps=adopted, lost_steps=lost)
        )
        self._lineage.save("round", trainer)
        self._drop_all_but(number, result)

    def _drop_all_but(self, number: int, result: RoundResult) -> None:
        """Removes the ends of a round's branches that can no longer be adopted."""
        state = self._lineage.state
        needed: set[Path] = set()
        if state.claim is not None and result.kept is not None:
            needed = {result.kept}
        if state.watch is not None:
            folder = self._run.round_dir(number) / "snapshots"
            needed = {folder / turn.snapshot for turn in state.watch.turns}
        self._run.drop_snapshots(number if needed else None, needed)
