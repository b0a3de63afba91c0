"""Adapts Stable-Baselines3: callback, trainer, replay buffers, a vector environment.

Stable-Baselines3's PPO, A2C, SAC, TD3, DDPG and DQN, and sb3-contrib's MaskablePPO,
RecurrentPPO, TQC and QRDQN. A snapshot holds parameters, optimizers, target nets, the
entropy coefficient, schedules' progress, the exploration rate, correlated action noise,
the replay buffer and the statistics of ``VecNormalize``; checkpoints keep the
generators of random numbers as well. A training that was paused and forked goes on
bit-identically.

``PettingZooVecEnv`` is our in-process VecEnv with parameter sharing; any other VecEnv
works as well, with ``shape`` around each environment that it steps. SB3's own
``rollout/ep_rew_mean`` is the shaped return where its ``Monitor`` sits outside of ours;
``also/base_return`` is the base return.

## Learners with a replay buffer

```python
model = DQN(  # or SAC, TD3, DDPG
    "MlpPolicy",
    make_venv(run.shape),
    replay_buffer_class=also.ShapedReplayBuffer,
    replay_buffer_kwargs={"shape": run.shape},
)
```

- ``ShapedReplayBuffer``, ``ShapedDictReplayBuffer`` and ``ShapedNStepReplayBuffer``
  keep base rewards and the team's features, and compute what the signal adds when a
  batch is sampled. So a swap changes what is remembered as well, whatever the buffer
  held before. ``optimize_memory_usage``, n-step returns, time-outs and several
  environments are all right; ``HerReplayBuffer``, whose goals are set afterwards, is
  refused. Features are kept in single precision.
- Learners that explore beyond their policy (DQN, or any action noise) are scored by
  evaluations in the last half of a branch: one of ten episodes for every 4,096 steps,
  at most five. Their steps are counted as ``evaluation``, beside the budget of
  branches.
- They keep the signal to the end by default (``fade_out=0``). Policies of policy
  gradients outlive a fading signal, values do not: they are learned anew while the
  rewards that they stand on disappear. Signals that fade by themselves are rejected for
  them.
- What discarded branches have seen is not kept for the mainline's buffer: it was not
  shown to help. ``python tests/benchmarks/replayed.py --task weak --arms now unused``
  (and ``--task useless``; DQN in a corridor, seeds 0 to 8): kept after rounds that
  swapped nothing in, at most half of what the buffer holds, the mean base return of the
  training changed by +.057 (standard error .059) where a weak term of the round helps,
  and by -.006 (.011) where none does.

## VecNormalize

``VecNormalize`` belongs into ``make_venv``. Its statistics of observations travel with
every branch; those of rewards begin anew (from what they were, with the weight of one
step) where the signal is another. It must not clip rewards: ``clip_reward=numpy.inf``,
or ``norm_reward=False``.

## What a run directory may contain

Going on from a run directory runs no code of it: what is not JSON or an array is a
tensor, and read by torch's reader for weights. ``model.zip``, which the demo leaves, is
Stable-Baselines3's: its ``PPO.load`` does unpickle. Of action noise, a snapshot keeps
arrays and numbers.

Not there: experts for recurrent policies and for continuous actions.
"""

from also_wrappers.trainers.sb3.callback import AdaptationCallback
from also_wrappers.trainers.sb3.evaluation import Evaluation, evaluate
from also_wrappers.trainers.sb3.fork import SB3Fork
from also_wrappers.trainers.sb3.imitation import ImitationCallback
from also_wrappers.trainers.sb3.replay_buffer import (
    ShapedDictReplayBuffer,
    ShapedNStepReplayBuffer,
    ShapedReplayBuffer,
)
from also_wrappers.trainers.sb3.trainer import SB3Trainer
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv

__all__ = [
    "AdaptationCallback",
    "Evaluation",
    "ImitationCallback",
    "PettingZooVecEnv",
    "SB3Fork",
    "SB3Trainer",
    "ShapedDictReplayBuffer",
    "ShapedNStepReplayBuffer",
    "ShapedReplayBuffer",
    "evaluate",
]
