"""Many teams that step together are paid and recorded as each of them alone."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.evidence.block import Block
from also_wrappers.signal import Action, Actions, Expert, Fade, Rule, Signal
from also_wrappers.wrappers.shaped_team import ShapedTeam
from also_wrappers.wrappers.shaped_vector import ShapedVector
from also_wrappers.wrappers.source import Options, SignalSource
from tests.support.language import FEATURES, signals

TEAM = ["a", "b", "c"]
SPACES: list[spaces.Space[Any]] = [
    spaces.Discrete(3, start=1),
    spaces.Box(-1.0, 1.0, (2,)),
    spaces.MultiDiscrete([2, 3]),
]
COPIES, STEPS = 4, 40
ARRAYS = "rows", "actions", "rewards"
#: Making an example smaller would take minutes.
BRIEFLY = settings(max_examples=15, phases=[Phase.reuse, Phase.generate])
OPTIONS: Options = {
    "success": "base_return > 0 and team_max(distance) > left",
    "conditions": {"near": "team_mean(distance) < 0.5"},
}
EXPERT = Expert(
    rules=(
        Rule(when="team_min(distance) > 0", do="on", agents=("a", "c")),
        Rule(when="others_max(left) < speed", do="stay"),
    )
)
ACTIONS = Actions((Action("stay", 0), Action("on", 1)))


class Left:
    """Keeps what is left on boards, in place of the slots."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.episodes: list[str] = []
        leave, leave_all = SignalSource.leave, SignalSource.leave_all

        def keep(source: SignalSource, episode: Any, at: int) -> None:
            block = Block.empty(source.layout)
            block.append(episode, episode.numbers(at))
            self._keep(block)
            leave(source, episode, at)

        def keep_all(source: SignalSource, ended: Any) -> None:
            for k in range(len(ended.episodes)):
                block = Block.empty(source.layout)
                only = slice(k, k + 1)
                names = ("episodes", "detailed", "has_terms", "paid", "invalid")
                parts = {name: getattr(ended, name)[only] for name in names}
                rows = slice(ended.starts[k], ended.starts[k + 1])
                arrays = {n: getattr(ended, n)[rows] for n in ARRAYS}
                starts = ended.starts[k : k + 2] - ended.starts[k]
                one = replace(ended, **parts, **arrays, starts=starts)
                assert block.extend(one, 0) == 1
                self._keep(block)
            leave_all(source, ended)

        patch.setattr(SignalSource, "leave", keep)
        patch.setattr(SignalSource, "leave_all", keep_all)

    def _keep(self, block: Block) -> None:
        end = int(block.starts[1])
        parts = (
            block.episodes[0].item(),
            block.rows[:end].tolist(),
            block.rewards[1:end].tolist(),
            block.actions[1:end].tolist(),
            block.alive[:end].tolist(),
            bool(block.has_terms[0]) and (block.paid[0] + 0.0).tolist(),  # no -0.0
            block.invalid[0].tolist(),
        )
        self.episodes.append(repr(parts))

    def take(self) -> list[str]:
        """What was left since the last call, in an order of its own."""
        episodes, self.episodes = sorted(self.episodes), []
        return episodes


class Script:
    """What happens to many copies of a team."""

    def __init__(self, seed: int, apart: bool) -> None:
        random = np.random.default_rng(seed)
        shape = STEPS + 1, 2, len(TEAM), COPIES
        odd = [0.0, np.nan, np.inf, 1e7]
        size = len(FEATURES), *shape
        features = random.normal(size=size)
        self.features = np.where(
            random.random(size) < 0.01, random.choice(odd, size), features
        )
        self.rewards = random.normal(size=shape)[:, 0].astype(np.float32)
        ends = random.random((3, STEPS + 1, len(TEAM), COPIES)) < 0.03
        self.whole: Any = ends.any(axis=(0, 2))
        if apart:  # agents end, and their environments go on
            self.whole &= random.random(self.whole.shape) < 0.5
        self.terminated, self.truncated = ends[0], ends[1] & ~ends[0]
        self.actions: list[Any] = [
            random.integers(1, 4, (STEPS + 1, COPIES)),
            random.random((STEPS + 1, COPIES, 2)).astype(np.float32),
            random.integers(0, 2, (STEPS + 1, COPIES, 2)),
        ]

    def seen(self, t: int, first: int, k: int) -> dict[str, Any]:
        return {a: self.features[:, t, first, i, k] for i, a in enumerate(TEAM)}

    def by_agent(self, values: Any, k: int) -> dict[str, Any]:
        return {agent: values[i, k].item() for i, agent in enumerate(TEAM)}


def play_alone(script: Script, team: ShapedTeam, k: int, post: Any) -> list[Any]:
    """What one copy of the team is paid and advised."""
    team.reset(script.seen(0, 1, k), {})
    paid = []
    for t in range(1, STEPS + 1):
        post(t)
        terminated, truncated = script.terminated[t], script.truncated[t]
        over = bool(script.whole[t, k])
        added = team.step(
            {agent: script.actions[i][t, k] for i, agent in enumerate(TEAM)},
            script.seen(t, 0, k),
            script.by_agent(script.rewards[t], k),
            script.by_agent(terminated, k),
            script.by_agent(truncated, k),
            {},
            ended=bool((terminated | truncated)[:, k].any()),
            over=over,
        )
        if over:
            team.reset(script.seen(t, 1, k), {})
        advised = team.first_infos({}).values()
        advice = [info["shaping"]["advice"] for info in advised] or [0] * len(TEAM)
        paid.append(([0.0] * len(TEAM) if added is None else added, advice))
    return paid


