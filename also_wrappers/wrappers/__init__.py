"""Where the signal is injected: one wrapper per kind of environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorEnv
from pettingzoo import AECEnv, ParallelEnv

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.wrappers.aec import ShapeRewardAEC
from also_wrappers.wrappers.info import Shaping
from also_wrappers.wrappers.parallel import ShapeRewardParallel
from also_wrappers.wrappers.single import ShapeReward
from also_wrappers.wrappers.source import Options
from also_wrappers.wrappers.tuple_env import TupleParallelEnv
from also_wrappers.wrappers.vector import ShapeRewardVector

__all__ = [
    "Options",
    "ShapeReward",
    "ShapeRewardAEC",
    "ShapeRewardParallel",
    "ShapeRewardVector",
    "Shaping",
    "TupleParallelEnv",
    "wrap",
]


def wrap(env: Any, features: FeatureMap, **arguments: Any) -> Any:
    """Puts the wrapper that fits the environment's type around an environment.

    Args:
        env: A Gymnasium environment or vector environment, or a PettingZoo parallel
            or AEC environment.
        features: The vocabulary that the signal speaks.
        **arguments: The wrapper's further arguments: ``signal`` or ``board``, ...

    Raises:
        ConfigurationError: The environment is of none of these types, or an argument
            is of another type, or unknown.

    Example:
        >>> import gymnasium as gym
        >>> from also_wrappers.signal import Feature, Signal
        >>> features = FeatureMap(Feature("angle", "obs[2]"))
        >>> type(wrap(gym.make("CartPole-v1"), features, signal=Signal())).__name__
        'ShapeReward'
    """
    kinds: list[tuple[type[Any], type[Any]]] = [
        (ParallelEnv, ShapeRewardParallel),
        (AECEnv, ShapeRewardAEC),
        (VectorEnv, ShapeRewardVector),
        (gym.Env, ShapeReward),
    ]
    for kind, wrapper in kinds:
        if isinstance(env, kind):
            if kind is gym.Env and isinstance(env.action_space, gym.spaces.Tuple):
                raise ConfigurationError(
                    "this environment has a tuple of action spaces, one per agent; "
                    "put TupleParallelEnv around it first"
                )
            return wrapper(env, features, **arguments)
    what = f"the class {env.__name__}" if isinstance(env, type) else type(env).__name__
    raise ConfigurationError(
        f"{what} is neither a Gymnasium environment or vector environment nor a "
        "PettingZoo parallel or AEC environment; put the wrapper around one "
        "environment that was made, before it goes into a VecEnv"
    )
