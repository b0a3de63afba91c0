"""What every wrapper must pass, for any environment that it is put around.

Run these on your own environment, in the manner of ``pettingzoo.test``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["check_deterministic", "check_identity", "rollout"]


def check_identity(
    make_env: Callable[[], Any], wrap: Callable[[Any], Any], steps: int = 120
) -> None:
    """The empty signal changes nothing, bit for bit, over whole episodes.

    Args:
        make_env: Makes a PettingZoo parallel or Gymnasium environment.
        wrap: Puts the wrapper on, with ``Signal()``.
        steps: How far to play each of three seeds.

    Raises:
        AssertionError: A wrapped environment returned something else than a bare one.
    """
    for seed in range(3):
        bare, wrapped = (
            rollout(env, seed, steps) for env in (make_env(), wrap(make_env()))
        )
        for t, (one, other) in enumerate(zip(bare, wrapped, strict=True)):
            assert equal(one, other), f"seed {seed}, step {t}: {one} became {other}"


def check_deterministic(make_env: Callable[[], Any], steps: int = 120) -> None:
    """The same seed gives the same episodes, many steps long; another one does not.

    Args:
        make_env: Makes a PettingZoo parallel or Gymnasium environment.
        steps: How far to play.

    Raises:
        AssertionError: Two rollouts with one seed differ, or two with two do not.
    """
    first, again, other = (rollout(make_env(), seed, steps) for seed in (7, 7, 8))
    assert equal(first, again), "two rollouts with one seed differ"
    assert not equal(first, other), "the seed has no effect"


def rollout(env: Any, seed: int, steps: int) -> list[Any]:
    """Plays an environment with actions that only the seed decides.

    Returns:
        Observations after every reset, and (observation, reward, termination,
        truncation) of every step.
    """
    parallel = hasattr(env, "possible_agents")
    agents = list(env.possible_agents) if parallel else []
    spaces = [env.action_space(a) for a in agents] if parallel else [env.action_space]
    for k, space in enumerate(spaces):
        space.seed(seed + k)
    found, _ = env.reset(seed=seed)
    out: list[Any] = [found]
    for _ in range(steps):
        chosen = [space.sample() for space in spaces]
        if parallel:
            action: Any = {
                a: chosen[k] for k, a in enumerate(agents) if a in env.agents
            }
        else:
            action = chosen[0]
        found, reward, ended, cut, _ = env.step(action)
        out.append((found, reward, ended, cut))
        if not env.agents if parallel else ended or cut:
            found, _ = env.reset()
            out.append(found)
    return out


def equal(a: Any, b: Any) -> bool:
    """Whether two nested structures are equal, bit for bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return bool(np.array_equal(np.asarray(a), np.asarray(b)))
