"""Models of an Ollama server, through the ``ollama`` package."""

from __future__ import annotations

import os
import time
from typing import Any

from also_wrappers.advisors.models.base import Reply, check_allowed
from also_wrappers.exceptions import AdvisorError, ModelUnavailableError

__all__ = ["Ollama"]

_CONNECT_SECONDS = 5.0


class Ollama:
    """A model of an Ollama server. Nothing happens at import or construction.

    Args:
        model: Name of the model, such as ``qwen3:8b``.
        host: Address of the server; ``OLLAMA_HOST`` or the default if not given.
        timeout: Seconds for one answer, loading the model included.
        num_ctx: Tokens of context; the server cuts longer prompts silently.
        num_predict: Tokens of the answer at most.
        keep_alive: How long the server keeps the model loaded.
        think: Whether a thinking model may think first; ``None`` leaves its default.
        options: Further options of the server, such as ``{"seed": 0}``.

    Example:
        >>> Ollama("qwen3:8b", options={"seed": 0}).name  # no server is needed for this
        'qwen3:8b'
    """

    def __init__(
        self,
        model: str,
        host: str | None = None,
        *,
        timeout: float = 300.0,
        num_ctx: int = 8192,
        num_predict: int = 2048,
        keep_alive: str = "10m",
        think: bool | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.name = model
        self._host = host
        self._timeout = timeout
        self._num_ctx = num_ctx
        self._keep_alive = keep_alive
        self._think = think
        self._options = {
            "temperature": 0.7,
            **(options or {}),
            "num_ctx": num_ctx,
            "num_predict": num_predict,
        }

    def prepare(self) -> None:
        """Checks that the server is there and has the model."""
        check_allowed(self.name)
        import httpx
        import ollama

        client = self._client(_CONNECT_SECONDS)
        try:
            found = [model.model or "" for model in client.list().models]
        except (ConnectionError, httpx.HTTPError) as error:
            raise ModelUnavailableError(
                f"there is no Ollama server at {self._address()} "
                f"({type(error).__name__}); start it with 'ollama serve', or set "
                "OLLAMA_HOST"
            ) from error
        except (ollama.ResponseError, ValueError) as error:
            raise ModelUnavailableError(
                f"what answers at {self._address()} is not an Ollama server "
                f"({type(error).__name__}); check OLLAMA_HOST"
            ) from error
        if self.name not in found and f"{self.name}:latest" not in found:
            have = ", ".join(sorted(found)) or "none"
            raise ModelUnavailableError(
                f"the Ollama server at {self._address()} has no model {self.name!r} "
                f"(it has: {have}); get it with 'ollama pull {self.name}'"
            )

    def chat(self, system: str, prompt: str, schema: dict[str, Any]) -> Reply:
        """Asks for an answer that follows the schema, and checks that it is whole."""
        check_allowed(self.name)
        import httpx
        import ollama

        began = time.perf_counter()
        arguments = {} if self._think is None else {"think": self._think}
        try:
            answer = self._client(self._timeout).chat(
                model=self.name,
                messages=[
                    {"role": "system", "content": system},
                    {"role": "user", "content": prompt},
                ],
                format=schema,
                options=self._options,
                keep_alive=self._keep_alive,
                **arguments,
            )
        except httpx.TimeoutException as error:
            raise AdvisorError(
                f"{self.name} gave no answer within {self._timeout:g} seconds"
            ) from error
        except (ConnectionError, httpx.HTTPError) as error:
            raise AdvisorError(
                f"the Ollama server at {self._address()} cannot be reached: {error}"
            ) from error
        except ollama.ResponseError as error:
            raise AdvisorError(
                f"the Ollama server refused: {error.error} (status {error.status_code})"
            ) from error
        except ValueError as error:  # an answer that is not what the API promises
            raise AdvisorError(
                f"the server's answer was not understood: {type(error).__name__}"
            ) from error
        text = answer.message.content or ""
        return Reply(
            text,
            time.perf_counter() - began,
            answer.prompt_eval_count,
            answer.eval_count,
            self._problem(text, system + prompt, answer),
        )

    def _problem(self, text: str, prompt: str, answer: Any) -> str:
        if answer.done_reason == "length":
            return "the answer was cut at the limit of tokens; answer more briefly"
        if not text.strip():
            if answer.message.thinking:
                return "the model thought and gave no answer"
            return "the answer was empty"
        seen = answer.prompt_eval_count
        # A prompt that was cut to fit leaves about half of the context or all of it
        # filled, and always fewer tokens than its characters need.
        if seen is not None and len(prompt) / 8.0 > seen:
            return (
                f"the server cut the prompt to {seen} tokens; a larger num_ctx than "
                f"{self._num_ctx} is needed"
            )
        return ""

    def _client(self, timeout: float) -> Any:
        import httpx
        import ollama

        return ollama.Client(
            host=self._host,
            timeout=httpx.Timeout(timeout, connect=_CONNECT_SECONDS),
        )

    def _address(self) -> str:
        return self._host or os.environ.get("OLLAMA_HOST") or "127.0.0.1:11434"
