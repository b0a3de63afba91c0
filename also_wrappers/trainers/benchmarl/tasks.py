"""Makes BenchMARL tasks of PettingZoo environments, and adds signals to tasks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import cloudpickle
from benchmarl.environments import Task as NamedTask
from benchmarl.environments.common import TaskClass
from benchmarl.environments.pettingzoo.common import PettingZooClass
from gymnasium import spaces
from pettingzoo import ParallelEnv
from torchrl.envs import Compose, EnvBase, PettingZooWrapper, Transform

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.trainers.benchmarl.relabel import RelabelTransform
from also_wrappers.trainers.benchmarl.transform import ShapeRewardTransform
from also_wrappers.wrappers.shape import Shape

__all__ = ["ParallelTask", "ShapedRewards", "plain_task", "shaped_task"]


class ParallelTask(PettingZooClass):
    """Makes a BenchMARL task of any PettingZoo parallel environment.

    Args:
        make_env: Makes one environment, without a wrapper of this package.
        max_steps: Steps after which an evaluation of BenchMARL's ends.
        name: Name of the task in BenchMARL's logs.
        state: Whether critics see ``env.state()``.

    Raises:
        ConfigurationError: ``make_env`` makes no parallel environment of PettingZoo.

    Example:
        >>> from also_wrappers.testing import Corridor
        >>> task = ParallelTask(lambda: Corridor(), max_steps=40, name="corridor")
        >>> task.supports_discrete_actions(), task.supports_continuous_actions()
        (True, False)
    """

    def __init__(
        self,
        make_env: Callable[[], Any],
        max_steps: int,
        name: str = "parallel",
        state: bool = False,
    ) -> None:
        super().__init__(name.upper(), {"max_cycles": max_steps})
        self._make_env = make_env
        self._state = state
        env = make_env()
        if not isinstance(env, ParallelEnv):
            raise ConfigurationError(
                f"make_env made a {type(env).__name__}, and must make a parallel "
                "environment of PettingZoo"
            )
        space = env.action_space(env.possible_agents[0])
        self._continuous = isinstance(space, spaces.Box)
        env.close()

    def get_env_fun(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: Any
    ) -> Callable[[], EnvBase]:
        """Returns a function that makes one environment for torchrl."""
        make_env, state = self._make_env, self._state
        return lambda: PettingZooWrapper(
            make_env(),
            categorical_actions=True,
            device=device,
            seed=seed,
            return_state=state,
        )

    def supports_continuous_actions(self) -> bool:
        """True where the first agent's actions are continuous."""
        return self._continuous

    def supports_discrete_actions(self) -> bool:
        """True where the first agent's actions are discrete."""
        return not self._continuous

    def has_state(self) -> bool:
        """True where critics see ``env.state()``."""
        return self._state

    def __reduce__(self) -> Any:
        """Pickles with cloudpickle, as pickle knows no lambdas."""
        return _loaded, (cloudpickle.dumps((type(self), vars(self))),)


class ShapedRewards:
    """Makes the transforms of rewards of a task with a signal.

    BenchMARL gives these transforms to the environments of the training alone, so that
    its evaluations see the base reward.

    Args:
        task: The task without a signal.
        shape: ``run.shape``, or the shape of a branch.
        replays: Whether a replay buffer needs the transitions.
    """

    def __init__(self, task: TaskClass, shape: Shape, replays: bool) -> None:
        self.task = task
        self.shape = shape
        self.replays = replays

    def __call__(self, env: EnvBase) -> Transform:
        """Returns the transform that pays the signal, then the sums of rewards."""
        groups = self.task.group_map(env)
        signal = ShapeRewardTransform(self.shape, groups, env, self.replays)
        return Compose(signal, self.task.get_reward_sum_transform(env))

    def __reduce__(self) -> Any:
        """Pickles with cloudpickle, as pickle knows no lambdas."""
        return _loaded, (cloudpickle.dumps((type(self), vars(self))),)


class ShapedReplay:
    """Makes the transforms of the replay buffers of a task with a signal.

    Args:
        task: The task without a signal.
        shape: ``run.shape``, or the shape of a branch.
    """

    def __init__(self, task: TaskClass, shape: Shape) -> None:
        self.task = task
        self.shape = shape

    def __call__(self, env: EnvBase, group: str) -> list[Transform]:
        """Returns the transform that relabels rewards, then the task's own."""
        relabel = RelabelTransform(self.shape, self.task.group_map(env), group)
        return [relabel, *self.task.get_replay_buffer_transforms(env, group)]

    def __reduce__(self) -> Any:
        """Pickles with cloudpickle, as pickle knows no lambdas."""
        return _loaded, (cloudpickle.dumps((type(self), vars(self))),)


def shaped_task(
    task: TaskClass, shape: Callable[[Any], Any], replays: bool = False
) -> TaskClass:
    """Returns a task in whose training environments a signal is paid.

    Args:
        task: Any task of BenchMARL, such as ``ParallelTask(make_env, max_steps=40)``
            or ``VmasTask.BALANCE.get_from_yaml()``.
        shape: ``run.shape``; with a function that is no ``Shape``, the task is returned
            unchanged.
        replays: Whether the algorithm learns from a replay buffer, as IQL, VDN, QMIX
            and MADDPG do; stored transitions are then paid by the active signal.

    Raises:
        ConfigurationError: ``task`` is no task of BenchMARL, or has a signal already.

    Example:
        >>> from also_wrappers.testing import Corridor
        >>> task = ParallelTask(lambda: Corridor(), max_steps=40)
        >>> shaped_task(task, lambda env: env) is task
        True
    """
    if isinstance(task, NamedTask):
        raise ConfigurationError(
            f"{task} is the name of a task; give the task itself, as in "
            f"{task}.get_from_yaml()"
        )
    if not isinstance(task, TaskClass):
        raise ConfigurationError(
            f"a task of BenchMARL is wanted, not {task!r:.80}; give "
            "ParallelTask(make_env, max_steps=...) for a PettingZoo environment"
        )
    if isinstance(task.get_reward_sum_transform, ShapedRewards):
        raise ConfigurationError("the task has a signal already; give the plain task")
    if not isinstance(shape, Shape):
        return task
    shaped = copy.copy(task)
    shaped.get_reward_sum_transform = ShapedRewards(task, shape, replays)
    if replays:
        shaped.get_replay_buffer_transforms = ShapedReplay(task, shape)
    return shaped


def plain_task(task: TaskClass) -> TaskClass:
    """Returns a task without the signal that ``shaped_task`` has given it."""
    rewards = task.get_reward_sum_transform
    return rewards.task if isinstance(rewards, ShapedRewards) else task


def _loaded(payload: bytes) -> Any:
    kind, attributes = cloudpickle.loads(payload)
    instance = kind.__new__(kind)
    vars(instance).update(attributes)
    return instance
