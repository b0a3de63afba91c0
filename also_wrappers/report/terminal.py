"""Progress lines on a terminal, drawn from the ledger's events."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.markup import escape

__all__ = ["ProgressLines"]


class ProgressLines:
    """A ledger listener that prints what is happening, how far, and how long.

    Args:
        console: Where to print.
        total: Trainer steps that were planned.
    """

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._began = time.monotonic()
        self._next_record = 0
        self._seconds: float | None = None

    def __call__(self, event: dict[str, Any]) -> None:
        """Prints one event of the ledger, if a person wants to see it."""
        self.show(event, time.monotonic() - self._began)

    def show(self, event: dict[str, Any], seconds: float) -> None:
        """Prints an event that happened so many seconds after the start."""
        self._seconds = seconds
        draw = getattr(self, f"_{event['event']}", None)
        if draw is not None:
            draw(event)
        self._seconds = None

    def say(self, stage: str, text: str) -> None:
        """Prints one line."""
        now = time.monotonic() - self._began
        seconds = int(now if self._seconds is None else self._seconds)
        clock = f"{seconds // 60:02d}:{seconds % 60:02d}"
        self._console.print(
            f"[dim]{clock}[/dim] [bold]{stage:>8}[/bold]  {escape(text)}",
            highlight=False,
            soft_wrap=True,
        )

    def _run_started(self, event: dict[str, Any]) -> None:
        self.say(
            "start",
            f"advisor: {event['advisor']}; {event['total']:,} trainer steps planned, "
            f"branches may spend {event['budget']:g} times as many",
        )

    def _run_resumed(self, event: dict[str, Any]) -> None:
        done = event["trainer_steps"]["mainline"]
        self.say("resume", f"at {done:,} steps after {event['rounds']} round(s)")

    def _record(self, event: dict[str, Any]) -> None:
        done = event["trainer_steps"]["mainline"]
        if done < self._next_record:
            return
        self._next_record = done + self._total // 10
        window = event["window"]
        self.say(
            "record",
            f"{done:,}/{self._total:,} steps ({done / self._total:.0%}), base return "
            f"{window['mean']:.3f} over {window['episodes']} episodes",
        )

    def _round_started(self, event: dict[str, Any]) -> None:
        self.say(
            "pause",
            f"round {event['round']} at {event['trainer_steps']['mainline']:,} steps",
        )

    def _plan(self, event: dict[str, Any]) -> None:
        if event["candidates"] < event["wanted"]:
            self.say(
                "plan",
                f"{event['candidates']} of {event['wanted']} candidates: the branch "
                f"budget has {event['budget']:,} steps left, a branch takes "
                f"{event['horizon']:,}",
            )

    def _diagnosis(self, event: dict[str, Any]) -> None:
        found = [f["failure"] for f in event["diagnosis"]["findings"]]
        self.say("diagnose", ", ".join(found) or "nothing found")

    def _check(self, event: dict[str, Any]) -> None:
        text = f"{event['name'] or 'refused'}: {event['describe']}"
        self.say("propose", text + (f" ({event['remark']})" if event["remark"] else ""))

    def _branch(self, event: dict[str, Any]) -> None:
        outcome = (
            f"failed: {event['error']}"
            if event["error"]
            else f"base return {event['score']:.3f} +- {event['standard_error']:.3f}"
        )
        confirming = f" pair {event['index']}" if event["stage"] == "confirm" else ""
        self.say(
            "confirm" if confirming else "branch",
            f"{event['done']}/{event['of']}{confirming} {event['name']}: {outcome} "
            f"({event['steps']:,} steps, {event['seconds']:.0f} s)",
        )

    def _refinement(self, event: dict[str, Any]) -> None:
        self.say("refine", f"{len(event['added'])} replacement(s)")

    def _advisor_error(self, event: dict[str, Any]) -> None:
        self.say("advisor", f"no {event['asked_for']}: {event['error']}")

    def _decision(self, event: dict[str, Any]) -> None:
        detail = ""
        if event["effect"] is not None:
            detail = f" (effect {event['effect']:+.3f}"
            if event["z"] is not None:
                detail += f", z {event['z']:.2f} against {event['critical']:g}"
            detail += f", {event['pairs']} pair(s))" if event["pairs"] else ")"
        what = event["winner"] or "no change"
        if event["exploratory"] and event["winner"]:
            what = f"exploratory, {what}"
        self.say("decide", f"{what}: {event['reason']}{detail}")

    def _swap(self, event: dict[str, Any]) -> None:
        self.say("swap", f"the signal is now {event['describe']}")

    def _rollback(self, event: dict[str, Any]) -> None:
        self.say("rollback", f"base return fell by {event['fall']:.3f}; signal undone")

    def _round_finished(self, event: dict[str, Any]) -> None:
        if event.get("skipped"):
            self.say("skip", event["skipped"])
