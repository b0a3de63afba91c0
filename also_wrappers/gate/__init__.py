"""The rules that decide a round; they know nothing of training."""

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
