"""How the strength of the active signal falls: at a run's end, or by itself."""

from __future__ import annotations

import math

from also_wrappers.board.posting import Posting
from also_wrappers.trainer import Trainer

__all__ = ["fade_begin", "strength"]

#: Share of the planned training at whose end policies learn on the base reward alone.
_USUAL = 0.1


def fade_begin(fade_out: float | None, trainer: Trainer) -> int:
    """Returns the trainer steps after which the strength begins to fall.

    Args:
        fade_out: Share of the planned training, if that was given. By default a tenth,
            but 0 where values of a replay buffer would fade with the signal.
        trainer: The trainer.
    """
    usual = 0.0 if trainer.replays else _USUAL
    share = usual if fade_out is None else fade_out
    return int((1.0 - share) * trainer.total)


def strength(posting: Posting, begin: int, trainer: Trainer) -> float:
    """Returns the strength that the active signal should have now, in hundredths.

    It is that of the run's end times that of a signal that fades by itself. At the end
    of a run an expert alone does not fade: the pull towards it ends itself, and what is
    left of the pull keeps a policy steady that has nothing more to learn.

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
    """A strength that falls from 1 to 0 within so many steps from a beginning."""
    return min(max(1.0 - (steps - begin) / max(lasts, 1.0), 0.0), 1.0)
