"""Makes environments that a package registers with Gymnasium, with clear errors."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import gymnasium as gym

from also_wrappers.exceptions import ConfigurationError

__all__ = ["make_registered"]


def make_registered(package: str, env_id: str, attribute: str, example: str) -> Any:
    """Makes the environment of a registered id, without Gymnasium's wrappers.

    Args:
        package: The package that registers the environment.
        env_id: Id of the environment.
        attribute: Name of an attribute that every environment of the package has.
        example: An id that is registered, for the error.

    Raises:
        ConfigurationError: The package is not installed, or has no such environment.
    """
    if importlib.util.find_spec(package) is None:
        raise ConfigurationError(
            f"{package} is not installed; run: pip install 'also-wrappers[envs]'"
        )
    importlib.import_module(package)  # registers the environments
    try:
        env: Any = gym.make(env_id, disable_env_checker=True).unwrapped
    except gym.error.Error as error:
        raise ConfigurationError(
            f"there is no environment {env_id!r} in {package} ({error}); ids look like "
            f"{example}"
        ) from error
    if not hasattr(env, attribute):
        raise ConfigurationError(
            f"{env_id!r} is not an environment of {package}; ids look like {example}"
        )
    return env
