"""Attacks the wrappers with environments that do what they should not."""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from pettingzoo.utils import parallel_to_aec

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.exceptions import AlsoError
from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.wrappers import wrap
from tests.support.attacks.tally import Attempt, OwnError, Tally, attempt_until
from tests.support.environments import Walk

__all__ = ["ATTEMPTS", "attack"]

_STEPS = 60
_FAR = {"far": "place > 0.5"}
_WALK = FeatureMap(Feature("place", "obs[0]"), Feature("act", "action"))
#: Rewards that are numbers of a kind, and others.
_REWARDS: list[Any] = [
    *[math.nan, math.inf, -math.inf, 1e300, True, 3, np.float32(0.5), np.int64(2)],
    *[np.array(0.5), np.array([0.5]), np.array([0.5, 1.0]), np.array([])],
    *[None, "1", "x", [1.0], 10**400, 1j, object()],
]
_OBSERVATIONS: list[Any] = [
    *[np.array([math.nan] * 2), np.array([math.inf, -math.inf]), np.array([1e308] * 2)],
    *[np.zeros(0), np.zeros(1), np.zeros(9), np.zeros((2, 2)), np.array(0.5)],
    *[None, "x", [0.5, 0.5], (), {}, 0.5, np.array(["a", "b"]), np.array([None, {}])],
]
_INFOS: list[Any] = [None, [], 3, "info", {"shaping": 3}, {3: {}}, {"terms": None}]
_FLAGS: list[Any] = [None, 1, 0, "yes", "", np.bool_(True), np.array([True, False]), {}]


class Spoils:
    """Spoils one thing that an environment returns, from some step on.

    Args:
        chance: What it draws by.

    Attributes:
        spoilt: Whether something was spoilt so far.
    """

    def __init__(self, chance: random.Random) -> None:
        self.spoilt = False
        self._chance = chance
        self._what = chance.choice(
            ["reward", "observation", "info", "flag", "raise", "shape", "nothing"]
        )
        self._often = chance.choice([0.02, 0.2, 1.0])
        self._values = {
            "reward": _REWARDS,
            "observation": _OBSERVATIONS,
            "info": _INFOS,
            "flag": _FLAGS,
        }
        self._value = chance.choice(self._values.get(self._what, [None]))

    def now(self, what: str) -> bool:
        """True if something is to be spoilt at this moment."""
        now = what == self._what and self._chance.random() < self._often
        self.spoilt = self.spoilt or now
        return now

    def single(self, results: tuple[Any, ...]) -> Any:
        """Spoils what a single environment returns from its step."""
        observation, reward, terminated, truncated, info = results
        if self.now("raise"):
            raise OwnError("the environment is broken")
        if self.now("shape"):
            return self._chance.choice([results[:4], (*results, 3), None])
        if self.now("observation"):
            observation = self._value
        if self.now("reward"):
            reward = self._value
        if self.now("info"):
            info = self._value
        if self.now("flag"):
            terminated = self._value
        return observation, reward, terminated, truncated, info

    def first(self, results: tuple[Any, Any]) -> Any:
        """Spoils what a reset returns."""
        observation, info = results
        if self.now("raise"):
            raise OwnError("the environment cannot begin")
        if self.now("shape"):
            return self._chance.choice([observation, (observation,), None])
        if self.now("observation"):
            observation = self._value
        return observation, self._value if self.now("info") else info


class SpoiltWalk(Walk):
    """A walk that may not end and returns what is spoilt."""

    def __init__(self, spoils: Spoils, endless: bool = False) -> None:
        super().__init__()
        self._spoils = spoils
        self._endless = endless

    def reset(self, **arguments: Any) -> Any:
        return self._spoils.first(super().reset(**arguments))

    def step(self, action: Any) -> Any:
        observation, reward, terminated, truncated, info = super().step(action)
        if self._endless:
            terminated = truncated = False
        results = observation, reward, terminated, truncated, info
        return self._spoils.single(results)


