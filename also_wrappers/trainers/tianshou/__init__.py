"""Adapts Tianshou: a trainer with the loop, its forks, environments of many agents.

Tianshou 2's on-policy algorithms with a critic, PPO, A2C, NPG and TRPO (extra
``tianshou``), on environments of Gymnasium and, with one policy for all agents, on
parallel environments of PettingZoo. Three lines make a training an adapted one: the
run, the shape around each environment, and the trainer.

```python
from tianshou.algorithm import PPO
from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.trainer import OnPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic
from also_wrappers.trainers.tianshou import AdaptedTrainer, ParallelVectorEnv

def make_venv(shape):  # shape puts the run's wrapper on, or a branch's, or nothing
    return ParallelVectorEnv([lambda: shape(make_env())] * 8)

venv = make_venv(run.shape)
size, actions = venv.observation_space[0].shape, venv.action_space[0]
actor, critic = (Net(state_shape=size, hidden_sizes=[32]) for _ in range(2))
actor = DiscreteActor(preprocess_net=actor, action_shape=actions.n, softmax_output=False)
algorithm = PPO(
    policy=DiscreteActorPolicy(actor=actor, action_space=actions),
    critic=DiscreteCritic(preprocess_net=critic),
    optim=AdamOptimizerFactory(lr=1e-3),
)
params = OnPolicyTrainerParams(
    training_collector=Collector(algorithm, venv, VectorReplayBuffer(512, len(venv))),
    max_epochs=2,
    epoch_num_steps=1024,
    collection_step_num_env_steps=512,
    show_progress=False,
)
# In place of algorithm.run_training(params); budget=0 records only.
AdaptedTrainer(algorithm, params, run, make_venv, budget=0, verbose=0).run()
```

For environments of Gymnasium, ``make_venv`` returns a ``DummyVectorEnv`` or
``SubprocVectorEnv`` in the same way, with or without ``VectorEnvNormObs`` around it.
``examples/tianshou_corridor.py`` swaps a signal in.

Trainer steps are Tianshou's ``env_step``, which counts each index of the environments:
in a ``ParallelVectorEnv``, each agent. Pauses are between training steps, where the
update is done and the buffer empty; tests, loggers and functions of the parameters are
called where Tianshou calls them, with the steps of the lineage. A snapshot holds
networks, optimizers, and what Tianshou's own state leaves out: schedulers of learning
rates, running statistics of returns and of ``VectorEnvNormObs``, what was earned. A
training that was paused and forked goes on bit-identically.

Experts are imitated, and auditioned, where PPO or A2C choose among discrete actions:
after each update the algorithm's own optimizer takes a few steps that make what was
advised likelier.

## What is refused, before training

- DQN, SAC and all others with a replay buffer: the rewards in it would stay those of
  earlier signals.
- Reinforce, which has no critic; GAIL, which pays itself; ``collection_step_num_episodes``,
  whose rollouts have no length.
- ``MultiAgentOnPolicyAlgorithm``, whose agents take turns: Tianshou's ``PettingZooEnv``
  is for such games. ``ParallelVectorEnv`` gives agents that act at once one policy.
- Environments that step at times of their own (``wait_num``, ``timeout``).

## What to know

- A branch has a copy of the algorithm as it is at the pause, so numbers that
  ``training_fn`` changes in it are the branch's too; ``training_fn`` itself is called
  in the mainline alone.
- A test collector sees the base reward if its environments are
  ``make_venv(lambda env: env)``.
- Infos that our wrappers write are not in the collector's buffer: they change with the
  signal.
- Statistics that wrappers of yours keep around vector environments are in no snapshot,
  unless they are Tianshou's ``RunningMeanStd``.
- ``AdaptedTrainer.run`` empties the collector's buffer first, where Tianshou's own
  keeps what is in it.
- ``DiscreteActor`` gives probabilities unless it is made with ``softmax_output=False``,
  and ``DiscreteActorPolicy`` takes them for logits: of three actions, none gets more
  than .576 then.
- Tianshou brings ``virtualenv``, which needs ``filelock`` below 4.

Going on from a run directory runs no code of it: a snapshot is read by torch's reader
for weights.
"""

try:
    import tianshou  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError(
        "tianshou is not installed; run: pip install 'also-wrappers[tianshou]'"
    ) from error

from also_wrappers.trainers.tianshou.adapted import AdaptedTrainer
from also_wrappers.trainers.tianshou.fork import TianshouFork
from also_wrappers.trainers.tianshou.trainer import TianshouTrainer
from also_wrappers.trainers.tianshou.vector_env import ParallelVectorEnv

__all__ = [
    "AdaptedTrainer",
    "ParallelVectorEnv",
    "TianshouFork",
    "TianshouTrainer",
]
