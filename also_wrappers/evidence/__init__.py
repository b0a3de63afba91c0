"""What was seen: accumulators, the recorder, the evidence document, stages.

Evidence is a flat document of numbers with stable keys, such as
``agent_0.action.idle_share``, ``team.target.crowding``,
``feature.nearest_food_distance.better`` (how it differs between better and worse
episodes, in standard deviations) or ``signal.hacking``; ``MEANINGS`` says what each is,
with its unit. It merges across environment copies and processes, its memory does not
grow, and a number that cannot be told is missing with a reason, never 0. All there is to
say of a family of numbers is one file of ``evidence.numbers``.

``python examples/evidence.py --env foraging`` prints and draws the evidence of a
random, an idle, a crowding and a trained policy (``--env spread`` for mpe2).

The learning stage (``no_signal``, ``discovery``, ``improvement``, ``plateau``,
``regression``, ``solved``) is named from base returns with their uncertainty; ``python
tests/benchmarks/stages.py`` measures how often it is wrong. A round that is due waits
until the run is stuck; ``pause_on="interval"`` plays it whatever the stage is.
"""

from also_wrappers.evidence.document import Evidence
from also_wrappers.evidence.meanings import explain
from also_wrappers.evidence.numbers import MEANINGS
from also_wrappers.evidence.recorder import Recorder
from also_wrappers.evidence.stage import Stage, Window, detect_stage
from also_wrappers.evidence.statistics import Layout, merge
from also_wrappers.evidence.summary import summarise

__all__ = [
    "MEANINGS",
    "Evidence",
    "Layout",
    "Recorder",
    "Stage",
    "Window",
    "detect_stage",
    "explain",
    "merge",
    "summarise",
]
