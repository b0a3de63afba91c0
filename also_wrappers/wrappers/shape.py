"""``Shape``: puts a board's wrapper around an environment, whatever its kind."""

from __future__ import annotations

from typing import Any

from also_wrappers.board.board import Board
from also_wrappers.task import Task
from also_wrappers.wrappers import wrap

__all__ = ["Shape"]


class Shape:
    """Puts a board's wrapper around environments; the argument of ``make_venv``.

    All environments that one ``Shape`` is put around share its board.
    """

    def __init__(self, task: Task, board: Board) -> None:
        self.board = board
        self.task = task

    def __call__(self, env: Any) -> Any:
        """Returns the environment with the wrapper around it, whatever its kind."""
        return wrap(
            env,
            self.task.features,
            board=self.board,
            conditions=self.task.conditions,
            success=self.task.success,
            swap_at=self.task.swap_at,
            actions=self.task.actions,
        )
