"""The Ollama adapter against a real HTTP server that misbehaves."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest

from also_wrappers.advisors.llm.models.ollama import Ollama
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
    assert request["options"]["num_predict"] == 4096
    assert request["keep_alive"] == "10m"
    assert [message["role"] for message in request["messages"]] == ["system", "user"]
    assert request["stream"] is True
    assert "think" not in request


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"done_reason": "length", "message": {"content": '{"a":'}}, "was cut"),
        ("", "empty"),
        (
            {"message": {"role": "assistant", "content": "", "thinking": "hmm"}},
            "gave no answer",
        ),
        (
            {
                "done_reason": "length",
                "message": {"role": "assistant", "content": "", "thinking": "hmm"},
            },
            "thought for all of its 4096 tokens",
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
        ("<trickle>", "no answer within 0.5 seconds"),
        ("<flood>", "did not come to an end within 200,000"),
        ("<drop>", "cannot be reached"),
        ("<break>", "broke off in the middle"),
        ("<nonsense>", "not understood"),
        ("<error>", "refused: out of memory .status 500"),
        ("<refuse>", "refused: invalid format .status 400"),
    ],
)
def test_a_server_that_misbehaves_is_a_clean_error(answer: str, message: str) -> None:
    began = time.monotonic()
    with pytest.raises(AdvisorError, match=message):
        ask(answer, timeout=5.0 if answer == "<flood>" else 0.5)
    assert time.monotonic() - began < 5.0


def test_what_is_missing_is_said_with_what_to_do() -> None:
    with OllamaServer([""], models=["other:7b"]) as server:
        with pytest.raises(ModelUnavailableError, match="'ollama pull tiny'") as caught:
            Ollama("tiny", server.host).prepare()
        assert "other:7b" in str(caught.value)
        gone = server.host
    with pytest.raises(ModelUnavailableError, match="'ollama serve'"):
        Ollama("tiny", gone).prepare()
    with pytest.raises(ModelUnavailableError, match="no port is given; Ollama's is"):
        Ollama("tiny", "http://127.0.0.1").prepare()
    with (
        OllamaServer([""], models=["tiny"]) as server,
        pytest.raises(AdvisorError, match=r"model 'gone' not found.* .status 404"),
    ):
        Ollama("gone", server.host).chat("", "Hi.", SCHEMA)


def test_a_server_that_knows_no_schema_is_asked_for_json() -> None:
    with OllamaServer(["<refuse>", "{}", "{}"]) as server:
        model = Ollama("tiny", server.host)
        assert model.chat("", "Hi.", SCHEMA).text == "{}"
        assert model.chat("", "Hi.", SCHEMA).text == "{}"
        assert [r["format"] for r in server.requests] == [SCHEMA, "json", "json"]


def test_the_context_is_sized_to_the_prompt() -> None:
    with OllamaServer(["{}"], context=20_000) as server:
        model = Ollama("tiny", server.host, num_predict=1000)
        model.prepare()
        for length in (300, 30_000, 300, 50_000):
            model.chat("", "x" * length, SCHEMA)
        sizes = [request["options"]["num_ctx"] for request in server.requests]
        # A context only grows, and not beyond what the model was made for.
        assert sizes == [4096, 12_288, 12_288, 20_000]
        with pytest.raises(AdvisorError, match="about 30000 tokens, and tiny reads"):
            model.chat("", "x" * 90_000, SCHEMA)
        fixed = Ollama("tiny", server.host, num_ctx=2048)
        fixed.chat("", "x" * 300, SCHEMA)
        assert server.requests[-1]["options"]["num_ctx"] == 2048


def test_a_model_is_loaded_first_and_unloaded_when_asked() -> None:
    with OllamaServer(["{}"]) as server:
        for unload in (False, True):
            model = Ollama("tiny", server.host, unload=unload)
            model.chat("", "Hi.", SCHEMA)
            assert server.paths[-2:] == ["/api/chat", "/api/chat"]
            assert server.requests[-1]["messages"]
            model.rest()
            assert server.unloaded == unload
    with pytest.raises(AdvisorError, match="cannot be reached"):
        model.rest()


def test_a_check_before_training_asks_for_whatever_a_round_does() -> None:
    with OllamaServer(["{}"]) as server:
        Ollama("tiny", server.host).prepare()
        checked = set(server.paths)
        Ollama("tiny", server.host).chat("", "Hi.", SCHEMA)
        assert set(server.paths) == checked
        assert server.unloaded == 0
        Ollama("tiny", server.host, unload=True).prepare()
        assert server.unloaded == 1


class OnlyLists(OllamaServer):
    """Lists its models and knows no way to chat with one."""

    def _other(self, path: str, request: dict[str, Any]) -> tuple[int, Any]:
        if path == "/api/chat":
            return 404, {"error": "no such page"}
        return super()._other(path, request)


def test_a_server_that_does_not_chat_is_said_before_training() -> None:
    with OnlyLists(["{}"]) as server:
        model = Ollama("tiny", server.host)
        with pytest.raises(ModelUnavailableError, match=r"no such page .status 404"):
            model.prepare()


def test_thinking_is_left_to_models_that_can() -> None:
    with OllamaServer(["{}"], models=["tiny"]) as server:
        with pytest.raises(ModelUnavailableError, match="not a model that thinks"):
            Ollama("tiny", server.host, think=True).prepare()
        Ollama("tiny", server.host, think=False).prepare()
    thinks = {"message": {"role": "assistant", "content": "{}", "thinking": "So?"}}
    with OllamaServer([thinks], capabilities=["thinking"]) as server:
        model = Ollama("tiny", server.host, think=True)
        model.prepare()
        assert model.chat("", "Hi.", SCHEMA).text == "{}"
        assert server.requests[0]["think"] is True


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


def test_what_may_take_how_long_is_said_where_no_answer_comes_in_time() -> None:
    model = Ollama("tiny", timeout=120, load_timeout=600)
    with pytest.raises(AdvisorError) as error, model._understood():
        raise httpx.ReadTimeout("late")
    assert str(error.value) == (
        "tiny gave no answer within 120 seconds, and 600 for loading the model before "
        "it; give a larger timeout or load_timeout, or use a smaller model"
    )
