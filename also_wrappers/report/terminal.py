"""Progress lines on a terminal, drawn from the ledger's events."""

from __future__ import annotations

import time

from rich.console import Console
from rich.markup import escape

from also_wrappers.ledger.events import (
    AdvisorFailed,
    BranchEnded,
    Checked,
    Decided,
    Diagnosed,
    Event,
    Planned,
    Recorded,
    Refined,
    RolledBack,
    RoundFinished,
    RoundStarted,
    RunResumed,
    RunStarted,
    Settled,
    Swapped,
    Waited,
)

__all__ = ["ProgressLines"]


#: How lines about provisional signals begin.
_SETTLED = {"confirmed": "confirm", "given_up": "give up", "open": "keep"}


class ProgressLines:
    """Prints what happens in a run, how far it is, and how long it took.

    A listener of a ledger; also for events that are read from one. The clock of the
    lines begins with the first of them.

    Args:
        console: Where to print.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began: float | None = None
        self._total = 1
        self._next_record = 0

    def __call__(self, event: Event) -> None:
        """Prints one event of a ledger, if a person wants to see it."""
        if self._began is None:
            self._began = event.time
        line = self._line(event)
        if line is not None:
            self._print(*line, event.time)

    def say(self, verb: str, text: str) -> None:
        """Prints one line about what no event tells.

        Args:
            verb: What is done, in a word.
            text: The rest of the line.
        """
        self._print(verb, text, time.time())

    def _print(self, verb: str, text: str, now: float) -> None:
        if self._began is None:
            self._began = now
        minutes, seconds = divmod(int(now - self._began), 60)
        self._console.print(
            f"[dim]{minutes:02d}:{seconds:02d}[/dim] [bold]{verb:>8}[/bold]  "
            f"{escape(text)}",
            highlight=False,
            soft_wrap=True,
        )

    def _line(self, event: Event) -> tuple[str, str] | None:
        """Returns verb and text of an event's line; ``None`` if it has no line."""
        mainline = event.trainer_steps.mainline
        match event:
            case RunStarted():
                self._total = event.total
                return "start", (
                    f"advisor: {event.advisor}; {event.total:,} trainer steps planned. "
                    + _cost(event)
                )
            case RunResumed():
                self._total = event.total
                return "resume", f"at {mainline:,} steps after {event.rounds} round(s)"
            case Recorded():
                return self._record(event)
            case RoundStarted():
                return "pause", f"round {event.round} at {mainline:,} steps"
            case Planned() if event.candidates < event.wanted:
                return "plan", (
                    f"{event.candidates} of {event.wanted} candidates: the branch "
                    f"budget has {event.budget:,} steps left, a branch takes "
                    f"{event.horizon:,}"
                )
            case Diagnosed():
                failures = [one.failure for one in event.diagnosis.findings]
                return "diagnose", ", ".join(failures) or "nothing found"
            case Checked():
                remark = f" ({event.remark})" if event.remark else ""
                name = event.name or "rejected"
                return "propose", f"{name}: {event.describe}{remark}"
            case BranchEnded():
                return _branch(event)
            case Refined():
                return "refine", f"{len(event.added)} replacement(s)"
            case AdvisorFailed():
                return "advisor", f"no {event.asked_for}: {event.error}"
            case Decided():
                return _decision(event)
            case Swapped():
                kind = "provisional: " if event.provisional else ""
                return "swap", f"{kind}the signal is now {event.describe}"
            case Settled():
                return _SETTLED[event.kind], f"{event.reason}{_detail(event)}"
            case RolledBack():
                return (
                    "rollback",
                    f"base return fell by {event.fall:.3f}; signal undone",
                )
            case Waited(seconds=None):
                return "wait", f"training waits for {event.advisor}"
            case Waited():
                return "wait", f"{event.seconds:.0f} s for {event.advisor}"
            case RoundFinished() if event.skipped:
                return "skip", event.skipped
            case _:
                return None

    def _record(self, event: Recorded) -> tuple[str, str] | None:
        """Returns a line for about every tenth of the planned training."""
        done = event.trainer_steps.mainline
        if done < self._next_record:
            return None
        self._next_record = done + self._total // 10
        return "record", (
            f"{done:,}/{self._total:,} steps ({done / self._total:.0%}), base return "
            f"{event.window.mean:.3f} over {event.window.episodes} episodes"
        )


def _branch(event: BranchEnded) -> tuple[str, str]:
    outcome = (
        f"failed: {event.error}"
        if event.error
        else f"base return {event.score:.3f} +- {event.standard_error:.3f}"
    )
    confirming = event.phase == "confirm"
    pair = f" pair {event.index}" if confirming else ""
    return "confirm" if confirming else "branch", (
        f"{event.done}/{event.of}{pair} {event.name}: {outcome} "
        f"({event.steps:,} steps, {event.seconds:.0f} s)"
    )


def _cost(event: RunStarted) -> str:
    """Says what adapting may cost where no round finds anything."""
    if not event.budget:
        return "It records only"
    return (
        f"Adapting may cost {event.rounds} round(s) and {event.search:,} trainer steps "
        f"of branches before it finds anything, {event.search / event.total:.0%} of "
        f"the training, and {event.budget:.0%} in all"
    )


def _decision(event: Decided) -> tuple[str, str]:
    name = event.winner or "no change"
    if event.winner and event.kind == "provisional":
        name = f"{'exploratory' if event.exploratory else 'provisional'}, {name}"
    return "decide", f"{name}: {event.reason}{_detail(event)}"


def _detail(event: Decided | Settled) -> str:
    """Returns effect, z and pairs in brackets; empty where nothing was compared."""
    if event.effect is None:
        return ""
    detail = f" (effect {event.effect:+.3f}"
    if event.z is not None:
        detail += f", z {event.z:.2f}"
        if event.critical is not None:
            detail += f" against {event.critical:g}"
    return detail + (f", {event.pairs} pair(s))" if event.pairs else ")")
