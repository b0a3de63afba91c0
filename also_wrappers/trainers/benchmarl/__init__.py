"""Adapts BenchMARL and torchrl: callback, trainer, tasks, a transform of rewards.

BenchMARL's IPPO and MAPPO, IQL, VDN, QMIX and MADDPG (extra ``benchmarl``), recurrent
ones as well, on its own tasks and on any parallel environment of PettingZoo. Three
lines make an experiment an adapted one: the run, the task with its signal, and the
callback.

```python
import torch
from benchmarl.algorithms import MappoConfig
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig
from also_wrappers.trainers.benchmarl import AdaptationCallback, ParallelTask, shaped_task

config = ExperimentConfig.get_from_yaml()
config.loggers, config.evaluation, config.create_json = [], False, False
config.save_folder = run.dir.parent
config.max_n_frames, config.on_policy_collected_frames_per_batch = 960, 320
benchmarl_task = ParallelTask(make_env, max_steps=40)  # or VmasTask.BALANCE.get_from_yaml()
experiment = Experiment(
    shaped_task(benchmarl_task, run.shape),
    MappoConfig.get_from_yaml(),
    MlpConfig(num_cells=[32], layer_class=torch.nn.Linear, activation_class=torch.nn.Tanh),
    seed=0,
    config=config,
    callbacks=[AdaptationCallback(run, budget=0, verbose=0)],  # budget=0 records only
)
experiment.run()
```

``examples/benchmarl_foraging.py`` adapts MAPPO, beside the base reward alone.

Trainer steps are BenchMARL's frames, and a frame is a step of one environment copy,
whatever the number of agents. Pauses are before each batch that is collected, the one
point where everything is at rest; BenchMARL's own callbacks are called at none. A
snapshot holds losses (policies, critics and target nets), optimizers, counters, where
the exploration stands, what the training earns, and what replay buffers hold;
BenchMARL's own checkpoints leave optimizers and exploration out. A training that was
paused and forked goes on bit-identically.

## The signal

``ShapeRewardTransform`` adds the signal to the rewards of a batch of environments, as
the wrapper does in each of them, bit for bit. BenchMARL asks the task for the
transforms of rewards of its training environments alone, and there ``shaped_task`` puts
it: BenchMARL's evaluations see the base reward, its ``collection/.../reward`` and
``mean return`` the shaped one. Features read an agent's ``observation``, ``action``,
``info`` and the environment's ``state`` as they stand in the tensordict; numbers of
infos are plain numbers.

What it costs: a step of all copies is computed and recorded at once, in numpy. For
VMAS's ``balance`` with 256 copies of four agents, two features and three terms, a step
takes 1.2 times what it takes with the same terms by hand in torch, which records
nothing (``tests/benchmarks/batches.py``). Features that are functions, and not paths,
are called for each copy and agent. BenchMARL's whole loop on ``simple_spread``, MAPPO
with ten copies of three agents, takes 1.02 times what it takes without a run
(``tests/benchmarks/benchmarl_loop.py``).

## Experts

Policies of IPPO and MAPPO imitate where actions are discrete: give the task
``actions=Actions(...)``. To the loss of the policy BenchMARL's optimisation gets the
cross-entropy between the policy and the good actions added, on the states of the batch
of which the expert speaks, with the weight ``Posting.pull``; it ends as the policy
earns what the expert has promised. What masks forbid is never good. Recurrent policies
imitate as well. The advice and the base returns so far travel with a batch, as the
entries ``advice`` and ``base_return`` of each group, and are no inputs of policies and
critics. A run in which no expert is in force is the same bit for bit.

In an audition a frame counts as advised where the expert spoke to any agent, and as
agreed by the share of these agents whose draw was good.

## Replay buffers

Algorithms with a replay buffer need ``shaped_task(task, run.shape, replays=True)``.
Their buffers then keep base rewards and the team's features at both ends of every
transition (8 bytes for each agent and feature), and pay what the active signal pays
when a batch is sampled, the team's reward of QMIX and VDN included: a swap changes the
past as well. Branches of algorithms that explore are scored by episodes without
exploration, in the environment of BenchMARL's own evaluations.

## What is refused, before training

- IQL, VDN, QMIX, MADDPG with a task that was shaped without ``replays=True``: the
  rewards in their buffers would stay those of earlier signals; and prioritised buffers,
  whose priorities would.
- Experts for continuous actions, and for algorithms that learn values: neither has a
  probability that could be pulled, and no expert is proposed.
- ``collect_with_grad``, which has no collector that could pause.
- Environments whose agents leave while others go on, where torchrl says so by masks.

## What to know

- BenchMARL gives all copies of a PettingZoo environment one seed, and so the same first
  episode. Branches give each copy a seed of its own; the mainline stays as BenchMARL
  makes it.
- ``Experiment.run`` seeds the global randomness anew; a run that goes on from a
  checkpoint restores it after that.
- torchrl resets a parallel environment of PettingZoo as soon as one agent is done.
- Environments of VMAS say that a time-out is a termination, so potentials end there, as
  values do.
- Callbacks of yours are the mainline's: what one changes in the training is not changed
  in branches.
- BenchMARL's ``PettingZooTask`` needs an older PettingZoo than this package;
  ``ParallelTask`` makes the same task of a factory.
- ``vmas`` pins an older ``pyglet`` than ``rware`` is tested with here.

Going on from a run directory runs no code of it: a snapshot is read by torch's reader
for weights. BenchMARL's own ``config.pkl`` is a pickle.
"""

try:
    import benchmarl  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError(
        "benchmarl is not installed; run: pip install 'also-wrappers[benchmarl]'"
    ) from error

from also_wrappers.trainers.benchmarl.callback import AdaptationCallback
from also_wrappers.trainers.benchmarl.fork import BenchMARLFork
from also_wrappers.trainers.benchmarl.tasks import ParallelTask, shaped_task
from also_wrappers.trainers.benchmarl.trainer import BenchMARLTrainer
from also_wrappers.trainers.benchmarl.transform import ShapeRewardTransform

__all__ = [
    "AdaptationCallback",
    "BenchMARLFork",
    "BenchMARLTrainer",
    "ParallelTask",
    "ShapeRewardTransform",
    "shaped_task",
]
