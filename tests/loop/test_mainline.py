"""What is known of the mainline survives a restart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from also_wrappers.loop.mainline import Mainline
from also_wrappers.run.run import Run
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainer import Trainer


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


@dataclass
class Counter:
    """All that the record asks of a trainer."""

    steps: int = 0


def test_a_line_of_the_record_waits_for_enough_episodes(tmp_path: Path) -> None:
    run = Run(Task("Walk.", corridor_features(), success="base_return >= 1"), tmp_path)
    env = run.shape(Corridor(length=3, limit=4))
    mainline, trainer = Mainline(run), Counter()
    for episode in range(6):
        action = 2 if episode in (0, 3) else 0
        env.reset(seed=0)
        while env.agents:
            env.step(dict.fromkeys(env.agents, action))
        trainer.steps += 8
        mainline.record(cast(Trainer, trainer), at_least=4)
    (line,) = mainline.windows
    assert (line.steps, line.episodes) == (32, 4)
    assert (line.mean, line.std) == (0.5, 0.5)
    assert (line.rewarded, line.success) == (0.5, 0.5)
    (written,) = [e for e in run.events() if e["event"] == "record"]
    assert written["length"] == 3.0
    mainline.record(cast(Trainer, trainer), at_least=1)
    assert mainline.windows[-1].episodes == 2
    run.close()


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
