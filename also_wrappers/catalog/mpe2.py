"""Makes the vocabularies of multi-particle environments (``mpe2``).

The vocabularies name what can be measured and hold no shaping formula. Distances and
speeds are in the units of the plane, whose field of view is [-1, 1] in both directions.
The declared range of distances is that within the field, which agents can leave.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal.actions import Action, Actions
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.features import Feature, FeatureGroup, View

__all__ = [
    "reference_features",
    "speaker_listener_features",
    "spread_actions",
    "spread_features",
    "tag_features",
]

_LANDMARKS = 3
#: The diagonal of the field.
_FAR = 2.83
#: Distance that one push moves an agent that was at rest.
_STEP = 0.05


def spread_features(env: Any, *, experts: bool = False) -> FeatureMap:
    """Returns the vocabulary of ``simple_spread`` with full observability.

    The features are the own distance to each landmark, the distance to the nearest
    other agent, and the own speed.

    Args:
        env: A ``simple_spread`` parallel or AEC environment.
        experts: Whether to add the features that ``spread_actions`` reads: offsets of
            landmarks and of the nearest other agent, and the own velocity.

    Raises:
        ConfigurationError: The observations have another layout.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> spread_features(simple_spread_v3.parallel_env(N=2)).names
        ('landmark0_distance', 'landmark1_distance', 'mate_distance', 'speed')
    """
    agents = len(env.possible_agents)
    # Velocity, place, landmarks, other agents, messages of the others (2 numbers each).
    size = 4 + 2 * agents + 4 * (agents - 1)
    _expect(env, "simple_spread with full observability", [size] * agents)
    named = _distances(agents, "own distance to landmark {}")
    named.append(
        Feature("mate_distance", "", "distance to the nearest other agent", 0.0, _FAR)
    )
    named.append(Feature("speed", "", "own speed", 0.0))
    measured = FeatureGroup(_Spread(agents), tuple(named))
    if not experts:
        return FeatureMap(measured)
    named = []
    for name in (*(f"landmark{k}" for k in range(agents)), "mate"):
        thing = "the nearest other agent" if name == "mate" else name.replace("k", "k ")
        named.append(Feature(f"{name}_dy", "", f"{thing} is so far up"))
        named.append(Feature(f"{name}_dx", "", f"{thing} is so far to the right"))
    named.append(Feature("own_vy", "", "own velocity up"))
    named.append(Feature("own_vx", "", "own velocity to the right"))
    return FeatureMap(measured, FeatureGroup(_SpreadOffsets(agents), tuple(named)))


def spread_actions(env: Any) -> Actions:
    """Returns the actions of ``simple_spread``, for experts.

    The actions are for ``spread_features(env, experts=True)``. They push the agent,
    which has momentum and is damped, to one of four sides.

    Args:
        env: A ``simple_spread`` parallel or AEC environment with discrete actions.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> spread_actions(simple_spread_v3.parallel_env(N=2)).says[:6]
        ('stay', 'left', 'right', 'down', 'up', 'toward landmark0')
    """
    places = [*(f"landmark{k}" for k in range(len(env.possible_agents))), "mate"]
    return Actions(
        (
            Action("stay", 0, (0.0, 0.0)),
            Action("left", 1, (0.0, -_STEP)),
            Action("right", 2, (0.0, _STEP)),
            Action("down", 3, (-_STEP, 0.0)),
            Action("up", 4, (_STEP, 0.0)),
        ),
        places={name: (f"{name}_dy", f"{name}_dx") for name in places},
    )


def reference_features(env: Any) -> FeatureMap:
    """Returns the vocabulary of ``simple_reference``.

    Each agent knows where its mate should go, and has to tell its mate.

    Args:
        env: A ``simple_reference`` parallel or AEC environment.

    Raises:
        ConfigurationError: The observations have another layout.

    Example:
        >>> from mpe2 import simple_reference_v3
        >>> reference_features(simple_reference_v3.parallel_env()).names[:4]
        ('goal_distance', 'mate_goal_distance', 'mate_goal', 'heard')
    """
    _expect(env, "simple_reference", [21, 21])
    named = [
        Feature(
            "goal_distance", "", "own distance to the landmark to go to", 0.0, _FAR
        ),
        Feature(
            "mate_goal_distance", "", "the mate's distance to its landmark", 0.0, _FAR
        ),
        Feature("mate_goal", "", "which landmark the mate should go to", 0, 2),
        Feature("heard", "", "the mate's last message, 0 to 9", 0, 9),
        *_distances(_LANDMARKS, "own distance to landmark {}"),
        Feature("mate_distance", "", "distance to the mate", 0.0, _FAR),
        Feature("speed", "", "own speed", 0.0),
    ]
    group = FeatureGroup(_Reference(env), tuple(named), needs_state=True)
    return FeatureMap(group)


def speaker_listener_features(env: Any) -> FeatureMap:
    """Returns the vocabulary of ``simple_speaker_listener``.

    Args:
        env: A ``simple_speaker_listener`` parallel or AEC environment.

    Raises:
        ConfigurationError: The observations have another layout.

    Example:
        >>> from mpe2 import simple_speaker_listener_v4
        >>> env = simple_speaker_listener_v4.parallel_env()
        >>> speaker_listener_features(env).names[:3]
        ('goal_distance', 'goal', 'heard')
    """
    _expect(env, "simple_speaker_listener", [3, 11])
    named = [
        Feature(
            "goal_distance", "", "the listener's distance to its landmark", 0.0, _FAR
        ),
        Feature("goal", "", "which landmark the listener should go to", 0, 2),
        Feature("heard", "", "what the speaker said last, 0 to 2", 0, 2),
        *_distances(_LANDMARKS, "the listener's distance to landmark {}"),
        Feature("speed", "", "the listener's speed", 0.0),
    ]
    group = FeatureGroup(_speaker_listener, tuple(named), needs_state=True)
    return FeatureMap(group)


def tag_features(env: Any) -> FeatureMap:
    """Returns the vocabulary of ``simple_tag`` with full observability.

    Args:
        env: A ``simple_tag`` parallel or AEC environment.

    Raises:
        ConfigurationError: The observations have another layout.

    Example:
        >>> from mpe2 import simple_tag_v3
        >>> tag_features(simple_tag_v3.parallel_env()).names[:3]
        ('chaser', 'opponent_distance', 'mate_distance')
    """
    agents = list(env.possible_agents)
    chasers = sum(str(agent).startswith("adversary") for agent in agents)
    prey = len(agents) - chasers
    size = env.observation_space(agents[0]).shape[0]
    # Velocity, place, obstacles, other agents, velocities of the other prey.
    obstacles = (size - 4 - 2 * (len(agents) - 1) - 2 * prey) // 2
    sizes = [size] * chasers + [size - 2] * prey
    _expect(env, "simple_tag with full observability", sizes)
    named = [
        Feature("chaser", "", "1 for a chaser, 0 for prey", 0, 1),
        Feature("opponent_distance", "", "distance to the nearest opponent", 0.0, _FAR),
        Feature(
            "mate_distance",
            "",
            "distance to the nearest of the own side, else 0",
            0.0,
            _FAR,
        ),
        Feature("obstacle_distance", "", "distance to the nearest obstacle", 0.0, _FAR),
        Feature("edge", "", "the larger of the own coordinates in size", 0.0),
        Feature("speed", "", "own speed", 0.0),
    ]
    measure = _Tag({a: i for i, a in enumerate(agents)}, chasers, obstacles)
    return FeatureMap(FeatureGroup(measure, tuple(named)))


class _Spread:
    def __init__(self, agents: int) -> None:
        self._landmarks = range(4, 4 + 2 * agents, 2)
        self._mates = range(4 + 2 * agents, 4 + 2 * agents + 2 * (agents - 1), 2)

    def __call__(self, view: View) -> list[float]:
        observed = view.observation.tolist()
        distances = _lengths(observed, self._landmarks)
        distances.append(min(_lengths(observed, self._mates), default=0.0))
        distances.append(math.hypot(observed[0], observed[1]))
        return distances


class _SpreadOffsets(_Spread):
    """Reads the offsets of landmarks and mate, and the own velocity."""

    def __call__(self, view: View) -> list[float]:
        observed = view.observation.tolist()
        values = []
        for at in self._landmarks:
            values += [observed[at + 1], observed[at]]
        mates = [(observed[at + 1], observed[at]) for at in self._mates]
        values += min(mates, key=lambda offset: math.hypot(*offset), default=(0.0, 0.0))
        values += [observed[1], observed[0]]
        return values


class _Reference:
    """Reads the features of ``simple_reference`` for one agent."""

    def __init__(self, env: Any) -> None:
        self._first = env.possible_agents[0]

    def __call__(self, view: View) -> list[float]:
        both = view.state.tolist()
        own, mate = both[:21], both[21:]
        if view.agent != self._first:
            own, mate = mate, own
        mate_goal, own_goal = _largest(own[8:11]), _largest(mate[8:11])
        near = _lengths(own, range(2, 8, 2))
        mates = _lengths(mate, range(2, 8, 2))
        apart = math.hypot(own[2] - mate[2], own[3] - mate[3])
        return [
            near[own_goal],
            mates[mate_goal],
            float(mate_goal),
            float(_largest(own[11:])),
            *near,
            apart,
            math.hypot(own[0], own[1]),
        ]


def _speaker_listener(view: View) -> list[float]:
    """Reads the features of ``simple_speaker_listener`` for one agent."""
    both = view.state.tolist()
    goal = _largest(both[:3])
    near = _lengths(both, range(5, 11, 2))
    speed = math.hypot(both[3], both[4])
    return [near[goal], float(goal), float(_largest(both[11:])), *near, speed]


class _Tag:
    def __init__(self, places: dict[Any, int], chasers: int, obstacles: int) -> None:
        self._places = places
        self._chasers = chasers
        self._first = 4 + 2 * obstacles
        self._obstacles = range(4, self._first, 2)

    def __call__(self, view: View) -> list[float]:
        observed = view.observation.tolist()
        place, chasers = self._places[view.agent], self._chasers
        chaser = place < chasers
        # Other agents are listed in the order of the team, without the agent itself.
        border = self._first + 2 * (chasers - 1 if chaser else chasers)
        end = self._first + 2 * (len(self._places) - 1)
        sides = (range(self._first, border, 2), range(border, end, 2))
        mates, opponents = sides if chaser else sides[::-1]
        return [
            float(chaser),
            min(_lengths(observed, opponents), default=0.0),
            min(_lengths(observed, mates), default=0.0),
            min(_lengths(observed, self._obstacles), default=0.0),
            max(abs(observed[2]), abs(observed[3])),
            math.hypot(observed[0], observed[1]),
        ]


def _expect(env: Any, name: str, sizes: Sequence[int]) -> None:
    shapes = [env.observation_space(agent).shape for agent in env.possible_agents]
    if shapes != [(size,) for size in sizes]:
        raise ConfigurationError(
            f"the observations of {name} are vectors of "
            f"{', '.join(map(str, sizes))} numbers; here they are {shapes}"
        )


def _distances(count: int, description: str) -> list[Feature]:
    return [
        Feature(f"landmark{k}_distance", "", description.format(k), 0.0, _FAR)
        for k in range(count)
    ]


def _lengths(numbers: Sequence[float], at: range) -> list[float]:
    """Returns the lengths of the 2-d vectors that begin at some places."""
    return [math.hypot(numbers[k], numbers[k + 1]) for k in at]


def _largest(numbers: Sequence[float]) -> int:
    """Returns the place of the largest number; the first where all are equal."""
    return max(range(len(numbers)), key=numbers.__getitem__)
