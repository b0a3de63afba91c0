"""The adapter for OpenAI-compatible servers, against a real HTTP server."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from also_wrappers.advisors.llm.models.openai import OpenAICompatible
from also_wrappers.exceptions import AdvisorError, ModelUnavailableError
from also_wrappers.testing import OpenAIServer

pytest.importorskip("openai", reason="the extra 'openai' is not installed")

SCHEMA = {"type": "object"}


def client(server: Any, timeout: float = 5.0) -> OpenAICompatible:
    return OpenAICompatible(f"{server.host}/v1", "tiny", timeout=timeout)


def test_a_request_says_all_that_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-123")
    with OpenAIServer(['{"a": 1}'], models=["tiny"]) as server:
        model = client(server)
        model.prepare()
        reply = model.chat("You answer.", "Hi.", SCHEMA)
        model.rest()
    assert (reply.text, reply.problem) == ('{"a": 1}', "")
    assert (reply.prompt_tokens, reply.answer_tokens) == (20, 10)
    _, request = server.requests  # the first is of the check
    assert request["response_format"]["json_schema"]["schema"] == SCHEMA
    assert [message["role"] for message in request["messages"]] == ["system", "user"]
    assert "sk-test" not in json.dumps(request)


def test_a_server_that_knows_no_schema_is_told_in_words() -> None:
    with OpenAIServer(["<refuse>", "{}", "{}"], models=["tiny"]) as server:
        model = client(server)
        assert model.chat("", "Hi.", SCHEMA).text == "{}"
        assert model.chat("", "Hi.", SCHEMA).text == "{}"
    kinds = [request["response_format"]["type"] for request in server.requests]
    assert kinds == ["json_schema", "json_object", "json_object"]
    assert json.dumps(SCHEMA) in server.requests[1]["messages"][1]["content"]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("", "the answer was empty"),
        ({"finish_reason": "length"}, "cut at the limit of tokens"),
        ("<break>", "broke off"),
    ],
)
def test_answers_that_are_not_whole_are_noticed(answer: Any, problem: str) -> None:
    with OpenAIServer([answer], models=["tiny"]) as server:
        assert problem in client(server).chat("", "Hi.", SCHEMA).problem


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("<hang>", "no answer within 0.5 seconds"),
        ("<trickle>", "no answer within 0.5 seconds"),
        ("<flood>", "did not come to an end"),
        ("<drop>", "gave no usable answer"),
        ("<error>", "refused .status 500"),
        ("<refuse>", "refused .status 400"),
    ],
)
def test_a_server_that_misbehaves_is_a_clean_error(answer: str, message: str) -> None:
    began = time.monotonic()
    with (
        OpenAIServer([answer], models=["tiny"]) as server,
        pytest.raises(AdvisorError, match=message),
    ):
        client(server, 5.0 if answer == "<flood>" else 0.5).chat("", "Hi.", SCHEMA)
    assert time.monotonic() - began < 6.0


def test_nonsense_is_an_empty_answer_or_an_error() -> None:
    with OpenAIServer(["<nonsense>"], models=["tiny"]) as server:
        assert client(server).chat("", "Hi.", SCHEMA).problem


def test_what_is_missing_is_said_with_what_to_do() -> None:
    with OpenAIServer([""], models=["other"]) as server:
        model = client(server)
        with pytest.raises(ModelUnavailableError, match="it has other"):
            model.prepare()
    with pytest.raises(ModelUnavailableError, match=r"check the address and \$OPENAI"):
        model.prepare()


def test_a_server_that_does_not_chat_is_said_before_training() -> None:
    with OpenAIServer(["<error>"], models=["tiny"]) as server:
        model = client(server)
        with pytest.raises(ModelUnavailableError, match=r"refused .status 500"):
            model.prepare()
