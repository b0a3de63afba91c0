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

## What our own study shows

``also-wrappers study examples/study/plan.toml`` (PPO; some four hours of two cores).
``results.jsonl`` beside the plan has a line for each training. ``swaps`` is the mean
number of signals that were swapped in.

| task, arm | seeds | environment steps | base return (between seeds) | score | whole | .9 after (seeds) | swaps |
|---|---|---|---|---|---|---|---|
| foraging-8x8, base | 5 | 239,616 | 0.928 (0.156) | 1.00 [0.76, 1.00] | 0.69 | 86,528 (4) | 0.0 |
| foraging-8x8, rules | 5 | 239,709 | 0.997 (0.002) | 1.00 [1.00, 1.00] | 0.89 | 28,416 (5) | 1.0 |
| foraging-8x8, hand-made | 5 | 239,616 | 0.995 (0.005) | 1.00 [0.99, 1.00] | 0.69 | 117,760 (5) | 1.0 |
| foraging-10x10, base | 5 | 297,984 | 0.001 (0.002) | 0.00 [0.00, 0.00] | 0.00 | - | 0.0 |
| foraging-10x10, rules | 5 | 297,901 | 0.934 (0.053) | 0.95 [0.87, 0.98] | 0.67 | 152,496 (4) | 2.4 |
| foraging-10x10, hand-made | 5 | 296,960 | 0.013 (0.017) | 0.01 [0.00, 0.03] | 0.01 | - | 1.0 |
| spread-2, base | 5 | 99,328 | 0.085 (0.016) | 0.09 [0.07, 0.10] | 0.07 | - | 0.0 |
| spread-2, rules | 5 | 99,302 | 0.997 (0.002) | 1.00 [1.00, 1.00] | 0.80 | 27,728 (5) | 1.0 |
| spread-2, hand-made | 5 | 99,328 | 0.923 (0.028) | 0.92 [0.89, 0.95] | 0.54 | 82,944 (5) | 1.0 |
| spread-3, base | 5 | 148,480 | 0.030 (0.008) | 0.03 [0.02, 0.04] | 0.03 | - | 0.0 |
| spread-3, rules | 5 | 147,888 | 0.939 (0.025) | 0.94 [0.91, 0.96] | 0.74 | 83,200 (5) | 1.0 |
| spread-3, hand-made | 5 | 148,480 | 0.130 (0.055) | 0.14 [0.07, 0.18] | 0.10 | - | 1.0 |
| warehouse, base | 5 | 194,560 | 0.006 (0.006) | 0.00 [0.00, 0.00] | 0.00 | - | 0.0 |
| warehouse, rules | 5 | 189,888 | 0.009 (0.013) | 0.00 [0.00, 0.00] | 0.00 | - | 0.4 |
| warehouse, recorded-expert | 5 | 187,725 | 7.986 (2.424) | 0.34 [0.21, 0.40] | 0.25 | - | 1.0 |
| warehouse, demonstrations | 5 | 196,622 | 4.489 (0.391) | 0.18 [0.16, 0.19] | 0.15 | - | 0.0 |
| mountain-car, base | 5 | 192,922 | -30.710 (8.765) | -0.33 [-0.42, -0.23] | -0.34 | - | 0.0 |
| mountain-car, rules | 5 | 186,368 | -29.328 (15.340) | -0.35 [-0.45, -0.16] | -0.34 | - | 0.2 |
| mountain-car, hand-made | 5 | 189,645 | 46.586 (17.927) | 0.53 [0.28, 0.67] | 0.38 | - | 1.0 |
| connect-four, base | 5 | 59,392 | 0.842 (0.051) | 0.85 [0.80, 0.89] | 0.62 | 51,200 (3) | 0.0 |
| connect-four, rules | 5 | 59,392 | 0.832 (0.032) | 0.84 [0.80, 0.86] | 0.58 | 48,128 (1) | 0.2 |
| connect-four, hand-made | 5 | 59,392 | 0.877 (0.016) | 0.88 [0.86, 0.89] | 0.63 | 46,080 (4) | 1.0 |

- **Rules, at the defaults, against plain PPO**: above it on foraging 10x10 and on both
  spreads, intervals apart. On foraging 8x8 both end at 1, and rules get there in a
  third of the steps. On the other three they end within .03 of it: they found nothing,
  and what they spent on looking is what is missing.
- **Against a term by hand** that stands from the first pause on and costs no search,
  over the six tasks that have one: .93 [.91, .94] against .63 [.58, .68] (plain PPO
  .18 [.16, .20]). On the mountain car, whose actions are continuous, there are no
  experts, and the person's term is better than any that rules tried; on connect four it
  is a little better, too.
- **In the warehouse** rules know no place to go to that pays. The recorded expert of a
  large language model, which delivers 25.6 shelves by itself, is learned from: above
  plain PPO, intervals apart, and above LEED's recorded demonstrations of the same
  expert. The policy still comes closer to it when the comparison ends.

What that does not show: vocabularies were written for these tasks, and say where things
are; a person who knew them wrote the terms by hand; all arms of a task train with one
PPO and the same settings, for which no grid was searched. Scores are of policies that
explore. The recorded expert and its demonstrations were not run on the other tasks.
``parts.toml`` (hostile and blind advisors, recorded terms, other rules of deciding) and
``lengths.toml`` (plans of half and twice the length) ask what the parts bring; their
results are not here yet.
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
