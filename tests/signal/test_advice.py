"""Advice: the compiled forms say what the rules say, and rules that cannot be fail."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from also_wrappers.exceptions import ConfigurationError, ExpressionError
from also_wrappers.signal import (
    Action,
    Actions,
    Expert,
    Feature,
    FeatureMap,
    Rule,
    Signal,
)
from also_wrappers.signal.advice import Advice
from also_wrappers.signal.language.rules import Choose, compile_rules
from tests.support.advice import CONDITIONS, DEFINE, DRIVE, FEATURES, PLACES, TEAM, WALK
from tests.support.interpreter import advise

numbers = st.sampled_from([0.0, 1.0, -1.0, 2.0, -3.0, 0.3, 1e-10, math.nan, math.inf])


@st.composite
def rows(draw: st.DrawFn) -> list[list[float]]:
    """A team's features, with every robot heading somewhere or nowhere."""
    team = []
    for _ in TEAM:
        heading = [0.0] * 4
        facing = draw(st.integers(-1, 3))
        if facing >= 0:
            heading[facing] = 1.0
        place = [draw(numbers) for _ in range(3)]
        team.append([*place, *heading, 0.0])
    return team


def rules(actions: Actions) -> st.SearchStrategy[Rule]:
    return st.builds(
        Rule,
        when=st.sampled_from(CONDITIONS),
        do=st.sampled_from(actions.says),
        agents=st.none()
        | st.lists(st.sampled_from(TEAM), min_size=1, max_size=2).map(
            lambda names: tuple(names)
        ),
    )


@pytest.mark.parametrize("actions", [WALK, DRIVE])
@given(data=st.data())
def test_all_forms_agree(actions: Actions, data: st.DataObject) -> None:
    written = data.draw(st.lists(rules(actions), min_size=1, max_size=5))
    states = data.draw(st.lists(rows(), min_size=1, max_size=3))
    who = sorted(data.draw(st.sets(st.integers(0, 2), min_size=1)))
    signal = Signal(define=DEFINE, expert=Expert(rules=tuple(written)))
    advice = Advice(signal, FEATURES, actions, TEAM)
    mask = np.array([[i in who for i in range(3)]] * len(states))
    batch = advice.batch(np.array(states), mask)
    for state, together in zip(states, batch.tolist(), strict=True):
        expected = advise(signal, FEATURES, actions, TEAM, state, who)
        assert advice(state, who) == expected
        assert together == expected


@given(
    st.lists(st.integers(-6, 6), min_size=2, max_size=2),
    st.randoms(use_true_random=False),
)
def test_toward_is_the_shortest_way_on_an_open_grid(
    offset: list[int], chance: random.Random
) -> None:
    """Whichever of the good actions is taken, and in the end nothing is left to say."""
    signal = Signal(expert=Expert(rules=(Rule(when="1", do="toward goal"),)))
    actions = Actions(WALK.actions[:5], PLACES)
    advice = Advice(signal, FEATURES, actions, ["a"])
    steps = 0
    while bits := advice([[*offset, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]], [0])[0]:
        index = chance.choice([k for k in range(5) if bits >> k & 1])
        step = actions.actions[index].step
        assert step is not None
        before = sum(map(abs, offset))
        offset = [o - int(s) for o, s in zip(offset, step, strict=True)]
        assert sum(map(abs, offset)) == before - 1
        steps += 1
    assert offset == [0, 0]


@given(
    st.lists(st.integers(-6, 6), min_size=2, max_size=2),
    st.integers(0, 3),
    st.randoms(use_true_random=False),
)
def test_a_robot_that_turns_and_drives_arrives_without_a_detour(
    offset: list[int], facing: int, chance: random.Random
) -> None:
    signal = Signal(expert=Expert(rules=(Rule(when="1", do="toward goal"),)))
    advice = Advice(signal, FEATURES, DRIVE, ["a"])
    names = list(DRIVE.compass.headings) if DRIVE.compass else []
    length, driven, turned = sum(map(abs, offset)), 0, 0
    while True:
        heading = [float(k == facing) for k in range(4)]
        bits = advice([[*offset, 0.0, *heading, 0.0]], [0])[0]
        if not bits:
            break
        index = chance.choice([k for k in (1, 3, 5) if bits >> k & 1])
        if index == 3:
            driven += 1
            assert DRIVE.compass
            step = DRIVE.compass.headings[names[facing]].step
            offset = [o - int(s) for o, s in zip(offset, step, strict=True)]
        else:
            turned += 1
            facing = (facing + (1 if index == 5 else -1)) % 4
    assert offset == [0, 0]
    assert driven == length
    assert turned <= 3


