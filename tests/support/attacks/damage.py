"""Attacks a run's directory: the catalogue of damage, and damage to random bytes."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from also_wrappers.exceptions import ConfigurationError
from tests.support.attacks.tally import Attempt, Tally, attempt_until
from tests.support.damage import CATALOGUE, play_run
from tests.support.readers import check_readers
from tests.support.walker import ROLLOUT

__all__ = ["ATTEMPTS", "attack"]

#: Changes some of a file's bytes.
Change = Callable[[random.Random, bytearray], None]


@cache
def _recorded() -> tuple[tempfile.TemporaryDirectory[str], Path]:
    """A run that was stopped half-way; the folder goes when this process ends."""
    temporary = tempfile.TemporaryDirectory(prefix="attack-")
    folder = Path(temporary.name) / "run"
    play_run(folder, 4 * ROLLOUT)
    return temporary, folder


def _check(change: Callable[[Path], object]) -> None:
    with tempfile.TemporaryDirectory(prefix="attack-") as temporary:
        folder = Path(temporary) / "run"
        shutil.copytree(_recorded()[1], folder)
        change(folder)
        refusal = check_readers(folder)
        if refusal:
            raise ConfigurationError(refusal)


def _catalogue(randomness: random.Random) -> None:
    _check(CATALOGUE[randomness.choice([*CATALOGUE])])


def _twice(randomness: random.Random) -> None:
    """Two entries of the catalogue, one after the other where the first lets it."""

    def change(folder: Path) -> None:
        for name in randomness.sample([*CATALOGUE], 2):
            try:
                CATALOGUE[name](folder)
            except (OSError, ValueError, LookupError, TypeError, RecursionError):
                continue  # there is nothing left of what it would damage

    _check(change)


def _flip(randomness: random.Random, data: bytearray) -> None:
    for _ in range(randomness.choice([1, 1, 2, 20])):
        data[randomness.randrange(len(data))] ^= 1 << randomness.randrange(8)


def _cut(randomness: random.Random, data: bytearray) -> None:
    begin = randomness.randrange(len(data))
    end = randomness.choice([len(data), begin + randomness.randrange(1, 200)])
    del data[begin:end]


def _insert(randomness: random.Random, data: bytearray) -> None:
    place = randomness.randrange(len(data))
    pieces = [randomness.randbytes(randomness.randrange(1, 99)), bytes(data[:200])]
    data[place:place] = randomness.choice([*pieces, b"\n", b'"', b"}", b"\0", b"9" * 9])


def _zero(randomness: random.Random, data: bytearray) -> None:
    begin = randomness.randrange(len(data))
    end = min(len(data), begin + randomness.choice([1, 8, 512, 4096]))
    data[begin:end] = bytes(end - begin)


def _digits(randomness: random.Random, data: bytearray) -> None:
    """Other digits, which leave JSON as it is."""
    places = [k for k, byte in enumerate(data) if 48 <= byte <= 57]
    for place in randomness.sample(places, min(len(places), 3)):
        data[place] = randomness.choice(b"0123456789-.e")


def _bytes(change: Change) -> Attempt:
    """Changes the bytes of a file or two."""

    def attempt(randomness: random.Random) -> None:
        def damage(folder: Path) -> None:
            files = [f for f in sorted(folder.rglob("*")) if f.is_file()]
            files = [f for f in files if f.stat().st_size]
            for path in randomness.choices(files, k=randomness.choice([1, 1, 2])):
                data = bytearray(path.read_bytes())
                if data:
                    change(randomness, data)
                    path.write_bytes(data)

        _check(damage)

    return attempt


def _swap(randomness: random.Random) -> None:
    """Two files take each other's place."""

    def damage(folder: Path) -> None:
        files = [f for f in sorted(folder.rglob("*")) if f.is_file()]
        one, other = randomness.sample(files, 2)
        contents = one.read_bytes(), other.read_bytes()
        one.write_bytes(contents[1])
        other.write_bytes(contents[0])

    _check(damage)


ATTEMPTS: dict[str, Attempt] = {
    "damage: catalogue": _catalogue,
    "damage: catalogue twice": _twice,
    "damage: flip": _bytes(_flip),
    "damage: cut": _bytes(_cut),
    "damage: insert": _bytes(_insert),
    "damage: zero": _bytes(_zero),
    "damage: digits": _bytes(_digits),
    "damage: swap": _swap,
}


def attack(randomness: random.Random, until: float) -> Tally:
    """Damages a recorded run, which is then read and goes on, until a time."""
    return attempt_until(ATTEMPTS, randomness, until)
