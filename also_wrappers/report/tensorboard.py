"""TensorBoard figures, drawn from the ledger's events as they are written."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from also_wrappers.evidence.document import Evidence
from also_wrappers.ledger.events import (
    BranchEnded,
    Decided,
    Diagnosed,
    Event,
    Observed,
    Recorded,
    RolledBack,
    RoundFinished,
    RunFinished,
    Settled,
    Swapped,
)
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.report.pictures import new_figure, plot_evidence
from also_wrappers.report.standing import ActiveSignal, standing_of
from also_wrappers.report.words import signal_lines

__all__ = ["TensorBoardFigures"]


class TensorBoardFigures:
    """Writes TensorBoard scalars, texts and pictures; a listener of a ledger.

    Scalars, over trainer steps of the mainline: ``also/base_return``,
    ``also/shaped_return``, ``also/episode_length``, ``also/env_steps_<what>`` (total,
    mainline, branches, evaluation), ``also/provisional`` (1 while a signal is in use
    that is not confirmed, else 0), ``also/arm/<name>``, ``also/term/<name>``; while an
    expert is in force ``also/pull``, ``also/agreement`` and ``also/expert_return``
    (what the expert earned alone in its audition); of decisions
    ``also/decision/swapped``, of what became of provisional signals
    ``also/decision/confirmed``, of both ``also/decision/effect`` and
    ``also/decision/z``. Texts: ``also/diagnosis``, ``also/signal``,
    ``also/decision``. Pictures: ``also/evidence``.

    Args:
        folder: Where the event files go.
    """

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder))
        new_figure(1.0, 1.0)  # loads matplotlib now, and not while training waits
        self._before: Evidence | None = None
        self._active = ActiveSignal()
        # Pictures take half a second each, in which branches can be trained already.
        self._painter = ThreadPoolExecutor(1, "also-figures")
        self._painting: Future[None] | None = None

    def __call__(self, event: Event) -> None:
        """Draws one event of the ledger."""
        step = event.trainer_steps.mainline
        self._active.add(event)
        if isinstance(event, (Recorded, Swapped, Settled, RolledBack)):
            self._scalar("provisional", float(self._active.unconfirmed), step)
        match event:
            case Recorded():
                self._scalar("base_return", event.window.mean, step)
                self._scalar("shaped_return", event.shaped, step)
                self._scalar("episode_length", event.length, step)
                self._imitation(event, step)
                for name, count in event.env_steps:
                    self._scalar(f"env_steps_{name}", count, step)
            case Observed(evidence=evidence):
                self._painting = self._painter.submit(self._paint, evidence, step)
                for key, value in evidence.values.items():
                    if key.startswith("term.") and key.endswith(".paid"):
                        self._scalar(f"term/{key.split('.')[1]}", value, step)
            case Diagnosed():
                self._text("diagnosis", _findings(event.diagnosis), step)
            case BranchEnded(error=""):
                self._scalar(f"arm/{event.name}", event.score, step)
            case Decided():
                self._scalar("decision/swapped", float(event.winner is not None), step)
                standing = standing_of(event)
                winner = f"{standing}, {event.winner}" if standing else "no change"
                self._decision(event, winner, step)
            case Swapped():
                lines = "\n".join(signal_lines(event.signal))
                self._text("signal", f"{standing_of(event)}: {lines}", step)
            case Settled():
                confirmed = float(event.kind == "confirmed")
                self._scalar("decision/confirmed", confirmed, step)
                self._decision(event, event.kind.replace("_", " "), step)
                self._flush()
            case RoundFinished() | RunFinished():
                self._flush()

    def _imitation(self, event: Recorded, step: int) -> None:
        played = self._active.audition
        for name, number in (
            ("pull", event.pull),
            ("agreement", event.agreement),
            ("expert_return", None if played is None else played.earned),
        ):
            if number is not None:
                self._scalar(name, number, step)

    def _decision(self, event: Decided | Settled, what: str, step: int) -> None:
        for name, number in (("effect", event.effect), ("z", event.z)):
            if number is not None:
                self._scalar(f"decision/{name}", number, step)
        self._text("decision", f"{what}: {event.reason}", step)

    def _flush(self) -> None:
        """Brings to disk what was drawn, also where a picture could not be."""
        painting, self._painting = self._painting, None
        try:
            if painting is not None:
                painting.result()
        finally:
            self._writer.flush()

    def _paint(self, evidence: Evidence, step: int) -> None:
        picture = plot_evidence(evidence, self._before)
        self._writer.add_figure("also/evidence", picture, step)
        self._before = evidence

    def _scalar(self, name: str, value: float, step: int) -> None:
        self._writer.add_scalar(f"also/{name}", value, step)

    def _text(self, name: str, text: str, step: int) -> None:
        self._writer.add_text(f"also/{name}", f"```\n{text}\n```", step)


def _findings(diagnosis: Diagnosis) -> str:
    lines = [
        f"{finding.failure} ({finding.severity}): {finding.argument}"
        for finding in diagnosis.findings
    ]
    return "\n".join([*lines, diagnosis.advice])
