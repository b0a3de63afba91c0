"""Many copies are recorded together: all are counted, a share is told in detail."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from also_wrappers.board.board import Board, Collected
from also_wrappers.board.posting import Posting
from also_wrappers.evidence import summarise
from also_wrappers.evidence.block import Block, detail_every
from also_wrappers.evidence.episodes import EPISODE, Episodes
from also_wrappers.evidence.numbers import SCALARS
from also_wrappers.evidence.recorder import LONGEST_SEGMENT, Recorder
from also_wrappers.evidence.statistics import Layout
from also_wrappers.evidence.vector import VectorRecorder
from also_wrappers.signal import Feature, FeatureMap, Signal
from also_wrappers.wrappers import ShapeRewardVector

COPIES = 256
CART = FeatureMap(Feature("angle", "obs[2]"), Feature("speed", "obs[3]"))
CONDITIONS = {"leans": "angle > 0.1"}


def play(path: Path) -> tuple[Collected, Episodes]:
    """What some hundred episodes of many copies leave."""
    board = Board.create(path, Posting(version=1, gamma=0.9))
    env = ShapeRewardVector(
        gym.make_vec("CartPole-v1", COPIES), CART, board=board, conditions=CONDITIONS
    )
    random = np.random.default_rng(0)
    env.reset(seed=0)
    for _ in range(120):
        env.step(random.integers(2, size=COPIES))
    collected = board.collect(CONDITIONS)
    assert collected is not None
    return collected, board.new_episodes()


def test_every_episode_is_counted_and_a_share_is_detailed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert detail_every(COPIES) == 4
    assert detail_every(127) == 1
    collected, episodes = play(tmp_path / "share")
    again, _ = play(tmp_path / "again")
    np.testing.assert_array_equal(collected.values, again.values)
    monkeypatch.setattr("also_wrappers.evidence.block._DETAILED_COPIES", COPIES)
    whole, same = play(tmp_path / "whole")
    np.testing.assert_array_equal(episodes, same)
    layout = collected.layout

    def number(of: Collected, name: str) -> float:
        return layout.scalar(of.values, name)

    assert number(collected, "episodes") == len(episodes) > 1000
    assert number(whole, "detailed") == len(episodes)
    assert 0.2 < number(collected, "detailed") / len(episodes) < 0.3
    of_behaviour = "detailed", "same_action", "together", "team_", "crowded", "targeted"
    for name in SCALARS:
        if not name.startswith(of_behaviour):
            assert number(collected, name) == pytest.approx(number(whole, name)), name
    for name in layout.blocks:
        if name.startswith(("condition_", "return_", "agent_return", "term")):
            of_share = layout.view(collected.values, name)
            np.testing.assert_allclose(of_share, layout.view(whole.values, name))


def test_the_evidence_says_how_many_episodes_it_has_in_detail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected, episodes = play(tmp_path / "share")
    monkeypatch.setattr("also_wrappers.evidence.block._DETAILED_COPIES", COPIES)
    everything, _ = play(tmp_path / "whole")
    part, whole = (
        summarise(of.layout, of.values, Signal(), CONDITIONS)
        for of in (collected, everything)
    )
    assert part.values["team.episodes"] == len(episodes)
    detailed = part.values["team.detailed"]
    assert detailed == collected.layout.scalar(collected.values, "detailed")
    assert "team.detailed" not in whole.values
    assert part.values.keys() - whole.values.keys() == {"team.detailed"}
    assert whole.values.keys() <= part.values.keys()
    for key, value in whole.values.items():
        if key.startswith(("team.", "condition.")) or key.endswith("base_return"):
            assert part.values[key] == pytest.approx(value), key
        elif key.endswith((".mean", ".share", "better", "late")):
            # Two standard errors of a difference between episodes, and some more.
            assert part.values[key] == pytest.approx(value, abs=6 / detailed**0.5), key


def test_few_episodes_in_detail_are_insufficient(tmp_path: Path) -> None:
    layout = play(tmp_path / "share")[0].layout
    values = layout.empty()
    values[list(SCALARS).index("episodes")] = 100.0
    evidence = summarise(layout, values, Signal())
    (reason,) = evidence.insufficient
    assert reason == "0 episodes in detail, at least 20 are needed"
    assert evidence.values["team.episodes"] == 100.0
    assert not any(key.startswith("feature.") for key in evidence.values)


@pytest.mark.parametrize("agents", [1, 2, 9])
def test_returns_are_those_of_a_recorder_to_the_last_digit(agents: int) -> None:
    team = tuple(f"agent_{i}" for i in range(agents))
    layout = Layout(team, ("x",), ((2,),) * agents, (0,))
    many, one = VectorRecorder(layout, None, 3), Recorder(layout)
    random = np.random.default_rng(agents)
    nothing = np.zeros((1, 0))
    columns = random.random((1, agents, 3))
    many.begin(columns, np.ones(3, dtype=bool))
    one.begin(columns[..., 1].T.tolist(), range(agents))
    lengths = [1, 7, 8, 130, LONGEST_SEGMENT]
    for length in lengths:
        for _ in range(length):
            columns = random.random((1, agents, 3))
            base, added = random.normal(size=(2, agents, 3))
            actions = random.integers(2, size=(3, agents, 1)).astype(float)
            many.step(columns, actions, base, added)
            one.step(
                columns[..., 1].T.tolist(),
                actions[1].ravel().tolist(),
                base[:, 1].tolist(),
                added[:, 1].tolist(),
                range(agents),
            )
        place = np.array([1])
        ended = many.finish(
            place, np.array([5]), np.array([True]), np.array([False]), nothing, nothing
        )
        episode = one.finish(True)
        block = Block.empty(layout)
        assert block.extend(ended, 0) == 1
        assert block.episodes[0] == np.array(episode.numbers(5), EPISODE)
        end = int(block.starts[1])
        np.testing.assert_array_equal(block.rows[:end], episode.rows)
        np.testing.assert_array_equal(block.rewards[1:end], episode.rewards)
        np.testing.assert_array_equal(block.actions[1:end], episode.actions)
        many.go_on(np.arange(3))
        one.begin(columns[..., 1].T.tolist(), range(agents))
