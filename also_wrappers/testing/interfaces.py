"""Checks that an environment pays and tells the same through every interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import DictInfoToList
from pettingzoo.utils import parallel_to_aec

from also_wrappers.testing.rollouts import alike, one_agent, play, play_turns

__all__ = ["check_same_rewards", "check_vector"]

MakeEnv = Callable[[], Any]


def check_same_rewards(
    make_env: MakeEnv, wrap: Callable[[Any], Any], steps: int = 120
) -> None:
    """Checks that an environment pays and tells the same through every interface.

    A parallel environment is compared with its conversion to AEC, and a Gymnasium
    environment with a parallel environment of one agent as well. An environment tells
    ``info["shaping"]``, which is compared number by number.

    Args:
        make_env: Makes a Gymnasium environment or a PettingZoo parallel one.
        wrap: Puts a fitting wrapper around an environment.
        steps: Number of steps to play.

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

    A vector tells ``infos["shaping"]`` in Gymnasium's vector form: arrays with masks,
    which Gymnasium's own ``DictInfoToList`` reads here. With SAME_STEP, the entry of
    the step that ends an episode is in ``final_info``.

    Args:
        make_env: Makes a Gymnasium environment.
        wrap: Puts a fitting wrapper around an environment.
        steps: Number of steps to play.

    Raises:
        AssertionError: A sub-environment pays or tells something else in the vector.

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
    """Checks that two interfaces agree on a reward, and on its info."""
    np.testing.assert_allclose(one[0], other[0], atol=1e-9, err_msg=where)
    shaping, expected = (info.get("shaping") for _, info in (one, other))
    assert alike(shaping, expected), f"{where}: told {shaping}, and not {expected}"


def _check_plain(where: str, info: dict[str, Any]) -> None:
    """Checks that an info holds plain floats, and the signal's id."""
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
