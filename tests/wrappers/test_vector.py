"""``ShapeRewardVector`` against single wrappers, one per sub-environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cloudpickle
import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import (
    DictInfoToList,
    RecordEpisodeStatistics,
    VectorizeTransformReward,
)

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.evidence import summarise
from also_wrappers.exceptions import ConfigurationError, FeatureError
from also_wrappers.signal import Fade, Feature, FeatureMap, Signal, Term
from also_wrappers.testing.rollouts import alike
from also_wrappers.wrappers import ShapeReward, ShapeRewardVector

FEATURES = FeatureMap(
    Feature("x", "obs[0]"), Feature("angle", "obs[2]"), Feature("push", "action")
)
CONDITIONS = {"tilted": "abs(angle) > 0.15"}
SUCCESS = "episode_length > 15"
COPIES = 3


def term(name: str, kind: Any, expression: str) -> Term:
    return Term(name=name, kind=kind, expression=expression, weight=0.5)


FIRST = Signal(
    terms=(
        term("upright", "potential", "-abs(angle)"),
        term("middle", "progress", "-x ** 2"),
        term("calm", "bonus", "where(push > 0.5, 0.1, delta(angle))"),
    )
)
SECOND = Signal(terms=(term("other", "progress", "angle + 1 / (x + 1)"),))


def cart() -> gym.Env[Any, Any]:
    return gym.make("CartPole-v1", max_episode_steps=25)


def posting(signal: Signal, version: int, strength: float = 1.0) -> Posting:
    return Posting(version=version, signal=signal, gamma=0.9, strength=strength)


POSTS = {20: posting(SECOND, 2), 40: posting(SECOND, 3, 0.5), 60: posting(FIRST, 4)}


def script() -> Any:
    return np.random.default_rng(0).integers(2, size=(90, COPIES))


def play_vector(
    env: Any, board: Board | None, mode: AutoresetMode
) -> list[list[tuple[float, Any]]]:
    """What every sub-environment is paid and told, but for steps that only reset."""
    env = DictInfoToList(env)
    env.reset(seed=0)
    steps: list[list[tuple[float, Any]]] = [[] for _ in range(COPIES)]
    filler = np.zeros(COPIES, dtype=bool)
    for t, actions in enumerate(script()):
        if board is not None and t in POSTS:
            board.post(POSTS[t])
        _, rewards, ended, cut, infos = env.step(actions)
        over = ended | cut
        for k in np.flatnonzero(~filler).tolist():
            final = mode == AutoresetMode.SAME_STEP and over[k]
            info = infos[k]["final_info"] if final else infos[k]
            steps[k].append((float(rewards[k]), info["shaping"]))
        filler = over & (mode == AutoresetMode.NEXT_STEP)
        if mode == AutoresetMode.DISABLED and over.any():
            env.reset(options={"reset_mask": over})
    return steps


def play_single(
    env: Any, k: int, board: Board | None, mode: AutoresetMode
) -> list[tuple[float, Any]]:
    env.reset(seed=k)
    steps = []
    over = False
    for t, actions in enumerate(script()):
        if board is not None and t in POSTS:
            board.post(POSTS[t])
        if over:
            env.reset()
            if mode == AutoresetMode.NEXT_STEP:
                over = False
                continue
        _, reward, ended, cut, info = env.step(int(actions[k]))
        over = ended or cut
        steps.append((float(reward), info["shaping"]))
        if over and mode != AutoresetMode.NEXT_STEP:
            env.reset()
            over = False
    return steps


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("live", [False, True])
def test_it_equals_stacked_singles(
    mode: AutoresetMode, live: bool, tmp_path: Path
) -> None:
    """What is paid and told, across swaps that copies take at resets of their own."""

    def arguments(name: str) -> dict[str, Any]:
        if not live:
            return {"signal": FIRST, "gamma": 0.9, "fade": Fade(begin=10, end=80)}
        board = Board.create(tmp_path / name, posting(FIRST, 1))
        return {"board": board, "conditions": CONDITIONS, "success": SUCCESS}

    together = arguments("together")
    board = together.get("board")
    vector = SyncVectorEnv([cart] * COPIES, autoreset_mode=mode)
    steps = play_vector(ShapeRewardVector(vector, FEATURES, **together), board, mode)
    apart = arguments("apart")
    for k in range(COPIES):
        alone = apart.get("board")
        if alone is not None:
            alone.post(posting(FIRST, 1))
        env = ShapeReward(cart(), FEATURES, **apart)
        assert alike(steps[k], play_single(env, k, alone, mode))
    if board is None:
        return
    one, other = board.collect(CONDITIONS), apart["board"].collect(CONDITIONS)
    assert one.copies == other.copies == COPIES
    stories = [
        summarise(c.layout, c.values, FIRST, CONDITIONS, has_success=True).values
        for c in (one, other)
    ]
    assert stories[0] == pytest.approx(stories[1], abs=1e-9)
    assert stories[0]["condition.tilted.rate"] > 0.0
    assert 0.0 < stories[0]["team.success_rate"] < 1.0
    assert len(one.episodes) == 4


def fits(ours: Any, theirs: Any, mask: Any = True) -> bool:
    """Whether vector infos are those of Gymnasium, wherever a mask shows them."""
    if isinstance(theirs, dict):
        return all(
            np.array_equal(ours[f"_{name}"], theirs[f"_{name}"])
            and fits(ours[name], theirs[name], theirs[f"_{name}"])
            for name in theirs
            if not name.startswith("_")
        )
    shown, expected = ours[mask].tolist(), theirs[mask].tolist()
    return ours.dtype == theirs.dtype and alike(shown, expected)


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("signal", [FIRST, Signal()])
def test_infos_have_the_form_that_gymnasium_gives_to_wrapped_singles(
    mode: AutoresetMode, signal: Signal
) -> None:
    singles = [lambda: ShapeReward(cart(), FEATURES, signal, gamma=0.9)] * COPIES
    theirs: Any = SyncVectorEnv(singles, autoreset_mode=mode)
    vector = SyncVectorEnv([cart] * COPIES, autoreset_mode=mode)
    ours: Any = ShapeRewardVector(vector, FEATURES, signal, gamma=0.9)
    ours.reset(seed=0)
    theirs.reset(seed=0)
    ends = 0
    for actions in script():
        _, _, ended, cut, infos = ours.step(actions)
        expected = theirs.step(actions)[4]
        assert infos["shaping"].keys() >= {"base", "_base", "total", "signal"}
        assert not np.any(infos["_shaping"] & ~infos["shaping"]["_base"])
        shown = [name for name in infos if name[0] != "_" and infos[f"_{name}"].any()]
        assert set(shown) == {name for name in expected if name[0] != "_"}
        assert fits(infos, {name: expected[name] for name in expected})
        ends += int((ended | cut).sum())
        if mode == AutoresetMode.DISABLED and (ended | cut).any():
            for env in (ours, theirs):
                env.reset(options={"reset_mask": ended | cut})
    assert ends > 5


@pytest.mark.parametrize("mode", list(AutoresetMode)[:2])
def test_gymnasium_turns_infos_into_lists_and_records_statistics(
    mode: AutoresetMode,
) -> None:
    carts = SyncVectorEnv([cart] * COPIES, autoreset_mode=mode)
    shaped = ShapeRewardVector(carts, FEATURES, FIRST)
    env: Any = DictInfoToList(RecordEpisodeStatistics(shaped))
    env.reset(seed=0)
    returns = [0.0] * COPIES
    ends = 0
    for actions in script():
        _, rewards, ended, cut, infos = env.step(actions)
        for k, info in enumerate(infos):
            final = mode == AutoresetMode.SAME_STEP and (ended | cut)[k]
            shaping = info["final_info"]["shaping"] if final else info.get("shaping")
            if shaping is None:  # the step only resets
                continue
            assert shaping["total"] == rewards[k]
            returns[k] += shaping["total"]
            if (ended | cut)[k]:
                assert info["episode"]["r"] == pytest.approx(returns[k])
                paid = info["episode"]["r"] - info["episode"]["l"]
                assert sum(shaping["terms"].values()) == pytest.approx(paid)
                returns[k] = 0.0
                ends += 1
    assert ends > 5


@pytest.mark.parametrize("signal", [FIRST, Signal()])
def test_who_writes_to_the_rewards_does_not_change_what_is_told(signal: Signal) -> None:
    """Gymnasium's ``VectorizeTransformReward`` does so."""
    shaped = ShapeRewardVector(SyncVectorEnv([cart] * COPIES), FEATURES, signal)
    env: Any = VectorizeTransformReward(
        shaped, gym.wrappers.TransformReward, func=lambda reward: -reward
    )
    env.reset(seed=0)
    for actions in script()[:5]:
        _, rewards, _, _, infos = env.step(actions)
        shaping = infos["shaping"]
        np.testing.assert_array_equal(shaping["base"], 1.0)
        np.testing.assert_array_equal(shaping["total"], -rewards)
    with pytest.raises(ValueError, match="read-only"):
        shaping["_base"][:] = False


