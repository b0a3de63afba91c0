"""What adapting may cost is planned backwards from a decision, and said before it."""

from __future__ import annotations

from typing import Any

import pytest

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.gate import Gate, Provisional, Race, Rule
from also_wrappers.loop.plan import Forecast, Plan, check_pays, forecast, horizon_of
from also_wrappers.loop.settings import Settings
from tests.support.rounds import StubTrainer


def planned(budget: int, rule: Rule | None = None, **settings: Any) -> Any:
    plan = Plan.make(
        Settings(**settings),
        rule or Provisional(),
        horizon=1000,
        shortest=800,
        budget=budget,
        longest=50_000,
        total=100_000,
        rollout=100,
        copy_steps=4,
    )
    if isinstance(plan, str):
        return plan
    return plan.horizon, plan.candidates, plan.refinements


def test_there_are_fewer_candidates_then_no_replacement_then_shorter_branches() -> None:
    assert planned(4000) == (1000, 2, 1)
    assert planned(3900) == (1000, 1, 1)
    assert planned(2900) == (1000, 1, 0)
    assert planned(1900) == (800, 1, 0)  # in pairs of rollouts of 100
    assert planned(1500).startswith("1,500 steps of the branch budget are left")
    assert planned(4500, candidates=3, refinements=2) == (1000, 2, 2)


def test_a_claim_before_the_change_costs_more() -> None:
    assert planned(7000, Race()) == (1000, 2, 1)
    assert planned(5000, Race()) == (1000, 1, 0)
    assert planned(3900, Race()) == (
        "3,900 steps of the branch budget are left, and a round that can end takes "
        "4,000; for more rounds, give a larger budget"
    )


def test_a_forecast_doubles_the_horizon_until_the_budget_is_spent() -> None:
    none = forecast(Settings(), Provisional(), 1000, budget=1999, rollout=100)
    assert none == Forecast(0, 0)
    # The third round would be four times as long, and has what the budget pays.
    three = forecast(Settings(), Provisional(), 1000, budget=15_000, rollout=100)
    assert three == Forecast(3, 4000 + 8000 + 2 * 1400)
    # The third round is four times as long, and so are all later ones.
    many = forecast(Settings(), Provisional(), 1000, budget=44_000, rollout=100)
    assert many == Forecast(4, 4000 + 8000 + 16_000 + 16_000)


def test_a_first_branch_holds_fifty_scored_episodes_in_whole_rollouts() -> None:
    trainer = StubTrainer()  # 10,000 steps are planned, in rollouts of 10
    assert horizon_of(Settings(), trainer, 0.0, 1) == 300
    assert horizon_of(Settings(), trainer, 30.0, 1) == 3000
    assert horizon_of(Settings(horizon=95), trainer, 30.0, 1) == 100


def test_an_episode_of_each_copy_ends_in_half_a_branch() -> None:
    trainer = StubTrainer()
    assert horizon_of(Settings(), trainer, 30.0, 64) == 2 * 64 * 30
    trainer.evaluates = True  # a branch's score is then of episodes of its own
    assert horizon_of(Settings(), trainer, 30.0, 64) == 300


@pytest.mark.parametrize(
    ("settings", "horizon", "until", "message"),
    [
        (
            {"budget": 0.05},
            300,
            9000,
            "pays for 500 steps of branches, and the smallest round that can change "
            "something takes 600: 2 branches of 300; use budget=0.06 or more, "
            "plan 12,000 steps",
        ),
        ({"gate": Gate()}, 1000, 9000, "takes 6,000: 6 branches of 1,000"),
        ({}, 2000, 1500, "only 1,490 of the 10,000 steps .* plan 13,400 steps or more"),
        ({"horizon": 5}, 10, 9000, "a horizon of 5 steps is shorter than one rollout"),
    ],
)
def test_a_plan_that_can_change_nothing_is_refused_with_what_would_do(
    settings: dict[str, Any], horizon: int, until: int, message: str
) -> None:
    options = Settings(**settings)
    with pytest.raises(ConfigurationError, match=message):
        check_pays(options, options.gate, StubTrainer(), horizon, until)


def test_a_run_that_records_only_needs_no_room() -> None:
    check_pays(Settings(budget=0.0), Provisional(), StubTrainer(), 10**6, 10)
