"""Confirms, watches or takes back the signals that are used as provisional."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Literal

from also_wrappers.board.posting import Posting
from also_wrappers.branches.executors import Executor
from also_wrappers.exceptions import brief
from also_wrappers.gate.rule import CONTROL, Decision, Rule
from also_wrappers.ledger.events import Settled
from also_wrappers.loop.confirmation import Confirmation
from also_wrappers.loop.lineage import Lineage
from also_wrappers.loop.mainline import Mainline
from also_wrappers.loop.measured import Measured
from also_wrappers.loop.state import Poster
from also_wrappers.loop.watch import Watch
from also_wrappers.run.run import Run
from also_wrappers.trainer import Trainer

__all__ = ["Provisionals"]

Kind = Literal["confirmed", "given_up", "open"]

#: The least rise of an agreement between two looks that counts as rising.
_CLOSER = 0.02


class Provisionals:
    """Looks after the provisional signal of a run, from its swap to its settling.

    Args:
        run: The run.
        lineage: Moves the mainline.
        poster: Writes the posting.
        mainline: Watches the mainline.
        executor: Where branches run.
        gate: The rule that decides rounds.
    """

    def __init__(
        self,
        run: Run,
        lineage: Lineage,
        poster: Poster,
        mainline: Mainline,
        executor: Executor,
        gate: Rule,
    ) -> None:
        self._run = run
        self._lineage = lineage
        self._poster = poster
        self._mainline = mainline
        self._executor = executor
        self._gate = gate
        self._confirmation: Confirmation | None = None

    def step(self, trainer: Trainer, budget: int, until: int) -> None:
        """Goes on with the confirmation or the watch that is open, if any is.

        Args:
            trainer: The trainer, at rest.
            budget: Trainer steps that branches of the run may spend in all.
            until: Trainer steps of the lineage at which the last branch must end.
        """
        state = self._lineage.state
        if state.watch is not None:
            self._look(trainer, state.watch)
        elif state.claim is not None and self._mainline.stage == "solved":
            self.stop(trainer, "the task is solved")
        elif state.claim is not None:
            try:
                decision = self._confirming(trainer).step(trainer, budget, until)
            except Exception as error:  # a broken confirmation must not end the run
                decision = _failed(error)
            if decision is not None:
                self._settle(trainer, decision)

    def stop(self, trainer: Trainer, reason: str) -> None:
        """Ends the open confirmation or watch, and leaves its signal in use."""
        watch = self._lineage.state.watch
        if watch is not None:
            self._write_settled(watch, "open", reason)
            self._lineage.state.watch = None
            self._save(trainer)
        elif self._lineage.state.claim is not None:
            try:
                decision = self._confirming(trainer).stop(reason)
            except Exception as error:
                decision = _failed(error)
            self._settle(trainer, decision)

    def drop(self) -> None:
        """Forgets the open confirmation or watch of a swap that is undone."""
        if self._confirmation is not None:
            # The signal is taken out anyway, so an error of its branch does not matter.
            with contextlib.suppress(Exception):
                self._confirmation.collect()
        self._confirmation = None
        self._lineage.state.claim = self._lineage.state.watch = None

    def _confirming(self, trainer: Trainer) -> Confirmation:
        if self._confirmation is None:
            claim = self._lineage.state.claim
            assert claim is not None
            start, _ = self._lineage.snapshot_of(claim.start)
            self._confirmation = Confirmation(
                claim, self._run, self._executor, trainer, self._gate, start
            )
        return self._confirmation

    def _settle(self, trainer: Trainer, decision: Decision) -> None:
        """Ends the confirmation as the rule has decided, and records that."""
        claim, confirmation = self._lineage.state.claim, self._confirmation
        assert claim is not None
        kind: Kind = "open"
        lost = 0
        leads = "" if confirmation is None else self._leads(confirmation.arms)
        if decision.kind == "confirmed":
            kind = "confirmed"
            self._poster.post(provisional=False)
        elif decision.kind == "no_change" and decision.adopt is None and leads:
            decision = replace(decision, reason=f"{decision.reason}, but {leads}")
        elif decision.kind == "no_change" and confirmation is not None:
            kind = "given_up"
            end = confirmation.arms.adopted(decision)
            lost = 0 if end is None else self._lineage.adopt(trainer, end[0])
            self._take_out(trainer, claim.posting)
            self._lineage.state.lengthen()
        self._run.ledger.write(
            Settled(
                round=claim.round,
                kind=kind,
                reason=decision.reason,
                effect=decision.effect,
                z=decision.z,
                pairs=decision.pairs,
                critical=decision.critical,
                branches=confirmation.branches if confirmation else 0,
                lost_steps=lost,
                signal=self._poster.posting.signal,
                promised=self._poster.posting.promised,
            )
        )
        self._lineage.state.claim, self._confirmation = None, None
        self._save(trainer)

    def _leads(self, arms: Measured) -> str:
        """Returns a clause that the mainline clearly leads control, or an empty text.

        The mainline's lead counts only where control hardly earned anything: there,
        confirming branches may be too short to show what the training has shown.
        """
        guard, control = self._mainline.guard, arms.latest(CONTROL)
        if guard is None or control is None or not arms.rare:
            return ""
        if not guard.exceeds(control.score):
            return ""
        return f"the base return is clearly above control's {control.score:.3f}"

    def _look(self, trainer: Trainer, watch: Watch) -> None:
        """Ends an exploratory signal that has not led to base reward in time.

        The next candidate then gets its turn. An expert gets more time while the
        policies' agreement with it rises, as only policies that follow an expert earn
        what the expert earns.
        """
        guard = self._mainline.guard
        if guard is not None and guard.exceeds(watch.level):
            reason = f"the base return is clearly above control's {watch.level:.3f}"
            self._write_settled(watch, "open", reason)
            self._lineage.state.watch = None
            self._save(trainer)
            return
        windows = 0 if guard is None else guard.windows
        if trainer.steps < watch.until or windows <= watch.windows:
            return
        agreement = self._mainline.agreement
        if agreement is not None and agreement > watch.agreement + _CLOSER:
            until = trainer.steps + watch.horizon
            self._lineage.state.watch = watch.model_copy(
                update={"until": until, "windows": windows, "agreement": agreement}
            )
            self._lineage.save("round", trainer)
            return
        reason = "it has not led to more base return in time"
        if watch.turns:
            self._next_turn(trainer, watch, reason)
            return
        self._take_out(trainer, watch.posting)
        self._write_settled(watch, "given_up", reason)
        self._lineage.state.watch = None
        self._lineage.state.lengthen()
        self._save(trainer)

    def _next_turn(self, trainer: Trainer, watch: Watch, reason: str) -> None:
        """Swaps in the next candidate, from the end of its own branch.

        The present weights stay where they meet the declared conditions more often than
        the candidate's branch did.
        """
        turn, *others = watch.turns
        end = self._run.round_dir(watch.round) / "snapshots" / turn.snapshot
        now = self._conditions()
        lost = 0
        since = trainer.steps
        if turn.conditions is None or now is None or now <= turn.conditions:
            lost = self._lineage.adopt(trainer, end)
            since = trainer.steps - turn.steps
        self._take_out(trainer, watch.posting)
        self._write_settled(watch, "given_up", reason, lost)
        self._lineage.swap(
            watch.round,
            turn.signal,
            since,
            promised=turn.promised,
            provisional=True,
            exploratory=True,
        )
        self._lineage.state.watch = watch.model_copy(
            update={
                "until": trainer.steps + 2 * watch.horizon,
                "turns": tuple(others),
                "windows": 0,
                "agreement": 0.0,
            }
        )
        self._lineage.save("round", trainer)

    def _conditions(self) -> float | None:
        """Returns the mean rate of declared conditions on the mainline now."""
        conditions = self._run.task.conditions
        collected = self._run.board.collect(conditions)
        if not conditions or collected is None:
            return None
        return self._mainline.rate_of(collected)

    def _take_out(self, trainer: Trainer, before: Posting) -> None:
        """Posts the signal of an earlier posting; the weights stay."""
        self._poster.post(
            signal=before.signal,
            since=before.since,
            strength=1.0,
            promised=before.promised,
            provisional=before.provisional,
        )
        self._mainline.guard = None
        self._lineage.begin_window(trainer)

    def _write_settled(
        self, watch: Watch, kind: Kind, reason: str, lost: int = 0
    ) -> None:
        self._run.ledger.write(
            Settled(
                round=watch.round,
                kind=kind,
                reason=reason,
                lost_steps=lost,
                signal=self._poster.posting.signal,
                promised=self._poster.posting.promised,
            )
        )

    def _save(self, trainer: Trainer) -> None:
        self._run.write_schedule()
        self._lineage.save("round", trainer)
        self._run.drop_snapshots()


def _failed(error: Exception) -> Decision:
    """Returns the decision for a confirmation that an error has ended."""
    reason = f"the confirmation failed: {brief(error)}"
    return Decision("undecided", reason)
