"""Arms of the study in the repository: what they propose, and when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from also_wrappers.proposals.outcomes import ArmOutcome, Rejection, RoundOutcome
from also_wrappers.testing import corridor_situation
from examples.study import arms


@pytest.mark.parametrize(
    "task", ["foraging-8x8", "spread-2", "mountain-car", "connect-four"]
)
def test_the_hostile_advisor_proposes_each_harm_once(task: str) -> None:
    advisor = arms.hostile(task, 0)
    now = corridor_situation()
    first, second, third, *_ = advisor.propose(now, 99)
    refused = replace(now, rejected=[Rejection(proposal=first, reason="no")])
    assert advisor.propose(refused, 1) == [second]
    earlier = RoundOutcome(
        round=1,
        stage="plateau",
        control_score=None,
        arms=(ArmOutcome(proposal=second, outcome="worse"),),
        rejected=(Rejection(proposal=first, reason="no"),),
        decision="no change",
        winner=None,
    )
    assert advisor.propose(replace(now, history=[earlier]), 1) == [third]
