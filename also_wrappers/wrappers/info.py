"""``Shaping``: what the wrappers tell under ``info["shaping"]``."""

from __future__ import annotations

from typing import NotRequired, TypedDict

import numpy as np
import numpy.typing as npt

__all__ = ["Shaping"]


class Shaping(TypedDict):
    """What ``info["shaping"]`` holds after every step.

    Single, parallel and AEC environments give plain Python values, small because SB3
    copies infos at every step. The info that a reset returns has such an entry only
    while an expert is in force, and ``advice`` is all that it holds.

    Vector environments give the same keys in Gymnasium's vector form: every value is an
    array with one element per sub-environment, and beside every key stands a mask,
    ``_key``, that says which elements mean something. ``infos["shaping"]["base"]`` is a
    float array of shape ``(num_envs,)``, ``infos["shaping"]["_base"]`` its mask,
    ``infos["shaping"]["terms"]["near"]`` what the term ``near`` paid, and so on. They
    are as ``SyncVectorEnv`` makes them of sub-environments with wrappers of their own:

    * The step of ``NEXT_STEP`` that only resets is masked out.
    * With ``SAME_STEP``, the step that ends an episode is told under
      ``infos["final_info"]["shaping"]`` and masked out of ``infos["shaping"]``, whose
      place belongs to the reset.

    Masks and the array of signals may be shared between steps, and are not to be
    written to.

    Attributes:
        base: The reward that the environment paid.
        total: ``base`` and what the signal added: the reward that the wrapper returns.
        signal: The id of the signal in force.
        terms: What each term paid over the episode and the team, by the term's name;
            only where the episode ends.
        rows: The team's features before and after the step, float32; only where a
            replay buffer asks for them, and not in vectors.
        place: The agent's place in the team; only beside ``rows``.
        advice: The actions that the expert finds good in the state that was reached:
            bit ``k`` stands for action ``k`` of the action space, and 0 means that the
            expert is silent. Only while an expert is in force.

    Example:
        >>> from also_wrappers.signal import Signal
        >>> from also_wrappers.testing import Corridor, corridor_features
        >>> from also_wrappers.wrappers import wrap
        >>> env = wrap(Corridor(agents=1), corridor_features(), signal=Signal())
        >>> observations, infos = env.reset(seed=0)
        >>> *_, infos = env.step({"agent_0": 2})
        >>> shaping: Shaping = infos["agent_0"]["shaping"]
        >>> shaping
        {'base': 0.0, 'total': 0.0, 'signal': 'none'}
    """

    base: float
    total: float
    signal: str
    terms: NotRequired[dict[str, float]]
    rows: NotRequired[npt.NDArray[np.float32]]
    place: NotRequired[int]
    advice: NotRequired[int]
