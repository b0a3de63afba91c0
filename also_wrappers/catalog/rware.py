"""Makes robotic warehouse (``rware``) environments and their vocabulary.

The vocabulary names what can be measured and holds no shaping formula.
"""

from __future__ import annotations

from typing import Any

from also_wrappers.catalog.registered import make_registered
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal.actions import Action, Actions, Compass, Heading
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.features import Feature, FeatureGroup, View
from also_wrappers.wrappers.tuple_env import TupleParallelEnv

__all__ = ["actions", "features", "parallel_env"]

# The flattened observation: x, y, carrying, direction (4), on a highway; then nine
# cells around the robot, row by row, of another robot, its direction (4), a shelf,
# whether it is requested.
_OWN = 8
_CELL = 7
_CENTRE = 4
_LENGTH = _OWN + 9 * _CELL

#: The headings in the order of the observation, each with the cell that is next there,
#: and the step to it in rows and columns.
_HEADINGS = {
    "up": (1, -1, 0),
    "down": (7, 1, 0),
    "left": (3, 0, -1),
    "right": (5, 0, 1),
}


def parallel_env(env_id: str) -> TupleParallelEnv:
    """Makes a warehouse as a PettingZoo ParallelEnv with a team reward.

    Args:
        env_id: Id of the environment, such as ``rware-tiny-2ag-v2``.

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


def features(env: TupleParallelEnv, *, experts: bool = False) -> FeatureMap:
    """Returns the vocabulary of a warehouse with flattened observations.

    Args:
        env: Made by ``parallel_env``.
        experts: Whether to add the features that ``actions`` reads: the robot's
            heading, what is on the four cells next to the robot, the offset of the
            nearest goal in cells, and which headings are open.

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
    named = [
        Feature("x", "", "own column on the grid", 0, columns - 1),
        Feature("y", "", "own row on the grid", 0, rows - 1),
        Feature("carrying", "", "1 while carrying a shelf", 0, 1),
        Feature("on_highway", "", "1 where shelves may not be put down", 0, 1),
        Feature("shelf_here", "", "1 on or under a shelf", 0, 1),
        Feature("requested_here", "", "1 if that shelf is requested", 0, 1),
        Feature("requested_near", "", "requested shelves in sight", 0, 9),
        Feature("robots_near", "", "other robots in sight", 0, 8),
    ]
    measured = FeatureGroup(_measure, tuple(named))
    if not experts:
        return FeatureMap(measured)
    named = []
    for what, meaning in (
        ("heading_{}", "1 if the robot heads {}"),
        ("shelf_{}", "1 if a shelf is on the next cell {}"),
        ("requested_{}", "1 if a requested shelf is on the next cell {}"),
        ("robot_{}", "1 if another robot is on the next cell {}"),
        ("blocked_{}", "1 if the robot cannot drive {}"),
    ):
        named += [
            Feature(what.format(name), "", meaning.format(name), 0, 1)
            for name in _HEADINGS
        ]
    named.append(Feature("goal_dy", "", "rows down to the nearest goal"))
    named.append(Feature("goal_dx", "", "columns to the right to the nearest goal"))
    goals = [(float(y), float(x)) for x, y in inner.goals]
    around = _Around(int(rows), int(columns), goals)
    return FeatureMap(measured, FeatureGroup(around, tuple(named)))


def actions(env: TupleParallelEnv) -> Actions:
    """Returns the actions of a warehouse, for ``features(env, experts=True)``.

    ``go up`` and the like say the next action on the way up, and ``toward goal`` says
    the next action on an open way to the nearest goal.

    Args:
        env: Made by ``parallel_env``.

    Example:
        >>> actions(parallel_env("rware-tiny-2ag-v2")).says[4:7]
        ('toggle', 'go up', 'go right')
    """
    clockwise = ("up", "right", "down", "left")
    return Actions(
        (
            Action("noop", 0),
            Action("forward", 1),
            Action("turn_left", 2),
            Action("turn_right", 3),
            Action("toggle", 4),
        ),
        places={"goal": ("goal_dy", "goal_dx")},
        compass=Compass(
            "forward",
            "turn_left",
            "turn_right",
            {
                name: Heading(f"heading_{name}", step, f"not blocked_{name}")
                for name in clockwise
                for step in [_HEADINGS[name][1:]]
            },
        ),
    )


def _measure(view: View) -> list[float]:
    observed = view.observation.tolist()
    cells = observed[_OWN:]
    centre = _CENTRE * _CELL
    robots = sum(cells[0::_CELL]) - cells[centre]
    return [
        observed[0],
        observed[1],
        observed[2],
        observed[7],
        cells[centre + 5],
        cells[centre + 6],
        sum(cells[6::_CELL]),
        robots,
    ]


class _Around:
    """Reads a robot's heading, its four next cells, and the nearest goal."""

    def __init__(
        self, rows: int, columns: int, goals: list[tuple[float, float]]
    ) -> None:
        self._rows = rows
        self._columns = columns
        self._goals = goals

    def __call__(self, view: View) -> list[float]:
        observed = view.observation.tolist()
        x, y, carrying = observed[:3]
        robots, shelves, requested, blocked = [], [], [], []
        for cell, down, right in _HEADINGS.values():
            at = _OWN + cell * _CELL
            robots.append(observed[at])
            shelves.append(observed[at + 5])
            requested.append(observed[at + 6])
            inside = 0 <= y + down < self._rows and 0 <= x + right < self._columns
            full = observed[at] or (carrying and observed[at + 5])
            blocked.append(float(bool(full) or not inside))
        offsets = [(goal_y - y, goal_x - x) for goal_y, goal_x in self._goals]
        nearest = min(offsets, key=lambda offset: abs(offset[0]) + abs(offset[1]))
        return [*observed[3:7], *shelves, *requested, *robots, *blocked, *nearest]
