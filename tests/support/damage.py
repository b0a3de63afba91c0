"""What can become of a run's directory, by name: a catalogue of damage.

Every entry changes a directory that ``play_run`` has made. Readers of such a directory
either work or say in a sentence of ours what is wrong.
"""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from also_wrappers.advisors import RecordedAdvisor
from also_wrappers.branches.executors import SerialExecutor
from also_wrappers.gate import Decision, Request, Trial
from also_wrappers.loop.adaptation import Adaptation
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal import Signal, Term
from tests.support.corridor import make_task
from tests.support.walker import ROLLOUT, Walker, Work

TOTAL = 8 * ROLLOUT
Damage = Callable[[Path], None]

ON = Term(name="on", kind="progress", expression="place", weight=1.0)


class Promotes:
    """Promotes the first candidate."""

    def next(
        self, arms: int, trials: Sequence[Trial], number: int = 1
    ) -> list[Request] | Decision:
        wanted = [Request(arm, "screen", 0) for arm in range(arms)]
        if len(trials) < arms:
            return wanted
        return Decision("confirmed", "the first", 1, wanted[1])


def play_run(folder: Path, until: int, *, resume: bool = False) -> None:
    """Plays a tiny run with one swap, or goes on with what is there of it.

    Args:
        folder: The run's directory.
        until: Trainer steps at which it stops; it ends at ``TOTAL``.
        resume: Whether it goes on.
    """
    run = Run(make_task(), folder, resume=resume)
    try:
        walker = Walker(run.shape, TOTAL, Work())
        adaptation = Adaptation(
            run,
            RecordedAdvisor([[Proposal(signal=Signal(terms=(ON,)))]]),
            first=ROLLOUT,
            every=4 * ROLLOUT,
            horizon=ROLLOUT,
            refinements=0,
            budget=2.0,
            pause_on="interval",
            gate=Promotes(),
            executor=SerialExecutor(),
        )
        while walker.steps < until:
            adaptation.step(walker)
            if walker.steps < until:
                walker.train()
        if until == TOTAL:
            adaptation.finish(walker)
    finally:
        run.close()


def _ledger(folder: Path) -> Path:
    return folder / "ledger.jsonl"


def _lines(folder: Path) -> list[bytes]:
    return _ledger(folder).read_bytes().splitlines(keepends=True)


def _line(content: bytes, place: int = 3) -> Damage:
    """Puts a line into the ledger."""

    def damage(folder: Path) -> None:
        lines = _lines(folder)
        lines.insert(place if place >= 0 else len(lines), content + b"\n")
        _ledger(folder).write_bytes(b"".join(lines))

    return damage


def _kept(lines: Callable[[list[bytes]], list[bytes]]) -> Damage:
    """Keeps some of the lines of the ledger, or changes them."""
    return lambda folder: _write(_ledger(folder), b"".join(lines(_lines(folder))))


def _write(path: Path, content: bytes) -> None:
    _gone(path)
    path.write_bytes(content)


def _gone(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for below in path.iterdir():
            _gone(below)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def _holds(name: str, content: bytes) -> Damage:
    return lambda folder: _write(folder / name, content)


def _lost(name: str) -> Damage:
    return lambda folder: _gone(folder / name)


def _short(name: str, share: float = 0.5) -> Damage:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(share * len(content))])

    return damage


def _all(pattern: str, content: bytes) -> Damage:
    def damage(folder: Path) -> None:
        for path in list(folder.glob(pattern)):
            if path.is_file():
                path.write_bytes(content)

    return damage


def _beside(name: str, content: bytes) -> Damage:
    """Leaves a file where the demo leaves the run on base reward alone."""

    def damage(folder: Path) -> None:
        (folder / "base_only").mkdir()
        (folder / "base_only" / name).write_bytes(content)

    return damage


def _folder(name: str) -> Damage:
    def damage(folder: Path) -> None:
        _gone(folder / name)
        (folder / name).mkdir()
        (folder / name / "something").write_text("else")

    return damage


def _loop(name: str) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / name
        _gone(path)
        path.symlink_to(path.name)

    return damage


def _nowhere(name: str) -> Damage:
    def damage(folder: Path) -> None:
        _gone(folder / name)
        (folder / name).symlink_to("not/there")

    return damage


def _closed(name: str) -> Damage:
    return lambda folder: (folder / name).chmod(0)


