"""What the loop needs to go on from a checkpoint, and the posting that it owns."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.branches.randomness import randomness_states, restore_randomness
from also_wrappers.ledger.accounting import Accounting, Counts

__all__ = ["LoopState", "Poster"]


class LoopState(BaseModel):
    """Holds the state of the loop at a checkpoint.

    Attributes:
        posting: What is posted.
        trainer_steps: Trainer steps that were spent.
        next_pause: Trainer steps of the lineage at which the next round is due.
        rounds: Rounds that were begun.
        randomness: States of the global random number generators.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    posting: Posting
    trainer_steps: Counts
    next_pause: int
    rounds: int
    randomness: dict[str, Any]

    @classmethod
    def take(
        cls, posting: Posting, accounting: Accounting, next_pause: int, rounds: int
    ) -> LoopState:
        """Takes the state of the loop, and that of the global randomness."""
        return cls(
            posting=posting,
            trainer_steps=accounting.trainer_steps(),
            next_pause=next_pause,
            rounds=rounds,
            randomness=randomness_states(),
        )

    def restore(self, accounting: Accounting, spent: Counts) -> None:
        """Puts counts and global randomness back.

        Steps that were trained after the checkpoint are lost and stay counted, as
        steps that were spent and discarded. Where the run ended between a rollback and
        the checkpoint after it, steps that were given up are in the lineage again.

        Args:
            accounting: Gets the counts.
            spent: What had been spent when the run ended.
        """
        restore_randomness(self.randomness)
        lost = spent.mainline - self.trainer_steps.mainline
        accounting.mainline = self.trainer_steps.mainline
        accounting.branches = spent.branches + lost
        accounting.evaluation = spent.evaluation


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
