"""Defines the tasks of the study: what is trained, and with which settings.

Every function plans a mainline of ``env_steps`` environment steps with PPO, and hands
its options to ``AdaptationCallback``, but for two: ``demonstrations`` is a signal whose
expert is recorded and imitated, ``settings`` replaces some of PPO. Without it, all arms
of a task train with the same settings: those in ``COMMON`` and the function's own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from mpe2 import simple_spread_v3
from pettingzoo.classic import connect_four_v3
from pettingzoo.utils import BaseParallelWrapper
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecNormalize
from supersuit import agent_indicator_v0

import also_wrappers as also
from also_wrappers.catalog import lbforaging, mpe2, rware
from examples.study.demonstrations import Demonstrations

Shape = Callable[[Any], Any]

#: Settings of PPO that the tasks share; each task adds its own.
COMMON: dict[str, Any] = {
    "batch_size": 256,
    "n_epochs": 5,
    "ent_coef": 0.01,
    "policy_kwargs": {"net_arch": [128, 128]},
    "device": "cpu",
}


class EndWhenSpent(BaseCallback):
    """Ends a training once it has cost as many steps as it is compared at.

    Args:
        run: The run.
        trainer_steps: Trainer steps at which the training ends, branches included.
    """

    def __init__(self, run: also.Run, trainer_steps: int) -> None:
        super().__init__()
        self._run = run
        self._trainer_steps = trainer_steps

    def _on_step(self) -> bool:
        return self._run.accounting.trainer_steps().total < self._trainer_steps


def foraging(
    run_dir: Path,
    seed: int,
    env_steps: int = 50_000,
    *,
    field: str = "8x8-2p-2f",
    **options: Any,
) -> None:
    """Trains level-based foraging in which every food needs all agents."""
    logging.getLogger("lbforaging").setLevel(logging.ERROR)
    env_id = f"Foraging-{field}-coop-v3"
    env = lbforaging.parallel_env(env_id)
    task = also.Task(
        "Agents on a grid collect foods. A food is collected when agents whose levels "
        "sum to at least its level stand next to it and load in the same step; here "
        "every food needs all agents. The team is paid only when a food is collected.",
        lbforaging.features(env, experts=True),
        success="base_return >= 0.99",
        actions=lbforaging.actions(env),
    )

    def make_env() -> Any:
        return lbforaging.parallel_env(env_id)

    def make_venv(shape: Shape) -> VecEnv:
        return also.PettingZooVecEnv(lambda: shape(make_env()), 16)

    steps = len(env.possible_agents) * env_steps
    settings = {"n_steps": 64, "learning_rate": 1e-3}
    _learn(PPO, task, make_venv, run_dir, seed, steps, settings, options, make_env)


class CoverAll(BaseParallelWrapper):
    """Pays 1 to all and ends the episode when every landmark has an agent near it."""

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        observations, infos = self.env.reset(seed=seed, options=options)
        self.agents = list(self.env.agents)
        return observations, infos

    def step(self, actions: dict[str, Any]) -> Any:
        observations, _, ended, cut, infos = self.env.step(actions)
        self.agents = list(self.env.agents)
        agents = list(observations)
        count = len(self.env.possible_agents)
        to_landmarks = np.array(
            [observations[a][4 : 4 + 2 * count].reshape(count, 2) for a in agents]
        )
        near = np.linalg.norm(to_landmarks, axis=2) < 0.3
        covered = bool(near.any(axis=0).all())
        if covered:
            ended = dict.fromkeys(agents, True)
            cut = dict.fromkeys(agents, False)
            self.agents = []
        rewards = dict.fromkeys(agents, float(covered))
        return observations, rewards, ended, cut, infos


def spread(
    run_dir: Path,
    seed: int,
    env_steps: int = 100_000,
    *,
    agents: int = 2,
    **options: Any,
) -> None:
    """Trains simple_spread, paid 1 when all landmarks are covered within .3.

    The observation says which agent it is: agents that share a policy must part.
    """

    def make_env() -> Any:
        return agent_indicator_v0(CoverAll(plain_env()))

    def plain_env() -> Any:
        return simple_spread_v3.parallel_env(
            N=agents, max_cycles=30, dynamic_rescaling=False
        )

    env = plain_env()
    task = also.Task(
        "Agents on a plane push themselves about. The team is paid 1, and the episode "
        "ends, when every landmark has an agent within .3 of it.",
        mpe2.spread_features(env, experts=True),
        success="base_return >= 0.99",
        actions=mpe2.spread_actions(env),
    )

    def make_venv(shape: Shape) -> VecEnv:
        return also.PettingZooVecEnv(lambda: shape(make_env()), 16)

    steps, settings = agents * env_steps, {"n_steps": 64, "learning_rate": 1e-3}
    _learn(PPO, task, make_venv, run_dir, seed, steps, settings, options, make_env)


def warehouse(
    run_dir: Path,
    seed: int,
    env_steps: int = 400_000,
    *,
    env_id: str = "rware-tiny-2ag-v2",
    **options: Any,
) -> None:
    """Trains the robotic warehouse, whose observations say which robot acts."""
    probe = rware.parallel_env(env_id)
    task = also.Task(
        "Robots carry requested shelves to a goal and bring them back. The team is "
        "paid 1 for every delivery.",
        rware.features(probe, experts=True),
        actions=rware.actions(probe),
    )

    def make_env() -> Any:
        return agent_indicator_v0(rware.parallel_env(env_id))

    def make_venv(shape: Shape) -> VecEnv:
        return also.PettingZooVecEnv(lambda: shape(make_env()), 16)

    steps, settings = 2 * env_steps, {"n_steps": 128, "learning_rate": 3e-4}
    _learn(PPO, task, make_venv, run_dir, seed, steps, settings, options, make_env)


def mountain_car(
    run_dir: Path,
    seed: int,
    env_steps: int = 100_000,
    *,
    copies: int = 8,
    normalize: bool = False,
    **options: Any,
) -> None:
    """Trains the continuous mountain car: 100 at the goal, less for effort."""
    task = also.Task(
        "A car in a valley is paid 100 for reaching the flag on the right hill, and "
        "pays for the effort of its motor, which is too weak to drive straight up.",
        also.FeatureMap(
            also.Feature("place", "obs[0]", "0.45 is the flag, -0.5 the bottom"),
            also.Feature(
                "height",
                lambda view: float(np.sin(3.0 * view.observation[0])),
                "-1 at the bottom, 0.98 at the flag",
                -1.0,
                1.0,
            ),
            also.Feature("speed", "obs[1]", "to the right", -0.07, 0.07),
            also.Feature("push", "action[0]", "force of the motor", -1.0, 1.0),
        ),
        success="base_return > 80",
    )

    def make_venv(shape: Shape) -> VecEnv:
        venv = DummyVecEnv(
            [lambda: shape(gym.make("MountainCarContinuous-v0")) for _ in range(copies)]
        )
        if not normalize:
            return venv
        return VecNormalize(venv, gamma=settings["gamma"], clip_reward=np.inf)

    settings: dict[str, Any] = {
        "n_steps": 256,
        "learning_rate": 1e-3,
        "use_sde": True,
        "gamma": 0.9999,
        "gae_lambda": 0.9,
    }
    _learn(PPO, task, make_venv, run_dir, seed, env_steps, settings, options)


class AgainstChance(gym.Env[Any, Any]):
    """Lets one player play Connect four against random moves.

    The other player begins every second episode.
    """

    def __init__(self) -> None:
        self._game = connect_four_v3.env()
        self._game.reset(seed=0)
        own = self._game.observation_space("player_0")["observation"]
        size = int(np.prod(own.shape))
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (size,), np.float32)
        self.action_space = gym.spaces.Discrete(7)
        self._episodes = 0

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._game.reset(seed=seed)
        if seed is not None:
            self._episodes = seed
        self._me = f"player_{self._episodes % 2}"
        self._episodes += 1
        if self._game.agent_selection != self._me:
            self._reply()
        return self._look(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._game.step(int(action))
        if not self._over():
            self._reply()
        return (
            self._look(),
            float(self._game.rewards[self._me]),
            self._over(),
            False,
            {},
        )

    def action_masks(self) -> Any:
        """Returns which columns have room, shape ``(7,)``."""
        return self._game.observe(self._me)["action_mask"].astype(bool)

    def _reply(self) -> None:
        free = np.flatnonzero(
            self._game.observe(self._game.agent_selection)["action_mask"]
        )
        self._game.step(int(self.np_random.choice(free)))

    def _over(self) -> bool:
        return any(self._game.terminations.values())

    def _look(self) -> Any:
        planes = self._game.observe(self._me)["observation"]
        return np.asarray(planes, dtype=np.float32).ravel()


def _most_in_a_row(view: also.View, plane: int) -> float:
    """Returns the most stones of a player in four places in a row without others."""
    planes = view.observation.reshape(6, 7, 2)
    mine, theirs = planes[:, :, plane], planes[:, :, 1 - plane]
    counts = np.where(theirs[_ROWS, _COLUMNS].any(1), 0, mine[_ROWS, _COLUMNS].sum(1))
    return float(counts.max())


_LINES = [
    [(r + k * dr, c + k * dc) for k in range(4)]
    for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1))
    for r in range(6)
    for c in range(7)
    if 0 <= r + 3 * dr < 6 and 0 <= c + 3 * dc < 7
]
_ROWS = np.array([[r for r, _ in line] for line in _LINES])
_COLUMNS = np.array([[c for _, c in line] for line in _LINES])


def connect_four(
    run_dir: Path, seed: int, env_steps: int = 60_000, **options: Any
) -> None:
    """Trains PettingZoo's connect four against random moves: 1 to win, -1 to lose."""
    task = also.Task(
        "Two players drop stones into seven columns; the first with four in a row "
        "wins and is paid 1, the other one -1. The opponent plays at random.",
        also.FeatureMap(
            also.Feature("own", lambda view: _most_in_a_row(view, 0), "own best row"),
            also.Feature("rival", lambda view: _most_in_a_row(view, 1), "their best"),
        ),
        success="base_return > 0.5",
    )

    def make_venv(shape: Shape) -> VecEnv:
        return DummyVecEnv([lambda: shape(AgainstChance()) for _ in range(8)])

    settings = {"n_steps": 128, "learning_rate": 5e-4}
    _learn(MaskablePPO, task, make_venv, run_dir, seed, env_steps, settings, options)


def _learn(
    algorithm: Any,
    task: also.Task,
    make_venv: Callable[[Shape], VecEnv],
    run_dir: Path,
    seed: int,
    trainer_steps: int,
    settings: dict[str, Any],
    options: dict[str, Any],
    make_env: Callable[[], Any] | None = None,
) -> None:
    torch.set_num_threads(1)  # the nets are small
    run = also.Run(task, run_dir, resume="auto")
    settings = {**COMMON, **settings, **options.pop("settings", {})}
    model = algorithm("MlpPolicy", make_venv(run.shape), seed=seed, **settings)
    expert = options.pop("demonstrations", None)
    callbacks: list[BaseCallback] = [
        also.AdaptationCallback(run, make_venv, seed=seed, verbose=0, **options),
        EndWhenSpent(run, trainer_steps),
    ]
    if expert is not None:
        assert make_env is not None, "this task has no agents that can demonstrate"
        callbacks.append(Demonstrations(run, make_env, expert, seed))
    model.learn(trainer_steps, callback=callbacks)
    run.close()
