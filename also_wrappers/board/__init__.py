"""Posts the active signal, and collects the evidence of environment copies."""

from also_wrappers.board.board import Board, Collected
from also_wrappers.board.posting import Posting

__all__ = ["Board", "Collected", "Posting"]
