"""Progress lines on a terminal, drawn from the ledger's events."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape

from also_wrappers.ledger.events import (
    AdvisorFailed,
    Auditioned,
    BranchEnded,
    Checked,
    Decided,
    Diagnosed,
    Event,
    Exchanged,
    FadeStopped,
    Planned,
    Ranked,
    Recorded,
    Refined,
    RolledBack,
    RoundFinished,
    RoundStarted,
    RunFinished,
    RunResumed,
    RunStarted,
    Settled,
    Swapped,
    Waited,
)
from also_wrappers.report.ending import ending_of
from also_wrappers.report.pace import Pace, about
from also_wrappers.report.reminder import Reminder
from also_wrappers.report.standing import ActiveSignal, standing_of
from also_wrappers.report.words import (
    STANDINGS,
    clip,
    decision_in_words,
    outcome_of,
    settlement_in_words,
    signal_lines,
)
from also_wrappers.signal.model import Signal

__all__ = ["ProgressLines"]

#: Characters of a candidate, and of a line of a signal; the report has all of it.
_LONGEST_CANDIDATE, _LONGEST_LINE = 240, 120
#: Below the text of the line above.
_INDENT = 18 * " "
#: What a notebook shows: every line is an output of its cell there.
_IN_NOTEBOOKS = {
    "start",
    "resume",
    "record",
    "pause",
    "decide",
    "swap",
    "settle",
    "fade",
    "rollback",
    "finish",
}
#: Seconds of branches that are worth a forecast.
_LONG = 10.0
#: Seconds after which an event is of the past.
_LIVE = 5.0
#: Records that are remembered: those of the last episodes, and of a lost mainline.
_MOST_RECORDS = 2000


class ProgressLines:
    """Prints what happens in a run, how far it is, and how long it took.

    A listener of a ledger; also for events that are read from one. The clock of the
    lines begins with the first of them. Once a minute of training has passed, the
    lines of the record say how many more minutes training and branches may take.
    A notebook gets fewer lines: how far the training is, and what rounds decide.

    Args:
        console: Where to print.
        past: The events that were recorded before; nothing is printed of them.
    """

    def __init__(self, console: Console, past: Iterable[Event] = ()) -> None:
        self._console = console
        self._began: float | None = None
        self._total = 1
        self._next_record = 0
        self._pace = Pace()
        self._foretold = False
        self._advisor = "the advisor"
        self._plays = True
        self._records: deque[Recorded] = deque(maxlen=_MOST_RECORDS)
        self._active = ActiveSignal()
        # Effects of signals on the base return, by their ids.
        self._effects: dict[str, float] = {}
        self._reminder: Reminder | None = None
        for event in past:
            self._take(event)

    def __call__(self, event: Event) -> None:
        """Prints one event of a ledger, if a person wants to see it."""
        self._stop_waiting()
        if self._began is None:
            self._began = event.time
        self._take(event)
        line = self._line(event)
        few = self._console.is_jupyter
        if line is not None and (not few or line[0] in _IN_NOTEBOOKS):
            self._print(*line, event.time)
        live = time.time() - event.time < _LIVE
        if isinstance(event, Waited) and event.seconds is None and live and not few:
            self._reminder = Reminder(lambda: self._remind(event))

    def say(self, verb: str, text: str) -> None:
        """Prints one line about what no event tells.

        Args:
            verb: What is done, in a word.
            text: The rest of the line.
        """
        self._stop_waiting()
        self._print(verb, text, time.time())

    def _take(self, event: Event) -> None:
        """Remembers what later lines need to know of an event."""
        self._pace.add(event)
        self._active.add(event)
        match event:
            case RunStarted():
                self._total, self._advisor = max(event.total, 1), event.advisor
                self._plays = event.budget > 0.0
            case RunResumed():
                self._total = max(event.total, 1)
                lost = event.checkpoint
                while self._records and self._records[-1].trainer_steps.total > lost:
                    self._records.pop()
            case Recorded():
                self._records.append(event)
            case Decided(effect=float(effect), outcome=outcome) if outcome.winner:
                self._effects[outcome.winner] = effect
            case Settled(effect=float(effect), signal=signal):
                if event.kind != "given_up":
                    self._effects[signal.id] = effect

    def _remind(self, event: Waited) -> None:
        seconds = time.time() - event.time
        text = f"{event.advisor} still thinks, after {seconds:.0f} s"
        self._print("wait", text, time.time())

    def _stop_waiting(self) -> None:
        if self._reminder is not None:
            self._reminder.stop()
            self._reminder = None

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
                return "start", (
                    f"advisor: {event.advisor}; {event.total:,} trainer steps planned. "
                    + _cost(event)
                )
            case RunResumed():
                text = (
                    f"at {mainline:,} of {event.total:,} steps after {event.rounds} "
                    "round(s)"
                )
                if event.going_on is not None:
                    text += f"; round {event.going_on} goes on"
                elif lost := event.trainer_steps.total - event.checkpoint:
                    text += f"; {lost:,} steps that came after are lost"
                unknown = event.trainer_steps.unknown
                if unknown:
                    text += f"; up to {unknown:,} steps more were trained and lost"
                return "resume", text
            case Recorded():
                return self._record(event)
            case RoundStarted() | RoundFinished() if not self._plays:
                return None  # each pause would say that the run only records
            case RoundStarted():
                return "pause", f"round {event.round} at {mainline:,} steps"
            case Planned():
                return "ask", self._asked(event)
            case Exchanged():
                return "answer", _answer(event)
            case Diagnosed():
                failures = [one.failure for one in event.diagnosis.findings]
                return "diagnose", ", ".join(failures) or "nothing found"
            case Ranked():
                return "rank", _ranking(event)
            case Auditioned():
                return "audition", _audition(event)
            case Checked():
                remark = f" ({event.remark})" if event.remark else ""
                name = event.name or "rejected"
                signal = clip(event.describe, _LONGEST_CANDIDATE)
                return "propose", f"{name}: {signal}{remark}"
            case BranchEnded():
                return self._branch(event)
            case Refined():
                return "refine", f"{len(event.added)} replacement(s)"
            case AdvisorFailed():
                return "advisor", f"no {event.asked_for}: {event.error}"
            case Decided():
                return "decide", decision_in_words(event)
            case Swapped():
                lines = [
                    clip(line, _LONGEST_LINE) for line in signal_lines(event.signal)
                ]
                signal = f"\n{_INDENT}".join(lines)
                return "swap", f"{standing_of(event)}: the signal is now {signal}"
            case Settled():
                return "settle", settlement_in_words(event)
            case FadeStopped():
                return "fade", (
                    f"stopped at a strength of {event.strength:.2f}: the base return "
                    f"fell by {event.fall:.3f}, so the signal stays to the end"
                )
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
            case RunFinished():
                return "finish", _below(self._ending(event))
            case _:
                return None

    def _record(self, event: Recorded) -> tuple[str, str] | None:
        """Returns a line for about every tenth of the planned training."""
        done = event.trainer_steps.mainline
        remaining = self._pace.remaining()
        if done < self._next_record and (self._foretold or remaining is None):
            return None
        self._next_record = done + self._total // 10
        line = (
            f"{done:,}/{self._total:,} steps ({done / self._total:.0%}), base return "
            f"{event.window.mean:.3f} over {event.window.episodes} episodes"
        )
        if remaining is not None:
            self._foretold = True
            line += f"; {_forecast(*remaining)}"
        return "record", line

    def _asked(self, event: Planned) -> str:
        """Says whom a round asks for what, and how long a trial may take."""
        line = (
            f"{self._advisor} for a diagnosis and {event.candidates} candidate(s), to "
            f"be tried on branches of {event.horizon:,} steps"
        )
        seconds = self._pace.standing((event.candidates + 1) * event.horizon)
        if event.budget and seconds is not None:
            line += f" ({about(seconds)} for one of each and control)"
        if event.candidates < event.wanted:
            line += (
                f"; {event.wanted} were wanted, and the branch budget has "
                f"{event.budget:,} steps left"
            )
        return line

    def _branch(self, event: BranchEnded) -> tuple[str, str]:
        outcome = (
            f"failed: {event.error}"
            if event.error
            else f"base return {event.score:.3f} +- {event.standard_error:.3f}"
        )
        confirming = event.phase == "confirm"
        pair = f"pair {event.index} " if confirming else ""
        count = f"{event.done}/{event.of} " if event.of > 1 else ""
        left = event.of - event.done
        seconds = self._pace.standing(left * event.steps) or 0.0
        rest = f"; {about(seconds)} for {left} more" if seconds >= _LONG else ""
        more = " more" if event.trained else ""
        return "confirm" if confirming else "branch", (
            f"{count}{pair}{event.name}: {outcome} "
            f"({event.steps:,} steps{more}, {event.seconds:.0f} s){rest}"
        )

    def _ending(self, event: RunFinished) -> list[str]:
        """Says what a run has found, and what it took."""
        first, *others = signal_lines(event.signal)
        lines = [f"the signal is {first}", *others]
        standing = self._active.standing
        if standing is not None:
            effect = self._effects.get(event.signal.id)
            compared = (
                "" if effect is None else f"; effect {effect:+.3f} on base return"
            )
            lines.append(STANDINGS[standing] + compared)
        ending = ending_of([*self._records, event])
        if ending.mean is not None:
            lines.append(
                f"base return {ending.mean:.3f} +- {ending.standard_error or 0.0:.3f} "
                f"over the last {ending.episodes:,} episodes"
            )
        steps = event.env_steps
        lines.append(
            f"{steps.total:,} environment steps: {steps.mainline:,} of the policy's "
            f"own, {steps.branches:,} of discarded branches, {steps.evaluation:,} of "
            "evaluation"
        )
        return lines


def _forecast(training: int, branches: int) -> str:
    line = f"at this speed about {training} more minute(s)"
    return f"{line} and up to {branches} for branches" if branches else line


def _answer(event: Exchanged) -> str:
    """Says how long a language model took, and what became of its answer."""
    exchange = event.exchange
    line = f"{exchange.model} as {exchange.role}, after {exchange.seconds:.0f} s"
    if exchange.answer_tokens is not None:
        line += f", {exchange.answer_tokens:,} tokens"
    if exchange.problem:
        line += f"; not used: {clip(exchange.problem, _LONGEST_LINE)}"
    return line


def _below(lines: list[str]) -> str:
    """Joins lines, each one cut and below the text of the one before."""
    return f"\n{_INDENT}".join(clip(line, _LONGEST_LINE) for line in lines)


def _audition(event: Auditioned) -> str:
    """Says what an expert earned by itself, beside the policy."""
    return (
        f"an expert ({_sayings(event.expert)}) earns {event.earned:.3f} +- "
        f"{event.error:.3f} alone, the policy {event.policy:.3f}, in {event.episodes} "
        f"episodes ({event.steps:,} steps); "
        + (outcome_of(event) if event.passed or event.active else "refused")
    )


def _ranking(event: Ranked) -> str:
    """Says which of many experts earned most."""
    return (
        f"{event.played} expert(s) played ({event.steps:,} steps); the best "
        f"({_sayings(event.best)}) earns {event.earned:.3f} +- {event.error:.3f}, the "
        f"policy {event.policy:.3f}"
    )


def _sayings(signal: Signal) -> str:
    """Says what the rules of an expert say, in order."""
    rules = signal.expert.rules if signal.expert else ()
    return clip("; ".join(rule.do for rule in rules), _LONGEST_LINE)


def _cost(event: RunStarted) -> str:
    """Says what adapting may cost where no round finds anything."""
    if not event.budget:
        return "It records only"
    cost = (
        f"Adapting may cost {event.rounds} round(s) and {event.search:,} trainer steps "
        f"of branches before it finds anything, {event.search / event.total:.0%} of "
        f"the training, and {event.budget:.0%} in all"
    )
    if not event.auditions:
        return cost
    return f"{cost}; experts may play up to {event.auditions:,} more in a round"