class SpoiltCorridor(Corridor):
    """A corridor whose agents vanish, and that returns what is spoilt."""

    def __init__(self, spoils: Spoils, chance: random.Random) -> None:
        super().__init__(length=4, limit=8, mortal=chance.random() < 0.3)
        self._spoils = spoils
        self._chance = chance
        self._how = chance.choice(
            ["lost", "all lost", "unknown", "gone", "new team", "returned", "empty"]
        )

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        observations, infos = super().reset(seed=seed, options=options)
        if self._spoils.now("shape"):
            self._change_team()
            return self._chance.choice([observations, (observations, None), None])
        for agent in observations:
            observations[agent], infos[agent] = self._spoils.first(
                (observations[agent], infos[agent])
            )
        return observations, infos

    def step(self, actions: Any) -> Any:
        known = {agent: actions.get(agent, 0) for agent in self.agents}
        results: tuple[dict[str, Any], ...] = super().step(known)
        spoils = self._spoils
        if spoils.now("raise"):
            raise OwnError("the environment is broken")
        if spoils.now("shape"):
            return self._reshape(results)
        observations, rewards, terminations, truncations, infos = results
        for agent in observations:
            spoilt = spoils.single(tuple(part[agent] for part in results))
            for part, value in zip(results, spoilt or (), strict=False):
                part[agent] = value
        return observations, rewards, terminations, truncations, infos

    def _reshape(self, results: tuple[dict[str, Any], ...]) -> Any:
        """Spoils who is told of."""
        agent = self._chance.choice(self.possible_agents)
        part = self._chance.choice(results)
        match self._how:
            case "lost":
                part.pop(agent, None)
            case "all lost":
                part.clear()
            case "unknown":
                part["stranger"] = next(iter(part.values()), 0.0)
            case "gone":  # without a word
                self.agents = [other for other in self.agents if other != agent]
            case "new team":
                self._change_team()
            case "returned":
                return self._chance.choice([results[:4], None, (*results, {})])
            case _:
                return {}, {}, {}, {}, {}
        return results

    def _change_team(self) -> None:
        self.possible_agents = self._chance.choice(
            [["agent_0"], ["agent_1", "agent_0"], ["agent_0", "agent_1", "agent_2"], []]
        )


def check_told(reward: Any, shaping: Any) -> bool:
    """Checks what a wrapper tells of a step.

    Args:
        reward: What the environment paid.
        shaping: ``info["shaping"]`` of the wrapper.

    Returns:
        Whether the reward is a finite number.
    """
    number = float(np.asarray(reward, dtype=float).reshape(()))
    base = shaping["base"]
    same = base == number or (math.isnan(base) and math.isnan(number))
    assert same, f"the base reward {reward!r} is told as {base!r}"
    if math.isfinite(number):
        total = shaping["total"]
        assert math.isfinite(total), f"{total} is the sum of a reward of {reward!r}"
    return math.isfinite(number)


def _signal(chance: random.Random) -> Signal:
    kinds = ["potential", "progress", "bonus"]
    texts = [
        "place",
        "-place",
        "1 / place",
        "place ** 8",
        "team_mean(place)",
        "sqrt(place)",
    ]
    terms = tuple(
        Term(name=f"t{k}", kind=chance.choice(kinds), expression=text, weight=1.0)  # type: ignore[arg-type]
        for k, text in enumerate(chance.sample(texts, chance.randrange(3)))
    )
    return Signal(terms=terms)


#: Errors of Python itself; an environment that breaks its API may cause them.
_PLAIN = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)


def _attempt(
    make: Callable[[random.Random, Spoils], Any],
    play: Callable[[random.Random, Any], bool],
) -> Attempt:
    """Plays a spoilt environment behind a wrapper, with a signal or on a board."""

    def attempt(chance: random.Random) -> None:
        spoils = Spoils(chance)
        env = make(chance, spoils)
        features = corridor_features() if hasattr(env, "possible_agents") else _WALK
        signal = _signal(chance)
        with tempfile.TemporaryDirectory(prefix="attack-") as temporary:
            board = Board.create(
                Path(temporary) / "board", Posting(version=1, signal=signal, gamma=0.9)
            )
            options: dict[str, Any] = {"signal": signal}
            if chance.random() < 0.5:
                options = {"board": board, "conditions": _FAR, "success": "place > 0.9"}
            clean = False
            try:
                clean = play(chance, wrap(env, features, **options))
            except AlsoError:
                raise
            except _PLAIN as error:
                if not spoils.spoilt:
                    raise
                raise OwnError("the environment breaks its API") from error
            finally:
                board.collect(_FAR)
                returns = board.new_episodes()["base_return"]
            assert not clean or np.isfinite(returns).all(), (
                f"base returns are {returns}"
            )

    return attempt


