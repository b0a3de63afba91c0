"""The Shaper pays exactly what the table of kinds promises."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from also_wrappers.exceptions import ConfigurationError, ExpressionError
from also_wrappers.signal import Feature, FeatureMap, Shaper, Signal, Term
from also_wrappers.signal.kinds import KindName
from also_wrappers.signal.shaper import MOST_INVALID, compile_signal

FEATURES = FeatureMap(Feature("x", "obs[0]"), Feature("y", "obs[1]"))
AGENTS = ("one", "two")
GAMMA = 0.9

values = st.floats(-3, 3)
rows = st.lists(st.tuples(values, values), min_size=2, max_size=2)


def signal(
    kind: KindName, expression: str, weight: float = 0.5, **more: object
) -> Signal:
    term = Term.model_validate(
        {"name": "t", "kind": kind, "expression": expression, "weight": weight, **more}
    )
    return Signal(terms=(term,))


def run(
    shaped: Signal,
    states: list[list[tuple[float, float]]],
    *,
    terminated: bool = False,
    truncated: bool = False,
    bootstraps: bool = True,
    strength: float = 1.0,
) -> list[list[float]]:
    """Plays one episode; returns what each step added, per agent."""
    shaper = Shaper(2, GAMMA, bootstraps)
    compiled = compile_signal(shaped, FEATURES, AGENTS)
    shaper.reset(compiled, states[0], [0, 1], strength)
    added = []
    for t, state in enumerate(states[1:], start=1):
        last = t == len(states) - 1
        added.append(
            shaper.step(
                state,
                [0, 1],
                [0, 1] if last and terminated else [],
                [0, 1] if last and truncated else [],
            )
        )
    return added


@given(st.lists(rows, min_size=2, max_size=12), st.floats(0, 1))
def test_potential_telescopes(
    states: list[list[tuple[float, float]]], strength: float
) -> None:
    for ends in ("terminated", "truncated"):
        added = run(
            signal("potential", "team_mean(x) * y"),
            states,
            terminated=ends == "terminated",
            truncated=ends == "truncated",
            strength=strength,
        )
        steps = len(states) - 1
        for agent in (0, 1):

            def phi(state: list[tuple[float, float]], agent: int = agent) -> float:
                mean = (state[0][0] + state[1][0]) / 2.0
                return min(max(mean * state[agent][1], -10.0), 10.0)

            total = sum(GAMMA**t * step[agent] for t, step in enumerate(added))
            end = 0.0 if ends == "terminated" else GAMMA**steps * phi(states[-1])
            expected = strength * 0.5 * (end - phi(states[0]))
            assert total == pytest.approx(expected, abs=1e-9)


@given(st.lists(rows, min_size=2, max_size=12), st.booleans())
def test_progress_telescopes_without_discount(
    states: list[list[tuple[float, float]]], terminated: bool
) -> None:
    added = run(signal("progress", "x"), states, terminated=terminated)
    for agent in (0, 1):
        total = sum(step[agent] for step in added)
        change = states[-1][agent][0] - states[0][agent][0]
        assert total == pytest.approx(0.5 * change, abs=1e-9)


def test_truncation_ends_a_potential_where_the_learner_does_not_bootstrap() -> None:
    states = [[(1.0, 0.0)] * 2, [(2.0, 0.0)] * 2]
    kept = run(signal("potential", "x"), states, truncated=True)
    ended = run(signal("potential", "x"), states, truncated=True, bootstraps=False)
    assert kept[0][0] == pytest.approx(0.5 * (0.9 * 2.0 - 1.0))
    assert ended[0][0] == pytest.approx(0.5 * (0.0 - 1.0))


def test_bonus_reads_the_step_and_is_clipped() -> None:
    states = [[(1.0, 0.0)] * 2, [(4.0, 0.0)] * 2]
    assert run(signal("bonus", "delta(x)"), states)[0] == [1.5, 1.5]
    assert run(signal("bonus", "100 * x", bound=2.0), states)[0] == [1.0, 1.0]


def test_phi_is_clipped_and_not_the_difference() -> None:
    states = [[(50.0, 0.0)] * 2, [(40.0, 0.0)] * 2, [(1.0, 0.0)] * 2]
    added = run(signal("progress", "x"), states)
    assert [step[0] for step in added] == [0.0, 0.5 * (1.0 - 10.0)]


def test_a_term_that_pays_nobody_is_refused() -> None:
    with pytest.raises(ValidationError, match="agents"):
        Term(name="go", kind="bonus", expression="1", weight=1.0, agents=())


def test_an_agent_subset_is_paid_alone() -> None:
    states = [[(0.0, 0.0)] * 2, [(1.0, 0.0)] * 2]
    assert run(signal("progress", "x", agents=("two",)), states) == [[0.0, 0.5]]
    with pytest.raises(ConfigurationError, match="agents are one, two"):
        compile_signal(signal("progress", "x", agents=("three",)), FEATURES, AGENTS)


def test_a_dead_agent_gets_nothing_and_a_new_one_starts_anew() -> None:
    shaper = Shaper(2, GAMMA)
    shaper.reset(
        compile_signal(signal("progress", "x"), FEATURES, AGENTS),
        [[0.0, 0.0], [0.0, 0.0]],
        [0, 1],
    )
    assert shaper.step([[1.0, 0.0], [9.0, 0.0]], [0]) == [0.5, 0.0]
    assert shaper.step([[1.0, 0.0], [5.0, 0.0]], [0, 1]) == [0.0, 0.0]
    assert shaper.step([[1.0, 0.0], [6.0, 0.0]], [0, 1]) == [0.0, 0.5]


def test_a_potential_is_taken_from_who_leaves_and_paid_to_who_comes() -> None:
    """As if the potential of an agent that is not there were 0."""
    shaper = Shaper(2, GAMMA)
    compiled = compile_signal(signal("potential", "x"), FEATURES, AGENTS)
    shaper.reset(compiled, [[1.0, 0.0], [2.0, 0.0]], [0])
    both, alone = [[1.0, 0.0], [4.0, 0.0]], [[1.0, 0.0], [9.0, 0.0]]
    assert shaper.step(both, [0, 1])[1] == pytest.approx(0.5 * 0.9 * 4.0)
    assert shaper.step(both, [0, 1], terminated=[1])[1] == pytest.approx(-0.5 * 4.0)
    assert shaper.step(alone, [0])[1] == 0.0
    assert shaper.step(both, [0, 1])[1] == pytest.approx(0.5 * 0.9 * 4.0)


@given(st.lists(rows, min_size=2, max_size=9), st.data())
def test_who_waits_is_paid_for_one_step_in_all(
    states: list[list[tuple[float, float]]], data: st.DataObject
) -> None:
    """Agent one acts at every step, agent two now and then."""
    shaper = Shaper(2, GAMMA)
    term = Term(name="b", kind="bonus", expression="1", weight=0.0625)
    shaped = signal("potential", "team_mean(x) * y")
    shaped = Signal(terms=(*shaped.terms, term))
    shaper.reset(compile_signal(shaped, FEATURES, AGENTS), states[0], [0, 1])
    begun, total, acts = False, 0.0, 0

    def phi(state: list[tuple[float, float]]) -> float:
        value = (state[0][0] + state[1][0]) / 2.0 * state[1][1]
        return 0.5 * min(max(value, -10.0), 10.0)

    for t, state in enumerate(states[1:], start=1):
        acting = data.draw(st.booleans())
        waiting = {} if acting else {1: GAMMA if begun else 1.0}
        begun = begun or acting
        acts += acting
        last = t == len(states) - 1
        paid = shaper.step(state, [0, 1], [0, 1] if last else [], [], waiting)[1]
        total += GAMMA ** max(acts - 1, 0) * (paid - 0.0625 * acting)
    assert total == pytest.approx(-phi(states[0]), abs=1e-9)


def test_values_that_are_not_finite_pay_nothing_and_end_the_term() -> None:
    shaper = Shaper(2, GAMMA)
    compiled = compile_signal(signal("bonus", "1 / x"), FEATURES, AGENTS)
    shaper.reset(compiled, [[1.0, 0.0]] * 2, [0, 1])
    assert shaper.step([[0.0, 0.0], [2.0, 0.0]], [0, 1]) == [0.0, 0.25]
    for _ in range(MOST_INVALID):
        shaper.step([[0.0, 0.0], [math.nan, 0.0]], [0, 1])
    assert shaper.invalid == [2 * MOST_INVALID + 1]
    assert shaper.step([[2.0, 0.0]] * 2, [0, 1]) == [0.0, 0.0]


@pytest.mark.parametrize("kind", ["potential", "progress"])
@pytest.mark.parametrize("agents", [None, ("two",)])
def test_a_term_that_is_switched_off_is_taken_back_from_the_whole_team(
    kind: KindName, agents: tuple[str, ...] | None
) -> None:
    """All its values count as 0 from the step on that follows the last invalid one."""
    shaper = Shaper(2, GAMMA)
    shaped = signal(kind, "1 / x", agents=agents)
    shaper.reset(compile_signal(shaped, FEATURES, AGENTS), [[1.0, 0.0]] * 2, [0, 1])
    paid = [0.0, 0.0]
    discount, gamma = 1.0, GAMMA if kind == "potential" else 1.0
    for t in range(MOST_INVALID + 5):
        rows = [[0.0 if t < MOST_INVALID else 1.0, 0.0], [1.0 + t % 3, 0.0]]
        added = shaper.step(rows, [0, 1])
        paid = [whole + discount * x for whole, x in zip(paid, added, strict=True)]
        discount *= gamma
    first = 0.5 * 1.0
    assert paid == pytest.approx([0.0 if agents else -first, -first])
    if kind == "progress":
        assert shaper.totals == pytest.approx([sum(paid)])
    assert shaper.compiled is not None
    shaper.reset(shaper.compiled, rows, [0, 1])  # it stays off
    assert shaper.step([[2.0, 0.0]] * 2, [0, 1]) == [0.0, 0.0]


def test_the_empty_signal_adds_nothing() -> None:
    states = [[(1.0, 2.0)] * 2, [(3.0, 4.0)] * 2]
    assert run(Signal(), states) == [[0.0, 0.0]]


def test_a_bad_expression_names_its_term() -> None:
    with pytest.raises(ExpressionError, match="term 't': there is no feature 'z'"):
        compile_signal(signal("bonus", "z"), FEATURES, AGENTS)


def test_signals_are_data() -> None:
    made = signal("bonus", "x")
    assert Signal.model_validate_json(made.model_dump_json()) == made
    assert made.id == signal("bonus", "x").id != signal("bonus", "y").id
    with pytest.raises(ValueError, match="unique"):
        Signal(terms=made.terms * 2)
    with pytest.raises(ValueError, match="100"):
        signal("bonus", "x", weight=1e308)


def test_the_copies_of_a_process_share_what_is_compiled() -> None:
    features = FeatureMap(Feature("d", "obs[0]"))
    near = Term(name="near", kind="potential", expression="-d", weight=1.0)
    first = compile_signal(Signal(terms=(near,)), features, ["a", "b"])
    assert compile_signal(Signal(terms=(near,)), features, ["a", "b"]) is first
    assert compile_signal(Signal(terms=(near,)), features, ["b", "a"]) is not first
    half = Signal(terms=(near.model_copy(update={"weight": 0.5}),))
    assert compile_signal(half, features, ["a", "b"]).weights == (0.5,)
