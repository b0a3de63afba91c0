"""What a long run costs those who read it: its report, and a ledger of 100 MB.

    python tests/benchmarks/reports.py [--megabytes 100]

A run is written that nobody trained: rounds of ten branches each, with evidence of
some 330 numbers, four requests to a language model, and forty records. CPU seconds and
memory are those of the command's process, imports included; Linux only.

Measured on two busy cores, in CPU seconds. The report of 1,000 branches (a ledger of
10.3 MB): 1.8, a page of 12.6 MB. A ledger of 100 MB, 9,600 branches: ``report`` 8.0, a
page of 22.7 MB, as it has evidence and dialogue of the last 100 rounds only; ``show``
and ``compare`` 5.2, with 460 MB of memory; resuming a run 7.2. ``watch`` takes 8.4 for
what is there, most of it for printing 26,000 lines, reads each byte once, has 77 MB of
memory, and then takes 0.02 for 200 kB that are added, and 0.01 for ten seconds without
an event.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere
from tests.support.long_run import BRANCHES, events_of, write_long_run

#: CPU seconds that the report of a run of 1,000 branches may take.
_BAR = 5.0
_COMMAND = [sys.executable, "-c", "from also_wrappers.cli import main; main()"]
#: Bytes of a round.
_ROUND = 104_000
#: Opens a run as ``Adaptation`` does when it goes on.
_RESUME = """
import sys
import also_wrappers as also
features = also.FeatureMap(also.Feature("distance", "obs[0]"))
run = also.Run(also.Task("x", features), sys.argv[1], resume=True)
run.finished, run.spent_before(), run.events()
run.write_schedule()
"""


@dataclass(frozen=True)
class Cost:
    """What one command took.

    Attributes:
        what: What was done.
        seconds: CPU seconds of the process.
        megabytes: The most memory that the process had.
        read: Bytes that the process read; ``None`` where it was not asked.
        bar: CPU seconds that it may take; ``None`` without a bar.
    """

    what: str
    seconds: float
    megabytes: float
    read: int | None = None
    bar: float | None = None


def spent(what: str, command: list[str], bar: float | None = None) -> Cost:
    """Runs a command to its end.

    Raises:
        RuntimeError: The command failed.
    """
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, process.returncode, usage = os.wait4(process.pid, 0)
    if process.returncode:
        raise RuntimeError(f"{command} failed")
    seconds = usage.ru_utime + usage.ru_stime
    return Cost(what, seconds, usage.ru_maxrss / 1024, bar=bar)


def followed(run_dir: Path) -> list[Cost]:
    """Watches a run: what was there, what is added, and ten seconds of nothing."""
    command = [*_COMMAND, "watch", str(run_dir)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    pid = process.pid
    ledger = run_dir / "ledger.jsonl"
    *events, last = events_of(2)
    costs = []
    seconds, read = 0.0, 0

    def look(what: str) -> None:
        nonlocal seconds, read
        before = seconds, read
        seconds, read, memory = _usage(pid)
        costs.append(Cost(what, seconds - before[0], memory, read - before[1]))

    _wait(pid, lambda: _usage(pid)[1] >= ledger.stat().st_size)
    look(f"watch, {ledger.stat().st_size:,} bytes that are there")
    added = "".join(f"{event.model_dump_json()}\n" for event in events)
    with ledger.open("a") as file:
        file.write(added)
    _wait(pid, lambda: True)
    look(f"watch, {len(added):,} bytes that are added")
    time.sleep(10.0)
    look("watch, ten seconds without an event")
    with ledger.open("a") as file:
        file.write(f"{last.model_dump_json()}\n")
    process.wait()
    return costs


def _wait(pid: int, ready: Callable[[], bool]) -> None:
    """Waits until a process has done something and is at rest."""
    while True:
        before = _usage(pid)[0]
        time.sleep(2.0)
        if ready() and _usage(pid)[0] - before < 0.2:
            return


def _usage(pid: int) -> tuple[float, int, float]:
    """Returns CPU seconds, bytes read, and the most megabytes of a process."""
    folder = Path(f"/proc/{pid}")
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    pairs = (line.split(":") for line in (folder / "io").read_text().splitlines())
    status = (folder / "status").read_text().splitlines()
    peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
    read = int(dict(pairs)["rchar"])
    return ticks / os.sysconf("SC_CLK_TCK"), read, int(peak) / 1024


def measure(folder: Path, megabytes: float) -> tuple[list[Cost], dict[str, int]]:
    """Returns what everything costs, and the bytes of ledgers and pages."""
    run_dir = write_long_run(folder / "thousand", 1000 // BRANCHES)
    long_dir = folder / "long"
    write_long_run(long_dir, round(megabytes * 1e6 / _ROUND), finished=False)
    long = str(long_dir)
    costs = [
        spent("report, 1,000 branches", [*_COMMAND, "report", str(run_dir)], _BAR),
        spent("show", [*_COMMAND, "show", long]),
        spent("compare", [*_COMMAND, "compare", long, str(run_dir)]),
        spent("report", [*_COMMAND, "report", long]),
        spent("watch --no-follow", [*_COMMAND, "watch", "--no-follow", long]),
    ]
    costs += followed(long_dir)
    (long_dir / "run.json").write_text(json.dumps({"features": ["distance"]}))
    costs.append(spent("resuming a Run", [sys.executable, "-c", _RESUME, long]))
    sizes = {
        f"{name} of {what}": (where / name).stat().st_size
        for what, where in (("1,000 branches", run_dir), ("the long run", long_dir))
        for name in ("ledger.jsonl", "report.html")
    }
    return costs, sizes


def main() -> None:
    """Prints the table; exits with 1 if the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=100.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        costs, sizes = measure(Path(folder), arguments.megabytes)
    table = Table("what", "CPU seconds", "bar", "MB", "bytes read", box=box.SIMPLE)
    for cost in costs:
        table.add_row(
            cost.what,
            f"{cost.seconds:.2f}",
            "" if cost.bar is None else f"{cost.bar:g}",
            f"{cost.megabytes:.0f}",
            "" if cost.read is None else f"{cost.read:,}",
        )
    console = Console()
    console.print(table)
    for name, size in sizes.items():
        console.print(f"{name}: {size:,} bytes", highlight=False)
    if any(cost.bar is not None and cost.seconds > cost.bar for cost in costs):
        sys.exit(1)


if __name__ == "__main__":
    main()