def test_the_empty_signal_changes_nothing(tmp_path: Path) -> None:
    board = Board.create(tmp_path / "board", posting(Signal(), 1))
    bare = SyncVectorEnv([cart] * COPIES)
    wrapped = [
        ShapeRewardVector(SyncVectorEnv([cart] * COPIES), FEATURES, **arguments)
        for arguments in ({"signal": Signal()}, {"board": board})
    ]
    for env in (bare, *wrapped):
        env.reset(seed=0)
    for actions in script():
        expected = bare.step(actions)
        for env in wrapped:
            for ours, theirs in zip(env.step(actions)[:4], expected[:4], strict=True):
                assert ours.dtype == theirs.dtype
                np.testing.assert_array_equal(ours, theirs)


def test_a_swap_in_the_middle_begins_potentials_anew(tmp_path: Path) -> None:
    board = Board.create(tmp_path / "board", posting(FIRST, 1))
    vector = ShapeRewardVector(
        SyncVectorEnv([cart] * COPIES), FEATURES, board=board, swap_at="step"
    )
    single_board = Board.create(tmp_path / "single", posting(FIRST, 1))
    single = ShapeReward(cart(), FEATURES, board=single_board, swap_at="step")
    vector.reset(seed=0)
    single.reset(seed=0)
    for t in range(8):
        if t == 4:
            board.post(posting(SECOND, 2))
            single_board.post(posting(SECOND, 2))
        together = vector.step(np.array([0, 1, 0]))
        alone = single.step(0)
        assert together[1][0] == pytest.approx(alone[1])
    assert alone[4]["shaping"]["signal"] == SECOND.id
    assert vector.shaped.signal_of(0) == SECOND


