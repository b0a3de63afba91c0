"""Evaluates SB3 models by the base reward alone."""

from __future__ import annotations

import inspect
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.utils import check_for_correct_spaces
from stable_baselines3.common.vec_env import VecEnv

from also_wrappers.branches.randomness import randomness_restored, seed_randomness
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.trainers.sb3.seeding import seedable
from also_wrappers.trainers.sb3.snapshots import normalize_of, share_statistics

if TYPE_CHECKING:
    from also_wrappers.trainers.sb3.fork import MakeVecEnv

__all__ = ["Evaluation", "checked", "evaluate", "play_episodes", "sampling_seeded"]


@dataclass(frozen=True)
class Evaluation:
    """Holds what a policy earns of the base reward in an evaluation.

    Attributes:
        mean: Mean base return: the undiscounted sum of the base rewards of an episode,
            mean over its agents.
        std: Standard deviation between episodes.
        standard_error: Standard error of ``mean``.
        episodes: Number of episodes.
        env_steps: Environment steps that were played, of all copies together.
    """

    mean: float
    std: float
    standard_error: float
    episodes: int
    env_steps: int


def evaluate(
    model: BaseAlgorithm, make_venv: MakeVecEnv, episodes: int, *, seed: int = 0
) -> Evaluation:
    """Plays whole episodes of a model's stochastic policy in unshaped environments.

    Every environment copy plays the same number of episodes, so that short episodes are
    not counted more often than long ones. Actions are sampled as in training, with the
    exploration rate that the model has now, but without action noise: greedy policies
    without a memory dead-lock on grids. Recurrent policies keep their memory within an
    episode, and forbidden actions are masked where the policy takes masks. Observations
    are normalised by the model's own ``VecNormalize``, which learns nothing from them.
    The model and the global randomness stay as they are.

    Where a VecEnv has no ``agents_per_env`` (such as SuperSuit's, which does not say
    which agent an index is), each index counts as an environment of its own: episodes
    and environment steps are those of single agents.

    Args:
        model: A model of Stable-Baselines3 or sb3-contrib.
        make_venv: Makes the model's environments with a given shape around each.
        episodes: Number of episodes, 2 at least; rounded up to a multiple of the
            copies.
        seed: Seed of the environments and of the sampling; the same seed gives the same
            result.

    Raises:
        ConfigurationError: ``model``, ``make_venv``, ``episodes`` or ``seed`` is not
            valid; the environments do not fit the model, pay a shaped reward, or are
            not normalised as the model's are; or an episode does not end.

    Example:
        >>> from stable_baselines3 import PPO
        >>> from also_wrappers import PettingZooVecEnv, evaluate
        >>> from also_wrappers.testing import Corridor
        >>> def make_venv(shape):
        ...     return PettingZooVecEnv(lambda: shape(Corridor(limit=9)), num_envs=4)
        >>> model = PPO("MlpPolicy", make_venv(lambda env: env), seed=0, device="cpu")
        >>> evaluate(model, make_venv, episodes=10).episodes
        12
    """
    _check_arguments(model, make_venv, episodes, seed)
    with sampling_seeded(model, seed):
        venv = checked(make_venv(lambda env: env), model)
        try:
            returns, steps = play_episodes(model, venv, episodes, seed)
        finally:
            venv.close()
    std = statistics.stdev(returns)
    return Evaluation(
        mean=statistics.fmean(returns),
        std=std,
        standard_error=std / len(returns) ** 0.5,
        episodes=len(returns),
        env_steps=steps // _agents(venv),
    )


@contextmanager
def sampling_seeded(model: Any, seed: int) -> Iterator[None]:
    """Seeds a model's sampling of actions, and restores it afterwards.

    Args:
        model: The model.
        seed: The seed.
    """
    actions = model.action_space
    with randomness_restored():
        seed_randomness(seed)
        # DQN draws its exploring actions from its action space.
        model.action_space = deepcopy(actions)
        model.action_space.seed(seed)
        try:
            yield
        finally:
            model.action_space = actions


