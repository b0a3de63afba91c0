"""``inspect``: an environment of the user's, and what is wrong with it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from also_wrappers.cli.app import app
from also_wrappers.exceptions import ConfigurationError

MODULE = "envs_of_a_user"
SOURCE = '''
import gymnasium as gym
import numpy as np

import also_wrappers as also
from also_wrappers.testing import Corridor, Turns, corridor_features

features = corridor_features()
number = 3


def small():
    return Corridor(length=3)


def of_env(env):
    assert env.possible_agents
    return corridor_features()


poor = also.FeatureMap(
    also.Feature("one", lambda view: 1.0, "always the same"),
    also.Feature("place", "obs[0]", "own place", 0.25, 0.5),
)
unfit = also.FeatureMap(also.Feature("far", "obs[7]"))


def cart():
    return gym.make("CartPole-v1")


def needs(size):
    return Corridor(size)


def none():
    return None


class Restless(gym.Env):
    """Ignores its seed, and never ends."""

    observation_space = gym.spaces.Box(0.0, 1.0, (2,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return np.random.random(2).astype(np.float32), {}

    def step(self, action):
        return np.random.random(2).astype(np.float32), 0.0, False, False, {}


class Wide(gym.Env):
    """Has more numbers than can be named."""

    observation_space = gym.spaces.Box(0.0, 1.0, (100,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._left = 5
        return self.observation_space.sample() * 0, {}

    def step(self, action):
        self._left -= 1
        paid = float(self.np_random.random() < 0.5)
        return np.zeros(100, np.float32), paid, False, self._left == 0, {}


class Outside(Corridor):
    """Says more than its space allows."""

    def step(self, actions):
        observations, *rest = super().step(actions)
        return {agent: seen + 3 for agent, seen in observations.items()}, *rest


class Broken(Wide):
    """Cannot be played."""

    def step(self, action):
        raise RuntimeError("out of order")
'''


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A directory with a module of environments, as the current one."""
    (tmp_path / f"{MODULE}.py").write_text(SOURCE)
    (tmp_path / "torn.py").write_text("import not_there_at_all\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in (MODULE, "torn"):
        sys.modules.pop(name, None)


def inspected(name: str, *options: str) -> str:
    arguments = ["inspect", f"{MODULE}:{name}", *options]
    result = CliRunner().invoke(
        app, arguments, catch_exceptions=False, standalone_mode=False
    )
    return " ".join(result.stdout.split())


def refused(place: str, *options: str) -> str:
    result = CliRunner().invoke(app, ["inspect", place, *options])
    assert isinstance(result.exception, ConfigurationError), result.output
    said = str(result.exception)
    assert "\n" not in said
    return said


def test_an_environment_is_shown_as_an_advisor_will_see_it() -> None:
    text = inspected("small", "--features", f"{MODULE}:features", "--episodes", "5")
    assert f"{MODULE}:small: PettingZoo parallel environment Corridor" in text
    assert "agents 2: agent_0, agent_1" in text
    assert "observation Box(0.0, 1.0, (2,), float32) for each agent" in text
    assert "action Discrete(3) for each agent" in text
    assert "seeds honoured" in text
    assert re.search(r"5 of random actions, [\d.]+ steps each \(\d+ to \d+\)", text)
    assert re.search(r"base return \d\.\d{3} \+- \d\.\d{3} \(\d to 1\); a reward", text)
    assert "place 0 to 1 0 to 1 own place, 1 at the end" in text
    assert "move 0 to 2 0 to 2 of the action; 0 stay" in text
    assert "The wrapper contract holds: - the empty signal changes nothing" in text
    assert "AEC, parallel and single interfaces pay and tell the same" in text


def test_features_may_be_made_of_the_environment_or_named_after_its_spaces() -> None:
    assert "mate_place" in inspected("small", "--features", f"{MODULE}:of_env")
    text = inspected("cart", "--episodes", "3")
    assert "Gymnasium environment CartPoleEnv" in text
    assert "obs_0 -4.8 to 4.8" in text
    assert "named after the spaces" in text
    assert "vectors pay and tell the same" in text


def test_an_environment_of_turns_is_played_by_turns() -> None:
    text = inspected("Turns", "--episodes", "3")
    assert "PettingZoo AEC environment Turns" in text
    assert "3 of random actions" in text


def test_what_tells_nothing_or_is_declared_too_narrow_is_marked() -> None:
    text = inspected("small", "--features", f"{MODULE}:poor")
    assert "one - 1 CONSTANT so far; always the same" in text
    assert "place 0.25 to 0.5 0 to 1 BEYOND what is declared; own place" in text


def test_observations_outside_their_space_are_told_with_any_features() -> None:
    text = inspected("Outside", "--features", f"{MODULE}:features", "--episodes", "2")
    assert "outside an observation of 'agent_0' lies OUTSIDE its space; dec" in text
    assert "of shape (2,) and float32, 3 to" in text
    assert "OUTSIDE" not in inspected("small", "--episodes", "2")


def test_without_any_names_the_environment_is_examined_all_the_same() -> None:
    text = inspected("Wide", "--episodes", "4")
    assert "features none: the observation space" in text
    assert "4 of random actions, 5.0 steps each (5 to 5)" in text
    assert "The wrapper contract holds" in text


def test_an_environment_that_ignores_seeds_and_never_ends_is_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("also_wrappers.cli.examine._MOST_STEPS", 4100)
    result = CliRunner().invoke(app, ["inspect", f"{MODULE}:Restless"])
    assert "ignored: two rollouts with one seed differ" in result.stdout
    assert "none ended within 4,100 steps of random actions" in result.stdout
    assert re.search(r"obs_0 +0 to 1 +\S+ to 0\.9\d*", result.stdout)
    assert isinstance(result.exception, ConfigurationError)
    said = str(result.exception)
    assert f"the wrapper contract does not hold for {MODULE}:Restless" in said
    assert "ignores its seed" in said


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere", "write MODULE:NAME"),
        (":name", "write MODULE:NAME"),
        ("not_there:name", "there is no module 'not_there'"),
        ("also_wrappers.nowhere:name", "there is no module 'also_wrappers.nowhere'"),
        ("torn:name", "'torn' cannot be imported (ModuleNotFoundError: No module na"),
        (f"{MODULE}:smal", f"did you mean {MODULE}:small?"),
        (f"{MODULE}:zzz", f"'{MODULE}' has no 'zzz'"),
        (f"{MODULE}:number", "is 3; give a function without arguments"),
        (f"{MODULE}:needs", "when it is called without arguments"),
        (f"{MODULE}:none", "makes a NoneType"),
        (f"{MODULE}:Broken", "(RuntimeError: out of order)"),
    ],
)
def test_what_is_no_factory_is_refused_with_a_sentence(
    place: str, message: str
) -> None:
    assert message in refused(place)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ("number", "gives 3, which is no FeatureMap"),
        ("none", "gives None, which is no FeatureMap"),
        ("unfit", "feature 'far' (obs[7]) cannot be read"),
    ],
)
def test_what_are_no_features_is_refused_with_a_sentence(
    features: str, message: str
) -> None:
    said = refused(f"{MODULE}:small", "--features", f"{MODULE}:{features}")
    assert message in said
