"""Attacks both models that ask over HTTP with hostile servers."""

from __future__ import annotations

import random
import resource
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice

from also_wrappers.advisors.llm.models.base import ChatModel
from also_wrappers.advisors.llm.models.ollama import Ollama
from also_wrappers.advisors.llm.models.openai import OpenAICompatible
from also_wrappers.exceptions import AdvisorError
from tests.support.attacks.tally import Attempt, Tally, attempt_until
from tests.support.hostile import HOSTILE, HostileServer

__all__ = ["ATTEMPTS", "attack"]

_TIMEOUT = 0.3
#: Seconds that a machine under load may take besides.
_SLACK = 5.0
#: Kilobytes by which one answer may let this process grow, the server's included.
_MOST_GROWTH = 400_000

Script = Callable[[str], Iterator[bytes | float]]


def _ollama(host: str) -> ChatModel:
    return Ollama("tiny", host, timeout=_TIMEOUT, load_timeout=_TIMEOUT)


def _openai(host: str) -> ChatModel:
    return OpenAICompatible(f"{host}/v1", "tiny", timeout=_TIMEOUT)


def _ask(make: Callable[[str], ChatModel], script: Script) -> None:
    """Asks, and checks that it ends in time, in memory and without threads."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refusal: AdvisorError | None = None
    problem = ""
    with HostileServer(script) as server:
        began = time.monotonic()
        try:
            problem = make(server.host).chat("You answer.", "Hi.", {}).problem
        except AdvisorError as error:
            refusal, problem = error, str(error)
        seconds = time.monotonic() - began
        deadline = began + _TIMEOUT + _SLACK
        while _askers() and time.monotonic() < deadline:
            time.sleep(0.02)
    assert 10 < len(problem) < 2100, f"no sentence says what is wrong: {problem!r}"
    assert seconds < _TIMEOUT + _SLACK, f"it took {seconds:.1f} seconds"
    assert _askers() == 0, "a thread is left that asks"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < _MOST_GROWTH, f"it took {grown:,} kB"
    if refusal is not None:
        raise refusal


def _askers() -> int:
    return sum(thread.name.startswith("asks ") for thread in threading.enumerate())


def _catalogue(make: Callable[[str], ChatModel]) -> Attempt:
    return lambda randomness: _ask(make, HOSTILE[randomness.choice([*HOSTILE])])


def _spliced(make: Callable[[str], ChatModel]) -> Attempt:
    """A server that goes on as another one after some pieces, one of them damaged."""

    def attempt(randomness: random.Random) -> None:
        names = randomness.choices([*HOSTILE], k=randomness.choice([2, 2, 3]))
        counts = [randomness.choice([1, 1, 2, 5, 20]) for _ in names]
        number = randomness.getrandbits(32)

        def script(path: str) -> Iterator[bytes | float]:
            chance = random.Random(number)
            for name, count in zip(names, counts, strict=True):
                for step in islice(HOSTILE[name](path), count):
                    if isinstance(step, bytes) and len(step) < 1000 and step:
                        place = chance.randrange(len(step))
                        if chance.random() < 0.2:
                            step = step[:place] + chance.randbytes(3) + step[place:]
                    yield step
            yield from HOSTILE[names[-1]](path)

        _ask(make, script)

    return attempt


ATTEMPTS: dict[str, Attempt] = {
    "servers: Ollama": _catalogue(_ollama),
    "servers: OpenAI": _catalogue(_openai),
    "servers: Ollama, spliced": _spliced(_ollama),
    "servers: OpenAI, spliced": _spliced(_openai),
}


def attack(randomness: random.Random, until: float) -> Tally:
    """Asks hostile servers until a time."""
    return attempt_until(ATTEMPTS, randomness, until)
