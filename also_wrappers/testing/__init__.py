"""Doubles and tiny environments, for this package's tests and for those of its users.

* ``Corridor``: a small cooperative environment with a sparse reward.
* ``ScriptedModel``: a chat model that answers from a list.
* ``OllamaServer``: a real HTTP server that speaks Ollama's API, and misbehaves.
* ``check_identity``, ``check_deterministic``: what a wrapped environment must pass.
"""

from also_wrappers.testing.contracts import check_deterministic, check_identity
from also_wrappers.testing.environments import Corridor, corridor_features
from also_wrappers.testing.models import ScriptedModel
from also_wrappers.testing.ollama_server import OllamaServer

__all__ = [
    "Corridor",
    "OllamaServer",
    "ScriptedModel",
    "check_deterministic",
    "check_identity",
    "corridor_features",
]
