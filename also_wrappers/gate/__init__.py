"""Rules that decide a round from trials alone, without knowing of training.

The branch, not the episode, is the unit of statistics.

- ``Provisional()``, the default, screens all arms at half the horizon, and extends the
  branches of control and of what is not clearly worse to the whole of it; while base
  return is rare in all of them and nothing stands out, to twice and four times it. If
  the best candidate stands out (z of 1 or more), its branch becomes the mainline at
  once and its signal is *provisional*: no error is declared for that. Fresh branches
  from the same snapshot go on beside the training, at most one discarded step for every
  three of the mainline's own, until the signal is *confirmed* with a declared error, or
  given up: then it goes and the weights stay. After clear harm the mainline goes back
  to control's stored branch. Where control hardly earned anything, a signal that is not
  confirmed stays, as provisional, while the training is clearly above control.
- ``Race()`` makes the claim first and the change afterwards.
- ``Gate()`` tests on fresh pairs until there are sixteen. It costs twice the branches
  of ``Race()`` and finds more of the weak effects.
- ``ScoreGate()`` compares single branches, for comparison.

## Calibration

``python tests/calibration/gate.py --rounds 500`` plays rounds on 345 branches of real
PPO runs (50 pools, smoothed bootstrap, three candidates; "worst" is the worst pool, of
100 runs each):

| | ``Provisional()`` | ``Race()`` |
|---|---|---|
| confirmed though equal to control, in a run of five rounds: mean (worst) | .007 (.09) | .011 (.09) |
| rounds of equals in which one is used for a while | .19 | .002 |
| discarded branches a round, nothing to find | 4.1 until the swap, 4.9 in all | 6.4 |
| the same, all candidates harmful | 1.8 | 1.8 |
| the same, one good | 3.2 until the swap, 8.1 in all | 9.4 |
| power, mean of nine measured effects | .78 swapped in, .66 confirmed | .71 |
| every weight as control: rounds that swap in something worse by more than .01 | .005, by .03 in the mean | 0 |

Where branches differ by twice what is predicted (synthetic), runs of five confirm an
equal in up to .08 (``Provisional``) and .12 (``Race``).

``python tests/calibration/live.py`` plays control against itself on live branches (not
measured again since screening goes on where base return is rare).
Small corridors, 20 rounds each: ``Provisional`` confirmed 0 (95 % interval 0 to .17)
and used one for a while in 6, for 3.6 discarded branches a round; ``Race`` 0, for 4.7;
``Gate`` 0, for 10.4. With ``--env foraging --rounds 10``: ``Race`` 0 of 10 (0 to .31),
for 6.0; ``Provisional`` 0 of 10, for 5.0, and it used one for a while in 5: where next
to nothing is earned, branches of equals differ by more than their episodes tell.
"""

from also_wrappers.gate.cost import cheapest
from also_wrappers.gate.gate import Gate
from also_wrappers.gate.provisional import Provisional
from also_wrappers.gate.race import Race
from also_wrappers.gate.rule import (
    CONTROL,
    Decision,
    DecisionKind,
    Request,
    Rule,
    Trial,
)
from also_wrappers.gate.score import ScoreGate
from also_wrappers.gate.standing import Standing, leader

__all__ = [
    "CONTROL",
    "Decision",
    "DecisionKind",
    "Gate",
    "Provisional",
    "Race",
    "Request",
    "Rule",
    "ScoreGate",
    "Standing",
    "Trial",
    "cheapest",
    "leader",
]
