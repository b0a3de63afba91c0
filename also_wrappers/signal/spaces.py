"""Names the numbers of a Gymnasium space, where nobody has declared features."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from gymnasium import spaces

from also_wrappers.exceptions import FeatureError

__all__ = ["Leaf", "is_batched_arrays", "leaves", "named_leaves"]

_MOST_FROM_SPACES = 64
#: Path, name, smallest and largest value of a number; ``None`` for an unknown value.
Leaf = tuple[str, str, float | None, float | None]


def named_leaves(env: Any) -> list[Leaf]:
    """Returns the numbers of an environment's spaces, with paths and names.

    Args:
        env: A Gymnasium environment or vector environment, or a PettingZoo one.

    Raises:
        FeatureError: The agents' observations differ, or there are no numbers, or more
            than 64 of them.
    """
    if hasattr(env, "possible_agents"):
        agents = list(env.possible_agents)
        observed = [env.observation_space(agent) for agent in agents]
        acted = [env.action_space(agent) for agent in agents]
    else:
        agents = ["agent"]
        observed = [getattr(env, "single_observation_space", env.observation_space)]
        acted = [getattr(env, "single_action_space", env.action_space)]
    offered = [list(leaves(space, "obs", "obs")) for space in observed]
    for agent, space, offer in zip(agents, observed, offered, strict=True):
        if [leaf[0] for leaf in offer] != [leaf[0] for leaf in offered[0]]:
            raise FeatureError(
                f"{agents[0]!r} observes {observed[0]} and {agent!r} observes "
                f"{space}: nothing can be named for both automatically; declare "
                "features as functions of a View, whose agent says who it is"
            )
    actions = [list(leaves(space, "action", "action")) for space in acted]
    same = all(action == actions[0] for action in actions)
    named: list[Leaf] = [*offered[0], *(actions[0] if same else [])]
    if not offered[0] or len(named) > _MOST_FROM_SPACES:
        raise FeatureError(
            f"the observation space {observed[0]} offers {len(offered[0])} "
            f"numbers; between 1 and {_MOST_FROM_SPACES}, the action's included, "
            "can be named automatically, so declare a FeatureMap with what matters"
        )
    return named


def leaves(space: spaces.Space[Any], path: str, name: str) -> Iterator[Leaf]:
    """Yields every number of a space, with a path and a name.

    Masks of actions (Dict keys that end in ``action_mask``) are left out, as they say
    what is allowed and not how things are.

    Example:
        >>> list(leaves(spaces.Dict({"door": spaces.Discrete(3)}), "obs", "obs"))
        [("obs['door']", 'obs_door', 0.0, 2.0)]
    """
    if isinstance(space, spaces.Dict):
        for key, inner in space.spaces.items():
            if not str(key).endswith("action_mask"):
                plain = re.sub(r"[^A-Za-z0-9_]", "_", str(key))
                yield from leaves(inner, f"{path}['{key}']", f"{name}_{plain}")
    elif isinstance(space, spaces.Tuple):
        for k, inner in enumerate(space.spaces):
            yield from leaves(inner, f"{path}[{k}]", f"{name}_{k}")
    elif isinstance(space, spaces.Discrete):
        low = float(space.start)
        yield path, name, low, low + float(space.n) - 1.0
    elif isinstance(space, spaces.Box | spaces.MultiDiscrete | spaces.MultiBinary):
        lows, highs = _bounds(space)
        for index in np.ndindex(space.shape):
            bounded = np.isfinite(lows[index]) and np.isfinite(highs[index])
            yield (
                path + "".join(f"[{i}]" for i in index),
                "_".join([name, *map(str, index)]),
                float(lows[index]) if bounded else None,
                float(highs[index]) if bounded else None,
            )


def is_batched_arrays(space: spaces.Space[Any]) -> bool:
    """True where batches of a space are arrays with the batch as first axis."""
    if isinstance(space, spaces.Dict | spaces.Tuple):
        inner = space.spaces.values() if isinstance(space, spaces.Dict) else space
        return all(is_batched_arrays(part) for part in inner)
    return isinstance(
        space, spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary
    )


def _bounds(
    space: spaces.Box | spaces.MultiDiscrete | spaces.MultiBinary,
) -> tuple[Any, Any]:
    if isinstance(space, spaces.Box):
        return space.low.astype(float), space.high.astype(float)
    if isinstance(space, spaces.MultiBinary):
        return np.zeros(space.shape), np.ones(space.shape)
    start = np.asarray(space.start, dtype=float)
    return start, start + np.asarray(space.nvec, dtype=float) - 1.0
