"""``RunPanel``: where a run is now, in a few lines of a terminal."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rich.console import Console, ConsoleOptions, RenderResult
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from also_wrappers.cli.show import duration
from also_wrappers.ledger.events import (
    AdvisorFailed,
    Auditioned,
    BranchEnded,
    Checked,
    Decided,
    Diagnosed,
    Event,
    Observed,
    Planned,
    Recorded,
    RoundFinished,
    RoundStarted,
    RunFinished,
    RunResumed,
    RunStarted,
    Settled,
    Waited,
)
from also_wrappers.report.pace import Pace, about
from also_wrappers.report.standing import ActiveSignal

__all__ = ["RunPanel", "sparkline"]

_BARS = "▁▂▃▄▅▆▇█"
_WIDEST = 100
#: Characters of a line of base returns, and of the curve of an arm.
_RETURNS, _CURVE = 40, 16
#: Seconds after which it is said how long ago the last event was.
_QUIET = 3.0


@dataclass
class _Arm:
    """Holds what the branches of one arm have shown in a round.

    Attributes:
        text: What its signal says.
        score: Score of the last branch, with its standard error; ``None`` without any.
        parts: Base returns of the parts of branches, by the trainer steps of the
            shorter branch that these go on with.
    """

    text: str = ""
    score: tuple[float, float] | None = None
    parts: defaultdict[int, list[tuple[float, ...]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    @property
    def curve(self) -> list[float]:
        """Base returns from the start of the branches on, the mean of replicates."""
        return [
            sum(points) / len(points)
            for trained in sorted(self.parts)
            for points in zip(*self.parts[trained], strict=False)
        ]


class RunPanel:
    """Shows where a run is now.

    The panel has how far the run is and how long it has to go, its returns, its signal,
    the round in progress and the arms of that round. A panel can be printed with rich
    at any time, also while events are added.

    Args:
        name: The heading.
        alive: Whether a process runs the run; asked where no event has come lately.
    """

    def __init__(self, name: str, alive: Callable[[], bool] = lambda: True) -> None:
        self._name = name
        self._alive = alive
        self._pace = Pace()
        self._active = ActiveSignal()
        self._event: Event | None = None
        self._total = 1
        self._advisor = "the advisor"
        self._returns: list[float] = []
        self._stage = ""
        self._round = 0
        self._playing = False
        self._doing = "waits for the first event"
        self._arms: dict[str, _Arm] = {}
        self._last_branch: BranchEnded | None = None

    def add(self, event: Event) -> None:
        """Takes the next event of the run."""
        self._pace.add(event)
        self._active.add(event)
        self._event = event
        match event:
            case RunStarted():
                self._total, self._advisor = event.total, event.advisor
                self._doing = "trains"
            case RunResumed():
                self._total = event.total
                self._doing = "goes on from its last checkpoint"
            case Recorded():
                self._returns.append(event.window.mean)
                if not self._playing:
                    self._doing = "trains"
            case RoundStarted():
                self._round, self._playing = event.round, True
                self._arms = {"control": _Arm(self._active.signal.describe())}
            case Observed():
                self._stage = event.stage.replace("_", " ")
            case Planned():
                self._doing = f"{self._advisor} is asked for a diagnosis"
            case Diagnosed():
                self._doing = f"{self._advisor} is asked for candidates"
            case AdvisorFailed():
                self._doing = f"{self._advisor} gave no {event.asked_for}"
            case Waited(seconds=None):
                self._doing = f"training waits for {event.advisor}"
            case Auditioned():
                self._doing = "lets experts play"
            case Checked():
                if event.name is not None:
                    self._arms[event.name] = _Arm(event.describe)
                self._doing = "candidates are checked; their branches are next"
            case BranchEnded():
                self._branch(event)
            case Decided():
                winner = event.winner or "no change"
                self._doing = f"decided: {winner}"
            case Settled():
                self._doing = f"trains; settled: {event.kind.replace('_', ' ')}"
            case RoundFinished():
                self._playing, self._doing, self._last_branch = False, "trains", None
            case RunFinished():
                self._doing = "finished"

    def _branch(self, event: BranchEnded) -> None:
        self._last_branch = event if event.done < event.of else None
        arm = self._arms.setdefault(event.name, _Arm())
        if event.phase == "confirm":
            self._doing = f"trains; confirms beside it, pair {event.index}"
        else:
            self._doing = f"branches: {event.done} of {event.of}"
        if not event.error:
            arm.score = event.score, event.standard_error
            arm.parts[event.trained].append(event.points)

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        """Yields the panel."""
        rows = Table.grid(padding=(0, 2))
        rows.add_column(style="dim", no_wrap=True, min_width=len("trainer steps"))
        rows.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        if self._event is not None:
            steps = self._event.trainer_steps.mainline
            done = f"{steps:,} of {self._total:,} ({steps / max(self._total, 1):.0%})"
            rows.add_row("trainer steps", done + self._left())
            rows.add_row("", ProgressBar(self._total, steps, width=_RETURNS))
        if self._returns:
            bars = "" if options.ascii_only else sparkline(self._returns, _RETURNS)
            rows.add_row("base return", f"{bars} {self._returns[-1]:.3f}".strip())
        if self._stage:
            rows.add_row("stage", self._stage)
        standing = self._active.standing
        says = f"{standing}: " if standing else ""
        rows.add_row("signal", Text(says + self._active.signal.describe()))
        now = f"round {self._round}" if self._playing else "now"
        rows.add_row(now, Text(self._now()))
        both = Table.grid(expand=True)
        both.add_row(rows)
        if any(arm.score for arm in list(self._arms.values())):
            if not self._playing:
                rows.add_row("arms", f"of round {self._round}")
            both.add_row(self._scores(ascii_only=options.ascii_only))
        yield Panel(
            both,
            title=Text(self._name, overflow="ellipsis"),
            width=min(options.max_width, _WIDEST),
        )

    def _left(self) -> str:
        remaining = self._pace.remaining()
        if remaining is None:
            return ""
        training, branches = remaining
        more = f", up to {branches} min of branches" if branches else ""
        return f"; about {training} min to go{more}"

    def _now(self) -> str:
        line, branch = self._doing, self._last_branch
        if branch is not None:
            seconds = self._pace.standing((branch.of - branch.done) * branch.steps)
            line += f", {about(seconds)} to go" if seconds else ""
        quiet = 0.0 if self._event is None else time.time() - self._event.time
        if quiet > _QUIET and not self._alive():
            line = "stopped: no process here runs it"
        return f"{line} (last event {duration(quiet)} ago)" if quiet > _QUIET else line

    def _scores(self, *, ascii_only: bool) -> Table:
        """Returns a line for each arm of the last round."""
        arms = list(self._arms.items())
        points = [point for _, arm in arms for point in arm.curve]
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right")
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1, style="dim")
        for name, arm in arms:
            score = "" if arm.score is None else "{:.3f} +- {:.3f}".format(*arm.score)
            bars = "" if ascii_only else sparkline(arm.curve, _CURVE, points)
            table.add_row(name, score, bars, Text(arm.text))
        return table


def sparkline(
    values: Sequence[float], width: int, among: Sequence[float] | None = None
) -> str:
    """Draws numbers as bars, from the lowest to the highest one.

    Args:
        values: The numbers; those that are not finite are left out.
        width: Most bars; of more numbers, neighbours are averaged.
        among: The numbers that say what is low and high; ``values`` if not given.

    Example:
        >>> sparkline([0.0, 0.5, 1.0], 8), sparkline([0.0, 0.0, 1.0, 1.0], 2)
        ('▁▅█', '▁█')
    """
    values = [value for value in values if math.isfinite(value)]
    among = [v for v in (values if among is None else among) if math.isfinite(v)]
    if not values or not among:
        return ""
    low, span = min(among), max(among) - min(among) or 1.0
    count = min(width, len(values))
    edges = [number * len(values) // count for number in range(count + 1)]
    means = [sum(values[begin:end]) / (end - begin) for begin, end in pairwise(edges)]
    highest = len(_BARS) - 1
    return "".join(_BARS[round((mean - low) / span * highest)] for mean in means)