def _json(name: str, change: Callable[[Any], Any]) -> Damage:
    """Changes what a JSON file says."""

    def damage(folder: Path) -> None:
        said = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(change(said)))

    return damage


def _state(name: str, value: Any) -> Damage:
    """Changes one entry of the state in the last checkpoint."""

    def change(said: Any) -> Any:
        said["state"][name] = value
        return said

    return _json("checkpoints/last.json", change)


def _set(said: Any, **values: Any) -> Any:
    return {**said, **values}


def _replaced(value: Any, kinds: tuple[type, ...]) -> Damage:
    """Replaces every value of some kinds in every event but the stamp's version."""

    def walk(part: Any, name: str = "") -> Any:
        if isinstance(part, dict):
            return {key: walk(below, key) for key, below in part.items()}
        if isinstance(part, list):
            return [walk(below) for below in part]
        if name in ("schema_version", "event"):
            return part
        return value if type(part) in kinds else part

    def change(lines: list[bytes]) -> list[bytes]:
        return [json.dumps(walk(json.loads(line))).encode() + b"\n" for line in lines]

    return _kept(change)


def _each(value: Any, kinds: tuple[type, ...]) -> Damage:
    """Replaces a value of some kinds in each event: another one in each line."""

    def leaves(part: Any) -> Iterator[tuple[Any, Any]]:
        places = part.items() if isinstance(part, dict) else enumerate(part)
        for place, below in list(places):
            if isinstance(below, (dict, list)):
                yield from leaves(below)
            elif type(below) in kinds and place not in ("schema_version", "event"):
                yield part, place

    def change(lines: list[bytes]) -> list[bytes]:
        choice = random.Random(0)
        changed = []
        for line in lines:
            said = json.loads(line)
            places = list(leaves(said))
            if places:
                holder, place = choice.choice(places)
                holder[place] = value
            changed.append(json.dumps(said).encode() + b"\n")
        return changed

    return _kept(change)


_GARBAGE = random.Random(0).randbytes(3000)
_NUMBERS = (int, float)

