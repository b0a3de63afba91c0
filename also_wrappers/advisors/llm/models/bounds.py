"""Bounds the time and the bytes of an answer, whatever a server does.

The time-outs of HTTP clients are for single reads, so a server that sends a byte now
and then is never late; and the size of compressed data is not known beforehand.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import Any, Protocol, TypeVar

from also_wrappers.exceptions import AdvisorError

__all__ = ["MOST_BYTES", "answer_within", "bounded"]

T = TypeVar("T")

#: The most bytes of an answer: enough for a long thought and an answer that are sent in
#: pieces of some hundred bytes.
MOST_BYTES = 16_000_000


class _Client(Protocol):
    def close(self) -> None: ...


def answer_within(
    seconds: float, name: str, client: _Client, ask: Callable[[], T]
) -> T:
    """Returns what ``ask`` returns, or raises what ``ask`` raises, in time.

    The client asks in a thread, and is closed afterwards. A thread that is too late
    ends when the connections of its client are closed.

    Args:
        seconds: The longest time to wait.
        name: Name of the model, for the error.
        client: The client that ``ask`` uses; it is closed at the end.
        ask: Asks the server, and returns the answer.

    Raises:
        AdvisorError: There was no answer in time.
    """
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:  # raised where the answer is waited for
            answer.set_exception(error)

    # The thread is a daemon, as a server that never answers must not keep a script from
    # ending.
    threading.Thread(target=work, name=f"asks {name}", daemon=True).start()
    try:
        if not wait([answer], seconds).done:
            raise AdvisorError(f"{name} gave no answer within {seconds:g} seconds")
        return answer.result()
    finally:
        client.close()


def bounded(name: str) -> dict[str, Any]:
    """Returns options with which an ``httpx`` client bounds what it receives.

    Compressed answers, and encodings other than UTF-8, are refused: both can make
    gigabytes of a few bytes. No redirect is followed, so that a request goes to the
    named server alone.

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
