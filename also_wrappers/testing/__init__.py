"""Contracts, doubles and tiny environments, for our tests and for those of users.

* ``check_wrapped`` and the checks that it runs: what a wrapped environment must pass.
* ``Corridor``: a small cooperative environment with a sparse reward.
* ``ScriptedModel``: a chat model that answers from a list.
* ``forbid_model_requests``: no real model is asked in its context.
* ``OllamaServer``: a real HTTP server that speaks Ollama's API, and misbehaves.
"""

from also_wrappers.advisors.models.base import forbid_model_requests
from also_wrappers.testing.contracts import (
    check_api,
    check_copies,
    check_deterministic,
    check_identity,
    check_same_rewards,
    check_swap,
    check_vector,
    check_wrapped,
)
from also_wrappers.testing.environments import Corridor, corridor_features
from also_wrappers.testing.models import ScriptedModel
from also_wrappers.testing.ollama_server import OllamaServer

__all__ = [
    "Corridor",
    "OllamaServer",
    "ScriptedModel",
    "check_api",
    "check_copies",
    "check_deterministic",
    "check_identity",
    "check_same_rewards",
    "check_swap",
    "check_vector",
    "check_wrapped",
    "corridor_features",
    "forbid_model_requests",
]
