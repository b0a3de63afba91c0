"""Bounds of time and of bytes that hold whatever a server does.

The time-outs of HTTP clients are for single reads, so that a server that sends a byte
now and then is never late; and what is compressed has no size until it is there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import Any, Protocol, TypeVar

from also_wrappers.exceptions import AdvisorError

__all__ = ["MOST_BYTES", "answer_within", "bounded"]

T = TypeVar("T")

#: Bytes after which the rest of an answer is not waited for: a long thought and an
#: answer, piece by piece, in some hundred bytes a piece.
MOST_BYTES = 16_000_000


class _Client(Protocol):
    def close(self) -> None: ...


def answer_within(
    seconds: float, name: str, client: _Client, ask: Callable[[], T]
) -> T:
    """Returns what ``ask`` returns, or raises what ``ask`` raises, in time.

    The client asks in a thread, and is closed afterwards. A thread that is too late is
    not waited for: it ends with the client's connections.

    Args:
        seconds: How long may be waited.
        name: Name of the model, for the error.
        client: What ``ask`` asks with.
        ask: Asks.

    Raises:
        AdvisorError: There was no answer in time.
    """
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:  # raised where the answer is waited for
            answer.set_exception(error)

    # A daemon: a server that never answers must not keep a script from ending.
    threading.Thread(target=work, name=f"asks {name}", daemon=True).start()
    try:
        if not wait([answer], seconds).done:
            raise AdvisorError(f"{name} gave no answer within {seconds:g} seconds")
        return answer.result()
    finally:
        client.close()


def bounded(name: str) -> dict[str, Any]:
    """Returns options of an ``httpx`` client that bound what it receives.

    Nothing compressed is taken, and no encoding but UTF-8: either can make gigabytes
    of a few bytes. No redirect is followed: what is asked goes nowhere else.

    Args:
        name: Name of the model, for the error.
    """
    import httpx

    received = 0

    class Counted(httpx.SyncByteStream):
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        def __iter__(self) -> Iterator[bytes]:
            nonlocal received
            for data in self._stream:
                received += len(data)
                if received > MOST_BYTES:
                    raise AdvisorError(
                        f"{name} did not come to an end within {MOST_BYTES:,} bytes"
                    )
                yield data

        def close(self) -> None:
            self._stream.close()

    def bound(response: httpx.Response) -> None:
        coding = response.headers.get("content-encoding", "identity")
        if coding != "identity":
            raise AdvisorError(
                f"the server of {name} compresses its answers ({coding[:20]!r}), "
                "unasked; let it send them as they are"
            )
        response.encoding = "utf-8"
        response.stream = Counted(response.stream)

    return {
        "follow_redirects": False,
        "headers": {"Accept-Encoding": "identity"},
        "event_hooks": {"response": [bound]},
    }
