"""A training that is made up, with the rounds that the loop would play in it.

When rounds are due, what they try, what is adopted, and what it costs is decided by the
package's own plans, rules and stages; only policies and their episodes are made up.
Declared conditions and hypotheses, which carry exploratory swaps where no base reward
is seen at all, are left out, as is the guard.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from also_wrappers.evidence.stage import Window, detect_stage, is_stuck
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate import Decision, Rule
from also_wrappers.ledger.accounting import Accounting
from also_wrappers.loop.confirmation import PACE
from also_wrappers.loop.fading import fade_begin
from also_wrappers.loop.plan import LONGEST, Plan, check_pays, forecast, horizon_of
from also_wrappers.loop.settings import Settings
from also_wrappers.loop.state import LoopState
from tests.calibration.arms import MadeUpArms, MadeUpBranch
from tests.calibration.learning import (
    EPISODE,
    Candidates,
    Signal,
    base_return,
    pace,
    play,
)
from tests.support.rounds import StubTrainer

__all__ = ["Outcome", "train"]

#: Environment steps of one rollout of 16 copies.
_ROLLOUT = 1024
#: Episodes of a line of the record, and lines that the stage is told from.
_RECORDED = 50
_RECENT = 8


@dataclass(frozen=True)
class Outcome:
    """Says what a training came to. All counts are environment steps.

    Attributes:
        reached: Whether the target was reached.
        own: Steps of the final policy's lineage.
        discarded: Steps of what was trained besides.
        plain: Steps to the target of the same training on the base reward alone.
        rounds: Rounds that were played.
        swaps: Signals that were swapped in.
        foretold: Steps that the loop says, before training, it may discard.
    """

    reached: bool
    own: int
    discarded: int
    plain: float
    rounds: int
    swaps: int
    foretold: int

    @property
    def steps(self) -> int:
        """All steps that were trained."""
        return self.own + self.discarded


@dataclass
class _Claim:
    """Holds the confirmation of a provisional signal.

    Attributes:
        rule: What decides.
        arms: The branches of the round that swapped the signal in.
        since: Steps of the lineage at the swap.
        begins: Steps of the lineage from which the branches began.
        before: The signal that was active before.
        discarded: Steps of the branches that were trained since.
    """

    rule: Rule
    arms: MadeUpArms
    since: int
    begins: int
    before: Signal
    discarded: int = 0


def train(
    candidates: Candidates, settings: Settings, total: int, random: np.random.Generator
) -> Outcome:
    """Trains a made-up policy until the target is reached.

    Training goes on beyond the plan on the base reward alone; where that leads nowhere,
    it ends there. A plan that the loop refuses is trained on the base reward alone.

    Args:
        candidates: What candidates are worth.
        settings: What the user allows.
        total: Environment steps that are planned.
        random: Where all chance comes from.
    """
    return _Training(candidates, settings, total, random).outcome()


class _Training:
    """Plays one training."""

    def __init__(
        self,
        candidates: Candidates,
        settings: Settings,
        total: int,
        random: np.random.Generator,
    ) -> None:
        self._trainer = trainer = StubTrainer()
        trainer.total, trainer.rollout = total, _ROLLOUT
        self._candidates = candidates.at(pace(random))
        self._settings = settings
        self._random = random
        self._accounting = Accounting()
        self._signal: Signal = "base"
        self._progress = 0.0
        self._windows: deque[Window] = deque(maxlen=_RECENT)
        self._unrecorded = 0
        self._swaps = 0
        self._claim: _Claim | None = None
        self._until = fade_begin(settings.fade_out, trainer)
        self._shortest = horizon = horizon_of(settings, trainer, EPISODE, 16)
        self._foretold = forecast(
            settings, settings.gate, horizon, self._budget_left, _ROLLOUT
        )
        self._state = LoopState(
            next_pause=settings.first_pause(total),
            distance=settings.every or total // 10,
            horizon=horizon,
            longest=LONGEST * horizon,
        )
        try:
            check_pays(settings, settings.gate, trainer, horizon, self._until)
        except ConfigurationError:
            self._state.next_pause = 2 * total

    @property
    def _own(self) -> int:
        return self._accounting.mainline

    @property
    def _budget_left(self) -> int:
        budget = int(self._settings.budget * self._trainer.total)
        return budget - self._accounting.branches

    def outcome(self) -> Outcome:
        """Trains until the target, or the end."""
        state = self._state
        going = True
        while going and self._progress < 1.0:
            if self._claim is not None:
                going = self._confirm(self._claim)
            elif max(self._own, state.next_pause) >= self._until:
                going = self._advance(None)
            elif self._own < state.next_pause:
                going = self._advance(state.next_pause - self._own)
            elif self._settings.pause_on == "interval" or is_stuck(self._windows):
                self._round()
            else:
                going = self._advance(_RECORDED * EPISODE)
        rate = self._candidates.rates["base"]
        return Outcome(
            self._progress >= 1.0,
            self._own,
            self._accounting.branches,
            1.0 / rate if rate else math.inf,
            state.rounds,
            self._swaps,
            self._foretold.steps,
        )

    def _advance(self, steps: int | None) -> bool:
        """Trains the mainline so far, or as long as it makes progress.

        Returns:
            Whether there is anything left to train for.
        """
        # A signal that fades away counts in full to the middle of its fading.
        middle = (self._until + self._trainer.total) // 2
        faded = self._own >= middle
        rate = self._candidates.rates["base" if faded else self._signal]
        left = self._trainer.total if self._own < self._trainer.total else math.inf
        left = min(left, math.inf if faded else middle) - self._own
        if rate > 0.0:
            left = min(left, math.ceil((1.0 - self._progress) / rate))
        if math.isinf(left):
            return False
        length = int(left if steps is None else min(left, steps))
        before = self._progress
        self._progress = max(before + rate * length, 0.0)
        if 1.0 - self._progress < 1e-9:
            self._progress = 1.0
        self._accounting.mainline += length
        self._record(before, length)
        if steps is None or steps == length or self._progress == 1.0:
            return True
        return self._advance(steps - length)

    def _record(self, before: float, length: int) -> None:
        """Records the last windows of what the mainline has trained."""
        window = _RECORDED * EPISODE
        unrecorded = self._unrecorded + length
        self._unrecorded = unrecorded % window
        count = min(unrecorded // window, _RECENT)
        if not count:
            return
        ends = length - self._unrecorded - window * (np.arange(count)[::-1] + 0.5)
        shares = np.clip(ends / length, 0.0, 1.0)
        progress = before + (self._progress - before) * shares
        returned = base_return(progress)
        for mean in play(returned, count * _RECORDED, self._random).tolist():
            std = math.sqrt(mean * (1.0 - mean))
            self._windows.append(Window(self._own, _RECORDED, mean, std, mean))

    def _round(self) -> None:
        """Plays the round that is due, and swaps in what it decides on."""
        state, accounting = self._state, self._accounting
        first = detect_stage(self._windows) == "no_signal"
        begins = 0 if first else self._own
        plan = Plan.make(
            self._settings,
            self._settings.gate,
            horizon=state.horizon,
            shortest=self._shortest,
            budget=self._budget_left,
            longest=self._until - begins - _ROLLOUT,
            total=self._trainer.total,
            rollout=_ROLLOUT,
            copy_steps=1,
        )
        if isinstance(plan, str):
            state.next_pause = 2 * self._trainer.total
            return
        state.rounds += 1
        start = 0.0 if first else self._progress
        arms = MadeUpArms(
            plan, _ROLLOUT, self._candidates, self._signal, start, self._random
        )
        decision = arms.decide(self._settings.gate, state.rounds)
        accounting.branches += arms.steps
        winner, adopt = decision.winner, decision.adopt
        end = arms.end(adopt) if adopt is not None else None
        if end is not None:
            behind = first and winner is None and end.length <= self._own
            if not behind:
                self._adopt(end, begins)
        state.next_pause = self._own + state.distance
        state.distance *= 2
        if winner is None:
            state.lengthen()
            return
        before, self._signal = self._signal, arms.signals[winner]
        self._swaps += 1
        if decision.then is not None:
            self._claim = _Claim(decision.then, arms, self._own, begins, before)

    def _adopt(self, end: MadeUpBranch, begins: int) -> None:
        self._accounting.move(begins + end.length)
        self._progress = end.progress

    def _confirm(self, claim: _Claim) -> bool:
        """Trains the next branch of a confirmation beside the mainline, or ends it.

        Returns:
            Whether there is anything left to train for.
        """
        step = claim.rule.next(len(claim.arms.signals), claim.arms.trials)
        if isinstance(step, Decision):
            self._settle(claim, step)
            return True
        request = step[0]
        cost = claim.arms.cost(request)
        discarded = claim.discarded + cost
        due = claim.since + PACE * discarded
        if cost > self._budget_left or due > self._until:
            self._claim = None  # the signal stays, and its claim stays open
            return True
        going = self._advance(due - self._own)
        # A branch that is in flight when the target is reached is trained to its end.
        claim.arms.train(request)
        claim.discarded = discarded
        self._accounting.branches += cost
        return going

    def _settle(self, claim: _Claim, decision: Decision) -> None:
        """Ends a confirmation as the rule has decided."""
        self._claim = None
        if decision.kind != "no_change":
            return
        end = claim.arms.end(decision.adopt) if decision.adopt is not None else None
        if end is not None:
            self._adopt(end, claim.begins)
        self._signal = claim.before
        self._state.lengthen()
