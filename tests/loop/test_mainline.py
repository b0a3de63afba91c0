"""What is known of the mainline survives a restart."""

from __future__ import annotations

from pathlib import Path

from also_wrappers.evidence.stage import Window
from also_wrappers.ledger.accounting import Counts
from also_wrappers.ledger.events import Recorded, RolledBack, Swapped
from also_wrappers.loop.mainline import Mainline
from also_wrappers.run.run import Run
from also_wrappers.signal import Signal
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features


def at(steps: int) -> Counts:
    return Counts(mainline=steps)


def record(steps: int, mean: float, shaped: float) -> Recorded:
    window = Window(steps, 50, mean, 0.05, mean)
    return Recorded(
        trainer_steps=at(steps), window=window, shaped=shaped, strength=1.0, length=9.0
    )


def swap(steps: int) -> Swapped:
    return Swapped(
        trainer_steps=at(steps), round=1, old="none", signal=Signal(), describe=""
    )


def rollback(steps: int) -> RolledBack:
    return RolledBack(trainer_steps=at(steps), lost_steps=9, fall=0.1, signal="none")


def test_a_swap_stays_watched(tmp_path: Path) -> None:
    run = Run(Task("Walk.", corridor_features()), tmp_path / "run")
    mainline = Mainline(run)
    before = [record(k, 0.5, 0.5) for k in range(4)]
    after = [record(10 + k, 0.9 - 0.05 * k, 1.0 + k) for k in range(8)]
    lost = [record(100, 0.0, 99.0), swap(100)]
    mainline.resume([*before, swap(5), *after, *lost], steps=20)
    assert len(mainline.windows) == 12
    assert mainline.guard is not None
    fall = mainline.guard.fall()
    assert fall is not None
    assert 0.1 < fall < 0.4
    mainline.resume([*before, swap(5), rollback(9), *after], 20)
    assert mainline.guard is None
    mainline.resume([*before, swap(5), *after[:3]], steps=20)
    assert mainline.guard is not None
    assert mainline.guard.fall() is None
    run.close()
