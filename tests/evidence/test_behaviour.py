"""Movement, coordination and signal health, where the answer is known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from also_wrappers.evidence import Evidence, Layout, summarise
from also_wrappers.evidence.accumulate import accumulate
from also_wrappers.evidence.block import Block
from also_wrappers.evidence.recorder import Episode
from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from examples import evidence as example

FEATURES = FeatureMap(
    Feature("x", "obs[0]", "", 0.0, 10.0),
    Feature("y", "obs[1]", "", 0.0, 10.0),
    Feature("goal0_distance", "obs[2]"),
    Feature("goal1_distance", "obs[3]"),
)
LAYOUT = Layout.declare(("a", "b"), FEATURES, ((3,), (3,)))
PAID = Signal(terms=(Term(name="go", kind="bonus", expression="x", weight=1.0),))


def seen(
    paths: list[list[tuple[float, float]]],
    actions: list[list[int]] | None = None,
    goals: tuple[tuple[float, float], tuple[float, float]] = ((0, 0), (9, 9)),
    returns: list[tuple[float, float]] | None = None,
    signal: Signal | None = None,
    invalid: float = 0.0,
) -> Evidence:
    """The evidence of an episode along given paths, one per agent; played 20 times.

    ``returns`` are base and shaped return of each time it is played.
    """
    places = np.array(paths, dtype=float).transpose(1, 0, 2)
    near = [np.abs(places - np.array(goal)).sum(axis=2) for goal in goals]
    rows = np.concatenate([places, np.stack(near, axis=2)], axis=2)
    length = len(rows) - 1
    chosen = np.zeros((length, 2, 1))
    if actions is not None:
        chosen[:, :, 0] = np.array(actions).T
    values = LAYOUT.empty()
    block = Block.empty(LAYOUT)
    for k, (base, shaped) in enumerate(returns or [(0.0, 0.0)] * 20):
        rewards = np.zeros((length, 2))
        rewards[-1] = base
        alive = np.ones((length + 1, 2), dtype=bool)
        paid = [shaped - base] if signal else None
        episode = Episode(
            base,
            shaped,
            length,
            False,
            True,
            rows,
            rewards,
            chosen,
            alive,
            paid,
            [invalid],
        )
        block.append(episode, episode.numbers(k))
    accumulate(LAYOUT, values, block, [])
    return summarise(LAYOUT, values, signal or Signal())


LINE = [(float(k), 0.0) for k in range(9)]
OTHER = [(float(k), 5.0) for k in range(9)]
STANDS = [(4.0, 4.0)] * 9
DITHERS = [(float(k % 2), 0.0) for k in range(9)]


def test_going_standing_and_dithering() -> None:
    values = seen([LINE, STANDS]).values
    assert values["a.move.coverage"] == 1.0
    assert values["b.move.coverage"] == pytest.approx(1 / 9)
    assert (values["a.action.idle_share"], values["b.action.idle_share"]) == (0.0, 1.0)
    values = seen([DITHERS, LINE]).values
    assert values["a.move.back_share"] == 1.0
    assert values["a.move.coverage"] == pytest.approx(2 / 9)
    assert values["b.move.back_share"] == 0.0


def test_redundancy_and_coverage_of_the_team() -> None:
    apart, together = seen([LINE, OTHER]).values, seen([LINE, LINE]).values
    assert apart["team.redundancy"] == 0.0
    assert apart["team.coverage"] == 1.0
    assert together["team.redundancy"] == 0.5
    assert together["team.coverage"] == 0.5
    assert apart["team.cells"] == pytest.approx(18, abs=0.5)


def test_crowding_and_roles() -> None:
    """One target each; then both to the same one; then both to either, together."""
    first, second = [(1.0, 0.0)] * 9, [(8.0, 9.0)] * 9
    roles = seen([first, second]).values
    assert roles["team.target.crowding"] == 0.0
    assert roles["team.target.specialisation"] == pytest.approx(1.0)
    crowd = seen([first, first]).values
    assert crowd["team.target.crowding"] == 1.0
    assert crowd["team.target.specialisation"] == 0.0
    both = first[:5] + second[:4]
    values = seen([both, both]).values
    assert values["team.target.crowding"] == 1.0
    assert values["team.target.specialisation"] == 0.0


def test_how_alike_agents_act() -> None:
    alike = seen([LINE, LINE], [[0, 1] * 4, [0, 1] * 4]).values
    assert alike["team.action.same_share"] == 1.0
    assert alike["team.action.specialisation"] == 0.0
    assert alike["a.action.switch_rate"] == 1.0
    roles = seen([LINE, LINE], [[0] * 8, [2] * 8]).values
    assert roles["team.action.same_share"] == 0.0
    assert roles["team.action.specialisation"] == pytest.approx(1.0)
    assert roles["a.action.entropy"] == 0.0
    assert roles["feature.x.alike"] == pytest.approx(1.0)
    turned = [(8.0 - x, y) for x, y in LINE]
    assert seen([LINE, turned]).values["feature.x.alike"] == pytest.approx(-1.0)


def test_hacking_is_shaped_up_and_base_down() -> None:
    random = np.random.default_rng(0)
    noise = random.normal(0.0, 0.02, 30)
    falls = [(1.0 - 0.03 * k + noise[k], 1.0 + 0.1 * k) for k in range(30)]
    rises = [(0.03 * k + noise[k], 1.0 + 0.1 * k) for k in range(30)]
    for returns, hacked in ((falls, 1.0), (rises, 0.0)):
        values = seen([LINE, LINE], returns=returns, signal=PAID).values
        assert values["signal.hacking"] == hacked
        assert values["signal.shaped_late"] > 2.0
        assert (values["team.base_return.late"] < 0.0) == bool(hacked)
        assert (values["signal.correlation"] < 0.0) == bool(hacked)


def test_flooding_and_terms_that_are_off() -> None:
    returns = [(0.0, 3.0)] * 10 + [(1.0, 4.0)] * 10
    found = seen([LINE, LINE], returns=returns, signal=PAID, invalid=150.0)
    assert found.values["signal.flooding"] == pytest.approx(3.0)
    assert found.values["term.go.share"] == 1.0
    assert found.values["term.go.off"] == 1.0
    assert found.values["term.go.invalid"] == 150.0
    unpaid = seen([LINE, LINE], returns=[(0.0, 1.0)] * 20, signal=PAID)
    assert unpaid.unavailable["signal.flooding"] == "no reward was seen"
    assert seen([LINE, LINE], signal=PAID).values["term.go.off"] == 0.0


@pytest.mark.parametrize("name", ["foraging", "spread"])
def test_policies_are_told_apart_on_real_environments(name: str) -> None:
    make_env, make_features, crowd = example.ENVIRONMENTS[name]
    features = make_features(make_env())

    def stay(observations: Any) -> dict[str, int]:
        return dict.fromkeys(observations, 0)

    def told(policy: Any, noise: float) -> dict[str, float]:
        return example.watch(make_env, features, policy, 60, noise).values

    chance, idle, crowding = told(stay, 1.0), told(stay, 0.0), told(crowd, 0.1)
    for agent in ("agent_0", "agent_1"):
        assert chance[f"{agent}.action.entropy"] > 0.98
        assert idle[f"{agent}.action.entropy"] == 0.0
        assert idle[f"{agent}.action.switch_rate"] == 0.0
        assert idle[f"{agent}.action.idle_share"] > 0.8
        assert chance[f"{agent}.action.switch_rate"] > 0.7
        assert chance[f"{agent}.move.coverage"] > 4 * idle[f"{agent}.move.coverage"]
        assert crowding[f"{agent}.action.entropy"] < chance[f"{agent}.action.entropy"]
    crowded = crowding["team.target.crowding"]
    assert crowded > 1.15 * chance["team.target.crowding"]
    assert crowded > 1.15 * idle["team.target.crowding"]


@pytest.mark.slow
def test_the_example_prints_and_draws(tmp_path: Path) -> None:
    result = subprocess.run(
        [
            sys.executable,
            str(example.__file__),
            "--env",
            "spread",
            "--smoke",
            "--run-dir",
            tmp_path,
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    for name in ("random", "idle", "crowding", "trained"):
        assert f"=== spread, {name}" in result.stdout
        assert (tmp_path / f"spread_{name}.png").stat().st_size > 10_000
