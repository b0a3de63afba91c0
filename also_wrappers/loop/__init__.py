"""The loop: record, diagnose, propose, check, branch, refine, decide, swap.

| stage | what happens |
|---|---|
| record | the wrapper adds the active signal to the base reward and records compact evidence |
| diagnose | at a pause, the advisor reads the evidence; claims that contradict it are sent back |
| propose | the advisor returns candidate signals, each with the number that it should move |
| check | candidates are tried on recorded episodes, before any training |
| branch | control and candidates train for one horizon from one snapshot, on common seeds |
| refine | what the branches say goes back to the advisor once, for replacements |
| decide | a candidate that stands out is used at once, as provisional, and confirmed later |
| swap | the winner's branch, else control's, becomes the mainline |

A check asks: does the candidate parse, stay finite, vary, pay neither nothing nor a
flood, neither for standing still nor for dying, rank worse episodes below better ones,
and differ from all that was tried? What does not pass goes back to the advisor once.

Branches are judged by the base reward of their own training episodes. No step of a
winner's branch is wasted, as it becomes the mainline; environments take a new signal at
their next reset. How a decision is made, and with which error: ``also_wrappers.gate``.

## What adapting costs

The defaults of ``AdaptationOptions``, as shares of the planned training: the first
round is after .03; branches take .03 (at least 50 scored episodes), twice as much after
every round without a winner, up to four times; later rounds come .1, .2, .4 apart, and
only while the run is stuck; branches may spend half of the plan. A round tries two
candidates and one replacement; where base return is rare, it goes on with the better
half of them to four times the length. The last round is as long as the budget pays for.
The first line of a run says what that comes to, and a plan that could never change
anything is refused with the numbers that would do.

``python tests/calibration/economy.py`` simulates total steps to a target against plain
training over a grid of made-up tasks, without exploratory swaps. With a good candidate
in six of ten, ``Provisional`` pays on tasks that a good signal makes 4 to 6 times as
fast; with one in five, on those that it makes 8 to more than 10 times as fast. It costs
.2 to .9 of the plain training where there is nothing to find, least where plain
training takes longest.

## Where the base return is blind

Control may have no base return to lose: less than a twentieth of the largest that any
episode of the round earned. A swap may then be carried, as provisional and
*exploratory*, by the conditions that the task declares (how often and how early they
hold), by a candidate's own hypothesis where it held on common seeds, or by the audition
of its expert. A watch ends what does not raise the base return within twice the
horizon, and the next candidate gets its turn; an expert has time for as long as the
policies come closer to it. While there is no signal at all, branches begin from the
run's first checkpoint: training on nothing spoils a policy.

## The end of a training

The signal fades out over the last tenth of the plan (``fade_out=0.1``), so that the
policy ends on the base reward alone. Learners with a replay buffer keep the signal to
the end: values do not outlive a fading signal as policies do. Where the base return
clearly falls while a signal fades, the fade is stopped and the signal stays. An expert
without terms does not fade: the pull towards it ends itself. A signal may also be
proposed that fades by itself (``Signal(terms=..., fade=0.2)``). Strength is fixed at an
environment's reset, so potentials stay exact.

## A replay

What one run found is one draw, on one seed. ``AdaptationCallback(run, make_venv,
replay="runs/a")`` makes each signal active after the same trainer steps as in that run,
without advisor and branches; ``also-wrappers replay`` does it for several seeds, with
the base reward alone beside it.
"""

from also_wrappers.loop.adaptation import Adaptation
from also_wrappers.loop.settings import AdaptationOptions

__all__ = ["Adaptation", "AdaptationOptions"]
