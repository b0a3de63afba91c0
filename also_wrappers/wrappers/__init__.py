"""Where the signal is injected: one wrapper per kind of environment.

``wrap`` puts the right one on: ``ShapeReward`` around a Gymnasium environment,
``ShapeRewardVector`` around a vector of them, ``ShapeRewardParallel`` and
``ShapeRewardAEC`` around PettingZoo's two kinds, ``TupleParallelEnv`` below that where
an environment speaks in tuples.

``also_wrappers.testing.check_wrapped(make_env, features, signal)`` runs on your
environment what ours are tested with: the empty signal changes nothing bit for bit, the
libraries' own API checks, determinism over whole episodes, copies by pickle and spec,
equal rewards through every interface, and that a new signal reaches every copy at its
next reset.

Put SuperSuit's ``black_death`` outside of ours where you can: inside, it hides whether
an agent's episode terminated or was cut, and every end then counts as a termination.

## What a step costs

``python tests/benchmarks/run.py`` measures a step in turns with a peer, in one process
(medians; one run on one core of a cloud machine). Ratios above their bar are explained
below:

| what | against | ratio | bar | ours, us | peer, us |
|---|---|---|---|---|---|
| 1 term(s) over 6 features | the same terms in a wrapper written by hand, on a stub | 1.64 | 1.15 | 4.3 | 2.6 |
| 3 term(s) over 6 features | the same terms in a wrapper written by hand, on a stub | 1.40 | 1.1 | 4.9 | 3.5 |
| 6 term(s) over 6 features | the same terms in a wrapper written by hand, on a stub | 1.17 | | 6.1 | 5.2 |
| mpe2 spread | the bare environment, recording on | 1.17 | | 172.3 | 147.9 |
| mpe2 spread | the same signal without recording | 1.05 | | 171.5 | 164.0 |
| CartPole | the bare environment, recording on | 2.41 | 1.6 | 14.6 | 6.1 |
| CartPole | the same signal without recording | 1.36 | | 14.6 | 10.7 |
| lbforaging 2p | the bare environment, recording on | 1.36 | 1.2 | 111.2 | 81.8 |
| lbforaging 2p | the same signal without recording | 1.07 | | 112.2 | 105.3 |
| lbforaging 3p | the bare environment, recording on | 1.28 | | 158.7 | 124.3 |
| lbforaging 3p | the same signal without recording | 1.05 | | 158.3 | 150.1 |
| evidence of 64 copies | reading the bytes of their files | 5.01 | | 34,867 | 6,958 |
| 256 CartPoles, recording on | Gymnasium's vector environment, bare | 7.58 | 2 | 355.4 | 46.9 |
| 256 CartPoles, static | Gymnasium's vector environment, bare | 2.41 | 1.6 | 106.6 | 44.3 |
| 1 sub-environments | the same terms in numpy written by hand, on a stub | 1.56 | | 14.5 | 9.3 |
| 16 sub-environments | the same terms in numpy written by hand, on a stub | 1.46 | | 14.8 | 10.2 |
| 256 sub-environments | the same terms in numpy written by hand, on a stub | 1.48 | | 18.5 | 12.5 |
| 4096 sub-environments | the same terms in numpy written by hand, on a stub | 1.59 | 1.1 | 76.3 | 47.9 |
| SuperSuit, spread | their reward wrapper, adding a constant | 0.98 | | 161.6 | 164.3 |
| Gymnasium, CartPole | their reward wrapper, adding a constant | 1.56 | | 10.0 | 6.4 |
| replay buffer, storing a step and a batch of 256, 1 term | Stable-Baselines3's replay buffer | 1.37 | 1.3 | 150.9 | 109.8 |
| replay buffer, storing a step and a batch of 256, 3 terms | Stable-Baselines3's replay buffer | 1.44 | 1.5 | 156.9 | 108.6 |
| replay buffer, storing a step of 8 | Stable-Baselines3's replay buffer | 2.23 | 1.5 | 8.1 | 3.6 |
| compiling a signal | reading the signal from JSON | 56.10 | | 801.0 | 14.3 |

A wrapper costs a few microseconds a step, so it is a large share of a very cheap
environment (CartPole) and a small one of most others; in lbforaging, most of it is what
the vocabulary computes. A vector of environments pays for what numpy written by hand
leaves out: float64, and a check that every value is finite and within its bound;
recorded, also for every episode that ends. Ratios vary by a tenth or two between runs.

Where the time of the rows above their bar goes, in microseconds (``python
tests/benchmarks/parts.py``, or differences of the table):

- **1 term, 4.2 beside 2.4**: features .8, the term 1.0 (by hand both are computed with
  numpy's scalars), who is there, who has ended and what was posted .7, the infos of two
  agents .3, the stub .1; what is left is the wrapper's own, rewards and dicts.
- **CartPole, 12.9 beside 5.6**: 4.5 for the reward, 2.8 for recording.
- **256 CartPoles, 107 static and 355 recorded beside 45**: many episodes of a random
  policy end with each step. Infos with what each term has paid in them are 20; summing
  them up is 85, copying them 25 and accumulating them 65.
- **lbforaging**: 7 for recording, 22 for the signal and the vocabulary of two agents,
  which looks at every pair of agent and food.
- **Replay buffer**: 4.5 for a step of 8 transitions, which takes the team's features out
  of the infos and compares the reward with what was paid; 37 to 44 for features of a
  batch from all over the memory, and what their terms pay.
- **4096 sub-environments**: float64. In float32, payments would no longer agree with
  those of single environments to 1e-12.

## What a run costs beside its steps

In CPU seconds; ``python tests/benchmarks/parts.py`` measures imports, ``python
tests/benchmarks/reports.py`` reports and ledgers:

| what | seconds |
|---|---|
| ``import also_wrappers``, beyond gymnasium and numpy | .17 |
| the run, the callback and the vector environment, beyond SB3 and PettingZoo | .32 |
| ``report`` on a run of 1,000 branches (a page of 12.6 MB) | 1.8 |
| ``report`` on a ledger of 100 MB, 9,600 branches | 8.0 |
| ``show`` and ``compare`` on that | 5.2 |
| ``watch`` on that, which reads it once and remembers 2,000 records | 8.4 |
| ``watch`` per 200 kB that are added to it | .02 |

``also_wrappers.branches`` has what branches in worker processes cost.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorEnv
from pettingzoo import AECEnv, ParallelEnv

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.wrappers.aec import ShapeRewardAEC
from also_wrappers.wrappers.info import Shaping
from also_wrappers.wrappers.parallel import ShapeRewardParallel
from also_wrappers.wrappers.single import ShapeReward
from also_wrappers.wrappers.source import Options
from also_wrappers.wrappers.tuple_env import TupleParallelEnv
from also_wrappers.wrappers.vector import ShapeRewardVector

__all__ = [
    "Options",
    "ShapeReward",
    "ShapeRewardAEC",
    "ShapeRewardParallel",
    "ShapeRewardVector",
    "Shaping",
    "TupleParallelEnv",
    "wrap",
]


def wrap(env: Any, features: FeatureMap, **arguments: Any) -> Any:
    """Puts the wrapper that fits the environment's type around an environment.

    Args:
        env: A Gymnasium environment or vector environment, or a PettingZoo parallel
            or AEC environment.
        features: The vocabulary that the signal speaks.
        **arguments: The wrapper's further arguments: ``signal`` or ``board``, ...

    Raises:
        ConfigurationError: The environment is of none of these types, or an argument
            is of another type, or unknown.

    Example:
        >>> import gymnasium as gym
        >>> from also_wrappers.signal import Feature, Signal
        >>> features = FeatureMap(Feature("angle", "obs[2]"))
        >>> type(wrap(gym.make("CartPole-v1"), features, signal=Signal())).__name__
        'ShapeReward'
    """
    kinds: list[tuple[type[Any], type[Any]]] = [
        (ParallelEnv, ShapeRewardParallel),
        (AECEnv, ShapeRewardAEC),
        (VectorEnv, ShapeRewardVector),
        (gym.Env, ShapeReward),
    ]
    for kind, wrapper in kinds:
        if isinstance(env, kind):
            if kind is gym.Env and isinstance(env.action_space, gym.spaces.Tuple):
                raise ConfigurationError(
                    "this environment has a tuple of action spaces, one per agent; "
                    "put TupleParallelEnv around it first"
                )
            return wrapper(env, features, **arguments)
    what = f"the class {env.__name__}" if isinstance(env, type) else type(env).__name__
    raise ConfigurationError(
        f"{what} is neither a Gymnasium environment or vector environment nor a "
        "PettingZoo parallel or AEC environment; put the wrapper around one "
        "environment that was made, before it goes into a VecEnv"
    )
