"""Declares the events of a ledger: one frozen model each, told apart by ``event``.

Readers match on the class::

    match event:
        case Swapped(describe=text): ...
        case BranchEnded(name=name, score=score): ...
"""

from __future__ import annotations

import math
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter, field_validator

from also_wrappers.evidence.stage import Window
from also_wrappers.ledger.auditions import Auditioned, Ranked
from also_wrappers.ledger.rounds import (
    AdvisorFailed,
    BranchEnded,
    Checked,
    Decided,
    Diagnosed,
    Exchanged,
    Observed,
    Planned,
    Proposed,
    Refined,
    RoundFinished,
    RoundStarted,
    Settled,
    Swapped,
    Waited,
)
from also_wrappers.ledger.stamp import RunEvent
from also_wrappers.signal.model import Signal

__all__ = [
    "EVENT",
    "AdvisorFailed",
    "Auditioned",
    "BranchEnded",
    "Checked",
    "Decided",
    "Diagnosed",
    "Event",
    "Exchanged",
    "FadeStopped",
    "Observed",
    "Planned",
    "Proposed",
    "Ranked",
    "Recorded",
    "Refined",
    "RolledBack",
    "RoundFinished",
    "RoundStarted",
    "RunFinished",
    "RunResumed",
    "RunStarted",
    "Settled",
    "Swapped",
    "Waited",
]

#: The largest size of a base return, beyond which its square may overflow.
_LARGEST: Final = 1e100


class RunStarted(RunEvent):
    """Records the beginning of a run, and what was declared.

    Attributes:
        task: The user's description of the task.
        features: Names of the features.
        actions: Names of the actions by their index; empty where the task declares
            none.
        advisor: Name of the advisor.
        total: Trainer steps that are planned.
        every: Trainer steps from the first round to the second.
        budget: Trainer steps that branches may spend, as a multiple of ``total``.
        horizon: Trainer steps of a branch of the first round.
        rounds: Rounds that the budget pays for if no round finds anything.
        search: Trainer steps of the branches of these rounds.
        auditions: Trainer steps that the ranked experts of a round may play; 0 where no
            expert can be tried.
        seed: Seed of the branches.
    """

    event: Literal["run_started"] = "run_started"
    task: str
    features: tuple[str, ...]
    actions: dict[int, str] = {}
    advisor: str
    total: int
    every: int
    budget: Annotated[float, Field(ge=0.0, le=1e12)]
    horizon: int
    rounds: int
    search: int
    auditions: int
    seed: int


class RunResumed(RunEvent):
    """Records that a run goes on from its last checkpoint.

    Attributes:
        rounds: Rounds that had been played by then.
        total: Trainer steps that are planned.
        checkpoint: Trainer steps that had been spent in all at the checkpoint; later
            events are of a mainline that was lost.
        going_on: Number of the round that goes on, with all of its recorded events;
            ``None`` where no round was interrupted.
    """

    event: Literal["run_resumed"] = "run_resumed"
    rounds: int
    total: int
    checkpoint: int
    going_on: int | None = None


class Recorded(RunEvent):
    """Records the mainline's episodes that ended since the last such event.

    Attributes:
        window: Base returns of the episodes.
        shaped: Mean shaped return of the episodes.
        strength: Strength of the signal.
        length: Mean length of the episodes, in environment steps.
        pull: Weight of the last imitation; ``None`` where no expert is in force.
        agreement: Probability that the policies gave to the good actions before the
            pull, a mean over the imitated states; ``None`` where none were imitated.
    """

    event: Literal["record"] = "record"
    window: Window
    shaped: float
    strength: float
    length: float
    pull: float | None = None
    agreement: float | None = None

    @field_validator("window")
    @classmethod
    def _can_be(cls, window: Window) -> Window:
        """Refuses windows with negative counts or returns too large to compute with."""
        if min(window.steps, window.episodes) < 0:
            raise ValueError("a window counts steps and episodes from 0 on")
        if any(_LARGEST < abs(x) < math.inf for x in (window.mean, window.std)):
            raise ValueError(f"a base return beyond {_LARGEST:g} cannot be squared")
        return window


class RolledBack(RunEvent):
    """Records that a swap was undone, signal and weights.

    Attributes:
        lost_steps: Trainer steps of the lineage that were given up.
        fall: How far the base return fell.
        signal: Id of the signal that is active again.
    """

    event: Literal["rollback"] = "rollback"
    lost_steps: int
    fall: float
    signal: str


class FadeStopped(RunEvent):
    """Records that a signal stays, as the base return fell while it faded.

    Attributes:
        fall: How far the base return fell.
        strength: The strength to which the signal had faded.
    """

    event: Literal["fade_stopped"] = "fade_stopped"
    fall: float
    strength: float


class RunFinished(RunEvent):
    """Records the end of a run.

    Attributes:
        rounds: Rounds that were begun.
        signal: The signal that was active last.
    """

    event: Literal["run_finished"] = "run_finished"
    rounds: int
    signal: Signal


Event = Annotated[
    RunStarted
    | RunResumed
    | Recorded
    | RoundStarted
    | Observed
    | Planned
    | Exchanged
    | Diagnosed
    | Proposed
    | Auditioned
    | Ranked
    | Checked
    | BranchEnded
    | Refined
    | Decided
    | Swapped
    | Settled
    | Waited
    | RolledBack
    | FadeStopped
    | AdvisorFailed
    | RoundFinished
    | RunFinished,
    Field(discriminator="event"),
]

#: Reads an event from its line.
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
