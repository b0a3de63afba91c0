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
from gymnasium.wrappers.vector import DictInfoToList
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.test import api_test, parallel_api_test
from pettingzoo.utils import parallel_to_aec

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.model import Signal
from also_wrappers.testing.rollouts import (
    alike,
    equal,
    one_agent,
    play,
    play_turns,
    rollout,
)
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
    """Checks everything that holds for an environment with the wrapper around it.

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
    """Checks that the empty signal changes nothing, bit for bit, in whole episodes.

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
    """Checks that a seed, and nothing else, decides how episodes go.

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
    """Runs the checks of the libraries: Gymnasium's and SB3's, or PettingZoo's.

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
    """Checks that copies go on as the original does: pickled, and made from the spec.

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
    """Checks that an environment pays and tells the same through every interface.

    A parallel environment is compared with its conversion to AEC; a Gymnasium one with
    a parallel environment of one agent as well. What is told is ``info["shaping"]``,
    compared number by number.

    Args:
        make_env: Makes a Gymnasium environment or a PettingZoo parallel one.
        wrap: Puts the wrapper on that fits.
        steps: How far to play.

    Raises:
        AssertionError: Two interfaces pay or tell differently.

    Example:
        >>> from also_wrappers.testing import Corridor
        >>> check_same_rewards(Corridor, lambda env: env, steps=30)
    """
    make_parallel: MakeEnv = make_env
    if isinstance(make_env(), gym.Env):
        make_parallel = one_agent(make_env)
    played = play(wrap(make_parallel()), 3, steps)
    parallel = [step for step in played if len(step) == 5]
    if isinstance(make_env(), gym.Env):
        single = [step for step in play(wrap(make_env()), 3, steps) if len(step) == 5]
        for t, (one, many) in enumerate(zip(single, parallel, strict=True)):
            (agent,) = many[1]
            _check_plain(f"step {t}: single", one[4])
            _check_same(
                f"step {t}: single against parallel",
                (one[1], one[4]),
                (many[1][agent], many[4][agent]),
            )
    by_turns = play_turns(wrap(parallel_to_aec(make_parallel())), 3, steps)
    for agent, turns in by_turns.items():
        together = [
            (step[1][agent], step[4][agent]) for step in parallel if agent in step[1]
        ]
        assert 0 <= len(together) - len(turns) <= 1, f"{agent} was not paid"
        for t, (turn, other) in enumerate(zip(turns, together, strict=False)):
            for interface, (_, info) in (("AEC", turn), ("parallel", other)):
                _check_plain(f"{agent}, its step {t}: {interface}", info)
            _check_same(f"{agent}, its step {t}: AEC against parallel", turn, other)


def check_vector(
    make_env: Callable[[], gym.Env[Any, Any]],
    wrap: Callable[[Any], Any],
    steps: int = 120,
) -> None:
    """Checks that a vector pays and tells what its sub-environments do, in every mode.

    What is told is ``infos["shaping"]``, in Gymnasium's vector form: arrays with masks,
    which Gymnasium's own ``DictInfoToList`` reads here. With SAME_STEP, the step that
    ends an episode is told in ``final_info``.

    Args:
        make_env: Makes a Gymnasium environment.
        wrap: Puts the wrapper on that fits.
        steps: How far to play.

    Raises:
        AssertionError: A sub-environment is paid, or told, something else in the
            vector.

    Example:
        >>> import gymnasium as gym
        >>> check_vector(lambda: gym.make("CartPole-v1"), lambda env: env, steps=30)
    """
    copies = 3
    space = make_env().action_space
    space.seed(0)
    script = [[space.sample() for _ in range(copies)] for _ in range(steps)]
    for mode in AutoresetMode:
        envs = SyncVectorEnv([make_env] * copies, autoreset_mode=mode)
        vector = DictInfoToList(wrap(envs))
        singles = [wrap(make_env()) for _ in range(copies)]
        vector.reset(seed=11)
        for k, single in enumerate(singles):
            single.reset(seed=11 + k)
        waits = np.zeros(copies, dtype=bool)
        for t, actions in enumerate(script):
            _, rewards, ended, cut, infos = vector.step(np.array(actions))
            over = ended | cut
            for k, single in enumerate(singles):
                where = f"{mode.value}, step {t}, sub-environment {k}"
                info = infos[k]
                if waits[k]:
                    single.reset()
                    assert "shaping" not in info, f"{where}: a reset is told as a step"
                    continue
                _, reward, done, out, alone = single.step(actions[k])
                assert (done or out) == over[k], f"{where}: ends differ"
                if over[k] and mode == AutoresetMode.SAME_STEP:
                    assert "shaping" not in info, f"{where}: not told in final_info"
                    info = info["final_info"]
                _check_same(where, (rewards[k], info), (reward, alone))
                if over[k] and mode != AutoresetMode.NEXT_STEP:
                    single.reset()
            waits = over & ~waits & (mode == AutoresetMode.NEXT_STEP)
            if mode == AutoresetMode.DISABLED and over.any():
                vector.reset(options={"reset_mask": over})
        vector.close()


def _check_same(where: str, one: tuple[Any, Any], other: tuple[Any, Any]) -> None:
    """Checks a reward and what an info tells of it against another interface's."""
    np.testing.assert_allclose(one[0], other[0], atol=1e-9, err_msg=where)
    shaping, expected = (info.get("shaping") for _, info in (one, other))
    assert alike(shaping, expected), f"{where}: told {shaping}, and not {expected}"


def _check_plain(where: str, info: dict[str, Any]) -> None:
    """Checks that an info tells plain floats, and the signal's id."""
    shaping = info.get("shaping")
    if shaping is not None:
        numbers = [
            shaping["base"],
            shaping["total"],
            *shaping.get("terms", {}).values(),
        ]
        kinds = (type(shaping["signal"]), {type(number) for number in numbers})
        assert kinds == (str, {float}), (
            f"{where}: {shaping} does not hold plain floats and a string"
        )


def check_swap(
    make_env: MakeEnv, features: FeatureMap, signal: Signal, steps: int = 120
) -> None:
    """Checks that a posted signal reaches every copy at its next reset, not before.

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
        static = wrap(make_env(), features, signal=signal, gamma=0.99)
        expected = rollout(static, 4, steps)
        for env in envs:
            assert equal(rollout(env, 4, steps), expected), "not what was posted"
        assert set(board.acknowledged().values()) == {2}, "a copy did not take it"