def play_episodes(
    model: Any, venv: VecEnv, episodes: int, seed: int, longest: int = 100_000
) -> tuple[list[float], int]:
    """Plays whole episodes of a model's stochastic policy.

    Args:
        model: An SB3 model, or an object with such a ``predict``.
        venv: Environments made with the identity shape. Where they have
            ``agents_per_env``, so many indices in a row are one environment.
        episodes: Number of episodes, rounded up to a multiple of the copies, all of
            which play the same number.
        seed: Seed of the environments.
        longest: Steps of a copy within which an episode has to end.

    Returns:
        Base return of each episode (the mean over its agents), and the trainer steps
        that were played.

    Raises:
        ConfigurationError: An episode does not end, or the environments pay a shaped
            reward.
    """
    agents = _agents(venv)
    copies = venv.num_envs // agents
    wanted = -(-episodes // copies)
    masked = "action_masks" in inspect.signature(model.predict).parameters
    masked = masked and venv.has_attr("action_masks")
    seedable(venv).seed(seed)
    observations = venv.reset()
    memory, starts = None, np.ones(venv.num_envs, dtype=bool)
    running = np.zeros(venv.num_envs)
    ages = np.zeros(copies, dtype=int)
    returns: list[list[float]] = [[] for _ in range(copies)]
    steps = 0
    while any(len(done) < wanted for done in returns):
        masks = {}
        if masked:
            masks["action_masks"] = np.stack(venv.env_method("action_masks"))
        actions, memory = model.predict(
            observations, memory, starts, deterministic=False, **masks
        )
        observations, rewards, starts, infos = venv.step(actions)
        if not steps and any("shaping" in info for info in infos):
            raise ConfigurationError(
                "the environments of the evaluation pay a shaped reward; let make_venv "
                "put the shape that it is given around each environment, and no other"
            )
        steps += venv.num_envs
        running += rewards
        ages += 1
        if ages.max() > longest:
            raise ConfigurationError(
                f"an evaluation episode did not end within {longest:,} steps; give the "
                "environment a time limit"
            )
        for k in range(copies):
            part = slice(k * agents, (k + 1) * agents)
            if starts[part].all():
                if len(returns[k]) < wanted:
                    returns[k].append(float(running[part].mean()))
                running[part] = 0.0
                ages[k] = 0
    return [value for copy in returns for value in copy], steps


def _agents(venv: VecEnv) -> int:
    return int(getattr(venv, "agents_per_env", 1))


def _check_arguments(model: Any, make_venv: Any, episodes: Any, seed: Any) -> None:
    if not isinstance(model, BaseAlgorithm):
        what = (
            f"the class {model.__name__}"
            if isinstance(model, type)
            else type(model).__name__
        )
        raise ConfigurationError(
            f"{what} is no model of Stable-Baselines3; evaluate needs one, such as "
            "PPO(...) or PPO.load(path)"
        )
    if isinstance(make_venv, VecEnv) or not callable(make_venv):
        raise ConfigurationError(
            f"make_venv is of type {type(make_venv).__name__}; give a function that "
            "takes a shape and returns a VecEnv with that shape around each environment"
        )
    if not isinstance(episodes, int) or episodes < 2:
        raise ConfigurationError(
            f"episodes={episodes!r} are no evaluation; give a whole number of 2 or more"
        )
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise ConfigurationError(
            f"seed={seed!r:.80} is no seed; give a whole number from 0 to 4294967295"
        )


def checked(venv: Any, model: BaseAlgorithm) -> VecEnv:
    """Returns environments in the form that the model needs, or refuses them.

    Args:
        venv: The environments that a factory has made.
        model: The model.

    Raises:
        ConfigurationError: The model cannot act in these environments.
    """
    if not isinstance(venv, VecEnv):
        raise ConfigurationError(
            f"make_venv returned {type(venv).__name__}; it must return a VecEnv of "
            "Stable-Baselines3"
        )
    refusal = ""
    try:
        wrapped = model._wrap_env(venv, monitor_wrapper=False)  # transposes images
        check_for_correct_spaces(wrapped, model.observation_space, model.action_space)
    except ValueError as error:
        refusal = f"the environments of make_venv are not those of the model: {error}"
    own, other = model.get_vec_normalize_env(), normalize_of(venv)
    if not refusal and (own is None) != (other is None):
        refusal = (
            "VecNormalize is around the model's environments and not around those of "
            "make_venv, or the other way round; put it into make_venv, and give the "
            "model such environments"
        )
    if refusal:
        venv.close()
        raise ConfigurationError(refusal)
    return share_statistics(model, wrapped)