def play_together(script: Script, shaped: ShapedVector, post: Any) -> list[Any]:
    """The same of all copies."""
    columns = script.features[:, 0, 1]
    shaped.reset(columns)
    paid = []
    for t in range(1, STEPS + 1):
        post(t)
        columns = script.features[:, t, 0]
        added = shaped.step(
            [actions[t] for actions in script.actions],
            columns,
            script.rewards[t],
            script.terminated[t],
            script.truncated[t],
            over=script.whole[t],
        )
        which = script.whole[t]
        if which.any():
            shaped.reset(np.where(which, script.features[:, t, 1], columns), which)
        bits, _ = shaped.advice(np.ones(COPIES, dtype=bool))
        nothing = np.zeros((len(TEAM), COPIES))
        numbers = nothing if added is None else added
        paid.append(list(zip(numbers.T.tolist(), bits.tolist(), strict=True)))
    return [list(of_copy) for of_copy in zip(*paid, strict=True)]


def posting(signal: Signal, version: int, **changes: Any) -> Posting:
    return Posting(version=version, signal=signal, gamma=0.9, **changes)


@pytest.mark.parametrize("swap_at", ["reset", "step"])
@BRIEFLY
@given(
    signals(TEAM),
    signals(TEAM),
    st.sampled_from([2, 100]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_they_are_paid_and_recorded_alike(
    swap_at: Any,
    first: Signal,
    second: Signal,
    most_invalid: int,
    bootstraps: bool,
    seed: int,
) -> None:
    """Across swaps to another signal, to none, to another strength, and back."""
    script = Script(seed, apart=swap_at == "reset")
    faded = {"fade": Fade(begin=5, end=50)} if swap_at == "reset" else {}
    more: dict[str, Any] = {"bootstraps_truncation": bootstraps}
    start = posting(first, 1, **more)
    posts = {
        8: posting(second, 2, strength=0.3, **more),
        16: posting(Signal(), 3, **more),
        24: posting(first, 4, **faded, **more),
        32: posting(second, 5, strength=0.7, **more),
    }
    options: Options = {**OPTIONS, "swap_at": swap_at}
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr("also_wrappers.signal.shaper.MOST_INVALID", most_invalid)
        patch.setattr("also_wrappers.signal.values.MOST_INVALID", most_invalid)
        left = Left(patch)
        boards = [Board.create(Path(folder) / name, start) for name in "ab"]

        def post(board: Board) -> Any:
            return lambda t: board.post(posts[t]) if t in posts else None

        shaped = ShapedVector(FEATURES, TEAM, SPACES, COPIES, None, boards[0], options)
        together = play_together(script, shaped, post(boards[0]))
        recorded = left.take()
        for k in range(COPIES):
            boards[1].post(start)
            team = ShapedTeam(FEATURES, TEAM, SPACES, None, boards[1], **options)
            assert play_alone(script, team, k, post(boards[1])) == together[k]
        assert recorded == left.take()
        one, other = boards[0].new_episodes(), boards[1].new_episodes()
        assert (one == other).all()
        assert boards[0].copies == boards[1].copies == COPIES


def test_what_stays_is_paid_alike_without_a_board() -> None:
    script = Script(3, apart=True)
    fade = Fade(begin=3, end=30)

    @BRIEFLY
    @given(signals(TEAM))
    def paid_alike(signal: Signal) -> None:
        options: Options = {"gamma": 0.8, "fade": fade}
        shaped = ShapedVector(FEATURES, TEAM, SPACES, COPIES, signal, None, options)
        together = play_together(script, shaped, lambda t: None)
        for k in range(COPIES):
            team = ShapedTeam(FEATURES, TEAM, SPACES, signal, None, **options)
            assert play_alone(script, team, k, lambda t: None) == together[k]

    paid_alike()


def test_they_are_advised_alike(tmp_path: Path) -> None:
    script = Script(5, apart=False)
    script.actions[1] = script.actions[2] = script.actions[0] - 1
    three: list[spaces.Space[Any]] = [
        spaces.Discrete(3, start=1),
        spaces.Discrete(3),
        spaces.Discrete(3),
    ]
    options: Options = {"actions": ACTIONS}
    plain, expert = posting(Signal(), 1), posting(Signal(expert=EXPERT), 2)
    posts = {10: expert, 25: posting(Signal(), 3)}
    boards = [Board.create(tmp_path / name, plain) for name in "ab"]
    shaped = ShapedVector(FEATURES, TEAM, three, COPIES, None, boards[0], options)
    together = play_together(
        script, shaped, lambda t: boards[0].post(posts[t]) if t in posts else None
    )
    assert len({tuple(advice) for copy in together for _, advice in copy}) > 3
    for k in range(COPIES):
        boards[1].post(plain)
        team = ShapedTeam(FEATURES, TEAM, three, None, boards[1], **options)
        alone = play_alone(
            script, team, k, lambda t: boards[1].post(posts[t]) if t in posts else None
        )
        assert alone == together[k]