#: What can become of a directory, and how.
CATALOGUE: dict[str, Damage] = {
    # The ledger: its end, its middle, its whole.
    "ledger: last line cut": lambda f: _write(
        _ledger(f), _ledger(f).read_bytes()[:-40]
    ),
    "ledger: last line lacks its end": lambda f: _write(
        _ledger(f), _ledger(f).read_bytes()[:-1]
    ),
    "ledger: zeros at the end": lambda f: _write(
        _ledger(f), _ledger(f).read_bytes() + bytes(4096)
    ),
    "ledger: garbage at the end": lambda f: _write(
        _ledger(f), _ledger(f).read_bytes() + b"\x80garbage"
    ),
    "ledger: garbage in the middle": _line(b"garbage"),
    "ledger: binary garbage in the middle": _line(_GARBAGE.replace(b"\n", b"")),
    "ledger: zeros in the middle": _line(bytes(500)),
    "ledger: empty line": _line(b""),
    "ledger: garbage first": _line(b"garbage", 0),
    "ledger: garbage last": _line(b"garbage", -1),
    "ledger: two lines in one": _kept(
        lambda lines: [lines[0], lines[1].rstrip() + lines[2], *lines[3:]]
    ),
    "ledger: half a line in the middle": _kept(
        lambda lines: [*lines[:4], lines[4][:60] + b"\n", *lines[5:]]
    ),
    "ledger: first lines lost": _kept(lambda lines: lines[4:]),
    "ledger: last lines lost": _kept(lambda lines: lines[:5]),
    "ledger: every other line lost": _kept(lambda lines: lines[::2]),
    "ledger: in the wrong order": _kept(lambda lines: lines[::-1]),
    "ledger: every line twice": _kept(lambda lines: [x for x in lines for _ in "12"]),
    "ledger: only the first line": _kept(lambda lines: lines[:1]),
    "ledger: Windows line ends": _kept(
        lambda lines: [line.replace(b"\n", b"\r\n") for line in lines]
    ),
    "ledger: all in one line": _kept(
        lambda lines: [line.replace(b"\n", b" ") for line in lines]
    ),
    "ledger: empty": _holds("ledger.jsonl", b""),
    "ledger: binary garbage": _holds("ledger.jsonl", _GARBAGE),
    "ledger: binary garbage without lines": _holds(
        "ledger.jsonl", _GARBAGE.replace(b"\n", b"")
    ),
    "ledger: zeros": _holds("ledger.jsonl", bytes(5000)),
    "ledger: UTF-16": lambda f: _write(
        _ledger(f), _ledger(f).read_text().encode("utf-16")
    ),
    "ledger: lost": _lost("ledger.jsonl"),
    "ledger: a folder": _folder("ledger.jsonl"),
    "ledger: a link to itself": _loop("ledger.jsonl"),
    "ledger: a link to nowhere": _nowhere("ledger.jsonl"),
    "ledger: unreadable": _closed("ledger.jsonl"),
    # Lines that are JSON, and no events.
    "event: a number": _line(b"3"),
    "event: a list": _line(b'["event"]'),
    "event: null": _line(b"null"),
    "event: nothing in it": _line(b"{}"),
    "event: of no kind": _line(b'{"schema_version": 3, "event": "guess"}'),
    "event: deep": _line(b"[" * 100_000),
    "event: deep object": _line(b'{"a":' * 50_000),
    "event: huge number": _line(b'{"schema_version": ' + b"9" * 6000 + b"}"),
    "event: older": _line(b'{"schema_version": 1, "event": "swap"}'),
    "event: newer": _line(b'{"schema_version": 99, "event": "swap"}'),
    "event: version is a word": _line(b'{"schema_version": "three"}'),
    "event: version is a list": _line(
        b'{"schema_version": [[3, "' + b"x" * 500 + b'"]'
    ),
    # Events whose values are wrong.
    "values: numbers are words": _replaced("three", _NUMBERS),
    "values: numbers are NaN": _replaced(math.nan, (float,)),
    "values: numbers are infinite": _replaced(math.inf, (float,)),
    "values: numbers are minus infinity": _replaced(-math.inf, (float,)),
    "values: numbers are huge": _replaced(1e308, (float,)),
    "values: counts are huge": _replaced(10**25, (int,)),
    "values: counts are very huge": _replaced(10**400, (int,)),
    "values: counts are negative": _replaced(-(10**9), (int,)),
    "values: numbers are zero": _replaced(0, _NUMBERS),
    "values: texts are numbers": _replaced(3, (str,)),
    "values: texts are empty": _replaced("", (str,)),
    "values: texts are strange": _replaced("\x00<b>[/dim]\ud800\n{{ 3 }}", (str,)),
    "values: texts are long": _replaced("x" * 50_000, (str,)),
    "values: some are NaN": _each(math.nan, (float,)),
    "values: some are infinite": _each(math.inf, (float,)),
    "values: some are huge": _each(1e308, (float,)),
    "values: some counts are huge": _each(10**25, (int,)),
    "values: some counts are zero": _each(0, (int,)),
    "values: some counts are negative": _each(-5, (int,)),
    "values: some texts are strange": _each("[bold]\x1b[2J", (str,)),
    "values: some are null": _each(None, (int, float, str)),
    # Checkpoints.
    "checkpoint: lost": _lost("checkpoints/last.json"),
    "checkpoint: empty": _holds("checkpoints/last.json", b""),
    "checkpoint: garbage": _holds("checkpoints/last.json", _GARBAGE),
    "checkpoint: cut": _short("checkpoints/last.json"),
    "checkpoint: a list": _holds("checkpoints/last.json", b"[1, 2]"),
    "checkpoint: deep": _holds("checkpoints/last.json", b"[" * 100_000),
    "checkpoint: nothing in it": _holds("checkpoints/last.json", b"{}"),
    "checkpoint: a folder": _folder("checkpoints/last.json"),
    "checkpoint: a link to itself": _loop("checkpoints/last.json"),
    "checkpoint: unreadable": _closed("checkpoints/last.json"),
    "checkpoint: older": _json(
        "checkpoints/last.json", lambda said: _set(said, schema_version=1)
    ),
    "checkpoint: names no file": _json(
        "checkpoints/last.json", lambda said: _set(said, snapshot="gone-1.zip")
    ),
    "checkpoint: names a file elsewhere": _json(
        "checkpoints/last.json", lambda said: _set(said, snapshot="../run.json")
    ),
    "checkpoint: names a folder": _json(
        "checkpoints/last.json", lambda said: _set(said, snapshot="..")
    ),
    "checkpoint: names a number": _json(
        "checkpoints/last.json", lambda said: _set(said, snapshot=3)
    ),
    "checkpoint: names what cannot be a name": _json(
        "checkpoints/last.json", lambda said: _set(said, snapshot="a\x00b" + "x" * 999)
    ),
    "checkpoint: state is a list": _json(
        "checkpoints/last.json", lambda said: _set(said, state=[])
    ),
    "state: unknown entry": _state("unknown", 3),
    "state: word for a number": _state("next_pause", "soon"),
    "state: huge number": _state("next_pause", 10**400),
    "state: negative numbers": _state("horizon", -(10**9)),
    "state: no distance": _state("distance", 0),
    "state: negative round": _state("rounds", -3),
    "state: no randomness": _state("randomness", {}),
    "state: odd randomness": _state(
        "randomness", {"python": [3, "00", None], "numpy": ["MT19937", "zz", 0, 0, 0.0]}
    ),
    "state: randomness of another length": _state(
        "randomness", {"python": [3, "00" * 8, None], "numpy": ["MT19937", "", 0, 0, 0]}
    ),
    "state: odd counts": _state("trainer_steps", {"mainline": -5, "total": 10**30}),
    "state: odd posting": _state("posting", {"version": 1, "signal": {"terms": 3}}),
    "state: posting without a signal": _state("posting", {}),
    "checkpoints: all lost": _lost("checkpoints"),
    "checkpoints: a file": _holds("checkpoints", b"x"),
    "checkpoints: a link to itself": _loop("checkpoints"),
    "checkpoints: a link to nowhere": _nowhere("checkpoints"),
    # The board, and what else is there.
    "board: lost": _lost("board"),
    "board: a file": _holds("board", b"x"),
    "board: a link to itself": _loop("board"),
    "board: words short": _short("board/words"),
    "board: words empty": _holds("board/words", b""),
    "board: words long": _holds("board/words", bytes(4096)),
    "board: words garbage": _holds("board/words", b"\xff" * 64),
    "board: words a folder": _folder("board/words"),
    "board: words lost": _lost("board/words"),
    "board: signal empty": _holds("board/signal.json", b""),
    "board: signal garbage": _holds("board/signal.json", _GARBAGE),
    "board: signal a folder": _folder("board/signal.json"),
    "board: signal of wrong types": _holds("board/signal.json", b'{"version": "x"}'),
    "board: signal deep": _holds("board/signal.json", b"[" * 100_000),
    "board: slots a file": _holds("board/slots", b"x"),
    "board: slots garbage": _all("board/slots/*", b"x"),
    "board: slots a link to itself": _loop("board/slots"),
    "run.json: lost": _lost("run.json"),
    "run.json: empty": _holds("run.json", b""),
    "run.json: garbage": _holds("run.json", _GARBAGE),
    "run.json: a list": _holds("run.json", b"[]"),
    "run.json: other features": _holds("run.json", b'{"features": ["x"]}'),
    "run.json: a folder": _folder("run.json"),
    "run.json: a link to itself": _loop("run.json"),
    "run.lock: a folder": _folder("run.lock"),
    "run.lock: garbage": _holds("run.lock", _GARBAGE),
    "run.lock: a link to nowhere": _nowhere("run.lock"),
    "rounds: lost": _lost("rounds"),
    "rounds: a file": _holds("rounds", b"x"),
    "rounds: a link to itself": _loop("rounds"),
    "schedule: garbage": _holds("schedule.json", _GARBAGE),
    "schedule: a folder": _folder("schedule.json"),
    "report: a folder": _folder("report.html"),
    "report: a link to itself": _loop("report.html"),
    "base_only: garbage": _beside("ledger.jsonl", _GARBAGE),
    "base_only: a file": _holds("base_only", b"x"),
    "all: everything empty": _all("**/*", b""),
    "all: everything garbage": _all("**/*", _GARBAGE),
    "all: nothing there": _folder("."),
    "all: a file": lambda folder: _write(folder, b"x"),
    "all: lost": _gone,
    "all: a link to itself": _loop("."),
}

#: Where every file may be read, nothing is unreadable.
if hasattr(os, "geteuid") and os.geteuid() == 0:
    CATALOGUE = {k: v for k, v in CATALOGUE.items() if "unreadable" not in k}
