"""What is injected: signals, the term language, features and the shaper."""

from also_wrappers.signal.actions import Action, Actions, Compass, Heading
from also_wrappers.signal.advice import Advice
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.features import Feature, FeatureGroup, View
from also_wrappers.signal.language.parser import GRAMMAR, parse
from also_wrappers.signal.model import Expert, Fade, Rule, Signal, Term
from also_wrappers.signal.shaper import Shaper, compile_signal

__all__ = [
    "GRAMMAR",
    "Action",
    "Actions",
    "Advice",
    "Compass",
    "Expert",
    "Fade",
    "Feature",
    "FeatureGroup",
    "FeatureMap",
    "Heading",
    "Rule",
    "Shaper",
    "Signal",
    "Term",
    "View",
    "compile_signal",
    "parse",
]
