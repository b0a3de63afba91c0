"""What is known of the mainline survives a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from also_wrappers.loop.mainline import Mainline
from also_wrappers.run.run import Run
from also_wrappers.task import Task
from also_wrappers.testing import corridor_features


def event(kind: str, steps: int, **more: Any) -> dict[str, Any]:
    return {"event": kind, "trainer_steps": {"mainline": steps}, **more}


def record(steps: int, mean: float, shaped: float) -> dict[str, Any]:
    window = {
        "steps": steps,
        "episodes": 50,
        "mean": mean,
        "std": 0.05,
        "rewarded": mean,
        "success": None,
    }
    return event("record", steps, window=window, shaped=shaped)


def test_a_swap_stays_watched(tmp_path: Path) -> None:
    run = Run(Task("Walk.", corridor_features()), tmp_path / "run")
    mainline = Mainline(run)
    before = [record(k, 0.5, 0.5) for k in range(4)]
    after = [record(10 + k, 0.9 - 0.05 * k, 1.0 + k) for k in range(8)]
    lost = [record(100, 0.0, 99.0), event("swap", 100)]
    mainline.resume([*before, event("swap", 5), *after, *lost], steps=20)
    assert len(mainline.windows) == 12
    assert mainline.guard is not None
    fall = mainline.guard.fall()
    assert fall is not None
    assert 0.1 < fall < 0.4
    mainline.resume([*before, event("swap", 5), event("rollback", 9), *after], 20)
    assert mainline.guard is None
    mainline.resume([*before, event("swap", 5), *after[:3]], steps=20)
    assert mainline.guard is not None
    assert mainline.guard.fall() is None
    run.close()
