"""What would have been paid is what the shaper pays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.catalog import lbforaging
from also_wrappers.checks.check import Checks
from also_wrappers.checks.payments import payments
from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal import Feature, FeatureMap, Signal, Term, compile_signal
from also_wrappers.signal.shaper import Shaper
from also_wrappers.signal.transitions import Payments, Transitions
from also_wrappers.wrappers import wrap

AGENTS = ("a", "b", "c")
FEATURES = FeatureMap(Feature("x", "obs[0]"), Feature("y", "obs[1]"))
TERMS = (
    Term(name="p", kind="potential", expression="team_max(x) - y", weight=0.7),
    Term(name="q", kind="progress", expression="3 * x", weight=-1.0, bound=2.0),
    Term(name="r", kind="bonus", expression="delta(y) + 1 / x", weight=0.1),
    Term(name="s", kind="progress", expression="x * y", weight=1.0, agents=("b",)),
)


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.booleans(), st.integers(1, 8))
def test_payments_are_the_shapers(seed: int, terminated: bool, length: int) -> None:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(length + 1, 3, 2)).round(1)
    # Some agents leave before the end, for good.
    leaves = random.integers(1, 2 * length + 2, size=3)
    leaves[0] = 99
    alive = np.arange(length + 1)[:, None] <= leaves
    episode = EpisodeRows(rows, np.zeros((length, 3)), alive, 0.0, terminated, True)
    signal = Signal(terms=TERMS)
    shaper = Shaper(team=3, gamma=0.9)
    compiled = compile_signal(signal, FEATURES, AGENTS)
    shaper.reset(compiled, rows[0].tolist(), [0, 1, 2])
    expected = []
    for t in range(1, length + 1):
        there = np.flatnonzero(alive[t]).tolist()
        last = t == length
        ended = [i for i in there if (terminated if last else not alive[t + 1, i])]
        cut = [i for i in there if last and i not in ended]
        expected.append(shaper.step(rows[t].tolist(), there, ended, cut))
    paid = payments(Payments(signal, FEATURES, AGENTS), episode, gamma=0.9)
    np.testing.assert_allclose(paid, expected, rtol=1e-9, atol=1e-9)


def test_other_weights_need_no_second_parse() -> None:
    halved = Signal(
        terms=tuple(t.model_copy(update={"weight": t.weight / 2}) for t in TERMS)
    )
    random = np.random.default_rng(0)
    steps = Transitions(
        random.normal(size=(50, 2, 3, 2)),
        random.random((50, 2, 3)) < 0.8,
        random.random((50, 3)) < 0.2,
    )
    whole = Payments(Signal(terms=TERMS), FEATURES, AGENTS)
    again = whole.reweighed(halved)
    fresh = Payments(halved, FEATURES, AGENTS)
    assert again.signal == halved
    np.testing.assert_array_equal(again(steps, 0.9), fresh(steps, 0.9))
    np.testing.assert_allclose(again(steps, 0.9), whole(steps, 0.9) / 2)


def play(env: Any, board: Board, clever: bool) -> list[EpisodeRows]:
    """Episodes of foraging: at random, or with loading preferred."""
    random = np.random.default_rng(1)
    for number in range(60):
        env.reset(seed=number)
        while env.agents:
            odds = [0.1, 0.15, 0.15, 0.15, 0.15, 0.3] if clever else [1 / 6] * 6
            env.step({a: int(random.choice(6, p=odds)) for a in env.agents})
    collected = board.collect()
    assert collected is not None
    return collected.episodes


@pytest.mark.parametrize("clever", [False, True])
def test_good_signals_of_a_real_environment_pass(tmp_path: Path, clever: bool) -> None:
    episodes = []
    for copy in range(4):
        board = Board.create(tmp_path / str(copy), Posting(gamma=0.99))
        env: Any = lbforaging.parallel_env("Foraging-5x5-2p-2f-v3")
        features = lbforaging.features(env)
        episodes += play(wrap(env, features, board=board), board, clever)
    agents = ("player_0", "player_1")
    checks = Checks(features, agents, episodes, scale=1.0, gamma=0.99)
    recorded = Path(__file__).parent.parent / "recorded"
    for path in sorted(recorded.glob("lbf*.json")):
        terms = json.loads(path.read_text())["terms"]
        signal = Signal(
            terms=tuple(Term(name=f"t{k}", **term) for k, term in enumerate(terms))
        )
        admitted, remark = checks.check(Proposal(signal=signal), [])
        assert admitted is not None, f"{path.stem}: {remark}"
