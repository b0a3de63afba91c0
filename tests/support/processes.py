"""What is left of processes that a test has started."""

from __future__ import annotations

from pathlib import Path


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
