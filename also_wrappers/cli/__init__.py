"""The command line, ``also-wrappers``, and what its demo shows.

``also-wrappers demo --seed S`` for seeds 0 to 4, at the defaults:
``Foraging-10x10-3p-3f-coop-v3``, built-in rules, no language model. Environment steps
of everything (branches, auditions, rehearsal) until the base return in training is .5
and .9; then base return of the stochastic policy over 256 evaluation episodes without
shaping (mean, and standard deviation between episodes; 1 is the most there is), beside
plain PPO's after 283,648 to 329,728 environment steps, and the expert's own (mean,
standard error). Some three minutes a seed on two idle cores. ``python
tests/benchmarks/demo_curves.py`` draws the runs.

| seed | .5 after, in all | .9 after, in all | adapted | base reward alone | the expert alone | environment steps: final policy's own + discarded branches + auditions | swaps |
|---|---|---|---|---|---|---|---|
| 0 | 86,784 | 179,296 | .967 (.145) | .003 (.029) | .42 (.06) | 204,800 + 55,296 + 22,624 | 1 |
| 1 | 90,880 | 194,336 | .837 (.259) | .003 (.029) | .75 (.05) | 204,800 + 94,208 + 29,824 | 2 |
| 2 | 83,712 | 171,104 | .948 (.174) | .000 (.000) | .60 (.08) | 204,800 + 67,584 + 22,624 | 2 |
| 3 | 49,216 | 165,632 | .969 (.132) | .000 (.000) | .60 (.09) | 204,800 + 61,440 + 22,624 | 1 |
| 4 | 100,096 | 184,768 | .943 (.187) | .000 (.000) | .58 (.04) | 204,800 + 61,440 + 25,024 | 1 |

Plain PPO was never at .5. The rules play some ten experts, which takes less than a
tenth of the steps, later auditions included; the best (load next to food 0, go to it,
then food 1, and so on) earns about half by itself, and the policy that is pulled
towards it learns the rest from the base reward. In seeds 1 and 2 a shaping term was
swapped in on top of that: in seed 2 it was not confirmed, and given up; in seed 1 the
training ended before that was decided, and the base return fell while it faded.

``also-wrappers replay RUN --seeds 2`` on the run of seed 0 trains with the expert that
it found on seeds that did not find it, without advisor and branches: .976 and .969 over
the last episodes, .786 and .677 over the whole training, after 205,824 environment steps
each; the base reward alone .000 on both.

With ``--advisor recorded``, the expert of a large language model that knew the
vocabulary only: .9 after 33,120 environment steps in all (seed 0), .979 (.134) in the
end, where the expert earns .90 (.02) by itself and plain PPO .000. With ``--env
Foraging-8x8-2p-2f-coop-v3``, where plain PPO is .9 after 124,928, 64,512, 63,488, more
than 215,040 and 106,496 environment steps (seeds 0 to 4), the rules are there after
25,632, 25,296, 26,336, 26,016 and 25,712, everything counted: .27 of it in the mean,
with seed 3 counted as .12.

## What that does not show

Part of the gain is what the vocabulary says: offsets of places, what a step does, which
moves are blocked; the rules only put that to use, and where going to a place and acting
there earns nothing, they find nothing. These tasks were made for walking to things. A
scripted expert alone may solve a task, which is why its own return stands beside the
policy's.

On a warehouse (``python tests/benchmarks/warehouse.py``, ``rware-tiny-2ag-v2``, one
seed) the recorded expert of a model delivers 25.6 shelves in an episode, the policy
that is pulled towards it 19.8 (5.5) after 439,744 environment steps in all (22.7 over
the last episodes of its training), and plain PPO 0.0 after 403,456 (``--expert none``).
Its rules give each robot a block of its own: a policy that both share follows them only
if its observation tells which robot it is (``agent_indicator_v0``).

DQN that is pulled towards the recorded expert on the 8x8 field (``python
tests/benchmarks/values.py``, 102,400 trainer steps, seeds 0 and 1) earns .46 and .48 in
evaluation, without it .00. An expert that is worthless does no harm to a corridor's
training in five seeds (``python tests/benchmarks/worthless.py``): its promise is 0, so
nothing is pulled.

Not measured again since decisions changed: advisors against each other (``python
tests/benchmarks/advisors.py``), the 8x8 field, recorded advisor, warehouse and DQN
above, and seeds 3 and 4 of the demo, in whose runs nothing was decided that changed.
"""

from also_wrappers.cli.app import main

__all__ = ["main"]
