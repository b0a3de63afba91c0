"""Contracts, doubles and tiny environments, for our tests and for those of users.

* ``check_wrapped`` and the checks that it runs: what a wrapped environment must pass.
* ``check_advisor``: what any advisor must pass.
* ``Corridor``: a small cooperative environment with a sparse reward.
* ``ScriptedModel``: a chat model that answers from a list.
* ``forbid_model_requests``: no real model is asked in its context.
* ``OllamaServer``, ``OpenAIServer``: real HTTP servers that speak as models' servers
  do, and misbehave.
* ``check_trainer`` with a ``TrainerHarness``, or a ``ReplayHarness`` where there is a
  replay buffer: what any trainer adapter must pass.
* ``corridor_situation``: something to ask an advisor about.
"""

from also_wrappers.advisors.llm.models.base import forbid_model_requests
from also_wrappers.testing.advisors import check_advisor
from also_wrappers.testing.chat_server import OllamaServer, OpenAIServer
from also_wrappers.testing.contracts import (
    check_api,
    check_copies,
    check_deterministic,
    check_identity,
    check_swap,
    check_wrapped,
)
from also_wrappers.testing.environments import (
    Corridor,
    Shifts,
    Turns,
    corridor_features,
)
from also_wrappers.testing.harnesses import ReplayHarness, TrainerHarness
from also_wrappers.testing.interfaces import check_same_rewards, check_vector
from also_wrappers.testing.models import ScriptedModel
from also_wrappers.testing.potentials import check_potentials
from also_wrappers.testing.situations import corridor_situation
from also_wrappers.testing.trainers import check_trainer

__all__ = [
    "Corridor",
    "OllamaServer",
    "OpenAIServer",
    "ReplayHarness",
    "ScriptedModel",
    "Shifts",
    "TrainerHarness",
    "Turns",
    "check_advisor",
    "check_api",
    "check_copies",
    "check_deterministic",
    "check_identity",
    "check_potentials",
    "check_same_rewards",
    "check_swap",
    "check_trainer",
    "check_vector",
    "check_wrapped",
    "corridor_features",
    "corridor_situation",
    "forbid_model_requests",
]
