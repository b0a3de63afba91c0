"""Walks in processes of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from stable_baselines3.common.vec_env import SubprocVecEnv, VecEnv

from also_wrappers.signal import Feature, FeatureMap
from also_wrappers.task import Task
from tests.support.environments import Walk

WALK = Task("Walk.", FeatureMap(Feature("place", "obs[0]"), Feature("go", "action")))


def walks(start_method: str, shape: Callable[[Any], Any], copies: int = 2) -> VecEnv:
    """As many shaped walks, each of them in a process."""
    factories: list[Callable[[], Any]] = [partial(_shaped_walk, shape)] * copies
    return SubprocVecEnv(factories, start_method=start_method)


def _shaped_walk(shape: Callable[[Any], Any]) -> Any:
    return shape(Walk())
