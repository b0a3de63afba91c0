"""What was seen: accumulators, the recorder, the evidence document, stages."""

from also_wrappers.evidence.document import Evidence
from also_wrappers.evidence.meanings import MEANINGS, explain
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
