"""Asks models of an Ollama server, through the ``ollama`` package."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar

from also_wrappers.advisors.llm.models.base import (
    Listening,
    Reply,
    check_allowed,
    tokens_of,
)
from also_wrappers.advisors.llm.models.bounds import answer_within, bounded
from also_wrappers.exceptions import AdvisorError, ModelUnavailableError, one_line

if TYPE_CHECKING:
    import ollama

__all__ = ["About", "Ollama"]

T = TypeVar("T")

_CONNECT_SECONDS = 5.0
#: Contexts grow in steps of so many tokens, as the server loads the model anew for
#: every other size.
_CONTEXT_STEP = 4096
_BAD_REQUEST = 400
#: Errors that are raised where an answer is not what the API promises.
_NOT_UNDERSTOOD = (ValueError, AttributeError, TypeError, RecursionError)


class About(TypedDict, total=False):
    """Holds what a server says of a model, parts of which older servers leave out.

    Attributes:
        capabilities: What the model can do, such as ``thinking``.
        context: The largest context of the model, in tokens.
    """

    capabilities: list[str]
    context: int


class Ollama:
    """Asks a model of an Ollama server. Nothing happens at import or construction.

    Args:
        model: Name of the model, such as ``qwen3:8b``.
        host: Address of the server; ``OLLAMA_HOST`` or the default if not given.
        timeout: Seconds for one whole answer of a model that is loaded.
        load_timeout: Seconds for the server to load the model.
        num_ctx: Tokens of context; sized to the prompt if not given. A server cuts
            longer prompts without saying so; ``chat`` notices a cut prompt.
        num_predict: Most tokens of an answer, thinking included.
        keep_alive: How long the server keeps the model loaded.
        unload: Whether to unload the model after every round, where training needs the
            memory.
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
        load_timeout: float = 600.0,
        num_ctx: int | None = None,
        num_predict: int = 4096,
        keep_alive: str = "10m",
        unload: bool = False,
        think: bool | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.name = model
        self._host = host
        self._timeout = timeout
        self._load_timeout = load_timeout
        self._fixed_ctx = num_ctx
        self._num_ctx = num_ctx or _CONTEXT_STEP
        self._largest_ctx: int | None = None
        self._num_predict = num_predict
        self._keep_alive = keep_alive
        self._takes_schema = True
        self._unload = unload
        self._think = think
        self._options = {"temperature": 0.7, **(options or {})}

    def prepare(self) -> None:
        """Checks that the server has the model, and loads the model.

        The model is loaded with the options that a round will use.

        Raises:
            ModelUnavailableError: There is no server, or no such model, or the model
                cannot be loaded.
        """
        models = self.models()
        if self.name not in models and f"{self.name}:latest" not in models:
            names = ", ".join(sorted(models)) or "none"
            raise ModelUnavailableError(
                f"the Ollama server at {self._address()} has no model {self.name!r} "
                f"(it has: {names}); get it with 'ollama pull {self.name}'"
            )
        try:
            about = self.about()
            self._load()
            self.rest()
        except AdvisorError as error:
            raise ModelUnavailableError(str(error)) from error
        if self._think and "thinking" not in about.get("capabilities", ["thinking"]):
            raise ModelUnavailableError(
                f"{self.name} is not a model that thinks; leave out think=True"
            )

    def models(self) -> list[str]:
        """Returns the names of the models that the server has.

        Raises:
            ModelUnavailableError: There is no server.
        """
        check_allowed(self.name)
        import httpx
        import ollama

        try:
            listed = self._within(_CONNECT_SECONDS, lambda client: client.list().models)
        except (ConnectionError, httpx.HTTPError) as error:
            hint = "" if self._has_port() else " (no port is given; Ollama's is 11434)"
            raise ModelUnavailableError(
                f"there is no Ollama server at {self._address()}{hint} "
                f"({type(error).__name__}); start it with 'ollama serve', or set "
                "OLLAMA_HOST"
            ) from error
        except AdvisorError as error:
            raise ModelUnavailableError(
                f"what answers at {self._address()} is not an Ollama server "
                f"({one_line(str(error))}); check OLLAMA_HOST"
            ) from error
        except (ollama.ResponseError, *_NOT_UNDERSTOOD) as error:
            raise ModelUnavailableError(
                f"what answers at {self._address()} is not an Ollama server "
                f"({type(error).__name__}); check OLLAMA_HOST"
            ) from error
        return [model.model or "" for model in listed]

    def about(self) -> About:
        """Asks the server for the model's capabilities and largest context.

        Raises:
            AdvisorError: The server does not answer.
        """
        check_allowed(self.name)
        with self._understood():
            shown = self._within(
                _CONNECT_SECONDS, lambda client: client.show(self.name)
            )
        about: About = {}
        if shown.capabilities is not None:
            about["capabilities"] = list(shown.capabilities)
        for key, value in (shown.modelinfo or {}).items():
            if key.endswith(".context_length") and isinstance(value, int):
                about["context"] = self._largest_ctx = value
        return about

    def chat(self, system: str, prompt: str, schema: dict[str, Any]) -> Reply:
        """Asks for an answer that follows the schema, and checks the answer.

        Raises:
            AdvisorError: The server gave no answer, or none in time.
        """
        check_allowed(self.name)
        self._size_context(system + prompt)
        began = time.perf_counter()
        self._load()
        messages = [
            {"role": "system", "content": system},
            {"role": "user", "content": prompt},
        ]
        with self._understood():
            text, thinking, last = self._within(
                self._timeout, lambda client: self._ask(client, messages, schema)
            )
        if last is None:
            raise AdvisorError(f"{self.name} broke off in the middle of its answer")
        return Reply(
            text,
            time.perf_counter() - began,
            last.prompt_eval_count,
            last.eval_count,
            self._problem(text, thinking, system + prompt, last),
        )

    def rest(self) -> None:
        """Unloads the model from the server, where ``unload`` is set.

        Raises:
            AdvisorError: The server does not answer.
        """
        if self._unload:
            check_allowed(self.name)
            with self._understood():
                self._within(
                    _CONNECT_SECONDS,
                    lambda client: client.chat(self.name, [], keep_alive=0),
                )

    def _load(self) -> None:
        """Sends an empty request, at which the server loads the model."""
        with self._understood():
            self._within(
                self._load_timeout,
                lambda client: client.chat(
                    self.name,
                    [],
                    options=self._all_options(),
                    keep_alive=self._keep_alive,
                ),
            )

    def _ask(
        self,
        client: ollama.Client,
        messages: list[dict[str, str]],
        schema: dict[str, Any],
    ) -> tuple[str, str, ollama.ChatResponse | None]:
        """Asks with the schema, or for any JSON where the server refuses the schema.

        Returns:
            See ``_listen``.
        """
        import ollama

        def ask(
            form: dict[str, Any] | Literal["json"],
        ) -> tuple[str, str, ollama.ChatResponse | None]:
            return self._listen(
                client.chat(
                    model=self.name,
                    messages=messages,
                    stream=True,
                    format=form,
                    options=self._all_options(),
                    keep_alive=self._keep_alive,
                    think=self._think,
                )
            )

        if self._takes_schema:
            try:
                return ask(schema)
            except ollama.ResponseError as error:
                if error.status_code != _BAD_REQUEST:
                    raise
                self._takes_schema = False
        return ask("json")

    def _all_options(self) -> dict[str, Any]:
        return {
            **self._options,
            "num_ctx": self._num_ctx,
            "num_predict": self._num_predict,
        }

    def _listen(
        self, parts: Iterator[ollama.ChatResponse]
    ) -> tuple[str, str, ollama.ChatResponse | None]:
        """Joins the pieces of an answer, up to a bounded length.

        Returns:
            The answer, the thinking before the answer, and the last piece; ``None`` in
            place of the last piece if there was none.
        """
        listening = Listening(self.name)
        text: list[str] = []
        thinking: list[str] = []
        for part in parts:
            text.append(listening.hear(part.message.content or ""))
            thinking.append(listening.hear(part.message.thinking or ""))
            if part.done:
                return "".join(text), "".join(thinking), part
        return "", "", None

    def _problem(
        self, text: str, thinking: str, prompt: str, last: ollama.ChatResponse
    ) -> str:
        if last.done_reason == "length" and not text.strip() and thinking:
            return (
                f"the model thought for all of its {self._num_predict} tokens and did "
                "not answer; think less"
            )
        if last.done_reason == "length":
            return "the answer was cut at the limit of tokens; answer more briefly"
        if not text.strip():
            if thinking:
                return "the model thought and gave no answer"
            return "the answer was empty"
        tokens = last.prompt_eval_count
        # A prompt that was cut to fit fills about half of the context or all of it, and
        # has fewer tokens than the characters of the whole prompt need.
        if tokens is not None and len(prompt) / 8.0 > tokens:
            return (
                f"the server cut the prompt to {tokens} tokens; a larger num_ctx than "
                f"{self._num_ctx} is needed"
            )
        return ""

    def _size_context(self, prompt: str) -> None:
        """Enlarges the context where prompt and answer need more room."""
        if self._fixed_ctx is not None:
            return
        needed = tokens_of(prompt) + self._num_predict
        steps = -(-needed // _CONTEXT_STEP)
        self._num_ctx = max(self._num_ctx, steps * _CONTEXT_STEP)
        if self._largest_ctx is not None and self._num_ctx > self._largest_ctx:
            self._num_ctx = self._largest_ctx
            if tokens_of(prompt) > self._largest_ctx:
                raise AdvisorError(
                    f"the prompt needs about {tokens_of(prompt)} tokens, and "
                    f"{self.name} reads {self._largest_ctx}; use another model"
                )

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Turns any error of a server or its answer into an ``AdvisorError``."""
        import httpx
        import ollama

        try:
            yield
        except httpx.TimeoutException as error:
            raise AdvisorError(
                f"{self.name} gave no answer within {self._timeout:g} seconds, and "
                f"{self._load_timeout:g} for loading the model before it; give a "
                "larger timeout or load_timeout, or use a smaller model"
            ) from error
        except (ConnectionError, httpx.HTTPError) as error:
            raise AdvisorError(
                f"the Ollama server at {self._address()} cannot be reached: "
                f"{one_line(str(error))}"
            ) from error
        except ollama.ResponseError as error:
            raise AdvisorError(
                f"the Ollama server refused: {one_line(str(error.error))} "
                f"(status {error.status_code})"
            ) from error
        except _NOT_UNDERSTOOD as error:
            # The answer is not what the API promises.
            raise AdvisorError(
                f"the server's answer was not understood: {type(error).__name__}"
            ) from error

    def _within(self, seconds: float, ask: Callable[[ollama.Client], T]) -> T:
        """Asks with a client of its own, for ``seconds`` seconds at most."""
        import httpx
        import ollama

        client = ollama.Client(
            host=self._host,
            timeout=httpx.Timeout(seconds, connect=min(_CONNECT_SECONDS, seconds)),
            **bounded(self.name),
        )
        return answer_within(seconds, self.name, client, lambda: ask(client))

    def _address(self) -> str:
        return self._host or os.environ.get("OLLAMA_HOST") or "127.0.0.1:11434"

    def _has_port(self) -> bool:
        """True where ``http://host`` names its port; without one, port 80 is meant."""
        scheme, _, rest = self._address().rpartition("://")
        return not scheme or ":" in rest.rpartition("]")[2]
