"""A real HTTP server that speaks Ollama's API, well or badly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["OllamaServer"]


class OllamaServer:
    """Serves ``/api/chat`` and ``/api/tags`` on a free port of this machine.

    Use as a context manager.

    Args:
        answers: What ``/api/chat`` answers, in order; the last one stays. A text is
            the message's content; a dict is merged over the reply; one of the words
            ``"<hang>"`` (no answer), ``"<drop>"`` (the connection is cut),
            ``"<nonsense>"`` (no JSON) and ``"<error>"`` (status 500) misbehaves.
        models: Names of the models that it has.

    Attributes:
        host: Its address.
        requests: Bodies of all chat requests so far.

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
    ) -> None:
        self.requests: list[dict[str, Any]] = []
        self._answers = list(answers)
        self._models = list(models)
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.host = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> OllamaServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _reply(self, request: dict[str, Any]) -> str | dict[str, Any]:
        place = min(len(self.requests), len(self._answers) - 1)
        self.requests.append(request)
        answer = self._answers[place]
        if isinstance(answer, str) and answer.startswith("<"):
            return answer
        prompt = "".join(message["content"] for message in request["messages"])
        reply: dict[str, Any] = {
            "model": request["model"],
            "created_at": "2026-01-01T00:00:00Z",
            "message": {"role": "assistant", "content": ""},
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": len(prompt) // 4,
            "eval_count": 10,
        }
        if isinstance(answer, str):
            reply["message"]["content"] = answer
        else:
            reply |= answer
        return reply

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                models = [{"model": name, "name": name} for name in server._models]
                self._send(200, json.dumps({"models": models}))

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                request = json.loads(self.rfile.read(length))
                reply = server._reply(request)
                if reply == "<hang>":
                    while not server._closing.wait(0.1):
                        time.sleep(0.1)
                elif reply == "<drop>":
                    self.connection.close()
                elif reply == "<nonsense>":
                    self._send(200, "what?")
                elif reply == "<error>":
                    self._send(500, json.dumps({"error": "out of memory"}))
                else:
                    self._send(200, json.dumps(reply))

            def _send(self, status: int, body: str) -> None:
                data = body.encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                """A test's output is no place for an access log."""

        return Handler
