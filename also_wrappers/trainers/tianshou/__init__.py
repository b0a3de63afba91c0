"""Tianshou: the trainer that adapts, its forks, vector environments of many agents.

Tianshou's on-policy algorithms with a critic, PPO, A2C, NPG and TRPO (extra
``tianshou``), on environments of Gymnasium and, with one policy for all agents, on
parallel environments of PettingZoo. Three lines make a training an adapted one: the run,
the shape around each environment, and the trainer.

```python
from tianshou.algorithm import PPO
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.trainer import OnPolicyTrainerParams
from also_wrappers.trainers.tianshou import AdaptedTrainer, ParallelVectorEnv

def make_venv(shape):
    return ParallelVectorEnv([lambda: shape(make_env())] * 8)

venv = make_venv(run.shape)  # in place of the environments without a signal
algorithm = PPO(policy=policy, critic=critic, optim=optim)
params = OnPolicyTrainerParams(
    training_collector=Collector(algorithm, venv, VectorReplayBuffer(4096, len(venv))),
    max_epochs=10,
    epoch_num_steps=10_000,
    collection_step_num_env_steps=1024,
)
AdaptedTrainer(algorithm, params, run, make_venv).run()  # for algorithm.run_training
```

``examples/tianshou_corridor.py`` swaps a signal in.
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
