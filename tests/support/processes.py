"""Processes that a test starts, and what is left of them."""

from __future__ import annotations

import signal
from pathlib import Path


def hear_interrupts() -> None:
    """Lets a process hear Ctrl-C, also where the tests run in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def alive(process: int) -> bool:
    """True while a process runs; what nobody has waited for does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def marked_processes(mark: Path) -> list[int]:
    """Processes that run with a path in their environment."""
    numbers = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environ = (entry / "environ").read_bytes()
            except OSError:
                continue
            if str(mark).encode() in environ and alive(int(entry.name)):
                numbers.append(int(entry.name))
    return numbers
