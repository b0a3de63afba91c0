"""``inspect``: an environment of the user's, as an advisor would learn of it."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from pettingzoo import AECEnv, ParallelEnv
from rich.console import Console
from rich.table import Table
from rich.text import Text

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.cli.user_code import load_factory, load_features
from also_wrappers.exceptions import ConfigurationError, FeatureError, brief
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.features import Feature, View
from also_wrappers.signal.model import Signal, Term
from also_wrappers.testing.contracts import check_wrapped
from also_wrappers.testing.rollouts import choose, equal, rollout
from also_wrappers.wrappers import wrap

__all__ = ["examine_environment"]

Array = npt.NDArray[np.float64]

#: Steps of the rollouts that say whether seeds are honoured, and of all episodes.
_SEED_STEPS, _SPACE_STEPS, _MOST_STEPS = 100, 1_000, 20_000
#: Differences that rounding makes between a declared range and a measured one.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Played:
    """Sums up episodes of random actions.

    Attributes:
        returns: Base return of each episode that ended.
        lengths: Length of each episode, in environment steps.
        rewarded: Whether each episode had a base reward above 0.
        low: Smallest value of each feature.
        high: Largest value of each feature.
        unfinished: Whether episodes took so many steps that one was cut short.
    """

    returns: Array
    lengths: Array
    rewarded: npt.NDArray[np.bool_]
    low: Array
    high: Array
    unfinished: bool


def examine_environment(
    place: str, features_place: str | None, episodes: int, console: Console
) -> None:
    """Prints what an environment is and what random actions earn in it.

    Whether the wrapper contract holds for the environment is printed as well.

    Args:
        place: Module and name of the environment's factory, ``MODULE:NAME``.
        features_place: Module and name of its features; what its spaces name if not
            given.
        episodes: How many episodes of random actions to play.
        console: Where to print.

    Raises:
        ConfigurationError: There is no such factory or features, they do not fit, or
            the wrapper contract does not hold.
    """
    make_env = load_factory(place)
    env = make_env()
    features, origin = _features_of(env, features_place)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own, of matters of taste
        for name, text in _about(env):
            table.add_row(name, Text(text))
        try:
            table.add_row("seeds", _seeds(make_env))
            if outside := _outside(make_env()):
                table.add_row("outside", Text(outside))
            played = play_episodes(make_env(), features or _NOTHING, episodes)
        except ConfigurationError:
            raise
        except Exception as error:
            raise ConfigurationError(
                f"{place} cannot be played with random actions ({brief(error)}); mend "
                "the environment"
            ) from error
        for name, text in _outcome(played):
            table.add_row(name, text)
        table.add_row("features", Text(origin))
        console.print(Text(f"{place}: {_interface(env)}", style="bold"), soft_wrap=True)
        console.print(table, highlight=False)
        if features is not None:
            console.print()
            console.print(_ranges(features, played), highlight=False)
        console.print()
        checked = _check(place, make_env, features or _NOTHING)
    console.print("The wrapper contract holds:", highlight=False)
    for line in checked:
        console.print(Text(f"- {line}"))


def play_episodes(env: Any, features: FeatureMap, episodes: int) -> Played:
    """Plays episodes of random actions.

    Args:
        env: The environment, without a wrapper of ours.
        features: What is measured.
        episodes: How many episodes, unless they take too many steps.
    """
    returns, lengths, rewarded = [], [], []
    low = np.full(len(features), np.inf)
    high = np.full(len(features), -np.inf)
    left, unfinished = _MOST_STEPS, False
    with tempfile.TemporaryDirectory() as folder:
        board = Board.create(Path(folder) / "board", Posting(version=1, gamma=0.99))
        env = wrap(env, features, board=board)
        for number in range(episodes):
            board.begin_window()
            steps = sum(1 for _ in _play(env, 0 if number == 0 else None, left))
            left -= steps
            segments = board.new_episodes()
            unfinished = left <= 0
            if not unfinished:
                returns.append(float(segments["base_return"].sum()))
                lengths.append(int(segments["length"].sum()))
                rewarded.append(bool(segments["rewarded"].any()))
            collected = board.collect()
            for episode in collected.episodes if collected else []:
                rows = episode.rows[episode.alive]
                low = np.minimum(low, rows.min(axis=0))
                high = np.maximum(high, rows.max(axis=0))
            if unfinished:
                break
    return Played(
        np.array(returns),
        np.array(lengths, dtype=float),
        np.array(rewarded, dtype=bool),
        low,
        high,
        unfinished,
    )


def _outside(env: Any) -> str:
    """Says which observation lies outside its space; empty if none does."""
    several = hasattr(env, "possible_agents")
    for observations in _play(env, 0, _SPACE_STEPS):
        for agent, observation in observations.items():
            space = env.observation_space(agent) if several else env.observation_space
            if space.contains(observation):
                continue
            whose = f"an observation of {agent!r}" if several else "an observation"
            text = f"{whose} lies OUTSIDE its space; declare what it can be"
            if isinstance(observation, np.ndarray) and observation.size:
                text += (
                    f": it is of shape {observation.shape} and {observation.dtype}, "
                    f"{observation.min():.4g} to {observation.max():.4g}"
                )
            return text
    return ""


def _play(env: Any, seed: int | None, most: int) -> Iterator[Mapping[Any, Any]]:
    """Plays one episode of random actions; yields what is observed at every step."""
    several = hasattr(env, "possible_agents")
    agents = list(env.possible_agents) if several else []
    spaces = {agent: env.action_space(agent) for agent in agents}
    if seed is not None:
        for k, space in enumerate(spaces.values() if several else [env.action_space]):
            space.seed(seed + k)
    returned = env.reset(seed=seed)
    for _ in range(most):
        if isinstance(env, AECEnv):
            observation, _, ended, cut, info = env.last()
            space = spaces[env.agent_selection]
            observed = {env.agent_selection: observation}
            env.step(None if ended or cut else choose(space, observation, info))
            over = not env.agents
        elif several:
            observations, infos = returned[0], returned[-1]
            returned = env.step(
                {
                    agent: choose(
                        spaces[agent], observations.get(agent), infos.get(agent)
                    )
                    for agent in env.agents
                }
            )
            observed = returned[0]
            over = not env.agents
        else:
            returned = env.step(choose(env.action_space, returned[0], returned[-1]))
            observed = {"": returned[0]}
            over = returned[2] or returned[3]
        yield observed
        if over:
            return


def _nothing(view: View) -> float:
    return 0.0


#: The vocabulary of an environment whose spaces name nothing.
_NOTHING = FeatureMap(Feature("nothing", _nothing))


def _features_of(env: Any, place: str | None) -> tuple[FeatureMap | None, str]:
    """Returns the features of an environment, and where they are from, in words."""
    if place is not None:
        return load_features(place, env), place
    try:
        features = FeatureMap.from_spaces(env)
    except FeatureError as error:
        return None, f"none: {error}"
    return features, "named after the spaces; --features MODULE:NAME gives better ones"


def _interface(env: Any) -> str:
    kind = {ParallelEnv: "PettingZoo parallel", AECEnv: "PettingZoo AEC"}
    name = next((name for base, name in kind.items() if isinstance(env, base)), None)
    inner = getattr(env, "unwrapped", env)
    return f"{name or 'Gymnasium'} environment {type(inner).__name__}"


def _about(env: Any) -> Iterator[tuple[str, str]]:
    """Yields agents and spaces; once where they are the same for all agents."""
    if isinstance(env, gym.Env):
        yield "observation", str(env.observation_space)
        yield "action", str(env.action_space)
        return
    agents = list(env.possible_agents)
    yield "agents", f"{len(agents)}: {', '.join(map(str, agents))}"
    for name, space_of in (
        ("observation", env.observation_space),
        ("action", env.action_space),
    ):
        spaces = {agent: str(space_of(agent)) for agent in agents}
        if len(set(spaces.values())) == 1:
            yield name, f"{spaces[agents[0]]} for each agent"
        else:
            yield name, "\n".join(f"{agent}: {text}" for agent, text in spaces.items())


def _seeds(make_env: Callable[[], Any]) -> str:
    first, again = (rollout(make_env(), 7, _SEED_STEPS) for _ in range(2))
    if equal(first, again):
        return "honoured: one seed plays the same again"
    return "ignored: two rollouts with one seed differ"


def _outcome(played: Played) -> Iterator[tuple[str, str]]:
    """Yields what random actions came to."""
    count = len(played.returns)
    if not count:
        yield "episodes", f"none ended within {_MOST_STEPS:,} steps of random actions"
        return
    lengths = played.lengths
    text = (
        f"{count} of random actions, {lengths.mean():.1f} steps each "
        f"({lengths.min():.0f} to {lengths.max():.0f})"
    )
    if played.unfinished:
        text += f"; no more, as {_MOST_STEPS:,} steps were played"
    yield "episodes", text
    error = played.returns.std() / count**0.5
    yield (
        "base return",
        f"{played.returns.mean():.3f} +- {error:.3f} "
        f"({played.returns.min():.3g} to {played.returns.max():.3g}); "
        f"a reward above 0 in {played.rewarded.mean():.0%} of the episodes",
    )


def _ranges(features: FeatureMap, played: Played) -> Table:
    """Returns a table of declared and measured ranges."""
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for name in ("feature", "declared", "measured"):
        table.add_column(name, no_wrap=True)
    table.add_column("")
    for k, feature in enumerate(features.features):
        low, high = float(played.low[k]), float(played.high[k])
        table.add_row(
            feature.name,
            _range(feature.low, feature.high),
            _range(low, high) if low <= high else "not measured",
            Text("; ".join(_notes(features, feature, low, high))),
        )
    return table


def _range(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return "-"
    one, other = ("?" if x is None else f"{x:.4g}" for x in (low, high))
    return one if one == other else f"{one} to {other}"


def _notes(
    features: FeatureMap, feature: Feature, low: float, high: float
) -> Iterator[str]:
    if low > high:  # no value was measured
        pass
    elif not np.isfinite([low, high]).all():
        yield "NOT FINITE somewhere"
    elif low == high:
        yield "CONSTANT so far"
    below = feature.low is not None and low < feature.low - _ROUNDING
    above = feature.high is not None and high > feature.high + _ROUNDING
    if low <= high and (below or above):
        yield "BEYOND what is declared"
    if feature.name in features.action_names:
        yield "of the action"
    if feature.description:
        yield feature.description


def _check(
    place: str, make_env: Callable[[], Any], features: FeatureMap
) -> tuple[str, ...]:
    """Returns what the wrapper contract has checked.

    Raises:
        ConfigurationError: Something does not hold.
    """
    names = [name for name in features.names if name not in features.action_names]
    expression = (names or features.names)[0]
    term = Term(name="probe", kind="progress", expression=expression, weight=1.0)
    try:
        return check_wrapped(make_env, features, Signal(terms=(term,)))
    except Exception as error:
        # An assertion of numpy's is a page.
        message = " ".join(str(error).split()) or brief(error)
        raise ConfigurationError(
            f"the wrapper contract does not hold for {place}: {message:.500}"
        ) from error
