"""The board: where the active signal is posted and evidence is left."""

from also_wrappers.board.board import Board, Collected
from also_wrappers.board.posting import Posting

__all__ = ["Board", "Collected", "Posting"]
