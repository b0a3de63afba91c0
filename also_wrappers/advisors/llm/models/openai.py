"""Asks servers with OpenAI's chat API: vLLM, llama.cpp, OpenAI and others."""

from __future__ import annotations

import importlib.util
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from also_wrappers.advisors.llm.models.base import Listening, Reply, check_allowed
from also_wrappers.advisors.llm.models.bounds import answer_within, bounded
from also_wrappers.exceptions import AdvisorError, ModelUnavailableError
from also_wrappers.files import keep_secret

if TYPE_CHECKING:
    import openai
    from openai.types import CompletionUsage
    from openai.types.chat import ChatCompletionChunk
    from openai.types.chat.completion_create_params import ResponseFormat

__all__ = ["OpenAICompatible"]

T = TypeVar("T")

#: The schema of the short question by which ``prepare`` tries the server.
_READY = {
    "type": "object",
    "properties": {"ready": {"type": "boolean"}},
    "required": ["ready"],
    "additionalProperties": False,
}
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
        """Checks that the server is there, has the model, and answers.

        Raises:
            ModelUnavailableError: There is no server, or no such model, or the model
                does not answer.
        """
        check_allowed(self.name)
        if importlib.util.find_spec("openai") is None:
            raise ModelUnavailableError(
                "openai is not installed; run: pip install 'also-wrappers[openai]'"
            )
        try:
            with self._understood():
                names = self._within(
                    _CONNECT_SECONDS,
                    lambda client: [model.id for model in client.models.list().data],
                )
        except AdvisorError as error:
            raise ModelUnavailableError(
                f"no OpenAI-compatible server answers at {self._base_url} ({error}); "
                f"check the address and ${self._key}"
            ) from error
        if self.name not in names:
            raise ModelUnavailableError(
                f"the server at {self._base_url} has no model {self.name!r}; it has "
                f"{', '.join(names[:20]) or 'none'}"
            )
        try:
            self.chat("You answer in JSON.", 'Answer {"ready": true}.', _READY)
        except AdvisorError as error:
            raise ModelUnavailableError(str(error)) from error

    def chat(self, system: str, prompt: str, schema: dict[str, Any]) -> Reply:
        """Asks for an answer that follows the schema, and checks the answer.

        Raises:
            AdvisorError: The server gave no answer, or none in time.
        """
        check_allowed(self.name)
        began = time.perf_counter()
        with self._understood():
            reply = self._within(
                self._timeout, lambda client: self._ask(client, system, prompt, schema)
            )
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
        """Does nothing, as the API has no way to unload a model."""

    def _ask(
        self, client: openai.OpenAI, system: str, prompt: str, schema: dict[str, Any]
    ) -> tuple[str, str | None, CompletionUsage | None]:
        """Asks with the schema, or in words where the server has no schemas.

        Returns:
            See ``_listen``.
        """
        import openai

        def ask(
            prompt: str, form: ResponseFormat
        ) -> tuple[str, str | None, CompletionUsage | None]:
            return self._listen(
                client.chat.completions.create(
                    model=self.name,
                    messages=[
                        {"role": "system", "content": system},
                        {"role": "user", "content": prompt},
                    ],
                    response_format=form,
                    stream=True,
                    stream_options={"include_usage": True},
                )
            )

        if self._takes_schema:
            form: ResponseFormat = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": schema},
            }
            try:
                return ask(prompt, form)
            except (openai.BadRequestError, openai.UnprocessableEntityError):
                self._takes_schema = False
        words = f"{prompt}\n\nThe JSON schema of the answer:\n{json.dumps(schema)}"
        return ask(words, {"type": "json_object"})

    def _listen(
        self, stream: Iterable[ChatCompletionChunk]
    ) -> tuple[str, str | None, CompletionUsage | None]:
        """Joins the pieces of an answer, up to a bounded length.

        Returns:
            The answer, the reason why the answer ended, and the usage of tokens;
            ``None`` for what the server does not say.
        """
        listening = Listening(self.name)
        text: list[str] = []
        finish: str | None = None
        usage: CompletionUsage | None = None
        for part in stream:
            usage = part.usage or usage
            for choice in part.choices[:1]:
                text.append(listening.hear(choice.delta.content or ""))
                finish = choice.finish_reason or finish
        return "".join(text), finish, usage

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Turns any error of a server into an ``AdvisorError``."""
        import httpx
        import openai

        try:
            yield
        except (openai.APITimeoutError, httpx.TimeoutException) as error:
            raise AdvisorError(
                f"{self.name} gave no answer within {self._timeout:g} seconds"
            ) from error
        except openai.APIStatusError as error:
            raise AdvisorError(
                f"the server at {self._base_url} refused (status {error.status_code})"
            ) from error
        except (
            openai.OpenAIError,
            httpx.HTTPError,
            ValueError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:
            if isinstance(error.__cause__, AdvisorError):  # raised by ``bounded``
                raise error.__cause__ from None
            raise AdvisorError(
                f"the server at {self._base_url} gave no usable answer: "
                f"{type(error).__name__}"
            ) from error

    def _within(self, seconds: float, ask: Callable[[openai.OpenAI], T]) -> T:
        """Asks with a client of its own, for ``seconds`` seconds at most."""
        import httpx
        import openai

        # Every version of openai takes a client of httpx, but the types of version 3
        # and later name httpx2's client only.
        transport: Any = httpx.Client(**bounded(self.name))
        timeout: Any = httpx.Timeout(seconds, connect=min(_CONNECT_SECONDS, seconds))
        client = openai.OpenAI(
            base_url=self._base_url,
            api_key=os.environ.get(self._key) or "none",
            timeout=timeout,
            max_retries=0,
            http_client=transport,
        )
        return answer_within(seconds, self.name, client, lambda: ask(client))
