"""Servers that speak OpenAI's chat API: vLLM, llama.cpp, OpenAI and others."""

from __future__ import annotations

import importlib.util
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from also_wrappers.advisors.llm.models.base import Listening, Reply, check_allowed
from also_wrappers.exceptions import AdvisorError, ModelUnavailableError
from also_wrappers.files import keep_secret

__all__ = ["OpenAICompatible"]

_CONNECT_SECONDS = 5.0


class OpenAICompatible:
    """Asks a model behind ``/chat/completions``, through the ``openai`` package.

    Args:
        base_url: Address of the API, such as ``http://localhost:8000/v1``.
        model: Name of the model.
        api_key_variable: Environment variable that holds the key; it is read when a
            request is made and never recorded.
        timeout: Seconds for one whole answer.

    Example:
        >>> OpenAICompatible("http://localhost:8000/v1", "qwen3-8b").name
        'qwen3-8b'
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key_variable: str = "OPENAI_API_KEY",
        timeout: float = 300.0,
    ) -> None:
        self.name = model
        self._base_url = base_url.rstrip("/")
        self._key = api_key_variable
        keep_secret(api_key_variable)
        self._timeout = timeout
        self._takes_schema = True

    def prepare(self) -> None:
        """Checks that the server is there and has the model.

        Raises:
            ModelUnavailableError: There is no server, or no such model.
        """
        check_allowed(self.name)
        if importlib.util.find_spec("openai") is None:
            raise ModelUnavailableError(
                "openai is not installed; run: pip install 'also-wrappers[openai]'"
            )
        import openai

        try:
            listed = self._client(_CONNECT_SECONDS).models.list().data
            names = [model.id for model in listed]
        except (openai.OpenAIError, ValueError, TypeError, AttributeError) as error:
            raise ModelUnavailableError(
                f"no OpenAI-compatible server answers at {self._base_url} "
                f"({type(error).__name__}); check the address and ${self._key}"
            ) from error
        if self.name not in names:
            raise ModelUnavailableError(
                f"the server at {self._base_url} has no model {self.name!r}; it has "
                f"{', '.join(names[:20]) or 'none'}"
            )

    def chat(self, system: str, prompt: str, schema: dict[str, Any]) -> Reply:
        """Asks with ``json_schema``, or ``json_object`` of a server without schemas.

        Raises:
            AdvisorError: The server gave no answer, or none in time.
        """
        check_allowed(self.name)
        import openai

        began = time.perf_counter()
        with self._understood():
            try:
                reply = self._ask(system, prompt, schema)
            except (openai.BadRequestError, openai.UnprocessableEntityError):
                if not self._takes_schema:
                    raise
                self._takes_schema = False
                reply = self._ask(system, prompt, schema)
        text, finish, usage = reply
        problem = "" if text.strip() else "the answer was empty"
        if finish == "length":
            problem = "the answer was cut at the limit of tokens; answer more briefly"
        elif finish is None:
            problem = "the answer broke off"
        return Reply(
            text,
            time.perf_counter() - began,
            getattr(usage, "prompt_tokens", None),
            getattr(usage, "completion_tokens", None),
            problem,
        )

    def rest(self) -> None:
        """Does nothing: the API has no way to unload a model."""

    def _ask(
        self, system: str, prompt: str, schema: dict[str, Any]
    ) -> tuple[str, str | None, Any]:
        form: dict[str, Any] = {"type": "json_object"}
        if self._takes_schema:
            form = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": schema},
            }
        else:
            prompt = f"{prompt}\n\nThe JSON schema of the answer:\n{json.dumps(schema)}"
        stream = self._client(self._timeout).chat.completions.create(
            model=self.name,
            messages=[
                {"role": "system", "content": system},
                {"role": "user", "content": prompt},
            ],
            response_format=form,
            stream=True,
            stream_options={"include_usage": True},
        )
        return self._listen(stream)

    def _listen(self, stream: Iterator[Any]) -> tuple[str, str | None, Any]:
        """Joins the pieces of an answer.

        Returns:
            The answer, why it ended, and its usage of tokens; ``None`` for what the
            server does not say.
        """
        listening = Listening(self.name, self._timeout)
        text: list[str] = []
        finish: str | None = None
        usage = None
        for part in stream:
            usage = part.usage or usage
            for choice in part.choices[:1]:
                text.append(listening.hear(choice.delta.content or ""))
                finish = choice.finish_reason or finish
        return "".join(text), finish, usage

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Turns what can go wrong with a server into one clean error."""
        import openai

        try:
            yield
        except openai.APITimeoutError as error:
            raise AdvisorError(
                f"{self.name} gave no answer within {self._timeout:g} seconds"
            ) from error
        except openai.APIStatusError as error:
            raise AdvisorError(
                f"the server at {self._base_url} refused (status {error.status_code})"
            ) from error
        except (openai.OpenAIError, ValueError, TypeError, AttributeError) as error:
            raise AdvisorError(
                f"the server at {self._base_url} gave no usable answer: "
                f"{type(error).__name__}"
            ) from error

    def _client(self, timeout: float) -> Any:
        import openai

        return openai.OpenAI(
            base_url=self._base_url,
            api_key=os.environ.get(self._key) or "none",
            timeout=openai.Timeout(timeout, connect=_CONNECT_SECONDS),
            max_retries=0,
        )
