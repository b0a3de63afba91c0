"""Figures of how the world of an agent moves: whose they are, and why they miss."""

from __future__ import annotations

import pytest

from also_wrappers.evidence import MEANINGS, Layout, summarise
from also_wrappers.evidence.meanings import pattern_of
from also_wrappers.evidence.numbers.stationarity import expert_figures, policy_figures
from also_wrappers.signal import Signal
from also_wrappers.trainer import Imitated
from tests.support.scalars import add_scalars

AGENTS = ("a", "b")
PLAYED = {"return": 0.8, "error": 0.04, "spread": 0.4, "coverage": 0.9}
LAYOUT = Layout(AGENTS, ("x",), ((3,), (3,)), (0,))


def test_every_figure_has_a_meaning() -> None:
    figures = policy_figures(AGENTS, [0.1, 0.2], 0.3)
    figures |= expert_figures(AGENTS, PLAYED, [Imitated(1.0, (1, 1), (0.5, 1.0))])
    assert all(pattern_of(key) in MEANINGS for key in figures)
    assert len(figures) == 10
    team = policy_figures(AGENTS, [0.1], None)
    assert [pattern_of(key) for key in team] == ["*.policy_drift"]


def test_the_distance_is_a_mean_over_the_states_of_the_window() -> None:
    window = [Imitated(1.0, (10, 0), (1.0, 0.0)), Imitated(0.5, (30, 0), (29.0, 0.0))]
    figures = expert_figures(AGENTS, PLAYED, window)
    assert figures["a.expert.distance"] == pytest.approx(0.25)
    assert figures["b.expert.distance"] == "nothing was imitated in the window"
    assert figures["expert.pull"] == 0.5
    together = expert_figures(AGENTS, PLAYED, [Imitated(1.0, (10,), (4.0,))])
    assert together["team.expert.distance"] == pytest.approx(0.6)


def test_what_is_not_known_of_an_expert_is_unavailable_with_the_reason() -> None:
    values = LAYOUT.empty()
    add_scalars(values, [("episodes", 40.0)])
    figures = expert_figures(AGENTS, {}, [])
    evidence = summarise(LAYOUT, values, Signal(), figures=figures)
    assert evidence.unavailable["expert.return"] == "the expert has not played"
    assert evidence.unavailable["expert.pull"] == "nothing was imitated in the window"
    assert not any(key.startswith("expert.") for key in evidence.values)


def test_experts_are_told_before_the_agents() -> None:
    values = LAYOUT.empty()
    add_scalars(values, [("episodes", 40.0)])
    figures = expert_figures(AGENTS, PLAYED, [Imitated(1.0, (1, 1), (0.5, 1.0))])
    figures |= policy_figures(AGENTS, [0.1, 0.2], None)
    lines = summarise(LAYOUT, values, Signal(), figures=figures).text().splitlines()
    first = [line.partition(" = ")[0] for line in lines]
    assert first.index("expert.return") < first.index("a.expert.distance")
    assert "a.policy_drift = 0.1" in lines
    assert "expert.return = 0.8 (what the expert earns by itself, per agent)" in lines
