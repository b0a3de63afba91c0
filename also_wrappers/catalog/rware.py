"""The robotic warehouse (``rware``): the environment and its vocabulary.

It names what can be measured and holds no shaping formula.
"""

from __future__ import annotations

from typing import Any

from also_wrappers.catalog.registered import make_registered
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.features import Feature, FeatureGroup, View
from also_wrappers.wrappers.tuple_env import TupleParallelEnv

__all__ = ["features", "parallel_env"]

# The flattened observation: x, y, carrying, direction (4), on a highway; then nine
# cells around the robot, row by row, of another robot, its direction (4), a shelf,
# whether it is requested.
_OWN = 8
_CELL = 7
_CENTRE = 4
_LENGTH = _OWN + 9 * _CELL


def parallel_env(env_id: str) -> TupleParallelEnv:
    """Makes a warehouse as a PettingZoo ParallelEnv with a team reward.

    Args:
        env_id: Such as ``rware-tiny-2ag-v2``.

    Raises:
        ConfigurationError: rware is not installed, or has no such environment.

    Example:
        >>> parallel_env("rware-tiny-2ag-v2").possible_agents
        ['agent_0', 'agent_1']
    """
    inner = make_registered("rware", env_id, "request_queue", "rware-tiny-2ag-v2")
    return TupleParallelEnv(
        inner, time_limit=inner.max_steps or 500, shared_reward=True
    )


def features(env: TupleParallelEnv) -> FeatureMap:
    """The vocabulary of a warehouse with flattened observations and sensor range 1.

    Raises:
        ConfigurationError: The observations are of another kind.

    Example:
        >>> features(parallel_env("rware-tiny-2ag-v2")).names[:3]
        ('x', 'y', 'carrying')
    """
    space = env.observation_space(env.possible_agents[0])
    if space.shape != (_LENGTH,):
        raise ConfigurationError(
            f"the vocabulary of rware needs flattened observations of {_LENGTH} "
            f"numbers (sensor range 1, no messages), not {space}"
        )
    inner: Any = env.env.unwrapped
    rows, columns = inner.grid_size
    return FeatureMap(
        FeatureGroup(
            _measure,
            (
                Feature("x", "", "own column on the grid", 0, columns - 1),
                Feature("y", "", "own row on the grid", 0, rows - 1),
                Feature("carrying", "", "1 while carrying a shelf", 0, 1),
                Feature("on_highway", "", "1 where shelves may not be put down", 0, 1),
                Feature("shelf_here", "", "1 on or under a shelf", 0, 1),
                Feature("requested_here", "", "1 if that shelf is requested", 0, 1),
                Feature("requested_near", "", "requested shelves in sight", 0, 9),
                Feature("robots_near", "", "other robots in sight", 0, 8),
            ),
        )
    )


def _measure(view: View) -> list[float]:
    seen = view.observation.tolist()
    cells = seen[_OWN:]
    centre = _CENTRE * _CELL
    robots = sum(cells[0::_CELL]) - cells[centre]
    return [
        seen[0],
        seen[1],
        seen[2],
        seen[7],
        cells[centre + 5],
        cells[centre + 6],
        sum(cells[6::_CELL]),
        robots,
    ]
