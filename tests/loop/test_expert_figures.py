"""What the evidence of a run says of the expert in force."""

from __future__ import annotations

from pathlib import Path

import pytest

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.ledger.events import Auditioned, Observed, Recorded
from also_wrappers.loop.mainline import Mainline
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal import Expert, Rule, Signal
from tests.support.corridor import TOTAL, callback, make_model
from tests.support.trainers import WITH_ACTIONS

#: One agent is told when it has to go on, the other one always.
ON = Signal(
    expert=Expert(
        rules=(
            Rule(when="place < 0.5", do="on", agents=("agent_0",)),
            Rule(when="1", do="on", agents=("agent_1",)),
        )
    )
)


def test_the_evidence_tells_of_the_expert_in_force(tmp_path: Path) -> None:
    run = Run(WITH_ACTIONS, tmp_path / "run")
    options = {"candidates": 1, "refinements": 0}
    adapting = callback(run, RecordedAdvisor([[Proposal(signal=ON)]] * 9), **options)
    make_model(run).learn(TOTAL, callback=adapting)
    run.close()
    recorded = run.events()
    played = next(event for event in recorded if isinstance(event, Auditioned))
    assert (played.expert, played.refusal, played.promised) == (ON, "", played.earned)
    assert played.spread == pytest.approx(played.error * played.episodes**0.5)
    first, second, *_ = [e.evidence for e in recorded if isinstance(e, Observed)]
    assert not any("expert" in key for key in first.values)
    values = second.values
    assert values["expert.return"] == played.earned
    assert values["expert.error"] == played.error
    assert values["expert.spread"] == pytest.approx(played.spread)
    assert values["expert.coverage"] == played.coverage
    assert 0.0 <= values["expert.pull"] <= 1.0
    assert 0.0 < values["agent_0.expert.distance"] < 1.0
    assert 0.0 < values["agent_1.expert.distance"] < 1.0
    lines = [event for event in recorded if isinstance(event, Recorded)]
    agreements = [line.agreement for line in lines if line.agreement is not None]
    assert agreements[-1] > agreements[0]
    # What an expert has earned survives a restart.
    again = Run(WITH_ACTIONS, tmp_path / "again")
    mainline = Mainline(again)
    mainline.resume(recorded)
    *_, last = (event for event in recorded if isinstance(event, Auditioned))
    assert mainline._played(ON)["return"] == last.earned
    assert mainline._played(Signal()) == {}
    again.close()
