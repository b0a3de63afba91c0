"""Attempts that are made one after the other until a time, and what came of them."""

from __future__ import annotations

import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from also_wrappers.exceptions import AlsoError, brief
from tests.support.late import LateError, in_time

__all__ = ["Attempt", "Fault", "OwnError", "Tally", "attempt_until", "fault_of"]

#: Attacks the package once, by what is drawn; raises what is found.
Attempt = Callable[[random.Random], object]

#: Seconds after which an attempt is taken to go on for ever.
_LONG = 180.0


class OwnError(Exception):
    """An error that an attack raises on purpose, in the place of a user's code."""


@dataclass(frozen=True)
class Fault:
    """What an attack has found.

    Attributes:
        kind: Kind of the attempt.
        seed: Of the attempt, which does the same again.
        what: What happened, and where.
    """

    kind: str
    seed: int
    what: str


@dataclass
class Tally:
    """What was tried, by kind.

    Attributes:
        attempts: Number of attempts.
        refusals: Number of those that ended in an error that is meant to be.
        seconds: What the attempts took.
        faults: What was found.
    """

    attempts: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)


def attempt_until(
    attempts: Mapping[str, Attempt], randomness: random.Random, until: float
) -> Tally:
    """Makes attempts until a time, and at least one.

    Every kind has the same share of the time.

    Args:
        attempts: The attempts, by kind.
        randomness: What the seeds of the attempts are drawn by.
        until: When no other attempt begins, by ``time.monotonic``.
    """
    tally = Tally(seconds=Counter(dict.fromkeys(attempts, 0)))
    while not tally.attempts or time.monotonic() < until:
        kind = min(attempts, key=tally.seconds.__getitem__)
        seed = randomness.getrandbits(32)
        began = time.monotonic()
        what = fault_of(attempts[kind], seed)
        tally.seconds[kind] += time.monotonic() - began  # type: ignore[assignment]
        tally.attempts[kind] += 1
        if what is None:
            tally.refusals[kind] += 1
        elif what:
            tally.faults.append(Fault(kind, seed, what))
    return tally


def fault_of(attempt: Attempt, seed: int) -> str | None:
    """Makes an attempt.

    Args:
        attempt: The attempt.
        seed: What it draws by.

    Returns:
        What is wrong; empty if nothing is, and ``None`` if the attempt was refused.
    """
    try:
        with in_time(_LONG):
            attempt(random.Random(seed))
    except AlsoError as error:
        said = str(error)
        if not said or "\n" in said:
            return f"an error that is no sentence: {said!r}"
        return None
    except (ValidationError, OwnError):
        return None
    except (Exception, LateError) as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"{brief(error)} ({Path(frame.filename).name}:{frame.lineno})"
    return ""