def test_invalid_values_are_counted_per_environment(tmp_path: Path) -> None:
    features = FeatureMap(Feature("x", lambda view: view.observation[0] * np.nan))
    board = Board.create(tmp_path / "board", posting(Signal(), 1))
    env = ShapeRewardVector(SyncVectorEnv([cart] * 2), features, board=board)
    env.reset(seed=0)
    bad = Signal(terms=(term("bad", "bonus", "x"), term("good", "bonus", "1 + 0 * 1")))
    board.post(posting(bad, 2))
    env.reset(seed=0)
    paid = [env.step(np.array([0, 1]))[1] for _ in range(5)]
    np.testing.assert_allclose(paid, 1.5)
    shaper = env.shaped._shapers[0][0]
    assert shaper.values.invalid.tolist() == [[5, 5], [0, 0]]


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("most", [3, 11, 30])
def test_terms_are_switched_off_where_singles_switch_them_off(
    mode: AutoresetMode, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First states count, and a step that only resets does not count twice."""
    monkeypatch.setattr("also_wrappers.signal.shaper.MOST_INVALID", most)
    monkeypatch.setattr("also_wrappers.signal.values.MOST_INVALID", most)
    signal = Signal(
        terms=(
            term("p", "potential", "1 + sqrt(speed)"),
            term("q", "progress", "3 + sqrt(0 - speed)"),
            term("b", "bonus", "sqrt(1000 * delta(speed))"),
        )
    )
    features = FeatureMap(Feature("speed", "obs[3]"))
    vector = SyncVectorEnv([cart] * COPIES, autoreset_mode=mode)
    env = ShapeRewardVector(vector, features, signal, gamma=0.9)
    steps = play_vector(env, None, mode)
    for k in range(COPIES):
        single = ShapeReward(cart(), features, signal, gamma=0.9)
        assert alike(steps[k], play_single(single, k, None, mode))


def test_features_that_do_not_fit_are_refused() -> None:
    carts = SyncVectorEnv([cart] * 2)
    with pytest.raises(ConfigurationError, match="put ShapeReward around each"):
        ShapeRewardVector(carts, FeatureMap(Feature("s", "state[0]")), Signal())
    env = ShapeRewardVector(carts, FeatureMap(Feature("far", "obs[9]")), Signal())
    with pytest.raises(FeatureError, match=r"'far' \(obs\[9\]\).* shape \(4,\)"):
        env.reset(seed=0)


def test_a_copy_goes_on_by_itself(tmp_path: Path) -> None:
    board = Board.create(tmp_path / "board", posting(FIRST, 1))
    env = ShapeRewardVector(SyncVectorEnv([cart] * 2), FEATURES, board=board)
    env.reset(seed=0)
    shaped = cloudpickle.loads(cloudpickle.dumps(env.shaped))
    columns = np.zeros((3, 2))
    shaped.reset(columns)
    nobody = np.zeros(2, dtype=bool)
    added = shaped.step([np.zeros(2)], columns, np.zeros(2), nobody, nobody)
    np.testing.assert_array_equal(added, [0.0, 0.0])
    assert len(board.acknowledged()) == 2


def test_other_processes_and_spaces() -> None:
    class Boxed(gym.ObservationWrapper[Any, Any, Any]):
        def __init__(self, env: Any) -> None:
            super().__init__(env)
            self.observation_space = gym.spaces.Dict({"cart": env.observation_space})

        def observation(self, observation: Any) -> Any:
            return {"cart": observation}

    features = FeatureMap(Feature("angle", "obs.cart[2]"))
    signal = Signal(terms=(term("t", "progress", "angle"),))
    env = ShapeRewardVector(
        AsyncVectorEnv([lambda: Boxed(cart())] * 2), features, signal
    )
    first, _ = env.reset(seed=0)
    then, rewards, *_ = env.step(np.array([0, 1]))
    gained = 0.5 * (then["cart"][:, 2] - first["cart"][:, 2].astype(float))
    np.testing.assert_allclose(rewards, 1.0 + gained, atol=1e-7)
    env.close()
