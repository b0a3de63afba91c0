"""What every wrapper must pass, for any environment that it is put around.

Run these on your own environment, in the manner of ``pettingzoo.test``.
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
import numpy as np
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.test import api_test, parallel_api_test
from pettingzoo.utils import parallel_to_aec

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.signal.features import FeatureMap
from also_wrappers.signal.model import Signal
from also_wrappers.testing.rollouts import equal, one_agent, play_turns, rollout
from also_wrappers.wrappers import wrap

__all__ = [
    "check_api",
    "check_copies",
    "check_deterministic",
    "check_identity",
    "check_same_rewards",
    "check_swap",
    "check_vector",
    "check_wrapped",
]

MakeEnv = Callable[[], Any]


def check_wrapped(
    make_env: MakeEnv, features: FeatureMap, signal: Signal, steps: int = 120
) -> None:
    """Everything that holds for an environment with the wrapper around it.

    Args:
        make_env: Makes a Gymnasium environment or a PettingZoo parallel one.
        features: The vocabulary.
        signal: Some signal over it.
        steps: How far to play in each check.

    Raises:
        AssertionError: Something does not hold; the message says what.

    Example:
        >>> from also_wrappers.signal import Term
        >>> from also_wrappers.testing import Corridor, corridor_features
        >>> go = Term(name="go", kind="progress", expression="place", weight=1.0)
        >>> check_wrapped(Corridor, corridor_features(), Signal(terms=(go,)), steps=30)
    """

    def shaped(env: Any) -> Any:
        return wrap(env, features, signal=signal)

    check_identity(make_env, lambda env: wrap(env, features, signal=Signal()), steps)
    check_api(lambda: shaped(make_env()))
    check_deterministic(lambda: shaped(make_env()), steps)
    check_copies(lambda: shaped(make_env()), steps)
    check_same_rewards(make_env, shaped, steps)
    check_swap(make_env, features, signal, steps)
    if isinstance(make_env(), gym.Env):
        check_vector(make_env, shaped, steps)


def check_identity(
    make_env: MakeEnv, wrap: Callable[[Any], Any], steps: int = 120
) -> None:
    """The empty signal changes nothing, bit for bit, over whole episodes.

    Args:
        make_env: Makes a PettingZoo parallel or Gymnasium environment.
        wrap: Puts the wrapper on, with ``Signal()``.
        steps: How far to play each of three seeds.

    Raises:
        AssertionError: A wrapped environment returned something else than a bare one.

    Example:
        >>> from also_wrappers.testing import Corridor
        >>> check_identity(Corridor, lambda env: env, steps=30)
    """
    for seed in range(3):
        bare, wrapped = (
            rollout(env, seed, steps) for env in (make_env(), wrap(make_env()))
        )
        for t, (one, other) in enumerate(zip(bare, wrapped, strict=True)):
            assert equal(one, other), f"seed {seed}, step {t}: {one} became {other}"


def check_deterministic(make_env: MakeEnv, steps: int = 120) -> None:
    """The same seed gives the same episodes, many steps long; another one does not.

    Args:
        make_env: Makes a PettingZoo parallel or Gymnasium environment.
        steps: How far to play.

    Raises:
        AssertionError: Two rollouts with one seed differ, or two with two do not.

    Example:
        >>> from also_wrappers.testing import Corridor
        >>> check_deterministic(Corridor, steps=30)
    """
    first, again, other = (rollout(make_env(), seed, steps) for seed in (7, 7, 8))
    assert equal(first, again), "two rollouts with one seed differ"
    assert not equal(first, other), "the seed has no effect"


def check_api(make_env: MakeEnv, cycles: int = 100) -> None:
    """The checks of the libraries: Gymnasium's and SB3's, or PettingZoo's.

    Args:
        make_env: Makes a wrapped environment.
        cycles: How far PettingZoo's tests play.

    Raises:
        AssertionError: A check failed; other errors of theirs pass through.

    Example:
        >>> from also_wrappers.testing import Corridor
        >>> check_api(Corridor)
    """
    env = make_env()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # they warn of what is a matter of taste
        if isinstance(env, ParallelEnv):
            parallel_api_test(env, cycles)
        elif isinstance(env, AECEnv):
            api_test(env, cycles)
        else:
            check_env(env, skip_render_check=True)
            if importlib.util.find_spec("stable_baselines3") is not None:
                from stable_baselines3.common.env_checker import check_env as sb3_check

                sb3_check(make_env())


def check_copies(make_env: MakeEnv, steps: int = 120) -> None:
    """Copies go on as the original does: pickled, and rebuilt from the spec.

    Environments that cannot be pickled, or have no spec, without the wrapper cannot
    with it either; that is not held against it.

    Args:
        make_env: Makes a wrapped environment.
        steps: How far to play.

    Raises:
        AssertionError: A copy returned something else than the original.

    Example:
        >>> import gymnasium as gym
        >>> check_copies(lambda: gym.make("CartPole-v1"), steps=30)
    """
    expected = rollout(make_env(), 5, steps)
    env = make_env()
    copies: dict[str, Any] = {}
    for name, library in (("pickle", pickle), ("cloudpickle", cloudpickle)):
        try:
            library.dumps(env.unwrapped)
        except (pickle.PicklingError, AttributeError, TypeError):
            continue
        copies[name] = library.loads(library.dumps(env))
    spec = getattr(env, "spec", None)
    if isinstance(env, gym.Env) and spec is not None:
        copies["the spec"] = gym.make(spec)
    for name, copy in copies.items():
        assert type(copy) is type(env), f"{name} made a {type(copy).__name__}"
        assert equal(rollout(copy, 5, steps), expected), f"a copy by {name} differs"


def check_same_rewards(
    make_env: MakeEnv, wrap: Callable[[Any], Any], steps: int = 120
) -> None:
    """One environment pays the same through every interface.

    A parallel environment is compared with its conversion to AEC; a Gymnasium one with
    a parallel environment of one agent as well.

    Args:
        make_env: Makes a Gymnasium environment or a PettingZoo parallel one.
        wrap: Puts the wrapper on that fits.
        steps: How far to play.

    Raises:
        AssertionError: Two interfaces pay differently.

    Example:
        >>> from also_wrappers.testing import Corridor
        >>> check_same_rewards(Corridor, lambda env: env, steps=30)
    """
    make_parallel: MakeEnv = make_env
    expected: Any = None
    if isinstance(make_env(), gym.Env):
        make_parallel = one_agent(make_env)
        played = rollout(wrap(make_env()), 3, steps)
        expected = [step[1] for step in played if isinstance(step, tuple)]
        expected = [reward for reward in expected if np.ndim(reward) == 0]
    together = rollout(wrap(make_parallel()), 3, steps)
    parallel = [step[1] for step in together if isinstance(step, tuple)]
    if expected is not None:
        ours = [next(iter(rewards.values())) for rewards in parallel]
        np.testing.assert_allclose(ours, expected, atol=1e-9)
    by_turns = play_turns(wrap(parallel_to_aec(make_parallel())), 3, steps)
    agents = make_parallel().possible_agents
    for agent in agents:
        paid = [rewards[agent] for rewards in parallel if agent in rewards]
        np.testing.assert_allclose(
            by_turns[agent],
            paid[: len(by_turns[agent])],
            atol=1e-9,
            err_msg=f"{agent}: AEC against parallel",
        )
        assert len(paid) - len(by_turns[agent]) <= 1, f"{agent} was not paid"


def check_vector(
    make_env: Callable[[], gym.Env[Any, Any]],
    wrap: Callable[[Any], Any],
    steps: int = 120,
) -> None:
    """A vector environment pays what its sub-environments pay, however it resets.

    Args:
        make_env: Makes a Gymnasium environment.
        wrap: Puts the wrapper on that fits.
        steps: How far to play.

    Raises:
        AssertionError: A sub-environment is paid differently in the vector.

    Example:
        >>> import gymnasium as gym
        >>> check_vector(lambda: gym.make("CartPole-v1"), lambda env: env, steps=30)
    """
    copies = 3
    space = make_env().action_space
    space.seed(0)
    script = [[space.sample() for _ in range(copies)] for _ in range(steps)]
    for mode in AutoresetMode:
        vector = wrap(SyncVectorEnv([make_env] * copies, autoreset_mode=mode))
        singles = [wrap(make_env()) for _ in range(copies)]
        vector.reset(seed=11)
        for k, single in enumerate(singles):
            single.reset(seed=11 + k)
        waits = np.zeros(copies, dtype=bool)
        for t, actions in enumerate(script):
            _, rewards, ended, cut, _ = vector.step(np.array(actions))
            over = ended | cut
            for k, single in enumerate(singles):
                if waits[k]:
                    single.reset()
                    continue
                _, reward, done, out, _ = single.step(actions[k])
                where = f"{mode.value}, step {t}, sub-environment {k}"
                np.testing.assert_allclose(rewards[k], reward, atol=1e-9, err_msg=where)
                assert (done or out) == over[k], f"{where}: ends differ"
                if over[k] and mode != AutoresetMode.NEXT_STEP:
                    single.reset()
            waits = over & ~waits & (mode == AutoresetMode.NEXT_STEP)
            if mode == AutoresetMode.DISABLED and over.any():
                vector.reset(options={"reset_mask": over})
        vector.close()


def check_swap(
    make_env: MakeEnv, features: FeatureMap, signal: Signal, steps: int = 120
) -> None:
    """A signal that is posted reaches every copy, at its next reset and not before.

    Args:
        make_env: Makes a Gymnasium environment or a PettingZoo parallel one.
        features: The vocabulary.
        signal: What is posted.
        steps: How far to play.

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
        told = wrap(make_env(), features, signal=signal, gamma=0.99)
        expected = rollout(told, 4, steps)
        for env in envs:
            assert equal(rollout(env, 4, steps), expected), "not what was posted"
        assert set(board.acknowledged().values()) == {2}, "a copy did not take it"
