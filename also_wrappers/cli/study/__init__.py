"""Studies: arms on tasks over seeds, compared at equal environment steps.

One seed of one task shows nothing. A study trains every arm on every task with every
seed, from a plan in one file, and compares the arms at equal numbers of environment
steps, those of branches, auditions and rehearsals included.

    also-wrappers study examples/study/plan.toml --out runs/study

A study that was stopped goes on where it was; trainings that are finished are kept.
Each training is an ordinary run in a process of its own, under ``runs/TASK/ARM`` in the
study's directory: ``show``, ``report`` and ``compare`` read it. ``--processes`` says
how many train at a time, ``--smoke`` tries the plan in under a minute.

## The plan

```toml
seeds = [0, 1, 2, 3, 4]

[tasks.foraging-8x8]
train = "my_tasks:foraging"    # train(run_dir, seed, env_steps, **options)
env_steps = 50_000             # at which arms are compared, everything counted
high = 1.0                     # the base return that scores 1; low = 0.0 scores 0

[arms.base]                    # the first arm is the reference, or reference = "base"
options = {budget = 0.0}

[arms.rules]                   # the defaults

[arms.race]
make = {gate = "my_arms:race"} # race(task, seed) makes the option
tasks = ["foraging-8x8"]       # all tasks if not given
seeds = [0, 1]                 # those of the plan if not given
```

``train`` is a function of yours that trains a mainline of ``env_steps`` environment
steps and hands its options to ``AdaptationCallback``; ``replay`` takes it as well, if
``env_steps`` has a default. ``Run(..., resume="auto")`` in it lets a study go on in the
middle of a training.

```python
def foraging(run_dir, seed, env_steps=50_000, **options):
    run = also.Run(task, run_dir, resume="auto")
    model = PPO("MlpPolicy", make_venv(run.shape), seed=seed)
    callback = also.AdaptationCallback(run, make_venv, seed=seed, **options)
    model.learn(2 * env_steps, callback)  # trainer steps: two agents
    run.close()
```

## What is compared

- **score**: base return of the last 256 or more episodes of the training, before
  ``env_steps`` were spent in all, on the scale from ``low`` to ``high``. A training that
  ends before that stands as it ended; what one spends beyond does not count. A run that
  adapts plans a mainline as long as the base reward's, and is looked at before its end,
  where branches and all have cost as much.
- **whole**: the same, mean over all environment steps: a search that takes long costs.
- **after**: environment steps in all at which a record was first at .5 and .9
  (``levels`` of the plan).
- Over seeds, the interquartile mean with its 95 % stratified bootstrap interval; the
  probability that a training beats one of the reference; performance profiles (Agarwal
  et al., 2021, arXiv 2108.13264).

Base returns are those of training episodes: of a policy that explores, with the
exploration in it.

## What it leaves

``results.jsonl`` (a line for each training, with versions), ``comparison.json``,
``curves.svg``, ``scores.svg``, ``profiles.svg`` and ``study.html``.
"""

from also_wrappers.cli.study.comparison import Comparison, compare
from also_wrappers.cli.study.page import write_study
from also_wrappers.cli.study.plan import Plan, PlannedArm, PlannedTask, read_plan
from also_wrappers.cli.study.results import Result
from also_wrappers.cli.study.trainings import Study, begin_study

__all__ = [
    "Comparison",
    "Plan",
    "PlannedArm",
    "PlannedTask",
    "Result",
    "Study",
    "begin_study",
    "compare",
    "read_plan",
    "write_study",
]
