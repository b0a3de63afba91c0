"""What potentials pay over whole episodes, with deaths, swaps, schedules and ends."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from also_wrappers.signal import Fade, Feature, FeatureMap, Shaper, Signal, Term
from also_wrappers.signal.kinds import KindName
from also_wrappers.signal.shaper import CompiledSignal, compile_signal

FEATURES = FeatureMap(Feature("x", "obs[0]"), Feature("y", "obs[1]"))
TEAM = ("one", "two", "three")
GAMMA = 0.95
#: Phi of each expression, as a person would write it.
PHI = {
    "x * y": lambda rows, alive, i: rows[i][0] * rows[i][1],
    "team_mean(x) - y": lambda rows, alive, i: (
        sum(rows[j][0] for j in alive) / len(alive) - rows[i][1]
    ),
    "-team_max(abs(x))": lambda rows, alive, i: -max(abs(rows[j][0]) for j in alive),
}


@dataclass(frozen=True)
class Step:
    """One step: the state it arrives at, who is there, who ends with it and how."""

    rows: list[tuple[float, float]]
    alive: tuple[int, ...]
    terminated: tuple[int, ...]
    truncated: tuple[int, ...]
    swap: tuple[str, float, float] | None


values = st.floats(-3, 3)
rows = st.lists(st.tuples(values, values), min_size=3, max_size=3)
signals = st.tuples(
    st.sampled_from(sorted(PHI)), st.floats(-5, 5), st.sampled_from([0.0, 0.3, 1.0])
)
places = st.sets(st.sampled_from([0, 1, 2]))


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    """An episode in which agents die, are cut, leave without a word and come back."""
    found = []
    alive = {0, 1, 2}
    for _ in range(draw(st.integers(1, 15))):
        ends = draw(places) & alive
        cut = draw(places) & ends
        swap = draw(st.one_of(st.none(), signals))
        here = tuple(sorted(alive))
        found.append(Step(draw(rows), here, tuple(ends - cut), tuple(cut & ends), swap))
        alive = (alive - ends) - draw(places) | (
            draw(places) if len(alive) < 3 else set()
        )
        if not alive:
            break
    return found


def compiled(expression: str, weight: float, kind: KindName) -> CompiledSignal:
    term = Term(name="t", kind=kind, expression=expression, weight=weight, bound=100.0)
    return compile_signal(Signal(terms=(term,)), FEATURES, TEAM)


@given(
    rows,
    signals,
    steps(),
    st.sampled_from(["potential", "progress"]),
    st.booleans(),
)
def test_it_telescopes(
    first: list[tuple[float, float]],
    begin: tuple[str, float, float],
    episode: list[Step],
    kind: KindName,
    bootstraps: bool,
) -> None:
    gamma = GAMMA if kind == "potential" else 1.0
    shaper = Shaper(3, GAMMA, bootstraps)
    expression, weight, strength = begin
    shaper.reset(compiled(expression, weight, kind), first, (0, 1, 2), strength)
    paid = [0.0, 0.0, 0.0]
    expected = [0.0, 0.0, 0.0]
    #: Since when an agent's potential runs, and what it was then.
    since: dict[int, float] = {}
    before: list[tuple[float, float]] = first
    present: tuple[int, ...] = (0, 1, 2)
    there: tuple[int, ...] = present

    def phi(state: list[tuple[float, float]], alive: tuple[int, ...], i: int) -> float:
        return float(weight * strength * PHI[expression](state, alive, i))

    def open_all(time: int) -> None:
        for i in there:
            since[i] = gamma**time * phi(before, there, i)

    def close(i: int, time: int, value: float) -> None:
        if i in since:
            expected[i] += gamma**time * value - since.pop(i)

    open_all(0)
    for t, step in enumerate(episode):
        if step.swap is not None:
            for i in list(since):
                close(i, t, phi(before, present, i) if i in present else 0.0)
            expression, weight, strength = step.swap
            shaper.swap(compiled(expression, weight, kind), strength)
            open_all(t)
            present = there  # the new potentials are of the agents that stay
        for i in list(since):
            if i not in step.alive:  # it left without a word
                close(i, t, phi(before, present, i))
        added = shaper.step(step.rows, step.alive, step.terminated, step.truncated)
        for i, amount in enumerate(added):
            paid[i] += gamma**t * amount
        before, present = step.rows, step.alive
        for i in step.alive:
            if i not in since and kind == "progress":
                since[i] = phi(before, present, i)
                continue
            since.setdefault(i, 0.0)  # it was not there, and its potential was 0
            ended = i in step.terminated or (i in step.truncated and not bootstraps)
            if ended and kind == "potential":
                close(i, t + 1, 0.0)
            elif i in step.terminated or i in step.truncated:
                close(i, t + 1, phi(before, present, i))
        gone = {*step.terminated, *step.truncated}
        for i in gone:
            since.pop(i, None)
        there = tuple(i for i in step.alive if i not in gone)
    for i in list(since):
        close(i, len(episode), phi(before, present, i))
    assert paid == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.integers(0, 4000), min_size=1, max_size=8))
def test_a_fade_falls_once_and_stays(steps: list[int]) -> None:
    fade = Fade(begin=1000, end=3000)
    strengths = [fade.strength(at) for at in sorted(steps)]
    assert strengths == sorted(strengths, reverse=True)
    for at, strength in zip(sorted(steps), strengths, strict=True):
        assert strength == pytest.approx(min(max((3000 - at) / 2000, 0.0), 1.0))


def test_a_fade_must_begin_before_it_ends() -> None:
    with pytest.raises(ValueError, match=r"begin \(5\) must be before end \(5\)"):
        Fade(begin=5, end=5)


def test_a_swap_forgets_what_is_not_of_the_new_signal() -> None:
    shaper = Shaper(3, GAMMA)
    shaper.reset(compiled("x * y", 1.0, "progress"), [(1.0, 1.0)] * 3, (0, 1, 2))
    shaper.step([(2.0, 1.0)] * 3, (0, 1, 2))
    assert shaper.totals == [3.0]
    shaper.swap(compile_signal(Signal(), FEATURES, TEAM))
    assert shaper.step([(5.0, 1.0)] * 3, (0, 1, 2)) == [0.0, 0.0, 0.0]
    shaper.swap(compiled("x * y", 1.0, "progress"))
    assert shaper.step([(6.0, 1.0)] * 3, (0, 1, 2)) == [1.0, 1.0, 1.0]
    assert math.isclose(sum(shaper.totals), 3.0)
