"""Serves chat models over real HTTP as their servers do, well or badly."""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["OllamaServer", "OpenAIServer"]


class _ChatServer(ABC):
    """Serves requests on a free port of this machine; use as a context manager.

    Args:
        answers: Answers to chats, in order; the last one is repeated. A text is the
            answer itself; a dict is merged over the last piece of the reply; one of
            these words misbehaves: ``"<hang>"`` (no answer), ``"<trickle>"`` (a piece
            every tenth of a second, without end), ``"<flood>"`` (text without end),
            ``"<drop>"`` (the connection is cut at once), ``"<break>"`` (or after some
            text), ``"<nonsense>"`` (no JSON), ``"<error>"`` (status 500),
            ``"<refuse>"`` (status 400).
        models: Names of the models that the server has.

    Attributes:
        host: Address of the server.
        requests: Bodies of all chat requests with messages so far.
        paths: Paths of all requests so far.
    """

    def __init__(
        self,
        answers: Sequence[str | dict[str, Any]],
        models: Sequence[str] = ("tiny:latest",),
    ) -> None:
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self._answers = list(answers)
        self._models = list(models)
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.host = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Any:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self) -> str | dict[str, Any]:
        place = min(len(self.requests) - 1, len(self._answers) - 1)
        return self._answers[place]

    @abstractmethod
    def _other(self, path: str, request: dict[str, Any]) -> tuple[int, Any]:
        """Returns status and body of the answer to a request that is no chat."""

    @abstractmethod
    def _pieces(
        self, request: dict[str, Any], text: str, last: dict[str, Any]
    ) -> Iterator[str]:
        """Yields the lines of a streamed reply: lines of text, then the last."""

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.paths.append(self.path)
                self._send(*server._other(self.path, {}))

            def do_POST(self) -> None:
                server.paths.append(self.path)
                length = int(self.headers["Content-Length"])
                request = json.loads(self.rfile.read(length))
                if "/chat" not in self.path or not request.get("messages"):
                    self._send(*server._other(self.path, request))
                    return
                server.requests.append(request)
                answer = server._answer()
                if answer == "<hang>":
                    server._closing.wait()
                elif answer == "<drop>":
                    self.connection.close()
                elif answer == "<nonsense>":
                    self._send(200, "what?")
                elif answer == "<error>":
                    self._send(500, {"error": "out of\r\n\r\nmemory"})
                elif answer == "<refuse>":
                    self._send(400, {"error": "invalid format"})
                else:
                    self._stream(request, answer)

            def _stream(self, request: dict[str, Any], answer: Any) -> None:
                """Sends a reply without a length, until the connection ends."""
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                text, last = (answer, {}) if isinstance(answer, str) else ("", answer)
                endless = {"<trickle>": "x", "<flood>": "x" * 10_000}
                whole = endless.get(text, text)
                pieces = server._pieces(request, whole, last)
                try:
                    if text == "<break>":
                        self._piece(next(pieces))
                        return
                    first = next(pieces)
                    while text in endless and not server._closing.wait(
                        0.1 if text == "<trickle>" else 0.0
                    ):
                        self._piece(first)
                    for piece in (first, *pieces):
                        self._piece(piece)
                except (BrokenPipeError, ConnectionResetError):
                    return  # the client has gone

            def _piece(self, piece: str) -> None:
                self.wfile.write(piece.encode())
                self.wfile.flush()

            def _send(self, status: int, body: Any) -> None:
                data = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                """Writes no access log into the output of tests."""

        return Handler


class OllamaServer(_ChatServer):
    """Serves ``/api/chat``, ``/api/tags`` and ``/api/show`` as Ollama does.

    See ``also_wrappers.testing.chat_server`` for the ways in which a server misbehaves.

    Args:
        answers: Answers of ``/api/chat``, in order; the last one is repeated.
        models: Names of the models that the server has.
        capabilities: What the models can do besides completing text.
        context: Largest context of the models, in tokens.

    Example:
        >>> from also_wrappers import Ollama
        >>> with OllamaServer(["{}"]) as server:
        ...     Ollama("tiny", host=server.host).chat("Be brief.", "Hello.", {}).text
        '{}'
    """

    def __init__(
        self,
        answers: Sequence[str | dict[str, Any]],
        models: Sequence[str] = ("tiny:latest",),
        *,
        capabilities: Sequence[str] = (),
        context: int = 32_768,
    ) -> None:
        super().__init__(answers, models)
        self.unloaded = 0
        self._capabilities = ["completion", *capabilities]
        self._context = context

    def _other(self, path: str, request: dict[str, Any]) -> tuple[int, Any]:
        if path == "/api/tags":
            return 200, {"models": [{"model": m, "name": m} for m in self._models]}
        name = request.get("model", "")
        if name not in self._models and f"{name}:latest" not in self._models:
            return 404, {"error": f"model '{name}' not found"}
        if path == "/api/show":
            return 200, {
                "capabilities": self._capabilities,
                "model_info": {"tiny.context_length": self._context},
            }
        if path != "/api/chat":
            return 404, {"error": "not found"}
        # A chat without messages loads the model, or unloads it.
        unload = request.get("keep_alive") == 0
        self.unloaded += unload
        reason = "unload" if unload else "load"
        message = {"role": "assistant", "content": ""}
        done = {"message": message, "done": True, "done_reason": reason}
        return 200, {"model": name, **done}

    def _pieces(
        self, request: dict[str, Any], text: str, last: dict[str, Any]
    ) -> Iterator[str]:
        about = {"model": request["model"], "created_at": "2026-01-01T00:00:00Z"}
        message = {"role": "assistant", "content": text}
        yield json.dumps({**about, "message": message, "done": False}) + "\n"
        prompt = "".join(m.get("content", "") for m in request["messages"])
        end: dict[str, Any] = {
            "message": {"role": "assistant", "content": ""},
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": len(prompt) // 4,
            "eval_count": 10,
        }
        yield json.dumps({**about, **end, **last}) + "\n"


class OpenAIServer(_ChatServer):
    """Serves ``/v1/models`` and ``/v1/chat/completions`` as OpenAI's API does.

    See ``also_wrappers.testing.chat_server`` for the ways in which a server misbehaves.

    Example:
        >>> with OpenAIServer(["{}"]) as server:
        ...     server.host.startswith("http://127.0.0.1:")
        True
    """

    def _other(self, path: str, request: dict[str, Any]) -> tuple[int, Any]:
        if path != "/v1/models":
            return 404, {"error": {"message": "not found"}}
        listed = [{"id": name, "object": "model"} for name in self._models]
        return 200, {"object": "list", "data": listed}

    def _pieces(
        self, request: dict[str, Any], text: str, last: dict[str, Any]
    ) -> Iterator[str]:
        about = {
            "id": "1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": request["model"],
        }
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
        yield f"data: {json.dumps({**about, 'choices': [choice]})}\n\n"
        end = {"index": 0, "delta": {}, "finish_reason": "stop", **last}
        usage = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
        final = {**about, "choices": [end], "usage": usage}
        yield f"data: {json.dumps(final)}\n\n"
        yield "data: [DONE]\n\n"
