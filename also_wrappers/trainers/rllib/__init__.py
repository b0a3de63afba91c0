"""Adapts RLlib: callback, trainer, environments with a signal.

RLlib's PPO on the new API stack (extra ``rllib``), of many agents and of one, with
runners and learners in this process or in others. Three lines make a training an
adapted one: the run, the environments in place of ``config.environment(...)``, and the
callback.

```python
from ray.rllib.algorithms.ppo import PPOConfig
from also_wrappers.trainers.rllib import AdaptationCallback, shaped_config

config = (
    PPOConfig()
    .multi_agent(policies={"all"}, policy_mapping_fn=lambda agent, episode, **_: "all")
    .training(train_batch_size_per_learner=512, minibatch_size=128, num_epochs=5)
)
shaped_config(config, make_env, run.shape)  # of PettingZoo (parallel) or Gymnasium
callback = AdaptationCallback(run, total=1024, budget=0)  # 0 records only
algorithm = config.callbacks(callback).build_algo()
while not callback.done:
    algorithm.train()
algorithm.stop()
```

``examples/rllib_corridor.py`` swaps a signal in. In a trial of Tune, the function of
the trial makes all of it, and reports what ``algorithm.train()`` returns. Give the run
an absolute path: a relative one is in Ray's temporary files, and not among the results
of the trial.

```python
import also_wrappers as also
from ray import tune

def trial(settings):
    run = also.Run(task, f"/home/me/runs/{tune.get_context().get_trial_name()}")
    ...
    while not callback.done:
        tune.report(algorithm.train())
```

Without the callback, ``Adaptation`` is stepped in a loop of yours:

```python
from also_wrappers.trainers.rllib import RLlibTrainer

def train(algorithm, run, total):
    trainer = RLlibTrainer(algorithm, total)
    adaptation = also.Adaptation(run, executor=also.RayExecutor())
    while trainer.steps < total:
        adaptation.step(trainer)
        algorithm.train()
    adaptation.finish(trainer)
```

Trainer steps are RLlib's environment steps, ``num_env_steps_sampled_lifetime``,
whatever the number of agents. PPO samples at least a batch: budgets are counted by what
was sampled. Pauses are after each ``algorithm.train()``, where the update is done and
all runners have the new weights.

## Snapshots

RLlib's ``set_state`` with an older state takes the older optimizer and keeps the newer
weights, and says nothing. A snapshot here goes back with all of it: modules,
optimizers, coefficients of the KL penalty (which RLlib's checkpoints leave out),
statistics of connectors, and the steps, by which schedules of learning rate and entropy
go. RLlib's own count of steps follows the lineage.

A training that was paused and forked goes on bit-identically. That RLlib repeats at
all, with many agents and in other processes, needs the environment variable
``PYTHONHASHSEED``, say 0, before Python and Ray start: RLlib draws actions in the order
of sets of agents' names, which is another in every process. Without it, branches with
one seed are alike in one process and not in two.

## Branches

A branch is the same configuration in one process: all environment copies in one local
runner, one local learner on the CPU whose batches are as large as those of all
learners, no callbacks, no evaluation. Branches run on the Ray that RLlib has started
(``RayExecutor``), where they reserve no processors; in worker processes each would
start a Ray of its own. Connectors and modules of yours are made anew from the
configuration; they and ``make_env`` must pickle.

## What is refused, before training

- IMPALA and APPO, which sample while they learn and are nowhere at rest; DQN, SAC and
  all others that learn from what they have stored; the old API stack.
- ``count_steps_by="agent_steps"``.
- Environments that ``shaped_config`` has not made, those of RLlib's ``register_env``
  included: a name is one per process, and a branch must make them with another signal.
- Runners on another machine that do not see the board: give a run directory that all
  machines share.

Experts are not imitated here, so none is proposed, whatever the task says of actions.

## What to know

- RLlib's ``ParallelPettingZooEnv`` never ends an episode in which some agents terminate
  and others are truncated. ``PettingZooEnv``, which ``shaped_config`` uses, does.
- RLlib's evaluations see the base reward alone, where ``config.evaluation(...)`` came
  before ``shaped_config``; its ``episode_return_mean`` is of the shaped one.
- The reset of an environment copy takes a turn of its runner in which nothing of that
  copy is counted, so that copies differ by a few steps.
- A loop that ends before ``callback.done`` leaves a run that can be gone on with:
  ``Run(task, run_dir, resume=True)``.
- ``ray[rllib]`` pins an older Gymnasium; the extra names what RLlib needs besides.

Going on from a run directory runs no code of it: a snapshot is read by torch's reader
for weights.
"""

try:
    import ray.rllib  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError(
        f"what RLlib needs is not installed (there is no {error.name}); run: "
        "pip install 'also-wrappers[rllib]'"
    ) from error

from also_wrappers.trainers.rllib.callback import AdaptationCallback
from also_wrappers.trainers.rllib.environments import (
    GymnasiumEnv,
    PettingZooEnv,
    shaped_config,
)
from also_wrappers.trainers.rllib.fork import RLlibFork
from also_wrappers.trainers.rllib.trainer import RLlibTrainer

__all__ = [
    "AdaptationCallback",
    "GymnasiumEnv",
    "PettingZooEnv",
    "RLlibFork",
    "RLlibTrainer",
    "shaped_config",
]
