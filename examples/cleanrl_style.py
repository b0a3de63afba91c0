"""Trains a plain PyTorch loop in the manner of CleanRL, without a trainer library.

PPO in one file, on level-based foraging. What has to be written for a trainer of one's
own is ``Training`` with its snapshot, and ``Fork``; the loop then calls
``Adaptation.step`` where it rests. Five lines of ``Training._learn`` imitate the expert
of the signal, which infos tell; a trainer without them says ``imitates = False`` and
refuses auditions.

Expect, with seed 0: the rules' best expert is used from the first round on, and the
base return in training is .970 after 77,552 environment steps in all, in 42 seconds on
two busy cores.

    python examples/cleanrl_style.py --smoke
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import nn
from torch.distributions import Categorical

import also_wrappers as also
from also_wrappers.branches.randomness import randomness_restored
from also_wrappers.catalog import lbforaging
from also_wrappers.files import replacing
from also_wrappers.report.terminal import ProgressLines
from also_wrappers.trainer import AuditionOutcome, ForkOutcome

Shape = Callable[[Any], Any]
MakeEnv = Callable[[Shape], Any]


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Lists what can be given on the command line."""

    run_dir: str = "runs/cleanrl_style"
    seed: int = 0
    steps: int = 100_000
    smoke: bool = False


@dataclasses.dataclass(frozen=True)
class Settings:
    """Holds the hyperparameters of PPO."""

    copies: int = 16
    n_steps: int = 64
    epochs: int = 5
    batch: int = 512
    lr: float = 1e-3
    gamma: float = 0.99
    lam: float = 0.95
    clip: float = 0.2
    entropy: float = 0.01
    width: int = 64


