"""The wrappers: they change rewards as the signal says, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from pettingzoo.utils import BaseParallelWrapper

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.catalog import lbforaging
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal import Fade, Feature, FeatureMap, Signal, Term
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.wrappers import ShapeRewardParallel, TupleParallelEnv, wrap

CORRIDOR = corridor_features()
TEAM = Signal(
    terms=(
        Term(
            name="near",
            kind="potential",
            expression="team_min(place) - mate_place",
            weight=0.7,
        ),
        Term(
            name="go", kind="bonus", expression="(move == 2) * delta(place)", weight=2.0
        ),
    )
)


def foraging() -> TupleParallelEnv:
    return lbforaging.parallel_env("Foraging-8x8-2p-2f-coop-v3")


FORAGING = lbforaging.features(foraging())


def test_info_tells_base_and_total_and_the_terms_at_the_end() -> None:
    env = ShapeRewardParallel(Corridor(), CORRIDOR, TEAM)
    env.reset(seed=0)
    infos: dict[str, Any] = {}
    base = 0.0
    while env.agents:
        _, rewards, _, _, infos = env.step(dict.fromkeys(env.agents, 2))
        shaping = infos["agent_0"]["shaping"]
        assert shaping["total"] == pytest.approx(rewards["agent_0"])
        base += shaping["base"]
    assert base == 1.0
    assert set(shaping["terms"]) == {"near", "go"}


def test_attributes_and_state_are_reached_through_the_wrapper() -> None:
    features = FeatureMap(Feature("other", "state[1]"))
    signal = Signal(
        terms=(Term(name="s", kind="progress", expression="other", weight=1.0),)
    )
    env = ShapeRewardParallel(Corridor(), features, signal)
    assert env.metadata["name"] == "corridor_v0"
    env.reset(seed=0)
    _, rewards, *_ = env.step({"agent_0": 0, "agent_1": 2})
    assert rewards == {
        "agent_0": pytest.approx(0.2),
        "agent_1": pytest.approx(0.2),
    }


class Numbered(BaseParallelWrapper):
    """The corridor with numbers for names."""

    def __init__(self) -> None:
        super().__init__(Corridor())
        self.possible_agents = [0, 1]

    @property
    def agents(self) -> list[int]:
        return [int(agent[-1]) for agent in self.env.agents]

    def action_space(self, agent: int) -> Any:
        return self.env.action_space(f"agent_{agent}")

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        return tuple(self._numbered(part) for part in self.env.reset(seed, options))

    def step(self, actions: Any) -> Any:
        named = {f"agent_{agent}": action for agent, action in actions.items()}
        return tuple(self._numbered(part) for part in self.env.step(named))

    @staticmethod
    def _numbered(part: Any) -> Any:
        return {int(agent[-1]): value for agent, value in part.items()}


def test_agents_may_be_called_anything() -> None:
    only = Term(
        name="on", kind="progress", expression="place", weight=5.0, agents=("1",)
    )
    env: Any = ShapeRewardParallel(Numbered(), CORRIDOR, Signal(terms=(only,)))
    env.reset(seed=0)
    _, rewards, *_ = env.step({0: 2, 1: 2})
    assert rewards == {0: 0.0, 1: pytest.approx(1.0)}


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"either signal= .* or board="):
        ShapeRewardParallel(Corridor(), CORRIDOR)
    with pytest.raises(ConfigurationError, match="neither a Gymnasium"):
        wrap(object(), CORRIDOR, signal=Signal())
    with pytest.raises(ConfigurationError, match="TupleParallelEnv"):
        wrap(foraging().env, FORAGING, signal=Signal())
    with pytest.raises(ConfigurationError, match="tuple observation and action spaces"):
        TupleParallelEnv(gym.make("CartPole-v1"), time_limit=10)
    with pytest.raises(ConfigurationError, match=r"give Adaptation .* fade_out="):
        ShapeRewardParallel(
            Corridor(),
            CORRIDOR,
            board=Board.create(tmp_path / "board"),
            fade=Fade(begin=0, end=1),
        )
    late: Any = "later"
    with pytest.raises(ConfigurationError, match="'reset' or 'step', not 'later'"):
        ShapeRewardParallel(Corridor(), CORRIDOR, TEAM, swap_at=late)


def play(env: Any, steps: int) -> list[float]:
    """What agent_0 is paid for going on and back."""
    paid = []
    for t in range(steps):
        moves = dict.fromkeys(env.agents, 2 if t % 3 else 1)
        paid.append(env.step(moves)[1]["agent_0"])
    return paid


def test_a_fade_is_fixed_at_the_reset() -> None:
    go = Signal(
        terms=(Term(name="go", kind="progress", expression="place", weight=1.0),)
    )
    full = ShapeRewardParallel(Corridor(30, limit=10), CORRIDOR, go)
    fading = ShapeRewardParallel(
        Corridor(30, limit=10), CORRIDOR, go, fade=Fade(begin=10, end=30)
    )
    for expected in (1.0, 1.0, 0.5, 0.0, 0.0):
        full.reset(seed=0)
        fading.reset(seed=0)
        whole = play(full, 10)
        assert play(fading, 10) == pytest.approx([expected * paid for paid in whole])
        assert any(whole)


def test_a_swap_can_be_taken_in_the_middle_of_an_episode(tmp_path: Path) -> None:
    go = Term(name="go", kind="potential", expression="place", weight=1.0)
    back = Term(name="back", kind="potential", expression="-place", weight=2.0)
    posting = Posting(version=1, signal=Signal(terms=(go,)), gamma=0.9)
    board = Board.create(tmp_path / "board", posting)
    env = ShapeRewardParallel(
        Corridor(30, limit=12), CORRIDOR, board=board, swap_at="step"
    )
    first, _ = env.reset(seed=0)
    places = [float(first["agent_0"][0])]
    paid = []
    for t in range(12):
        if t == 5:
            signal = Signal(terms=(back,))
            board.post(Posting(version=2, signal=signal, gamma=0.9))
        observations, rewards, _, _, infos = env.step({"agent_0": 2, "agent_1": 0})
        places.append(float(observations["agent_0"][0]))
        paid.append(rewards["agent_0"])
        assert infos["agent_0"]["shaping"]["signal"] == env.shaped.signal.id
    gained = [
        (1.0 if t < 5 else -2.0) * (0.9 * places[t + 1] - places[t]) for t in range(12)
    ]
    assert paid == pytest.approx(gained)
    assert set(infos["agent_0"]["shaping"]["terms"]) == {"back"}
    ends = board.new_episodes()
    assert ends["length"].tolist() == [5, 7]  # one episode, cut where it was swapped
    board.begin_window()
    assert board.collect() is None
