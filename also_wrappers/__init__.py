"""Wrappers that adapt the learning signal while training runs.

Importing this package imports what wraps an environment. What makes a run, and with it
torch, stable_baselines3, ollama, scipy and jinja2, is loaded when it is used.

Pages, in the order of the loop:

- ``also_wrappers.loop``: how a round works, and what adapting costs
- ``also_wrappers.wrappers``: where the signal is injected, and what a step costs
- ``also_wrappers.signal``: terms, features, experts
- ``also_wrappers.evidence``: what an advisor sees
- ``also_wrappers.advisors``: who proposes
- ``also_wrappers.branches``, ``also_wrappers.gate``: what is tried, and what decides
- ``also_wrappers.branches.ray``: branches on a cluster
- ``also_wrappers.run``: what is recorded, and how a run goes on
- ``also_wrappers.trainers``, ``also_wrappers.trainers.sb3``,
  ``also_wrappers.trainers.benchmarl``: what trains
- ``also_wrappers.cli``: the commands, and what the demo shows
- ``also_wrappers.cli.study``: arms over tasks and seeds, and what our own study shows
- ``also_wrappers.testing``: contracts for your own environments, advisors and trainers
- ``also_wrappers.glossary``, ``also_wrappers.walks``: the words, and what each module
  does with a reward, an episode, a signal, a snapshot and an expert

With ``pdoc`` installed, ``pdoc -d google also_wrappers`` and the names above show them
in a browser.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from also_wrappers.exceptions import (
    AdvisorError,
    AlsoError,
    ConfigurationError,
    ExpressionError,
    FeatureError,
    ModelUnavailableError,
)
from also_wrappers.signal import (
    Action,
    Actions,
    Compass,
    Expert,
    Fade,
    Feature,
    FeatureGroup,
    FeatureMap,
    Heading,
    Rule,
    Signal,
    Term,
    View,
)
from also_wrappers.task import Task
from also_wrappers.wrappers import (
    ShapeReward,
    ShapeRewardAEC,
    ShapeRewardParallel,
    ShapeRewardVector,
    TupleParallelEnv,
    wrap,
)

if TYPE_CHECKING:
    from also_wrappers.advisors import BlindAdvisor, RecordedAdvisor, RuleAdvisor
    from also_wrappers.advisors.llm.advisor import LLMAdvisor
    from also_wrappers.advisors.llm.ceiling import Ceiling
    from also_wrappers.advisors.llm.models.embedded import Embedded
    from also_wrappers.advisors.llm.models.ollama import Ollama
    from also_wrappers.advisors.llm.models.openai import OpenAICompatible
    from also_wrappers.branches.ray import RayExecutor
    from also_wrappers.gate.gate import Gate
    from also_wrappers.gate.race import Race
    from also_wrappers.loop.adaptation import Adaptation
    from also_wrappers.run.run import Run
    from also_wrappers.trainers.sb3.callback import AdaptationCallback
    from also_wrappers.trainers.sb3.evaluation import evaluate
    from also_wrappers.trainers.sb3.imitation import ImitationCallback
    from also_wrappers.trainers.sb3.replay_buffer import (
        ShapedDictReplayBuffer,
        ShapedNStepReplayBuffer,
        ShapedReplayBuffer,
    )
    from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv

__version__ = "0.1.0"

_LATER = {
    "Adaptation": "also_wrappers.loop.adaptation",
    "AdaptationCallback": "also_wrappers.trainers.sb3.callback",
    "BlindAdvisor": "also_wrappers.advisors",
    "Ceiling": "also_wrappers.advisors.llm.ceiling",
    "Embedded": "also_wrappers.advisors.llm.models.embedded",
    "Gate": "also_wrappers.gate.gate",
    "ImitationCallback": "also_wrappers.trainers.sb3.imitation",
    "LLMAdvisor": "also_wrappers.advisors.llm.advisor",
    "Ollama": "also_wrappers.advisors.llm.models.ollama",
    "OpenAICompatible": "also_wrappers.advisors.llm.models.openai",
    "PettingZooVecEnv": "also_wrappers.trainers.sb3.vec_env",
    "Race": "also_wrappers.gate.race",
    "RayExecutor": "also_wrappers.branches.ray",
    "RecordedAdvisor": "also_wrappers.advisors",
    "RuleAdvisor": "also_wrappers.advisors",
    "Run": "also_wrappers.run.run",
    "ShapedDictReplayBuffer": "also_wrappers.trainers.sb3.replay_buffer",
    "ShapedNStepReplayBuffer": "also_wrappers.trainers.sb3.replay_buffer",
    "ShapedReplayBuffer": "also_wrappers.trainers.sb3.replay_buffer",
    "evaluate": "also_wrappers.trainers.sb3.evaluation",
}

__all__ = [
    "Action",
    "Actions",
    "Adaptation",
    "AdaptationCallback",
    "AdvisorError",
    "AlsoError",
    "BlindAdvisor",
    "Ceiling",
    "Compass",
    "ConfigurationError",
    "Embedded",
    "Expert",
    "ExpressionError",
    "Fade",
    "Feature",
    "FeatureError",
    "FeatureGroup",
    "FeatureMap",
    "Gate",
    "Heading",
    "ImitationCallback",
    "LLMAdvisor",
    "ModelUnavailableError",
    "Ollama",
    "OpenAICompatible",
    "PettingZooVecEnv",
    "Race",
    "RayExecutor",
    "RecordedAdvisor",
    "Rule",
    "RuleAdvisor",
    "Run",
    "ShapeReward",
    "ShapeRewardAEC",
    "ShapeRewardParallel",
    "ShapeRewardVector",
    "ShapedDictReplayBuffer",
    "ShapedNStepReplayBuffer",
    "ShapedReplayBuffer",
    "Signal",
    "Task",
    "Term",
    "TupleParallelEnv",
    "View",
    "evaluate",
    "wrap",
]


def __getattr__(name: str) -> Any:
    """Loads what no wrapper needs when it is first asked for."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    """The public names, and nothing else."""
    return [*__all__, "__version__"]
