"""The Ollama adapter against a real HTTP server that misbehaves."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from also_wrappers.advisors.models.ollama import Ollama
from also_wrappers.exceptions import AdvisorError, ModelUnavailableError
from also_wrappers.testing import OllamaServer

SCHEMA = {"type": "object"}


def ask(answer: str | dict[str, Any], timeout: float = 5.0, prompt: str = "Hi.") -> Any:
    with OllamaServer([answer]) as server:
        model = Ollama("tiny", server.host, timeout=timeout)
        model.prepare()
        return model.chat("You answer.", prompt, SCHEMA), server.requests


def test_a_request_says_all_that_matters() -> None:
    reply, requests = ask('{"a": 1}')
    assert reply.text == '{"a": 1}'
    assert not reply.problem
    assert reply.prompt_tokens is not None
    (request,) = requests
    assert request["format"] == SCHEMA
    assert request["options"]["num_ctx"] == 8192
    assert request["keep_alive"] == "10m"
    assert [message["role"] for message in request["messages"]] == ["system", "user"]
    assert request["stream"] is False


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"done_reason": "length", "message": {"content": '{"a":'}}, "was cut"),
        ("", "empty"),
        (
            {"message": {"role": "assistant", "content": "", "thinking": "hmm"}},
            "gave no answer",
        ),
    ],
)
def test_answers_that_are_not_whole_are_noticed(answer: Any, problem: str) -> None:
    if isinstance(answer, dict):
        answer.setdefault("message", {}).setdefault("role", "assistant")
    reply, _ = ask(answer)
    assert problem in reply.problem


def test_a_prompt_that_the_server_cut_is_noticed() -> None:
    cut = {
        "prompt_eval_count": 100,
        "message": {"role": "assistant", "content": "{}"},
    }
    reply, _ = ask(cut, prompt="word " * 2000)
    assert "cut the prompt to 100 tokens" in reply.problem


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("<hang>", "no answer within 0.5 seconds"),
        ("<drop>", "cannot be reached"),
        ("<nonsense>", "not understood"),
        ("<error>", "refused: out of memory .status 500"),
    ],
)
def test_a_server_that_misbehaves_is_a_clean_error(answer: str, message: str) -> None:
    began = time.monotonic()
    with pytest.raises(AdvisorError, match=message):
        ask(answer, timeout=0.5)
    assert time.monotonic() - began < 5.0


def test_what_is_missing_is_said_with_what_to_do() -> None:
    with OllamaServer([""], models=["other:7b"]) as server:
        with pytest.raises(ModelUnavailableError, match="'ollama pull tiny'") as caught:
            Ollama("tiny", server.host).prepare()
        assert "other:7b" in str(caught.value)
        gone = server.host
    with pytest.raises(ModelUnavailableError, match="'ollama serve'"):
        Ollama("tiny", gone).prepare()


class WebPage(BaseHTTPRequestHandler):
    """Something else on the port."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "12")
        self.end_headers()
        self.wfile.write(b"<html></html"[:12])

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_something_else_on_the_port_is_said() -> None:
    with HTTPServer(("127.0.0.1", 0), WebPage) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        host = f"http://127.0.0.1:{server.server_address[1]}"
        with pytest.raises(ModelUnavailableError, match="not an Ollama server"):
            Ollama("tiny", host).prepare()
