"""TensorBoard figures, drawn from the ledger's events as they are written."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from also_wrappers.evidence.document import Evidence
from also_wrappers.ledger.events import (
    Decided,
    Diagnosed,
    Event,
    Observed,
    Recorded,
    RolledBack,
    RoundFinished,
    RunFinished,
    RunStarted,
    Settled,
    Swapped,
)
from also_wrappers.ledger.lineage import of_the_lineage
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.report.arm_curves import ArmCurves
from also_wrappers.report.ending import ending_of
from also_wrappers.report.pictures import new_figure, plot_evidence
from also_wrappers.report.standing import ActiveSignal, standing_of
from also_wrappers.report.words import signal_lines

__all__ = ["TensorBoardFigures"]


#: Plots of the custom scalars, in order: a title and the tags of its lines, each of
#: which is drawn for every run that has it.
_PLOTS = {
    "base return over trainer steps": ["also/base_return"],
    "base and shaped return": ["also/base_return", "also/shaped_return"],
    "base return over all environment steps": ["also/by_env_steps/base_return"],
    "base return over own environment steps": ["also/by_own_env_steps/base_return"],
    "arms: scores and mainline": ["also/branch/base_return", "also/base_return"],
    "arms: learning curves over all environment steps": [
        "also/branch/curve",
        "also/by_env_steps/base_return",
    ],
    "environment steps spent": [
        "also/env_steps_total",
        "also/env_steps_mainline",
        "also/env_steps_branches",
        "also/env_steps_evaluation",
    ],
    "imitation: pull and agreement": ["also/pull", "also/agreement"],
    "imitation: expert alone and policy": ["also/expert_return", "also/base_return"],
    "decisions: effect on base return": ["also/decision/effect"],
    "decisions: z": ["also/decision/z"],
}
_LAYOUT = {
    "adaptation": {
        title: ["Multiline", [f"{tag}$" for tag in tags]]
        for title, tags in _PLOTS.items()
    }
}


class TensorBoardFigures:
    """Writes TensorBoard scalars, texts and pictures; a listener of a ledger.

    The mainline is the run ``mainline``; each signal that was an arm is a run of its
    own, see ``ArmCurves``. The *Custom Scalars* page opens on the plots that matter.

    Scalars of the mainline are over its own trainer steps: ``also/base_return``,
    ``also/shaped_return``, ``also/episode_length``, ``also/env_steps_<what>`` (total,
    mainline, branches, evaluation), ``also/provisional`` (1 while a signal is in use
    that is not confirmed, else 0), ``also/term/<name>``; while an expert is in force
    ``also/pull``, ``also/agreement`` and ``also/expert_return`` (what the expert earned
    alone in its audition); of decisions ``also/decision/swapped``, of what became of
    provisional signals ``also/decision/confirmed``, of both ``also/decision/effect``
    and ``also/decision/z``. Two scalars are over environment steps:
    ``also/by_env_steps/base_return`` over all that the run has spent, branches and
    evaluation included, and ``also/by_own_env_steps/base_return`` over those of the
    final policy's lineage. Texts: ``also/diagnosis``, ``also/signal``,
    ``also/decision``. Pictures: ``also/evidence``.

    Hyperparameters are written when the run finishes: advisor, planned trainer steps,
    budget, number of swaps, the signal and its standing, with
    ``also/final_base_return`` as their metric (mean of the last 256 episodes or more).

    Args:
        folder: Where the event files go. What an earlier process drew there is drawn
            anew from ``past``, without what was lost in the stop.
        past: The events that were recorded before.
    """

    def __init__(self, folder: Path, past: Iterable[Event] = ()) -> None:
        import torch.utils.tensorboard  # noqa: F401  # now, not while training waits

        new_figure(1.0, 1.0)  # loads matplotlib
        self._folder = folder
        self._past = list(past)
        self._writer: Any = None
        self._arms = ArmCurves(folder / "arms")
        self._before: Evidence | None = None
        self._active = ActiveSignal()
        self._started: RunStarted | None = None
        self._records: list[Recorded] = []
        self._swaps = 0
        # Pictures take half a second each, in which branches can be trained already.
        self._painter = ThreadPoolExecutor(1, "also-figures")
        self._painting: Future[None] | None = None

    def __call__(self, event: Event) -> None:
        """Draws one event of the ledger."""
        if self._writer is None:
            self._begin(event)
        self._draw(event)
        if isinstance(event, (Settled, RoundFinished, RunFinished)):
            self._flush()

    def _begin(self, event: Event) -> None:
        """Draws what was recorded before an event, which says where the run goes on."""
        from torch.utils.tensorboard import SummaryWriter

        for name in ("mainline", "arms"):
            shutil.rmtree(self._folder / name, ignore_errors=True)
        # A TensorBoard that has shown the removed files forgets them.
        self._writer = SummaryWriter(str(self._folder / "mainline"), purge_step=0)
        self._writer.add_custom_scalars(_LAYOUT)
        events = [*self._past, event]
        for before in of_the_lineage(events, event.trainer_steps.total)[:-1]:
            self._draw(before)
        self._past = []

    def _draw(self, event: Event) -> None:
        step = event.trainer_steps.mainline
        self._active.add(event)
        self._arms.add(event)
        if isinstance(event, (Recorded, Swapped, Settled, RolledBack)):
            self._scalar("provisional", float(self._active.unconfirmed), event)
        match event:
            case RunStarted():
                self._started = event
            case Recorded():
                self._record(event)
            case Observed(evidence=evidence):
                self._painting = self._painter.submit(self._paint, evidence, step)
                for key, value in evidence.values.items():
                    if key.startswith("term.") and key.endswith(".paid"):
                        self._scalar(f"term/{key.split('.')[1]}", value, event)
            case Diagnosed():
                self._text("diagnosis", _findings(event.diagnosis), event)
            case Decided():
                self._scalar("decision/swapped", float(event.winner is not None), event)
                standing = standing_of(event)
                winner = f"{standing}, {event.winner}" if standing else "no change"
                self._decision(event, winner)
            case Swapped():
                self._swaps += 1
                lines = "\n".join(signal_lines(event.signal))
                self._text("signal", f"{standing_of(event)}: {lines}", event)
            case Settled():
                confirmed = float(event.kind == "confirmed")
                self._scalar("decision/confirmed", confirmed, event)
                self._decision(event, event.kind.replace("_", " "))
            case RunFinished():
                self._hyperparameters(event)

    def _record(self, event: Recorded) -> None:
        self._records.append(event)
        mean = event.window.mean
        self._scalar("base_return", mean, event)
        env_steps = event.env_steps
        self._scalar("by_env_steps/base_return", mean, event, env_steps.total)
        self._scalar("by_own_env_steps/base_return", mean, event, env_steps.mainline)
        self._scalar("shaped_return", event.shaped, event)
        self._scalar("episode_length", event.length, event)
        for name, count in env_steps:
            self._scalar(f"env_steps_{name}", count, event)
        played = self._active.audition
        for name, number in (
            ("pull", event.pull),
            ("agreement", event.agreement),
            ("expert_return", None if played is None else played.earned),
        ):
            if number is not None:
                self._scalar(name, number, event)

    def _hyperparameters(self, event: RunFinished) -> None:
        """Writes what the run was and what it came to, into the run itself.

        ``SummaryWriter.add_hparams`` would begin a run of its own.
        """
        from torch.utils.tensorboard.summary import hparams

        started, mean = self._started, ending_of([*self._records, event]).mean
        if started is None or mean is None:
            return
        self._scalar("final_base_return", mean, event)
        settings = {
            "advisor": started.advisor,
            "planned_trainer_steps": started.total,
            "branch_budget": started.budget,
            "swaps": self._swaps,
            "signal": event.signal.describe(),
            "standing": self._active.standing or "none",
        }
        for summary in hparams(settings, {"also/final_base_return": mean}):
            self._writer.file_writer.add_summary(summary)

    def _decision(self, event: Decided | Settled, what: str) -> None:
        for name, number in (("effect", event.effect), ("z", event.z)):
            if number is not None:
                self._scalar(f"decision/{name}", number, event)
        self._text("decision", f"{what}: {event.reason}", event)

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

    def _scalar(
        self, name: str, value: float, event: Event, step: int | None = None
    ) -> None:
        """Writes a number over a step; over the mainline's if none is given."""
        step = event.trainer_steps.mainline if step is None else step
        self._writer.add_scalar(f"also/{name}", value, step, event.time)

    def _text(self, name: str, text: str, event: Event) -> None:
        step = event.trainer_steps.mainline
        self._writer.add_text(f"also/{name}", f"```\n{text}\n```", step, event.time)


def _findings(diagnosis: Diagnosis) -> str:
    lines = [
        f"{finding.failure} ({finding.severity}): {finding.argument}"
        for finding in diagnosis.findings
    ]
    return "\n".join([*lines, diagnosis.advice])
