"""What is said where an argument of a wrapper is something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.run.run import Run
from also_wrappers.signal import Action, Feature, FeatureMap, Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.wrappers import wrap
from tests.support.environments import Walk

PLACE = Feature("place", "obs[0]")
TERM = Term(name="on", kind="progress", expression="place", weight=1.0)


def vector() -> Any:
    return gym.vector.SyncVectorEnv([Walk, Walk])


@pytest.mark.parametrize("make_env", [Walk, Corridor, vector])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"features": [PLACE]}, "features is of type list, and must be a FeatureMap"),
        ({"features": None}, "features is of type NoneType"),
        ({"signal": TERM}, "signal is of type Term, and must be a Signal: write"),
        ({"signal": {}}, "signal is of type dict"),
        ({"signal": None, "board": "runs/a"}, "board is of type str, and must be a"),
        ({"gamma": "0.9"}, "gamma is of type str, and must be a number"),
        ({"conditions": ["place > 1"]}, "conditions is of type list"),
        ({"actions": [Action("stay", 0)]}, "actions is of type list"),
        ({"fade": 0.5}, "fade is of type float, and must be a Fade"),
        ({"succes": "place > 1"}, "takes no succes=; beside features it takes signal"),
    ],
)
def test_each_wrong_argument_gets_a_sentence(
    make_env: Callable[[], Any], arguments: dict[str, Any], said: str
) -> None:
    right: dict[str, Any] = {
        "features": FeatureMap(PLACE),
        "signal": Signal(terms=(TERM,)),
    }
    with pytest.raises(ConfigurationError) as error:
        wrap(make_env(), **(right | arguments))
    assert said in str(error.value)


def test_a_run_is_no_board(tmp_path: Path) -> None:
    run = Run(Task("Walk.", FeatureMap(PLACE)), tmp_path / "run")
    with pytest.raises(ConfigurationError, match="write board=run"):
        wrap(Walk(), run.task.features, board=run)
    run.close()


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        (Corridor, "the class Corridor is neither"),
        (lambda: Corridor(), "function is neither"),
        ("CartPole-v1", "str is neither"),
        ([Corridor()], "list is neither"),
    ],
)
def test_a_shape_is_put_around_one_environment(
    thing: Any, said: str, tmp_path: Path
) -> None:
    run = Run(Task("Walk.", corridor_features()), tmp_path / "run")
    with pytest.raises(ConfigurationError, match="around one environment that") as info:
        run.shape(thing)
    assert str(info.value).startswith(said)
    run.close()