class Copies:
    """Steps environment copies one by one, with the same agents throughout.

    Every agent of every copy is a row of the batch; the agent's number is appended to
    its observation. A copy whose agents are done is reset at once.

    Attributes:
        advice: The expert's advice for the present states, a bit for each action.
        returns: Base returns of the episodes that have ended, by copy.
        steps: Steps of one copy.
    """

    def __init__(self, make_env: MakeEnv, shape: Shape, count: int) -> None:
        self.envs = [make_env(shape) for _ in range(count)]
        self.agents = list(self.envs[0].possible_agents)
        self.actions = int(self.envs[0].action_space(self.agents[0]).n)
        self.advice = np.zeros(count * len(self.agents), dtype=np.int64)
        self.returns: list[list[float]] = [[] for _ in self.envs]
        self.steps = 0
        self._running = np.zeros(count)

    def reset(self, seed: int) -> np.ndarray:
        """Returns first observations, shape ``(copies * agents, size)``."""
        for k, env in enumerate(self.envs):
            self._observe(k, *env.reset(seed=seed + k))
        return self.observations.copy()

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns observations, rewards and ends, one per row; time-outs are ends."""
        n = len(self.agents)
        rewards = np.zeros(len(self.envs) * n)
        ends = np.zeros(len(self.envs) * n)
        self.steps += 1
        for k, env in enumerate(self.envs):
            chosen = actions[k * n : (k + 1) * n]
            outcome = env.step(dict(zip(self.agents, chosen.tolist(), strict=True)))
            rewards[k * n : (k + 1) * n] = [outcome[1][agent] for agent in self.agents]
            observations, infos = outcome[0], outcome[4]
            for agent in self.agents:
                base = _shaping(infos, agent).get("base", outcome[1][agent])
                self._running[k] += base / n
            if not env.agents:
                ends[k * n : (k + 1) * n] = 1.0
                self.returns[k].append(float(self._running[k]))
                self._running[k] = 0.0
                observations, infos = env.reset()
            self._observe(k, observations, infos)
        return self.observations.copy(), rewards, ends

    def _observe(
        self, k: int, observations: dict[str, np.ndarray], infos: dict[str, Any]
    ) -> None:
        rows = [
            np.concatenate([observations[agent], np.eye(len(self.agents))[i]])
            for i, agent in enumerate(self.agents)
        ]
        if k == 0 and not hasattr(self, "observations"):
            shape = len(self.envs) * len(rows), len(rows[0])
            self.observations = np.zeros(shape, dtype=np.float32)
        part = slice(k * len(rows), (k + 1) * len(rows))
        self.observations[part] = rows
        self.advice[part] = [_shaping(infos, a).get("advice", 0) for a in self.agents]


class Training:
    """Trains PPO with shared parameters; is an ``also_wrappers.trainer.Trainer``."""

    bootstraps_truncation = False  # the loop below treats time-outs as ends
    evaluates = False  # actions are sampled from the policy and nothing else
    replays = False
    imitates = True  # see _learn

    def __init__(
        self,
        make_env: MakeEnv,
        shape: Shape,
        total: int,
        seed: int = 0,
        settings: Settings | None = None,
    ) -> None:
        s = self.settings = settings or Settings()
        torch.manual_seed(seed)
        self._make_env = make_env
        self._board = getattr(shape, "board", None)
        self.total = total
        self.steps = 0
        self.earned = 0.0
        self.copies = Copies(make_env, shape, s.copies)
        self.agents_per_env = len(self.copies.agents)
        self.rollout = s.copies * s.n_steps * self.agents_per_env
        self.gamma = s.gamma
        self._seen = self.copies.reset(seed)
        size = self._seen.shape[1]
        self.policy = _net(size, s.width, self.copies.actions)
        self.value = _net(size, s.width, 1)
        parameters = [*self.policy.parameters(), *self.value.parameters()]
        self.optimizer = torch.optim.Adam(parameters, lr=s.lr)

    # What a trainer of one's own has to offer.

    def snapshot(self, path: Path) -> None:
        """Writes everything that training depends on but the environments."""
        state = {name: part.state_dict() for name, part in self._parts().items()}
        with replacing(path) as beside:
            torch.save({**state, "steps": self.steps, "earned": self.earned}, beside)

    def adopt(self, path: Path) -> None:
        """Loads a snapshot; environments stay as they are."""
        state = torch.load(path, weights_only=True)
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.steps, self.earned = state["steps"], state["earned"]

    def policy_drift(self) -> None:
        """Returns ``None``, as the drift is not measured here."""

    def imitated(self) -> None:
        """Returns ``None``, as the agreement is not measured here."""

    def audition(
        self,
        shape: Shape,
        episodes: int,
        seed: int,
        noise: float,
        stepped: Callable[[int], None],
    ) -> AuditionOutcome:
        """Plays whole episodes in which an expert acts where the expert speaks."""
        with randomness_restored():
            torch.manual_seed(seed)
            chance = np.random.default_rng(seed)
            copies = Copies(self._make_env, shape, self.settings.copies)
            observations = copies.reset(seed)
            each = -(-episodes // len(copies.envs))
            while min(len(returns) for returns in copies.returns) < each:
                with torch.no_grad():
                    logits = self.policy(torch.from_numpy(observations))
                good = _good(copies.advice, copies.actions)
                free = good.sum(1, keepdim=True) == 0
                logits = torch.where(free, logits, good.log())
                logits[chance.random(len(good)) < noise] = 0.0
                chosen = Categorical(logits=logits).sample().numpy()
                observations = copies.step(chosen)[0]
                stepped(len(chosen))
        steps = copies.steps * len(copies.advice)
        played = [base for returns in copies.returns for base in returns[:each]]
        return AuditionOutcome(tuple(played), steps)

    def fork(self) -> Fork:
        """Returns what a worker needs to train a branch."""
        return Fork(self._make_env, self.total, self.settings)

    # The loop.

    def train(self, steps: int, rest: Callable[[], None] | None = None) -> None:
        """Trains whole rollouts until ``steps`` steps of the lineage are trained.

        Args:
            steps: Trainer steps of the lineage at which to stop.
            rest: Called before each rollout, where everything is at rest.
        """
        while self.steps < steps:
            if rest is not None:
                rest()
                if self.steps >= steps:  # rest has adopted a branch
                    break
            self._learn(*self._collect())

    def _parts(self) -> dict[str, Any]:
        return {
            "policy": self.policy,
            "value": self.value,
            "optimizer": self.optimizer,
        }

    def _collect(self) -> tuple[torch.Tensor, ...]:
        s = self.settings
        states, acted, logs, values, rewards, ends, advice = [], [], [], [], [], [], []
        for _ in range(s.n_steps):
            now = torch.from_numpy(self._seen)
            with torch.no_grad():
                choice = Categorical(logits=self.policy(now))
                action = choice.sample()
                logs.append(choice.log_prob(action))
                values.append(self.value(now)[:, 0])
            states.append(now)
            advice.append(_good(self.copies.advice, self.copies.actions))
            acted.append(action)
            self._seen, reward, end = self.copies.step(action.numpy())
            rewards.append(torch.from_numpy(reward).float())
            ends.append(torch.from_numpy(end).float())
        self.steps += self.rollout
        for returns in self.copies.returns:
            for base in returns:
                self.earned += 0.02 * (base - self.earned)
            returns.clear()
        with torch.no_grad():
            following = self.value(torch.from_numpy(self._seen))[:, 0]
        advantages: list[torch.Tensor] = []
        carried = torch.zeros_like(following)
        for t in reversed(range(s.n_steps)):
            on = 1.0 - ends[t]
            delta = rewards[t] + s.gamma * following * on - values[t]
            carried = delta + s.gamma * s.lam * on * carried
            advantages.insert(0, carried)
            following = values[t]
        gains = torch.cat(advantages)
        rollout = states, acted, logs, advice
        return *map(torch.cat, rollout), gains, gains + torch.cat(values)

    def _learn(self, *batch: torch.Tensor) -> None:
        s, pull = self.settings, 0.0
        if self._board is not None:
            pull = self._board.read().pull(self.earned, self.copies.steps)
        for _ in range(s.epochs):
            for rows in torch.randperm(len(batch[0])).split(s.batch):
                states, acted, logs, good, gains, returns = (p[rows] for p in batch)
                choice = Categorical(logits=self.policy(states))
                ratio = (choice.log_prob(acted) - logs).exp()
                gains = (gains - gains.mean()) / (gains.std() + 1e-8)
                clipped = ratio.clamp(1 - s.clip, 1 + s.clip)
                loss = -torch.min(ratio * gains, clipped * gains).mean()
                loss = loss + 0.5 * (self.value(states)[:, 0] - returns).square().mean()
                loss = loss - s.entropy * choice.entropy().mean()
                count = good.sum(1)  # 0 where the expert is silent
                if pull > 0.0 and count.any():
                    aim = good / count.clamp(min=1)[:, None]  # uniform over the good
                    spoken = (count > 0).sum()
                    loss = loss - pull * (aim * choice.logits).sum() / spoken
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()


@dataclasses.dataclass(frozen=True)
class Fork:
    """Trains branches: in this process or in another, from a snapshot alone."""

    make_env: MakeEnv
    total: int
    settings: Settings
    preload: tuple[str, ...] = ("torch", "torch._dynamo")

    def warm(self) -> None:
        """Makes and closes one environment."""
        self.make_env(lambda env: env).close()

    def __call__(
        self,
        start: Path,
        shape: Shape,
        seed: int,
        steps: int,
        *,
        new_signal: bool = False,
        end: Path | None = None,
    ) -> ForkOutcome:
        """Trains a branch in fresh environments."""
        training = Training(self.make_env, shape, self.total, seed, self.settings)
        training.adopt(start)
        first = training.steps
        training.train(first + steps)
        if end is not None:
            training.snapshot(end)
        trained = training.steps - first
        per_copy = self.settings.copies * training.agents_per_env
        return ForkOutcome(trained, trained // per_copy)


def _shaping(infos: dict[str, Any], agent: str) -> dict[str, Any]:
    """Returns what the wrapper tells of an agent; empty without a wrapper."""
    shaping: dict[str, Any] = infos.get(agent, {}).get("shaping", {})
    return shaping


def _good(advice: np.ndarray, actions: int) -> torch.Tensor:
    """Returns 1 for good actions and 0 for others, shape ``(rows, actions)``."""
    return torch.from_numpy(advice[:, None] >> np.arange(actions) & 1).float()


def _net(size: int, width: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(size, width),
        nn.Tanh(),
        nn.Linear(width, width),
        nn.Tanh(),
        nn.Linear(width, out),
    )


def make_env(shape: Shape) -> Any:
    """Makes one environment, with a wrapper around it."""
    return shape(lbforaging.parallel_env("Foraging-8x8-2p-2f-coop-v3"))


def main(arguments: Arguments) -> None:
    """Trains with an adapted signal, and prints the base return."""
    torch.set_num_threads(1)  # the nets are small
    began = time.perf_counter()
    logging.getLogger("lbforaging").setLevel(logging.ERROR)
    env = make_env(lambda env: env)
    task = also.Task(
        "Two agents forage: a food is loaded when both stand next to it and load.",
        lbforaging.features(env, experts=True),
        success="base_return >= 0.99",
        actions=lbforaging.actions(env),
    )
    run = also.Run(task, arguments.run_dir)
    run.ledger.listeners.append(ProgressLines(Console()))
    steps = 12_288 if arguments.smoke else arguments.steps
    training = Training(make_env, run.shape, steps, arguments.seed)
    # A training of seconds needs shorter branches than usual.
    tiny: Any = {"first": 2 * training.rollout, "horizon": training.rollout}
    adaptation = also.Adaptation(
        run, seed=arguments.seed, **(tiny if arguments.smoke else {})
    )
    training.train(steps, rest=lambda: adaptation.step(training))
    adaptation.finish(training)
    run.close()
    print("the active signal:", run.board.read().signal.describe())
    print(
        f"base return {training.earned:.3f} (running mean of training) after "
        f"{run.accounting.env_steps().total:,} environment steps in all, "
        f"{time.perf_counter() - began:.0f} s"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    for field in dataclasses.fields(Arguments):
        kind: Any = {"type": type(field.default), "default": field.default}
        if field.default is False:
            kind = {"action": "store_true"}
        parser.add_argument(f"--{field.name.replace('_', '-')}", **kind)
    main(Arguments(**vars(parser.parse_args())))
