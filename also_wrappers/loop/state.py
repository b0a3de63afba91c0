"""Holds the state of the loop that checkpoints keep, and writes its posting."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.branches.randomness import randomness_states, restore_randomness
from also_wrappers.evidence.stage import Stage
from also_wrappers.ledger.accounting import Accounting, Counts
from also_wrappers.loop.confirmation import Claim
from also_wrappers.loop.plan import Plan
from also_wrappers.loop.watch import Watch

__all__ = ["LoopState", "OpenRound", "Poster"]


class OpenRound(BaseModel):
    """Holds what an open round has to remember from one process to the next.

    The evidence and the episodes that the round was begun with are files of its
    directory; what has happened since is in its journal and in the ledger.

    Attributes:
        number: Number of the round.
        due: Trainer steps of the lineage at which the branches begin.
        first: Whether branches begin from the first checkpoint of the run.
        plan: How much the round may try.
        agents: Names of the agents of the team.
        stage: The learning stage.
        progress: Share of the planned training that was over.
        promised: Base return that the active signal's expert earned by itself, where
            that was known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    due: int
    first: bool
    plan: Plan
    agents: tuple[str, ...]
    stage: Stage
    progress: float
    promised: float | None


class LoopState(BaseModel):
    """Holds what the loop must remember from one process to the next.

    Attributes:
        next_pause: Trainer steps of the lineage at which the next round is due.
        distance: Trainer steps from the round that is due to the one after it.
        window: Trainer steps of the lineage at which the window began.
        horizon: Trainer steps of a branch of the next round.
        longest: Trainer steps of a branch of any round, at most.
        rounds: Rounds that were played, or skipped.
        open: The round that waits for its branches or trains them, if there is one.
        claim: The provisional signal that is being confirmed, if there is one.
        keeps: Whether signals stay at full strength to the end of the run, because the
            base return fell while one faded.
        watch: The exploratory signal that is being watched, if there is one.
        posting: The fields of the posting; set in checkpoints.
        trainer_steps: Trainer steps that were spent; set in checkpoints.
        randomness: States of the global random number generators; set in checkpoints.
    """

    model_config = ConfigDict(extra="forbid")

    next_pause: int = 0
    distance: int = 1
    window: int = 0
    horizon: int = 1
    longest: int = 1
    rounds: int = 0
    open: OpenRound | None = None
    claim: Claim | None = None
    watch: Watch | None = None
    keeps: bool = False
    posting: Posting = Posting()
    trainer_steps: Counts = Counts()
    randomness: dict[str, Any] = {}

    def lengthen(self) -> None:
        """Doubles the next round's horizon, up to the longest one allowed."""
        self.horizon = min(2 * self.horizon, max(self.longest, self.horizon))

    def checkpoint(self, posting: Posting, accounting: Accounting) -> LoopState:
        """Returns the state as a checkpoint keeps it, the global randomness included.

        Args:
            posting: The posting.
            accounting: Counts the steps of the run.
        """
        return self.model_copy(
            update={
                "posting": posting,
                "trainer_steps": accounting.trainer_steps(),
                "randomness": randomness_states(),
            }
        )

    def restore(self, accounting: Accounting, spent: Counts) -> None:
        """Restores the counted steps and the global randomness.

        Steps that were trained after the checkpoint are lost, and count as discarded:
        the total of all steps stays the same.

        Args:
            accounting: Gets the counts.
            spent: The steps that had been spent when the run ended.
        """
        restore_randomness(self.randomness)
        counts = self.trainer_steps
        # A kill between a rollback and its checkpoint makes the lineage longer again:
        # steps that were discarded then count as kept.
        trained = max(
            spent.mainline + spent.branches, counts.mainline + counts.branches
        )
        accounting.mainline = counts.mainline
        accounting.branches = trained - counts.mainline
        accounting.evaluation = max(spent.evaluation, counts.evaluation)
        accounting.unknown = spent.unknown


class Poster:
    """Writes the posting on a run's board, as its only writer.

    Args:
        board: The board.

    Attributes:
        posting: The posting on the board.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self.posting = board.read()

    def post(self, **changes: Any) -> None:
        """Posts a new version of the posting, with some of its fields changed."""
        version = self._board.version + 1
        fields = {**dict(self.posting), **changes, "version": version}
        self.posting = Posting(**fields)
        self._board.post(self.posting)