def _play_single(chance: random.Random, env: Any) -> bool:
    clean = True
    env.reset(seed=0)
    for _ in range(_STEPS):
        *_, terminated, truncated, info = env.step(chance.randrange(2))
        clean &= check_told(env.unwrapped.paid, info["shaping"])
        if terminated or truncated:
            env.reset()
    return clean


def _play_parallel(chance: random.Random, env: Any) -> bool:
    clean = True
    env.reset(seed=0)
    for _ in range(_STEPS):
        _, rewards, _, _, infos = env.step({a: chance.randrange(3) for a in env.agents})
        assert set(rewards) == set(env.unwrapped.paid), "others are paid"
        for agent, reward in env.unwrapped.paid.items():
            clean &= check_told(reward, infos[agent]["shaping"])
        if not env.agents:
            env.reset()
    return clean


def _play_turns(chance: random.Random, env: Any) -> bool:
    clean = True
    env.reset(seed=0)
    for _ in range(2 * _STEPS):
        if not env.agents:
            env.reset()
        agent = env.agent_selection
        over = env.terminations[agent] or env.truncations[agent]
        env.step(None if over else chance.randrange(3))
        for base in env.env.rewards.values():
            clean &= math.isfinite(float(np.asarray(base, dtype=float).reshape(())))
        if clean and env.agents:
            total = float(env.last()[1])
            assert math.isfinite(total), f"{total} is paid"
    return clean


def _play_vector(chance: random.Random, env: Any) -> bool:
    env.reset(seed=0)
    clean = True
    for _ in range(_STEPS):
        actions = np.array([chance.randrange(2) for _ in range(env.num_envs)])
        _, rewards, _, _, infos = env.step(actions)
        base = np.asarray(env.env.paid, dtype=float)
        told = infos["shaping"]
        mask = told["_base"]
        np.testing.assert_array_equal(told["base"][mask], base[mask])
        finite = np.isfinite(base)
        assert np.isfinite(rewards[finite]).all(), f"{base} became {rewards}"
        clean &= bool(finite.all())
    return clean


class PaidVector(SyncVectorEnv):
    """Remembers what it paid."""

    paid: Any = None

    def step(self, actions: Any) -> Any:
        results = super().step(actions)
        self.paid = results[1].copy()
        return results


def _remember(cls: type[Any]) -> type[Any]:
    """Makes an environment remember what it paid at its last step."""

    class Paid(cls):
        paid: Any = None

        def step(self, action: Any) -> Any:
            results = super().step(action)
            rewards = results[1] if isinstance(results, tuple) else None
            self.paid = dict(rewards) if isinstance(rewards, dict) else rewards
            return results

    Paid.__name__ = cls.__name__
    return Paid


_PaidWalk, _PaidCorridor = _remember(SpoiltWalk), _remember(SpoiltCorridor)


def _walk(chance: random.Random, spoils: Spoils) -> Any:
    return _PaidWalk(spoils, chance.random() < 0.2)


def _corridor(chance: random.Random, spoils: Spoils) -> Any:
    return _PaidCorridor(spoils, chance)


def _turns(chance: random.Random, spoils: Spoils) -> Any:
    return parallel_to_aec(_corridor(chance, spoils))


def _vector(chance: random.Random, spoils: Spoils) -> Any:
    mode = chance.choice([AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
    makers = [lambda: _walk(chance, spoils) for _ in range(3)]
    return PaidVector(makers, autoreset_mode=mode)


ATTEMPTS: dict[str, Attempt] = {
    "environments: single": _attempt(_walk, _play_single),
    "environments: parallel": _attempt(_corridor, _play_parallel),
    "environments: turns": _attempt(_turns, _play_turns),
    "environments: vector": _attempt(_vector, _play_vector),
}


def attack(randomness: random.Random, until: float) -> Tally:
    """Plays spoilt environments until a time."""
    return attempt_until(ATTEMPTS, randomness, until)
