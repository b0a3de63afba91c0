"""Begins a round's consultation, or takes it up again in another process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

from also_wrappers.advisors.base import Advisor, Situation
from also_wrappers.branches.executors import Executor
from also_wrappers.checks.check import Checks
from also_wrappers.evidence.document import Evidence
from also_wrappers.evidence.episodes import EpisodeRows, pack, unpack
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import write_atomic
from also_wrappers.gate.rule import Decision
from also_wrappers.ledger.events import (
    BranchEnded,
    Checked,
    Decided,
    Diagnosed,
    Event,
    Observed,
    Proposed,
    Refined,
    RoundFinished,
    RoundStarted,
    Swapped,
)
from also_wrappers.ledger.stamp import RoundEvent
from also_wrappers.loop.aside import Aside
from also_wrappers.loop.consult import Consultation
from also_wrappers.loop.journal import Journal
from also_wrappers.loop.round import Round
from also_wrappers.loop.settings import Settings
from also_wrappers.loop.state import OpenRound
from also_wrappers.proposals.outcomes import RoundOutcome
from also_wrappers.run.run import Run
from also_wrappers.signal.model import Signal
from also_wrappers.trainer import Trainer

__all__ = ["Begun", "Opened", "begin", "consult", "recall"]

#: Files in the directory of a round.
_JOURNAL, _EPISODES = "journal.jsonl", "episodes.npz"
#: Events that an interrupted round would write again when it goes on.
_REPEATED = (Diagnosed, Proposed, Checked, Refined, Decided, Swapped, RoundFinished)


@dataclass(frozen=True)
class Begun:
    """Holds what a round was begun with, and what an earlier process has done of it.

    Attributes:
        evidence: The evidence of the window.
        episodes: Whole episodes of the window.
        journal: Keeps what was answered and played.
        ended: Events of the branches that were trained.
        repeated: Events that are in the ledger and would be written again.
    """

    evidence: Evidence
    episodes: list[EpisodeRows]
    journal: Journal
    ended: Sequence[BranchEnded] = ()
    repeated: Sequence[RoundEvent] = ()


@dataclass(frozen=True)
class Opened:
    """Holds a round that waits for its branches.

    Attributes:
        memory: What the round remembers from one process to the next.
        journal: Keeps what was answered and played.
        consultation: Asks the advisor.
        round: The round.
        asked: The consultation, as work beside the training; returns the round's
            decision where there is nothing to try.
    """

    memory: OpenRound
    journal: Journal
    consultation: Consultation
    round: Round
    asked: Aside[Decision | None]


def begin(folder: Path, evidence: Evidence, episodes: list[EpisodeRows]) -> Begun:
    """Saves what a round is begun with, so that another process can resume it.

    Args:
        folder: Directory of the round.
        evidence: The evidence of the window.
        episodes: Whole episodes of the window.
    """
    write_atomic(folder / _EPISODES, pack(episodes))
    return Begun(evidence, episodes, Journal(folder / _JOURNAL))


def recall(folder: Path, number: int, events: Sequence[Event]) -> Begun:
    """Reads an interrupted round from its directory and the ledger.

    Args:
        folder: Directory of the round.
        number: Number of the round.
        events: The events of the lineage.

    Raises:
        ConfigurationError: The evidence or the episodes of the round are not there, or
            damaged.
    """
    mine: list[Event] = []
    for event in events:
        if isinstance(event, RoundEvent) and event.round == number:
            mine = [event] if isinstance(event, RoundStarted) else [*mine, event]
    observed = next((event for event in mine if isinstance(event, Observed)), None)
    if observed is None:
        raise ConfigurationError(f"the ledger has no evidence of round {number}")
    try:
        episodes = unpack((folder / _EPISODES).read_bytes())
        journal = Journal(folder / _JOURNAL, goes_on=True)
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise ConfigurationError(
            f"the files of the round in {folder} cannot be read ({error})"
        ) from error
    return Begun(
        observed.evidence,
        episodes,
        journal,
        [event for event in mine if isinstance(event, BranchEnded)],
        [event for event in mine if isinstance(event, _REPEATED)],
    )


def consult(
    run: Run,
    advisor: Advisor,
    settings: Settings,
    executor: Executor,
    trainer: Trainer,
    memory: OpenRound,
    begun: Begun,
    signal: Signal,
    history: Sequence[RoundOutcome],
) -> Opened:
    """Asks the advisor about the evidence that a round was begun with.

    Args:
        run: The run.
        advisor: The advisor that is asked.
        settings: What the user allows.
        executor: Where branches will run.
        trainer: The trainer.
        memory: What the round remembers from one process to the next.
        begun: What the round was begun with.
        signal: The active signal.
        history: Outcomes of earlier rounds.
    """
    task, evidence = run.task, begun.evidence
    situation = Situation(
        task.description,
        task.features,
        memory.agents,
        signal,
        evidence,
        memory.stage,
        memory.progress,
        tuple(history),
        actions=task.actions if trainer.imitates else None,
        gamma=trainer.gamma,
        horizon=memory.plan.horizon // trainer.agents_per_env,
        episodes=begun.episodes,
    )
    best = evidence.values.get("team.base_return.max", 0.0)
    checks = Checks(
        task.features,
        memory.agents,
        begun.episodes,
        max(abs(best), 1.0),
        trainer.gamma,
        may_fade=not trainer.replays,
        actions=task.actions,  # a trainer that does not imitate says why
    )
    consultation = Consultation(
        memory.number, run, advisor, situation, checks, begun.journal, memory.promised
    )
    played = Round(
        memory.number,
        run,
        settings.gate,
        executor,
        memory.plan,
        situation,
        consultation,
        begun.ended,
    )
    asked = Aside(played.consult, beside=advisor.slow)
    return Opened(memory, begun.journal, consultation, played, asked)
