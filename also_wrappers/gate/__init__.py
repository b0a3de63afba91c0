"""The rules that decide a round; they know nothing of training."""

from also_wrappers.gate.gate import CONTROL, Decision, Gate, Request, Rule, Trial
from also_wrappers.gate.score import ScoreGate

__all__ = ["CONTROL", "Decision", "Gate", "Request", "Rule", "ScoreGate", "Trial"]
