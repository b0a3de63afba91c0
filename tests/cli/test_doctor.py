"""The doctor, against servers that are well and servers that are not."""

from __future__ import annotations

import platform
import re
from typing import Any

import pytest
from typer.testing import CliRunner

from also_wrappers.cli.app import app
from also_wrappers.cli.doctor import examine
from also_wrappers.exceptions import AdvisorError, ModelUnavailableError
from also_wrappers.testing import OllamaServer

GOOD = '{"fruit": "pear", "count": 2, "reason": "It is ripe."}'


def said(server: Any, model: str | None = "tiny") -> str:
    lines: list[str] = []
    examine(model, server.host, 5.0, lines.append)
    return "\n".join(lines)


def test_a_server_that_is_well() -> None:
    with OllamaServer([GOOD], capabilities=["thinking"], context=8192) as server:
        told = said(server)
        listed = said(server, model=None)
    assert "extra sb3: installed" in told
    assert "Ollama server: 1 models: tiny:latest" in told
    assert "tiny: context 8192 tokens; completion, thinking" in told
    assert "first answer in" in told
    assert "second answer in" in told
    assert "keep to a JSON schema: yes" in told
    assert "a round asks 3 to 9 times: about" in told
    assert "also-wrappers doctor --model tiny:latest" in listed
    assert "answer" not in listed


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ('{"fruit": "melon", "count": 2, "reason": ""}', "does not keep to a JSON"),
        ('{"fruit": "pear"}', "does not keep to a JSON schema"),
        ("A pear, I think.", "it answered 'A pear"),
        ("", "does not answer as it must: the answer was empty"),
        ("<error>", "out of memory"),
    ],
)
def test_a_model_that_is_not(answer: str, message: str) -> None:
    with OllamaServer([answer]) as server, pytest.raises(AdvisorError, match=message):
        said(server)


def test_a_healthy_installation_needs_no_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0, result.output
    assert f"Python {platform.python_version()}" in result.output
    assert "torch 2" in result.output
    assert re.search(r"processors: [1-9]\d*; workers start by \w+", result.output)
    assert "none is needed for built-in rules" in result.output
    for wanted in (["--model", "tiny"], ["--host", "http://127.0.0.1:9"]):
        refusal = CliRunner().invoke(app, ["doctor", *wanted]).exception
        assert isinstance(refusal, ModelUnavailableError)


def test_what_is_missing() -> None:
    with OllamaServer([GOOD], models=[]) as server:
        with pytest.raises(ModelUnavailableError, match="'ollama pull qwen3:8b'"):
            said(server, model=None)
        with pytest.raises(ModelUnavailableError, match="'ollama pull tiny'"):
            said(server)
    with pytest.raises(ModelUnavailableError, match="'ollama serve'"):
        said(server)
