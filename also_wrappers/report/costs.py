"""What a run spent: environment steps, tokens and seconds, and what they went to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from also_wrappers.ledger.events import (
    AdvisorFailed,
    Auditioned,
    BranchEnded,
    Checked,
    Diagnosed,
    Event,
    Exchanged,
    Proposed,
    Ranked,
    Recorded,
    RolledBack,
    RoundFinished,
    RoundStarted,
    RunFinished,
    RunResumed,
    Settled,
    Waited,
)

__all__ = ["Asked", "Spending", "models_of", "spending_of"]

_TRAINING = "training of the policy"
_BRANCHES = "branches that were discarded"
_PLAYS = "auditions and evaluations"
_ADVICE = "waiting for the advisor, and checks"
_REST = "the rest: starts, checkpoints"


@dataclass(frozen=True)
class Spending:
    """Says what a run spent on one thing.

    Attributes:
        what: What it was spent on.
        env_steps: Environment steps; ``None`` where it takes none.
        trainer_steps: Trainer steps; ``None`` where it takes none.
        seconds: Wall-clock time, as far as the times of the events tell.
    """

    what: str
    env_steps: int | None
    trainer_steps: int | None
    seconds: float


@dataclass
class Asked:
    """Counts what a language model was asked, and how much of its claims is so.

    Attributes:
        model: Name of the model.
        calls: Number of requests.
        unusable: Number of answers that could not be used.
        prompt_tokens: Tokens of the requests, as far as the server said.
        answer_tokens: Tokens of the answers, as far as the server said.
        claims: Number of statements about the evidence.
        grounded: Number of these statements that the evidence bears out.
        seconds: Wall-clock time of all answers.
    """

    model: str
    calls: int = 0
    unusable: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    claims: int = 0
    grounded: int = 0
    seconds: float = 0.0


def spending_of(events: Sequence[Event]) -> list[Spending]:
    """Returns what a run spent on its training, its branches, its plays and its advice.

    Args:
        events: The events of a run, at least one.
    """
    seconds: dict[str, float] = defaultdict(float)
    pausing = False
    for before, after in pairwise(events):
        if isinstance(after, RoundStarted | RoundFinished):
            pausing = isinstance(after, RoundStarted)
        if isinstance(after, RunResumed):  # nobody knows how long it was stopped
            continue
        passed = max(after.time - before.time, 0.0)
        if pausing and isinstance(after, BranchEnded):  # others run beside the training
            branch = min(passed, after.seconds)
            seconds[_BRANCHES] += branch
            passed -= branch
        seconds[_use_of(before, after)] += passed
    env, trainer = events[-1].env_steps, events[-1].trainer_steps
    return [
        Spending(_TRAINING, env.mainline, trainer.mainline, seconds[_TRAINING]),
        Spending(_BRANCHES, env.branches, trainer.branches, seconds[_BRANCHES]),
        Spending(_PLAYS, env.evaluation, trainer.evaluation, seconds[_PLAYS]),
        Spending(_ADVICE, None, None, seconds[_ADVICE]),
        Spending(_REST, None, None, seconds[_REST]),
        Spending("in all", env.total, trainer.total, sum(seconds.values())),
    ]


def models_of(events: Sequence[Event]) -> list[Asked]:
    """Counts the requests to each language model.

    Args:
        events: The events of a run.
    """
    models: dict[str, Asked] = {}
    for event in events:
        if not isinstance(event, Exchanged):
            continue
        exchange = event.exchange
        model = models.setdefault(exchange.model, Asked(exchange.model))
        model.calls += 1
        model.unusable += bool(exchange.problem)
        model.prompt_tokens += exchange.prompt_tokens or 0
        model.answer_tokens += exchange.answer_tokens or 0
        model.claims += exchange.claims
        model.grounded += exchange.grounded
        model.seconds += exchange.seconds
    return list(models.values())


def _use_of(before: Event, after: Event) -> str:
    """Says what the time between two events went to."""
    trained = after.trainer_steps.mainline > before.trainer_steps.mainline
    match after:
        case Recorded() | RoundStarted() | Settled() | RolledBack() | RunFinished():
            return _TRAINING  # what is written between two pauses
        case Auditioned() | Ranked():
            return _PLAYS
        case Waited():
            return _ADVICE if after.seconds is not None else _TRAINING
        case Exchanged() | Diagnosed() | Proposed() | Checked() | AdvisorFailed():
            return _TRAINING if trained else _ADVICE
        case BranchEnded():
            return _TRAINING if trained else _REST
    return _REST
