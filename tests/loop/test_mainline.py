"""What is known of the mainline survives a restart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from also_wrappers.board.board import Board
from also_wrappers.evidence.episodes import Episodes
from also_wrappers.evidence.stage import Window
from also_wrappers.ledger.accounting import Counts
from also_wrappers.ledger.events import Event, Recorded, RolledBack, Swapped
from also_wrappers.ledger.lineage import of_the_lineage
from also_wrappers.loop.guard import Guard
from also_wrappers.loop.mainline import Mainline
from also_wrappers.run.run import Run
from also_wrappers.signal import Expert, Rule, Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.trainer import Trainer
from tests.support.watched import short_or_fails, watch


def at(steps: int) -> Counts:
    return Counts(mainline=steps, total=steps)


def record(steps: int, mean: float, shaped: float) -> Recorded:
    window = Window(steps, 50, mean, 0.05, mean)
    return Recorded(
        trainer_steps=at(steps), window=window, shaped=shaped, strength=1.0, length=9.0
    )


def swap(steps: int) -> Swapped:
    return Swapped(
        trainer_steps=at(steps),
        round=1,
        old="none",
        signal=Signal(),
        describe="",
        since=steps,
        provisional=True,
    )


def rollback(steps: int) -> RolledBack:
    return RolledBack(trainer_steps=at(steps), lost_steps=9, fall=0.1, signal="none")


@dataclass
class Counter:
    """All that the record asks of a trainer."""

    steps: int = 0

    def imitated(self) -> None:
        """Imitates nobody."""


def test_a_line_of_the_record_waits_for_enough_episodes(tmp_path: Path) -> None:
    run = Run(Task("Walk.", corridor_features(), success="base_return >= 1"), tmp_path)
    env = run.shape(Corridor(length=3, limit=2))
    mainline, trainer = Mainline(run), Counter()
    for episode in range(6):
        action = 2 if episode in (0, 3) else 0
        env.reset(seed=0)
        while env.agents:
            env.step(dict.fromkeys(env.agents, action))
        trainer.steps += 8
        mainline.record(cast(Trainer, trainer), 1.0, at_least=4)
    (line,) = mainline.windows
    assert (line.steps, line.episodes) == (32, 4)
    assert (line.mean, line.std) == (0.5, 0.5)
    assert (line.rewarded, line.success) == (0.5, 0.5)
    (written,) = [e for e in run.events() if isinstance(e, Recorded)]
    assert written.length == 2.0
    mainline.record(cast(Trainer, trainer), 1.0, at_least=1)
    assert mainline.windows[-1].episodes == 2
    run.close()


class Played:
    """The board of a training of 16 copies, some steps of which have been played."""

    copies = 16

    def __init__(self, episodes: Episodes) -> None:
        self.step = 0
        self._episodes = episodes

    def new_episodes(self) -> Episodes:
        ended = self._episodes["end"] <= self.step
        new, self._episodes = self._episodes[ended], self._episodes[~ended]
        return new


def test_lines_of_the_record_agree_with_an_evaluation(tmp_path: Path) -> None:
    """The first line, whose copies all began at once, and those after it."""
    random = np.random.default_rng(0)
    plain, first, later = [], [], []
    for number in range(60):
        run = Run(Task("Walk.", corridor_features()), tmp_path / str(number))
        mainline = Mainline(run)
        played = watch(short_or_fails(0.5), 16, 640, random)
        board = Played(played)
        run.board = cast(Board, board)
        for board.step in range(64, 641, 64):
            mainline.record(cast(Trainer, Counter(board.step)), 1.0)
        begin, *others = mainline.windows
        plain.append(played[played["end"] <= begin.steps]["base_return"].mean())
        first.append(begin.mean)
        later += [window.mean for window in others]
        assert begin.std == pytest.approx((begin.mean * (1.0 - begin.mean)) ** 0.5)
        run.close()
    assert np.mean(plain) - 0.5 > 0.04
    assert abs(np.mean(first) - 0.5) < 0.025
    assert abs(np.mean(later) - 0.5) < 0.015


def test_a_swap_stays_watched(tmp_path: Path) -> None:
    run = Run(Task("Walk.", corridor_features()), tmp_path / "run")
    mainline = Mainline(run)
    before: list[Event] = [record(k, 0.5, 0.5) for k in range(4)]
    after: list[Event] = [record(10 + k, 0.8 - 0.1 * k, 1.0 + k) for k in range(8)]
    lost: list[Event] = [record(100, 0.0, 99.0), swap(100)]
    events = [*before, swap(5), *after, *lost]
    mainline.resume(of_the_lineage(events, 20))
    assert len(mainline.windows) == 12
    assert mainline.guard is not None
    fall = mainline.guard.fall()
    assert fall is not None
    assert fall == pytest.approx(0.4)
    higher = [record(10 + k, 1.2 - 0.1 * k, 1.0 + k) for k in range(8)]
    mainline.resume([*before, swap(5), *higher])
    assert mainline.guard is not None
    assert mainline.guard.fall() is None, "to undo the swap would lose more"
    mainline.resume([*before, swap(5), rollback(9), *after])
    assert mainline.guard is None
    mainline.resume([*before, swap(5), *after[:3]])
    assert mainline.guard is not None
    assert mainline.guard.fall() is None
    run.close()


def test_without_terms_a_fall_of_the_base_return_alone_is_noticed() -> None:
    term = Term(name="on", kind="progress", expression="place", weight=1.0)
    expert = Expert(rules=(Rule(when="1", do="on"),))
    falls = []
    for signal in (Signal(terms=(term,)), Signal(expert=expert)):
        guard = Guard(signal, [Window(0, 50, 0.8, 0.05, 0.8)])
        for k in range(8):
            mean = 0.9 - 0.05 * k
            guard.add(Window(k, 50, mean, 0.05, mean), shaped=mean)
        falls.append(guard.fall())
    assert falls[0] is None, "it fell with what is paid, so nothing was hacked"
    assert falls[1] == pytest.approx(0.2)
