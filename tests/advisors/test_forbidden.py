"""In tests, no real model is asked by accident."""

from __future__ import annotations

from typing import Any

import pytest

from also_wrappers.advisors.llm.models.embedded import Embedded
from also_wrappers.advisors.llm.models.ollama import Ollama
from also_wrappers.advisors.llm.models.openai import OpenAICompatible
from also_wrappers.exceptions import ModelUnavailableError
from also_wrappers.testing import OllamaServer, ScriptedModel, forbid_model_requests


@pytest.mark.parametrize(
    "model",
    [
        Ollama("tiny"),
        OpenAICompatible("http://127.0.0.1:9/v1", "tiny"),
        Embedded(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_no_model_is_asked(model: Any) -> None:
    with forbid_model_requests():
        with pytest.raises(ModelUnavailableError, match="forbidden here"):
            model.prepare()
        with pytest.raises(ModelUnavailableError, match="forbidden here"):
            model.chat("Be brief.", "Hello.", {})
        assert ScriptedModel(["{}"]).chat("Be brief.", "Hello.", {}).text == "{}"


def test_it_is_over_after_the_context() -> None:
    with OllamaServer(["{}"]) as server:
        model = Ollama("tiny", host=server.host)
        with forbid_model_requests(), pytest.raises(ModelUnavailableError):
            model.prepare()
        assert server.requests == []
        assert model.chat("Be brief.", "Hello.", {}).text == "{}"
