"""Evidence: what is recorded is what happened, and it merges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from also_wrappers.board.slots import Slot, SlotReader, slot_dtype
from also_wrappers.evidence import Layout, Recorder, merge, summarise
from also_wrappers.evidence.accumulate import accumulate
from also_wrappers.evidence.block import Block
from also_wrappers.evidence.episodes import EPISODE
from also_wrappers.evidence.recorder import LONGEST_SEGMENT, compile_success
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal import Signal, parse
from also_wrappers.trainer import EVALUATED

LAYOUT = Layout(("a", "b"), ("x", "y"), ((3,), (3,)), (0, 1))
EVENT = parse("team_max(x) > 0.9", ["x", "y"])
SUCCESS = parse("base_return >= 1", ["x", "y", "base_return", "episode_length"])

Story = list[tuple[list[list[float]], list[int], list[float]]]


def record(
    stories: Sequence[Story], first: int = 0, together: int = 5
) -> npt.NDArray[np.float64]:
    """Plays stories (rows, actions, rewards per step) into accumulators, in blocks."""
    recorder = Recorder(LAYOUT, compile_success(SUCCESS))
    values = LAYOUT.empty()
    block = Block.empty(LAYOUT)
    for time, story in enumerate(stories, start=first + 1):
        recorder.begin([[0.0, 0.0], [0.0, 0.0]], [0, 1])
        for rows, actions, rewards in story:
            recorder.step(rows, actions, rewards, [0.0, 0.0], [0, 1])
        episode = recorder.finish(True, [])
        block.append(episode, episode.numbers(time))
        if time % together == 0:
            accumulate(LAYOUT, values, block, [EVENT])
            block.clear()
    accumulate(LAYOUT, values, block, [EVENT])
    return values


number = st.floats(-2, 2)
step = st.tuples(
    st.lists(st.lists(number, min_size=2, max_size=2), min_size=2, max_size=2),
    st.lists(st.integers(0, 2), min_size=2, max_size=2),
    st.lists(st.sampled_from([0.0, 0.0, 1.0]), min_size=2, max_size=2),
)
story = st.lists(step, min_size=1, max_size=6)


@settings(max_examples=40)
@given(st.lists(story, min_size=1, max_size=6), st.integers(0, 6))
def test_merging_equals_seeing_all_in_one_place(stories: list[Story], cut: int) -> None:
    parts = [record(stories[:cut]), record(stories[cut:], cut)]
    together = record(stories)
    np.testing.assert_allclose(merge(LAYOUT, parts), together, atol=1e-9)
    np.testing.assert_array_equal(
        merge(LAYOUT, parts), merge(LAYOUT, list(reversed(parts)))
    )


def walk(goal: bool) -> Story:
    """x of agent a rises to 1, then the team is paid; or nothing moves."""
    if not goal:
        return [([[0.0, 0.5], [0.0, 0.5]], [0, 0], [0.0, 0.0])] * 4
    rises = [([[x, 0.5], [0.2, 0.5]], [1, 2], [0.0, 0.0]) for x in (0.3, 0.6, 0.95)]
    return [*rises, ([[0.0, 0.5], [0.2, 0.5]], [1, 2], [1.0, 1.0])]


def test_known_numbers() -> None:
    values = record([walk(True)] * 5 + [walk(False)] * 15)
    evidence = summarise(LAYOUT, values, Signal(), {"near": "..."}, has_success=True)
    got = evidence.values
    assert not evidence.insufficient
    assert got["team.episodes"] == 20
    assert got["team.base_return.mean"] == pytest.approx(0.25)
    assert got["team.reward_rate"] == 0.25
    assert got["team.success_rate"] == 0.25
    assert got["team.first_reward"] == 4
    assert got["team.action.same_share"] == 0.75
    # Agent a acts 0, 1 in 3 of 4 and 1 of 4 episodes; agent b acts 0, 2.
    assert 0.0 < got["team.action.specialisation"] < 0.5
    assert got["condition.near.rate"] == 0.25
    assert got["condition.near.first"] == 3
    assert got["condition.near.reward_rate"] == 1.0
    assert got["a.action.idle_share"] == pytest.approx(0.75 * 3 / 4)
    assert got["a.action.entropy"] > 0.0
    assert got["feature.x.max"] == 0.95
    # Before a reward the largest x of the team stands out; afterwards it falls.
    assert got["feature.x.reward_max"] > 2.0
    assert got["feature.x.reward_jump"] < -0.4
    # x is high in exactly the episodes that are paid, and those came first.
    assert got["feature.x.better"] > 5.0 > got["feature.x.better_error"]
    assert got["feature.x.late"] < -1.0
    assert got["condition.near.better"] == got["feature.x.better"]
    assert evidence.unavailable["feature.y.better"] == "it does not vary"
    assert "feature.y.reward_jump" in got


def test_missing_is_said_and_not_zero() -> None:
    evidence = summarise(LAYOUT, record([walk(False)] * 20), Signal())
    assert "team.first_reward" not in evidence.values
    assert evidence.unavailable["team.first_reward"] == "no reward was seen"
    assert evidence.unavailable["team.success_rate"] == "the task declares no success"


def test_equal_returns_are_not_put_in_an_order() -> None:
    stories = [walk(False)] * 10 + [walk(False)[:2]] * 10
    evidence = summarise(LAYOUT, record(stories), Signal(), {"near": "..."})
    assert not [key for key in evidence.values if key.endswith("better")]
    assert evidence.unavailable["feature.x.better"] == "all returns are equal"
    assert "unavailable, all returns are equal: " in evidence.text()


def test_too_few_episodes_are_insufficient() -> None:
    evidence = summarise(LAYOUT, record([walk(True)] * 3), Signal())
    assert "3 episodes" in evidence.insufficient[0]
    assert evidence.text().startswith("insufficient evidence")
    nothing = summarise(LAYOUT, LAYOUT.empty(), Signal())
    assert nothing.values == {"team.episodes": 0.0}


def test_the_text_keeps_its_budget_and_says_what_it_left_out() -> None:
    evidence = summarise(LAYOUT, record([walk(True)] * 20), Signal())
    whole, short = evidence.text(), evidence.text(budget=120)
    for budget in (120, 300, 600):
        assert len(evidence.text(budget)) <= 3 * budget
    assert len(whole) > 3 * 300
    assert "unavailable, the task declares no success: team.success_rate" in whole
    assert "left out, " in short
    assert "feature.*." in short.partition("left out, ")[2]
    assert short.startswith("team.")


def test_an_endless_episode_is_recorded_in_segments_of_fixed_memory() -> None:
    recorder = Recorder(LAYOUT)
    recorder.begin([[0.0, 0.0]] * 2, [0, 1])
    steps = 0
    while not recorder.full:
        recorder.step([[0.0, 0.0]] * 2, [0, 0], [0.0, 0.0], [0.0, 0.0], [0, 1])
        steps += 1
    assert steps == LONGEST_SEGMENT
    assert recorder.finish(False).length == LONGEST_SEGMENT


def test_a_slot_does_not_grow(tmp_path: Path) -> None:
    slot = Slot(tmp_path, LAYOUT)
    (path,) = tmp_path.glob("*.map")
    size = path.stat().st_size
    recorder = Recorder(LAYOUT)
    for k in range(3000):
        recorder.begin([[0.0, 0.0]] * 2, [0, 1])
        for _ in range(1 + k % 5):
            recorder.step([[0.5, 0.5]] * 2, [1, 2], [0.0, 1.0], [0.0, 0.0], [0, 1])
        slot.leave(recorder.finish(True), window=0, at=k)
    assert path.stat().st_size == size
    reader = SlotReader(path.with_suffix(".json"))
    recorded = reader.read(0, [])
    assert recorded is not None
    assert LAYOUT.scalar(recorded[0], "episodes") == 3000
    assert LAYOUT.scalar(recorded[0], "steps") == sum(1 + k % 5 for k in range(3000))
    ended, latest = reader.recent(0)
    assert ended == 3000
    assert latest["end"].tolist() == list(range(3000 - len(latest), 3000))
    assert latest["length"].tolist() == [1 + k % 5 for k in latest["end"]]
    ended, latest = reader.recent(2990)
    assert (ended, latest["end"].tolist()) == (3000, list(range(2990, 3000)))


def places(dtype: np.dtype[np.void], at: int = 0) -> Iterator[tuple[str, int, int]]:
    """Name, place in bytes and alignment of every field, nested ones included."""
    for name, (field, offset, *_) in (dtype.fields or {}).items():
        yield name, at + offset, field.alignment
        yield from places(field.base, at + offset)


def test_every_number_of_a_slot_is_aligned() -> None:
    """So a number is written at once, and a reader never sees half of it."""
    layout = Layout(("a",), ("x", "y", "z"), ((3,),), (0,))
    dtype = slot_dtype(layout, copies=3)
    found = list(places(dtype))
    assert {"sequence", "base_return", "starts"} <= {name for name, _, _ in found}
    for name, place, alignment in found:
        assert place % alignment == 0, name
    assert dtype.itemsize % 8 == 0
    assert EPISODE.itemsize % 8 == 0


def test_a_write_that_was_cut_off_is_not_read(tmp_path: Path) -> None:
    slot = Slot(tmp_path, LAYOUT)
    (path,) = tmp_path.glob("*.map")
    recorder = Recorder(LAYOUT)
    recorder.begin([[0.0, 0.0]] * 2, [0, 1])
    recorder.step([[0.5, 0.5]] * 2, [1, 2], [0.0, 1.0], [0.0, 0.0], [0, 1])
    slot.leave(recorder.finish(True), window=0, at=1)
    reader = SlotReader(path.with_suffix(".json"))
    assert reader.read(0, []) is not None
    assert reader.recent(0)[0] == 1
    record = np.memmap(path, slot_dtype(LAYOUT, copies=1), "r+", shape=(1,))
    record["sequence"] += 1
    assert reader.read(0, []) is None
    assert reader.recent(0)[0] == 0
    record["sequence"] += 1
    assert reader.read(0, []) is not None


def test_what_is_too_large_for_a_slot_is_said(tmp_path: Path) -> None:
    agents = tuple(f"agent_{i}" for i in range(300))
    features = tuple(f"x{k}" for k in range(500))
    layout = Layout(agents, features, ((3,),) * 300, tuple(range(500)))
    with pytest.raises(ConfigurationError, match="500 features of 300 agents"):
        Slot(tmp_path, layout)
    assert not list(tmp_path.iterdir())


def test_evaluations_name_their_numbers_as_episodes_do() -> None:
    for name in EVALUATED.names or ():
        assert EVALUATED[name] == EPISODE[name]
