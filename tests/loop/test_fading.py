"""The end of a run: the signal fades out, unless the base return leans on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.board.posting import Posting
from also_wrappers.loop.adaptation import Adaptation
from also_wrappers.loop.fading import fade_begin
from also_wrappers.loop.fading import strength as fading
from also_wrappers.run.run import Run
from also_wrappers.signal import Expert, Rule, Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features
from tests.support.corridor import events
from tests.support.walker import ROLLOUT, Walker, Work

TOTAL = 60 * ROLLOUT
ON = Signal(terms=(Term(name="on", kind="progress", expression="place", weight=1.0),))


class Leaning(Walker):
    """Walks on while the signal is strong, and stays where it is without."""

    run: Run
    needs: float

    def train(self) -> None:
        steps = self.steps
        # How far training has come is how much likelier a walker goes on than not.
        strong = self.run.board.read().strength >= self.needs
        self.steps = 1000 * ROLLOUT if strong else -ROLLOUT + 1
        super().train()
        self.steps = steps + ROLLOUT


EXPERT = Expert(rules=(Rule(when="place < 1", do="on"),))


@pytest.mark.parametrize(
    ("signal", "strength"),
    [
        (ON, 0.0),
        (ON.model_copy(update={"expert": EXPERT}), 0.0),
        (Signal(expert=EXPERT), 1.0),
        (Signal(expert=EXPERT, fade=0.4), 0.0),
    ],
    ids=["terms", "both", "an expert", "an expert that fades"],
)
def test_at_the_end_terms_fade_and_a_pull_ends_itself(
    tmp_path: Path, signal: Signal, strength: float
) -> None:
    run = Run(Task("Walk.", corridor_features()), tmp_path / "run")
    walker = Walker(run.shape, TOTAL, Work())
    walker.steps = TOTAL
    begin = fade_begin(None, walker)
    assert begin == 0.9 * TOTAL
    assert fading(Posting(signal=signal, gamma=0.99), begin, walker) == strength
    run.close()


@pytest.mark.parametrize(("needs", "stops"), [(0.7, True), (0.0, False)])
def test_a_fade_that_costs_base_return_is_stopped(
    tmp_path: Path, needs: float, stops: bool
) -> None:
    run = Run(Task("Walk.", corridor_features()), tmp_path / "run")
    run.board.post(Posting(version=2, signal=ON, gamma=0.99))
    walker = Leaning(run.shape, TOTAL, Work())
    walker.run, walker.needs = run, needs
    adaptation = Adaptation(run, RecordedAdvisor([]), budget=0.0, fade_out=0.5)
    strengths = []
    while walker.steps < TOTAL:
        adaptation.step(walker)
        strengths.append(run.board.read().strength)
        walker.train()
    adaptation.finish(walker)
    run.close()
    stopped = events(run.dir, "fade_stopped")
    assert bool(stopped) == stops
    assert adaptation.state.keeps == stops
    if stops:
        (event,) = stopped
        assert event["strength"] == min(strengths) < 0.7
        assert event["fall"] > 0.3
        assert strengths[-1] == 1.0
        assert events(run.dir, "record")[-1]["window"]["mean"] > 0.9, "it came back"
    else:
        assert strengths[-1] < 0.1
