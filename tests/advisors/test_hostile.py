"""No server keeps an advisor for longer than its time-out, or fills the memory."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable

import pytest

from also_wrappers.advisors.llm.models import ollama, openai
from also_wrappers.advisors.llm.models.base import ChatModel
from also_wrappers.advisors.llm.models.bounds import MOST_BYTES
from also_wrappers.exceptions import AdvisorError, ModelUnavailableError
from tests.support.hostile import HOSTILE, HostileServer

pytest.importorskip("openai", reason="the extra 'openai' is not installed")

SCHEMA = {"type": "object"}
TIMEOUT = 0.5
#: Seconds that machines under load may take besides.
SLACK = 2.0
#: Bytes that the operating system may hold between server and client.
ON_THE_WAY = 16_000_000


def ollama_model(host: str) -> ChatModel:
    return ollama.Ollama("tiny", host, timeout=TIMEOUT, load_timeout=TIMEOUT)


def openai_model(host: str) -> ChatModel:
    return openai.OpenAICompatible(f"{host}/v1", "tiny", timeout=TIMEOUT)


MODELS = pytest.mark.parametrize("make", [ollama_model, openai_model])


def askers() -> int:
    return sum(thread.name.startswith("asks ") for thread in threading.enumerate())


@pytest.mark.parametrize("how", HOSTILE)
@MODELS
def test_an_answer_ends_in_time_and_in_memory(
    make: Callable[[str], ChatModel], how: str
) -> None:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with HostileServer(HOSTILE[how]) as server:
        model = make(server.host)
        began = time.monotonic()
        try:
            problem = model.chat("You answer.", "Hi.", SCHEMA).problem
        except AdvisorError as error:
            problem = str(error)
        assert 10 < len(problem) < 600
        assert time.monotonic() - began < TIMEOUT + SLACK
        assert server.sent < MOST_BYTES + ON_THE_WAY or "bomb" in how
        deadline = time.monotonic() + TIMEOUT + SLACK
        while askers() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert askers() == 0
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most
    assert grown < 400_000  # of the bombs' servers as well, in kilobytes


@pytest.mark.parametrize(
    "how", ["silence", "a header byte by byte", "a body byte by byte", "a gzip bomb"]
)
@MODELS
def test_a_check_before_training_ends_in_time(
    make: Callable[[str], ChatModel], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ollama, "_CONNECT_SECONDS", TIMEOUT)
    monkeypatch.setattr(openai, "_CONNECT_SECONDS", TIMEOUT)
    with HostileServer(HOSTILE[how], everywhere=True) as server:
        model = make(server.host)
        began = time.monotonic()
        with pytest.raises(ModelUnavailableError):
            model.prepare()
        assert time.monotonic() - began < TIMEOUT + SLACK
