"""What a user's module has: an environment's factory, and features."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import gymnasium as gym
from pettingzoo import AECEnv, ParallelEnv

from also_wrappers.exceptions import AlsoError, ConfigurationError, brief
from also_wrappers.signal.feature_map import FeatureMap

__all__ = ["load", "load_factory", "load_features"]


def load(place: str) -> Any:
    """Imports what is named in a module of the user's.

    Args:
        place: Module and name, ``MODULE:NAME``; modules of the current directory are
            found.

    Raises:
        ConfigurationError: There is no such module or name, or the module cannot be
            imported.
    """
    module_name, colon, name = place.partition(":")
    if not colon or not module_name or not name:
        raise ConfigurationError(
            f"{place!r} does not say where to look; write MODULE:NAME, such as "
            "my_package.envs:make_env"
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{module_name}.".startswith(f"{missing}."):
            raise ConfigurationError(
                f"there is no module {missing!r} here or among what is installed; "
                "run the command in the directory that holds it"
            ) from error
        raise ConfigurationError(
            f"the module {module_name!r} cannot be imported ({brief(error)}); mend it, "
            "or install what it needs"
        ) from error
    try:
        return getattr(module, name)
    except AttributeError as error:
        near = get_close_matches(name, dir(module), 1)
        hint = f"; did you mean {module_name}:{near[0]}?" if near else ""
        raise ConfigurationError(
            f"the module {module_name!r} has no {name!r}{hint or '; give one it has'}"
        ) from error


def load_factory(place: str) -> Callable[[], Any]:
    """Imports a factory of environments, and tries it.

    Args:
        place: Module and name, ``MODULE:NAME``, of a function without arguments or a
            class.

    Raises:
        ConfigurationError: It cannot be imported, cannot be called without arguments,
            or makes no environment.
    """
    factory: Callable[[], Any] = load(place)
    if not callable(factory):
        raise ConfigurationError(
            f"{place} is {factory!r:.80}; give a function without arguments, or a "
            "class, that makes an environment"
        )
    try:
        env = factory()
    except AlsoError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"{place}() makes no environment ({brief(error)}); give a function that "
            "makes one when it is called without arguments"
        ) from error
    if not isinstance(env, gym.Env | ParallelEnv | AECEnv):
        raise ConfigurationError(
            f"{place}() makes a {type(env).__name__}; give a factory of Gymnasium "
            "environments or of PettingZoo environments, one at a time"
        )
    return factory


def load_features(place: str, env: Any) -> FeatureMap:
    """Imports features, or has a function make them.

    Args:
        place: Module and name, ``MODULE:NAME``, of a ``FeatureMap``, or of a function
            that makes one: of the environment, or of nothing.
        env: The environment.

    Raises:
        ConfigurationError: They cannot be imported, or are no ``FeatureMap``.
    """
    features = load(place)
    if callable(features):
        try:
            takes_env = bool(inspect.signature(features).parameters)
            features = features(env) if takes_env else features()
        except AlsoError:
            raise
        except Exception as error:
            raise ConfigurationError(
                f"{place} makes no features of this environment ({brief(error)}); give "
                "a FeatureMap, or a function of the environment that makes one"
            ) from error
    if not isinstance(features, FeatureMap):
        raise ConfigurationError(
            f"{place} gives {features!r:.80}, which is no FeatureMap; give one, or a "
            "function of the environment that makes one"
        )
    return features
