"""Servers of language models that try to keep whoever asks for ever."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["HOSTILE", "HostileServer"]

#: Bytes to send, one after the other; a number is a pause in seconds.
Script = Iterator[bytes | float]

_DRIP = 0.03
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_BLOCK = 65_536


def _forever(piece: bytes, pause: float = 0.0) -> Script:
    while True:
        yield piece
        if pause:
            yield pause


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _endless(head: bytes, piece: bytes, pause: float = 0.0) -> Callable[[str], Script]:
    """A script that is the same for every path."""

    def play(path: str) -> Script:
        yield head
        yield from _forever(piece, pause)

    return play


def _piece(path: str) -> bytes:
    """A piece of an answer that says nothing, as the API has it."""
    if path.startswith("/v1"):
        about = {"id": "1", "object": "chat.completion.chunk", "created": 1}
        piece = json.dumps({**about, "model": "tiny", "choices": []})
        return f"data: {piece}\n\n".encode()
    message = {"role": "assistant", "content": ""}
    return json.dumps({"model": "tiny", "message": message}).encode() + b"\n"


def _line(path: str, text: bytes) -> bytes:
    return (b"data: " if path.startswith("/v1") else b"") + text + b"\n\n"


def _pieces_dripped(path: str) -> Script:
    yield _CHUNKED
    yield from _forever(_chunk(_piece(path)), _DRIP)


def _pieces_flooded(path: str) -> Script:
    yield _CHUNKED
    yield from _forever(_chunk(_piece(path) * 500))


def _deep(path: str) -> Script:
    yield _OK + b"Connection: close\r\n\r\n"
    yield _line(path, b"[" * 200_000)


def _gzip_bomb(path: str) -> Script:
    yield _OK + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n"
    yield from _forever(gzip.compress(bytes(50_000_000)))


def _charset_bomb(path: str) -> Script:
    yield b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=zlib\r\n"
    yield b"Connection: close\r\n\r\n"
    yield zlib.compress(bytes(500_000_000))


def _error_page(path: str) -> Script:
    yield b"HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\n"
    yield from _forever(b"no" * _BLOCK)


def _redirects(path: str) -> Script:
    yield b"HTTP/1.1 307 There\r\nContent-Length: 0\r\nConnection: close\r\n"
    for _ in range(3):
        yield b"X-Wait: 1\r\n"
        yield 5 * _DRIP
    yield f"Location: {path}\r\n\r\n".encode()


def _wrong(text: bytes) -> Callable[[str], Script]:
    def play(path: str) -> Script:
        yield _OK + b"Connection: close\r\n\r\n"
        yield _line(path, text)

    return play


_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LENGTH = _OK + b"Content-Length: 100000000\r\n\r\n"

#: What is answered to a chat, by what is hostile about it.
HOSTILE: dict[str, Callable[[str], Script]] = {
    "silence": _endless(b"", b"", 0.2),
    "a status line byte by byte": _endless(b"", b"H", _DRIP),
    "headers, slowly": _endless(_OK, b"X-A: 1\r\n", _DRIP),
    "a header byte by byte": _endless(_OK + b"X-A: ", b"x", _DRIP),
    "a header without end": _endless(_OK + b"X-A: ", b"x" * _BLOCK),
    "to be continued, without end": _endless(b"", _CONTINUE * 100),
    "to be continued, slowly": _endless(b"", _CONTINUE, _DRIP),
    "a body byte by byte": _endless(_LENGTH, b" ", _DRIP),
    "blanks without end": _endless(_CHUNKED, _chunk(b" " * _BLOCK)),
    "empty lines, slowly": _endless(_CHUNKED, _chunk(b"\n"), _DRIP),
    "empty lines without end": _endless(_CHUNKED, _chunk(b"\n" * _BLOCK)),
    "comments, slowly": _endless(_CHUNKED, _chunk(b": ping\n\n"), _DRIP),
    "comments without end": _endless(_CHUNKED, _chunk(b": ping\n\n" * 5000)),
    "pieces that say nothing, slowly": _pieces_dripped,
    "pieces that say nothing, without end": _pieces_flooded,
    "a line without end": _endless(_CHUNKED, _chunk(b"data: " + b"x" * _BLOCK)),
    "an event without end": _endless(_CHUNKED, _chunk(b"data: x\n" * 5000)),
    "a chunk's size without end": _endless(_CHUNKED + b"5;", b"x" * _BLOCK),
    "trailers, slowly": _endless(_CHUNKED + b"0\r\n", b"X-A: 1\r\n", _DRIP),
    "a gzip bomb": _gzip_bomb,
    "a bomb in the charset": _charset_bomb,
    "an error page without end": _error_page,
    "redirects in a circle": _redirects,
    "brackets in brackets": _deep,
    "null": _wrong(b"null"),
    "a number": _wrong(b"7"),
    "choices that are a number": _wrong(b'{"choices": 7, "message": 7}'),
    "a choice that is null": _wrong(b'{"choices": [null], "message": null}'),
    "text that is a number": _wrong(
        b'{"choices": [{"delta": {"content": 7}}], "message": {"content": 7}}'
    ),
    "bytes that are no text": _wrong(b'"\xff\xfe\x00"'),
}


class HostileServer:
    """Serves chats of a script; a request to load a model is answered well.

    Args:
        script: What is sent, for the path of a request.
        everywhere: Whether all other requests meet the script as well.

    Attributes:
        host: Its address.
        sent: Bytes that were sent so far.
    """

    def __init__(
        self, script: Callable[[str], Script], *, everywhere: bool = False
    ) -> None:
        self.sent = 0
        self._script = script
        self._everywhere = everywhere
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> HostileServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(
                    target=self._serve, args=(connection,), daemon=True
                ).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            request = connection.recv(_BLOCK)
            head, _, body = request.partition(b"\r\n\r\n")
            lengths = [
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ]
            while len(body) < sum(lengths):
                body += connection.recv(_BLOCK)
            path = head.split()[1].decode()
            if not self._everywhere and not _is_chat(body):
                connection.sendall(_answer(path))
                return
            for step in self._script(path):
                if self._closing.is_set():
                    return
                if isinstance(step, float):
                    time.sleep(step)
                else:
                    connection.sendall(step)
                    self.sent += len(step)


def _is_chat(body: bytes) -> bool:
    return bool(body) and bool(json.loads(body).get("messages"))


def _answer(path: str) -> bytes:
    """What a healthy server says besides chats."""
    message = {"role": "assistant", "content": ""}
    bodies: dict[str, Any] = {
        "/api/tags": {"models": [{"model": "tiny:latest"}]},
        "/api/show": {"capabilities": ["completion"], "model_info": {}},
        "/api/chat": {"model": "tiny", "message": message, "done": True},
        "/v1/models": {"object": "list", "data": [{"id": "tiny", "object": "model"}]},
    }
    data = json.dumps(bodies.get(path, {})).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\nConnection: close\r\n"
    return head.encode() + b"Content-Type: application/json\r\n\r\n" + data