def bits(do: str, actions: Actions, row: list[float], *after: str) -> int:
    """What one agent is told by rules that all hold."""
    written = tuple(Rule(when="1", do=said) for said in (do, *after))
    signal = Signal(expert=Expert(rules=written))
    return Advice(signal, FEATURES, actions, ["a"])([[*row, 0.0]], [0])[0]


def test_a_rule_that_leads_nowhere_leaves_it_to_the_next() -> None:
    there, above = [0.0, 0.0, 0.0, *[0.0] * 4], [-1.0, 0.0, 1.0, *[0.0] * 4]
    assert bits("toward goal", WALK, there) == 0
    assert bits("toward goal", WALK, there, "stay") == 1
    assert bits("toward goal", WALK, above, "stay") == 1, "up is behind a wall"
    assert bits("up", WALK, above, "stay") == 2, "what is named is said in any case"
    assert bits("away goal", WALK, above) == 1 << 2 | 1 << 62
    assert bits("go up", DRIVE, there, "load") == 1, "the robot heads nowhere"


def test_every_way_to_turn() -> None:
    def facing(k: int) -> list[float]:
        return [0.0, 0.0, 0.0, *(float(k == i) for i in range(4))]

    drive, port, starboard = 1 << 3, 1 << 1, 1 << 5
    told = [bits("go up", DRIVE, facing(k)) for k in range(4)]
    assert told == [drive, port, port | starboard, starboard]
    far = [-3.0, 2.0]  # up and to the right
    told = [bits("toward goal", DRIVE, [*far, *facing(k)[2:]]) for k in range(4)]
    assert told == [drive, drive, port, starboard]
    walled = [*far, 1.0]
    told = [bits("toward goal", DRIVE, [*walled, *facing(k)[3:]]) for k in range(4)]
    assert told == [starboard, drive, port, port | starboard]


def test_everything_that_may_be_said_compiles() -> None:
    for actions in (WALK, DRIVE):
        for do in actions.says:
            signal = Signal(expert=Expert(rules=(Rule(when="1", do=do),)))
            Advice(signal, FEATURES, actions, TEAM)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Rule(when="1", do="jumpp"), "rule 2 says 'jumpp'; it may say stay, up"),
        (Rule(when="1", do="go up"), "rule 2 says 'go up'"),
        (Rule(when="1", do="toward  goal"), "rule 2 says"),
        (Rule(when="1", do="stay", agents=("d",)), "rule 2 is for 'd'.* a, b, c"),
        (Rule(when="dz", do="stay"), "rule 2: there is no feature 'dz'"),
        (Rule(when="done", do="stay"), "rule 2: 'done' is read from the action"),
        (Rule(when="delta(dx)", do="stay"), "rule 2: .*delta"),
    ],
)
def test_errors_name_the_rule(rule: Rule, message: str) -> None:
    signal = Signal(expert=Expert(rules=(Rule(when="1", do="stay"), rule)))
    with pytest.raises((ConfigurationError, ExpressionError), match=message):
        Advice(signal, FEATURES, WALK, TEAM)


def test_without_an_expert_there_is_no_advice() -> None:
    with pytest.raises(ConfigurationError, match="no expert"):
        Advice(Signal(), FEATURES, WALK, TEAM)


def test_an_expert_is_compiled_once_for_all_copies_of_a_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def counted(rules: Any) -> Choose:
        calls.append(rules)
        return compile_rules(rules)

    monkeypatch.setattr("also_wrappers.signal.advice.compile_rules", counted)
    signal = Signal(expert=Expert(rules=(Rule(when="1", do="right"),)))
    features = FeatureMap(Feature("near", "obs[0]"))
    steps = [Action("stay", 0), Action("right", 1)]
    copies = [
        Advice(signal, features, Actions((*steps,)), ["a", "b"]) for _ in range(16)
    ]
    assert len(calls) == 1
    assert all(advice([[0.0], [0.0]], [0, 1]) == [2, 2] for advice in copies)
    turned = [Action("right", 0), Action("stay", 1)]
    other = Advice(signal, features, Actions((*turned,)), ["a", "b"])
    assert other([[0.0], [0.0]], [0, 1]) == [1, 1]
