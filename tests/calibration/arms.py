"""The branches of one made-up round: trained as a rule asks, measured, decided on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from also_wrappers.branches.branch import POINTS, BranchResult
from also_wrappers.gate import Decision, Request, Rule, Trial
from also_wrappers.gate.rule import CONTROL, Phase
from also_wrappers.gate.standing import leader
from also_wrappers.loop.plan import Plan
from tests.calibration.learning import (
    EPISODE,
    Candidates,
    Signal,
    base_return,
    play,
    progress_of,
)

__all__ = ["MadeUpArms", "MadeUpBranch"]

#: The variance between branches is ``_NOISE`` squared standard errors by episodes, as
#: that many episodes end alike, and where a return has risen by d since half of the
#: branch, the square of ``_TIMING`` times d.
_NOISE = 2
_TIMING = 0.5

#: What a request and those that extend it have in common.
_Key = tuple[int, Phase, int]


@dataclass
class MadeUpBranch:
    """Holds how far a branch has come.

    Attributes:
        start: Progress that it began with.
        rate: Progress of a step, in the mean.
        early: How much earlier than in the mean it learns, in standard deviations.
        length: Steps that were trained.
    """

    start: float
    rate: float
    early: float
    length: int = 0

    @property
    def progress(self) -> float:
        """What its policy has learned."""
        return progress_of(float(self.returns(np.array([self.length]))[0]))

    def returns(self, steps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Returns the mean base returns of its policy after so many steps."""
        progress = self.start + self.rate * np.concatenate((steps, steps / 2.0))
        now, before = base_return(np.maximum(progress, 0.0)).reshape(2, -1)
        return np.clip(now + _TIMING * self.early * (now - before), 0.0, 1.0)


class MadeUpArms:
    """Trains made-up branches of one round; what they cost and what becomes of their
    results is as in ``also_wrappers.loop.arms`` and ``round``.

    Args:
        plan: How much the round may try.
        rollout: Steps of one rollout.
        candidates: What candidates are worth.
        control: The signal that is active.
        start: Progress that all branches begin with.
        random: Where candidates and branches come from.

    Attributes:
        signals: The signal of every arm, control's first.
        trials: What the rule gets to see.
        steps: Steps that were trained in all.
    """

    def __init__(
        self,
        plan: Plan,
        rollout: int,
        candidates: Candidates,
        control: Signal,
        start: float,
        random: np.random.Generator,
    ) -> None:
        drawn = [candidates.draw(random) for _ in range(plan.candidates)]
        self.signals = [control, *drawn]
        self.steps = 0
        self._plan = plan
        self._rollout = rollout
        self._candidates = candidates
        self._start = start
        self._random = random
        self._branches: dict[_Key, MadeUpBranch] = {}
        self._results: list[BranchResult] = []

    @property
    def trials(self) -> list[Trial]:
        largest = max((result.largest for result in self._results), default=0.0)
        return [result.trial(largest) for result in self._results]

    def decide(self, rule: Rule, number: int) -> Decision:
        """Plays the round until the rule decides, or the budget is spent.

        Args:
            rule: What decides.
            number: Number of the round in its run, counted from 1.
        """
        refined = self._plan.refinements == 0
        while True:
            trials = self.trials
            step = rule.next(len(self.signals), trials, number)
            screened = {trial.request.arm for trial in trials}
            rewarded = any(trial.score for trial in trials)
            if not refined and rewarded and len(screened) == len(self.signals):
                refined = True
                for _ in range(self._plan.refinements):
                    self.signals.append(self._candidates.draw(self._random))
            elif isinstance(step, Decision):
                return step
            elif self._unaffordable(step):
                return self._cut_short()
            else:
                for request in step:
                    self.train(request)

    def train(self, request: Request) -> None:
        """Trains and measures one branch, or what is new in a longer one."""
        cost = self.cost(request)
        branch = self.end(request)
        if branch is None:
            rate = self._candidates.rates[self.signals[request.arm]]
            branch = MadeUpBranch(self._start, rate, self._random.normal())
            self._branches[_key(request)] = branch
        parts = branch.length + cost * (np.arange(POINTS) + 0.5) / POINTS
        returned = branch.returns(parts)
        points = play(returned, cost // EPISODE // _NOISE, self._random)
        scored_from = max(self._length(request) // 2 - branch.length, 0)
        branch.length += cost
        self.steps += cost
        scored = points[round(POINTS * scored_from / cost) :]
        score = float(scored.mean())
        episodes = max((cost - scored_from) // EPISODE, 2)
        self._results.append(
            BranchResult(
                request,
                seed=0,
                steps=cost,
                score=score,
                variance=score * (1.0 - score) / (episodes - 1),
                largest=float(points.any()),
                episodes=episodes,
                points=tuple(points.tolist()),
            )
        )

    def cost(self, request: Request) -> int:
        """Returns the steps that a branch trains: of a longer one, what is new."""
        branch = self.end(request)
        before = 0 if branch is None else branch.length
        return max(self._length(request) - before, self._rollout)

    def end(self, request: Request) -> MadeUpBranch | None:
        """Returns the branch that a request is about, as far as it was trained."""
        return self._branches.get(_key(request))

    def _length(self, request: Request) -> int:
        rollouts = round(request.stretch * self._plan.horizon / self._rollout)
        return max(rollouts, 1) * self._rollout

    def _unaffordable(self, requests: Sequence[Request]) -> bool:
        cost = sum(map(self.cost, requests))
        longest = max(map(self._length, requests))
        return self.steps + cost > self._plan.budget or longest > self._plan.longest

    def _cut_short(self) -> Decision:
        """Decides by what was measured before the rule could."""
        reason = "the branch budget is spent"
        control = Request(CONTROL, "screen", 0)
        adopt = control if self.end(control) else None
        standing = leader(self.trials)
        if standing is None or not 1 < standing.pairs == standing.won:
            return Decision("undecided", reason, adopt=adopt)
        ends = [
            result.request
            for result in self._results
            if result.request.arm == standing.arm and result.request.keep
        ]
        best = max(ends, key=lambda request: request.stretch)
        return Decision("provisional", reason, standing.arm, best)


def _key(request: Request) -> _Key:
    return request.arm, request.phase, request.index
