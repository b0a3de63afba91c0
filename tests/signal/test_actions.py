"""Actions: what does not fit is refused, and what may be said is listed."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import pytest
from gymnasium import spaces

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal import (
    Action,
    Actions,
    Compass,
    Feature,
    FeatureMap,
    Heading,
)
from also_wrappers.testing import Corridor

STAY = Action("stay", 0)
LEFT, RIGHT = Action("left", 1, (0, -1)), Action("right", 2, (0, 1))
PLACES = {"goal": ("dy", "dx")}
FEATURES = FeatureMap(
    Feature("dy", "obs[0]"),
    Feature("dx", "obs[1]"),
    Feature("wall", "obs[2]"),
    Feature("done", "action"),
)
HEADINGS = {
    "up": Heading("dy", (-1, 0)),
    "down": Heading("dx", (1, 0)),
}
ROBOT = (Action("drive", 0), Action("turn_left", 1), Action("turn_right", 2))


def robot(drive: str = "drive", headings: Any = HEADINGS) -> Compass:
    return Compass(drive, "turn_left", "turn_right", headings)


def test_lists_what_a_rule_may_say() -> None:
    assert Actions((STAY, LEFT), PLACES).says == (
        "stay",
        "left",
        "toward goal",
        "away goal",
    )
    assert Actions(ROBOT, compass=robot()).says == (
        "drive",
        "turn_left",
        "turn_right",
        "go up",
        "go down",
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Actions(()), "at least one action"),
        (
            lambda: Actions((STAY, Action("stay", 1))),
            "two actions have the name 'stay'",
        ),
        (lambda: Actions((STAY, Action("wait", 0))), "two actions have the index 0"),
        (lambda: Actions((Action("go up", 0),)), "'go up' cannot be the name"),
        (lambda: Actions((LEFT,), {"the goal": ("dy", "dx")}), "'the goal' cannot be"),
        (lambda: Actions((Action("stay", -1),)), "has the index -1"),
        (lambda: Actions((Action("stay", 63),)), "0 to 62"),
        (lambda: Actions((LEFT, Action("up", 3, (1,)))), "step of up has 1"),
        (lambda: Actions((LEFT,), {"goal": ("dx",)}), "the place 'goal' has 1"),
        (lambda: Actions((STAY,), PLACES), "places need actions that move"),
        (lambda: Actions((Action("up", 0, ()),), {"here": ()}), "need actions that"),
        (lambda: Actions(ROBOT, compass=robot("fly")), "by 'fly', which is no action"),
        (lambda: Actions(ROBOT, compass=robot(headings={})), "at least two headings"),
        (
            lambda: Actions((*ROBOT, Action("up", 3, (0, 1))), compass=robot()),
            "have no step of their own",
        ),
        (lambda: Actions(ROBOT, {"goal": ("dx",)}, robot()), "'goal' has 1"),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make()


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (Actions((LEFT,), {"goal": ("dy", "dz")}), "'goal' is read from 'dz'"),
        (Actions((LEFT,), {"goal": ("dy", "done")}), "'goal' is read from 'done'"),
        (Actions((Action("up", 0, (1, 0), "wal"),)), "'up' is open: .*mean wall"),
        (Actions((Action("up", 0, (1, 0), "done"),)), "'up' is open: .*the action"),
        (
            Actions(
                ROBOT, compass=robot(headings={**HEADINGS, "x": Heading("n", (1, 1))})
            ),
            "the heading 'x' is read from 'n'",
        ),
        (
            Actions(
                ROBOT,
                compass=robot(headings={**HEADINGS, "x": Heading("dx", (1, 1), "(")}),
            ),
            "the heading 'x' is open",
        ),
    ],
)
def test_features_that_are_not_there_are_refused(
    actions: Actions, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        actions.check_features(FEATURES)


def test_an_action_that_the_space_does_not_have_is_refused() -> None:
    Actions((STAY, LEFT)).check_space(spaces.Discrete(2))
    with pytest.raises(ConfigurationError, match=r"'right' has the index 2.*0 to 1"):
        Actions((STAY, RIGHT)).check_space(spaces.Discrete(2))


@pytest.mark.parametrize(
    "space", [spaces.Box(0, 1, (2,)), spaces.MultiDiscrete([2, 2])]
)
def test_spaces_that_are_not_discrete_are_refused(space: Any) -> None:
    with pytest.raises(ConfigurationError, match="needs a Discrete action space"):
        Actions((STAY,)).check_space(space)


class Meaningful(gym.Wrapper[Any, Any, Any, Any]):
    def __init__(self, meanings: list[str]) -> None:
        super().__init__(gym.make("CartPole-v1"))
        self.meanings = meanings

    @property
    def unwrapped(self) -> Any:
        return self

    def get_action_meanings(self) -> list[str]:
        return self.meanings


def test_names_the_actions_of_any_kind_of_environment() -> None:
    three = ("action_0", "action_1", "action_2")
    assert Actions.from_space(Corridor()).says == three
    vector = gym.make_vec("CartPole-v1", num_envs=2)
    assert Actions.from_space(vector).says == ("action_0", "action_1")
    said = Actions.from_space(Meaningful(["PUSH LEFT", "PUSH RIGHT"])).says
    assert said == ("push_left", "push_right")
    for odd in (["SAME", "SAME"], ["ONE"], ["1", "2"]):
        assert Actions.from_space(Meaningful(odd)).says == ("action_0", "action_1")
    with pytest.raises(ConfigurationError, match="needs a Discrete action space"):
        Actions.from_space(gym.make("Pendulum-v1"))
