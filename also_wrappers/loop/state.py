"""What the loop needs to go on from a checkpoint, and the posting that it owns."""

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
    """Holds what a round has to remember to go on in another process.

    What it was begun with is in its directory, what has happened in its journal and in
    the ledger.

    Attributes:
        number: Number of the round.
        due: Trainer steps of the lineage at which the branches begin.
        first: Whether branches begin from the first checkpoint of the run.
        plan: How much the round may try.
        agents: The team.
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
        posting: What is posted; set in checkpoints.
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
        """Makes the branches of the next round longer, as the last found nothing."""
        self.horizon = min(2 * self.horizon, max(self.longest, self.horizon))

    def checkpoint(self, posting: Posting, accounting: Accounting) -> LoopState:
        """Returns the state as a checkpoint keeps it, the global randomness included.

        Args:
            posting: What is posted.
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
        """Puts counts and global randomness back.

        Steps that were trained after the checkpoint are lost and stay counted, as
        steps that were spent and discarded: what was spent in all stays the same.

        Args:
            accounting: Gets the counts.
            spent: What had been spent when the run ended.
        """
        restore_randomness(self.randomness)
        counts = self.trainer_steps
        # After a rollback whose checkpoint was not saved, the lineage is longer again
        # than it was: what was discarded counts as kept.
        trained = max(
            spent.mainline + spent.branches, counts.mainline + counts.branches
        )
        accounting.mainline = counts.mainline
        accounting.branches = trained - counts.mainline
        accounting.evaluation = max(spent.evaluation, counts.evaluation)
        accounting.unknown = spent.unknown


class Poster:
    """Owns what is posted on a run's board: nobody else writes there.

    Args:
        board: The board.

    Attributes:
        posting: What is posted.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self.posting = board.read()

    def post(self, **changes: Any) -> None:
        """Posts the posting with some of its fields changed, as a new version."""
        version = self._board.version + 1
        fields = {**dict(self.posting), **changes, "version": version}
        self.posting = Posting(**fields)
        self._board.post(self.posting)
