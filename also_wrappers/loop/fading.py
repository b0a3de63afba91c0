"""Computes how the strength of the active signal falls towards 0."""

from __future__ import annotations

import math

from also_wrappers.board.posting import Posting
from also_wrappers.trainer import Trainer

__all__ = ["fade_begin", "strength"]

#: Share of the planned training, at its end, over which the strength falls to 0.
_USUAL = 0.1


def fade_begin(fade_out: float | None, trainer: Trainer) -> int:
    """Returns the trainer steps at which the strength begins to fall.

    Args:
        fade_out: Share of the planned training; by default a tenth, but 0 where the
            trainer learns from a replay buffer, whose values would fade with the
            signal.
        trainer: The trainer.
    """
    usual = 0.0 if trainer.replays else _USUAL
    share = usual if fade_out is None else fade_out
    return int((1.0 - share) * trainer.total)


def strength(posting: Posting, begin: int, trainer: Trainer) -> float:
    """Returns the strength that the active signal should have now, in hundredths.

    The strength is the product of two: one falls at the end of the run, the other while
    a signal fades by itself. At the end of a run an expert without terms does not fade:
    the pull towards the expert ends itself, and what is left of the pull keeps a policy
    steady that has nothing more to learn.

    Args:
        posting: What is posted.
        begin: Trainer steps after which the strength of any signal falls.
        trainer: The trainer.
    """
    share = 1.0
    if posting.signal.terms:
        share = _falling(begin, trainer.total - begin, trainer.steps)
    if posting.signal.fade is not None:
        lasts = posting.signal.fade * trainer.total
        share *= _falling(posting.since, lasts, trainer.steps)
    return math.floor(100.0 * share) / 100.0


def _falling(begin: float, lasts: float, steps: int) -> float:
    """Returns a strength that falls linearly from 1 to 0 within ``lasts`` steps."""
    return min(max(1.0 - (steps - begin) / max(lasts, 1.0), 0.0), 1.0)
