"""Checks what every wrapper must pass, around any environment.

Run these checks on your own environment, in the manner of ``pettingzoo.test``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import pickle
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import gymnasium as gym
from gymnasium.utils.env_checker import check_env
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.test import api_test, parallel_api_test

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.model import Signal
from also_wrappers.testing.interfaces import check_same_rewards, check_vector
from also_wrappers.testing.potentials import check_potentials
from also_wrappers.testing.rollouts import equal, rollout
from also_wrappers.wrappers import wrap

__all__ = [
    "check_api",
    "check_copies",
    "check_deterministic",
    "check_identity",
    "check_swap",
    "check_wrapped",
]

MakeEnv = Callable[[], Any]


def check_wrapped(
    make_env: MakeEnv, features: FeatureMap, signal: Signal, steps: int = 120
) -> tuple[str, ...]:
    """Checks the whole contract of the wrapper, around one environment.

    Args:
        make_env: Makes a Gymnasium environment or a PettingZoo one of either form.
        features: The vocabulary.
        signal: Any signal over the vocabulary.
        steps: Number of steps to play in each check.

    Returns:
        A line for each check that was made, and for each that was not, with the reason.

    Raises:
        AssertionError: A check failed; the message says what does not hold.

    Example:
        >>> from also_wrappers.signal import Term
        >>> from also_wrappers.testing import Corridor, corridor_features
        >>> go = Term(name="go", kind="progress", expression="place", weight=1.0)
        >>> signal = Signal(terms=(go,))
        >>> checked = check_wrapped(Corridor, corridor_features(), signal, steps=30)
        >>> checked[0]
        'the empty signal changes nothing, bit for bit'
    """

    def shaped(env: Any) -> Any:
        return wrap(env, features, signal=signal)

    def make_shaped() -> Any:
        return shaped(make_env())

    check_identity(make_env, lambda env: wrap(env, features, signal=Signal()), steps)
    checked = ["the empty signal changes nothing, bit for bit"]
    check_api(make_shaped)
    checked.append("the libraries' own checks pass with the wrapper")
    check_deterministic(make_shaped, steps)
    checked.append("the seed, and nothing else, decides how episodes go")
    copies = check_copies(make_shaped, steps)
    checked += [f"copies go on as the original does: {how}" for how in copies]
    check_swap(make_env, features, signal, steps)
    checked.append("a posted signal reaches every copy at its next reset")
    check_potentials(make_env, features, steps)
    checked.append("potentials sum up to their closed form for every agent")
    if isinstance(make_env(), AECEnv):
        return *checked, "not checked: other interfaces, as the environment is AEC"
    check_same_rewards(make_env, shaped, steps)
    checked.append("AEC, parallel and single interfaces pay and tell the same")
    if isinstance(make_env(), gym.Env):
        check_vector(make_env, shaped, steps)
        checked.append("vectors pay and tell the same, in every autoreset mode")
    return tuple(checked)


def check_identity(
    make_env: MakeEnv, wrap: Callable[[Any], Any], steps: int = 120
) -> None:
    """Checks that the empty signal changes nothing, bit for bit, in whole episodes.

    Args:
        make_env: Makes a Gymnasium environment or a PettingZoo one of either form.
        wrap: Puts the wrapper on, with ``Signal()``.
        steps: Number of steps to play with each of three seeds.

    Raises:
        AssertionError: A wrapped environment returned something else than a bare one,
            or the bare environment does not repeat itself with the same seed.

    Example:
        >>> from also_wrappers.testing import Corridor
        >>> check_identity(Corridor, lambda env: env, steps=30)
    """
    for seed in range(3):
        bare, again, wrapped = (
            rollout(env, seed, steps)
            for env in (make_env(), make_env(), wrap(make_env()))
        )
        assert equal(bare, again), (
            f"the environment ignores its seed: two rollouts of make_env() with seed "
            f"{seed}, without any wrapper, differ; draw all its random numbers from a "
            "generator that reset(seed=...) seeds"
        )
        for t, (one, other) in enumerate(zip(bare, wrapped, strict=True)):
            assert equal(one, other), f"seed {seed}, step {t}: {one} became {other}"


def check_deterministic(make_env: MakeEnv, steps: int = 120) -> None:
    """Checks that a seed, and nothing else, decides how episodes go.

    Args:
        make_env: Makes a Gymnasium environment or a PettingZoo one of either form.
        steps: Number of steps to play.

    Raises:
        AssertionError: Two rollouts with one seed differ, or two rollouts with two
            seeds do not.

    Example:
        >>> from also_wrappers.testing import Corridor
        >>> check_deterministic(Corridor, steps=30)
    """
    first, again, other = (rollout(make_env(), seed, steps) for seed in (7, 7, 8))
    assert equal(first, again), "two rollouts with one seed differ"
    assert not equal(first, other), "the seed has no effect"


def check_api(make_env: MakeEnv, cycles: int = 100) -> None:
    """Runs the libraries' own checks: Gymnasium's and SB3's, or PettingZoo's.

    Args:
        make_env: Makes a wrapped environment.
        cycles: Number of cycles that PettingZoo's tests play.

    Raises:
        AssertionError: A check failed; other errors of the libraries pass through.

    Example:
        >>> from also_wrappers.testing import Corridor
        >>> check_api(Corridor)
    """
    env = make_env()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the checks warn of matters of taste
        if isinstance(env, ParallelEnv):
            parallel_api_test(env, cycles)
        elif isinstance(env, AECEnv):
            api_test(env, cycles)
        else:
            check_env(env, skip_render_check=True)
            if importlib.util.find_spec("stable_baselines3") is not None:
                from stable_baselines3.common.env_checker import check_env as sb3_check

                sb3_check(make_env())


def check_copies(make_env: MakeEnv, steps: int = 120) -> tuple[str, ...]:
    """Checks that copies of an environment go on as the original does.

    Copies are made by pickle, by cloudpickle and from the spec. A way that the bare
    environment does not support is left out. So is pickle where a feature is a lambda,
    which cloudpickle, and so Stable-Baselines3, can copy.

    Args:
        make_env: Makes a wrapped environment.
        steps: Number of steps to play.

    Returns:
        The ways in which copies were made.

    Raises:
        AssertionError: A copy returned something else than the original.

    Example:
        >>> import gymnasium as gym
        >>> check_copies(lambda: gym.make("CartPole-v1"), steps=30)
        ('pickle', 'cloudpickle', 'the spec')
    """
    expected = rollout(make_env(), 5, steps)
    env = make_env()
    copies: dict[str, Any] = {}
    for name, library in (("pickle", pickle), ("cloudpickle", cloudpickle)):
        try:
            library.dumps(env.unwrapped)
        except (pickle.PicklingError, AttributeError, TypeError):
            continue
        try:
            copied = library.dumps(env)
        except (pickle.PicklingError, AttributeError, TypeError):
            if library is cloudpickle:
                raise
            continue
        copies[name] = library.loads(copied)
    spec = getattr(env, "spec", None)
    if isinstance(env, gym.Env) and spec is not None:
        copies["the spec"] = gym.make(spec)
    for name, copy in copies.items():
        assert type(copy) is type(env), f"{name} made a {type(copy).__name__}"
        assert equal(rollout(copy, 5, steps), expected), f"a copy by {name} differs"
    return tuple(copies)


def check_swap(
    make_env: MakeEnv, features: FeatureMap, signal: Signal, steps: int = 120
) -> None:
    """Checks that a posted signal reaches every copy at its next reset, not before.

    Args:
        make_env: Makes a Gymnasium environment or a PettingZoo one of either form.
        features: The vocabulary.
        signal: The signal that is posted.
        steps: Number of steps to play.

    Raises:
        AssertionError: A copy did not take the signal, or took it too early.

    Example:
        >>> from also_wrappers.signal import Term
        >>> from also_wrappers.testing import Corridor, corridor_features
        >>> go = Term(name="go", kind="progress", expression="place", weight=1.0)
        >>> check_swap(Corridor, corridor_features(), Signal(terms=(go,)), steps=30)
    """
    with tempfile.TemporaryDirectory() as folder:
        posting = Posting(version=1, gamma=0.99)
        board = Board.create(Path(folder) / "board", posting)
        first = wrap(make_env(), features, board=board)
        envs = [first, wrap(make_env(), features, board=board)]
        bare = [rollout(make_env(), seed, steps) for seed in range(2)]
        for seed, env in enumerate(envs):
            played = rollout(env, seed, steps)
            assert equal(played, bare[seed]), "the empty signal changed something"
        board.post(posting.model_copy(update={"version": 2, "signal": signal}))
        assert set(board.acknowledged().values()) == {1}, "taken before a reset"
        static = wrap(make_env(), features, signal=signal, gamma=0.99)
        expected = rollout(static, 4, steps)
        for env in envs:
            assert equal(rollout(env, 4, steps), expected), "not what was posted"
        assert set(board.acknowledged().values()) == {2}, "a copy did not take it"
