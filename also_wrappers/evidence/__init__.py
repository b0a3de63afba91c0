"""What was seen: accumulators, the recorder, the evidence document, stages."""

from also_wrappers.evidence.recorder import Recorder
from also_wrappers.evidence.stage import Stage, Window, detect_stage
from also_wrappers.evidence.statistics import Layout, merge
from also_wrappers.evidence.summary import Evidence, summarise

__all__ = [
    "Evidence",
    "Layout",
    "Recorder",
    "Stage",
    "Window",
    "detect_stage",
    "merge",
    "summarise",
]
