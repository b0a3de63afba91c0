"""Tasks of VMAS, whose environments step in batches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("benchmarl")
pytest.importorskip("vmas")

import numpy as np
import torch
from benchmarl.algorithms import IppoConfig, MaddpgConfig, MappoConfig
from benchmarl.environments import VmasTask
from torchrl.envs import TransformedEnv

from also_wrappers.board.board import Board
from also_wrappers.board.posting import Posting
from also_wrappers.branches.randomness import randomness_states, restore_randomness
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal import Feature, FeatureMap, Signal, Term
from also_wrappers.task import Task
from also_wrappers.testing import check_trainer
from also_wrappers.trainers.benchmarl import (
    BenchMARLTrainer,
    ShapeRewardTransform,
    shaped_task,
)
from also_wrappers.wrappers.shape import Shape
from also_wrappers.wrappers.shaped_team import ShapedTeam
from tests.support.benchmarl import BenchMARLHarness, make_experiment

FEATURES = FeatureMap(
    Feature("x", "obs[0]"),
    Feature("y", "obs[1]"),
    Feature("ground", "info['ground_rew']"),
)
TASK = Task("Balance.", FEATURES)


def balance() -> Any:
    task = VmasTask.BALANCE.get_from_yaml()
    task.config["max_steps"] = 8
    return task


def collect(folder: Path, signal: Signal, continuous: bool = True) -> tuple[Any, Board]:
    """Two batches, one after the other, and the board of the four copies."""
    posting = Posting(version=2, signal=signal, gamma=0.97)
    board = Board.create(folder / "board", posting)
    experiment = make_experiment(
        folder,
        shaped_task(balance(), Shape(TASK, board)),
        prefer_continuous_actions=continuous,
    )
    batches = iter(experiment.collector)
    parts = [next(batches) for _ in range(2)]
    experiment.close()
    return torch.cat(parts, dim=1), board


@pytest.mark.parametrize("continuous", [True, False])
def test_every_agent_of_every_copy_is_paid(tmp_path: Path, continuous: bool) -> None:
    one = Term(name="one", kind="bonus", expression="1", weight=0.5)
    (tmp_path / "empty").mkdir()
    base, _ = collect(tmp_path / "empty", Signal(), continuous)
    paid, board = collect(tmp_path, Signal(terms=(one,)), continuous)
    added = paid["next", "agents", "reward"] - base["next", "agents", "reward"]
    assert torch.allclose(added, torch.full_like(added, 0.5), atol=1e-5)
    collected = board.collect()
    assert collected is not None
    assert collected.copies == 4
    episodes = board.new_episodes()
    assert set(episodes["length"].tolist()) == {8}
    per_episode = episodes["shaped_return"] - episodes["base_return"]
    assert abs(per_episode - 8 * 0.5).max() < 1e-5


def test_agents_of_several_groups_are_one_team(tmp_path: Path) -> None:
    """Adversaries and their prey observe arrays of different sizes."""
    features = FeatureMap(Feature("x", "obs[0]"))
    far = Term(name="far", kind="bonus", expression="team_max(x)", weight=1.0)
    posting = Posting(version=2, signal=Signal(terms=(far,)), gamma=0.97)
    board = Board.create(tmp_path / "board", posting)
    task = VmasTask.SIMPLE_TAG.get_from_yaml()
    shape = Shape(Task("Catch.", features), board)
    experiment = make_experiment(tmp_path, shaped_task(task, shape))
    groups = experiment.group_map
    assert len(groups) == 2
    paid = next(iter(experiment.collector))["next"]
    base = next(iter(make_experiment(tmp_path, task).collector))["next"]
    x = [paid[group, "observation"][..., 0] for group in groups]
    expected = torch.cat(x, dim=-1).max(dim=-1).values
    for group in groups:
        added = (paid[group, "reward"] - base[group, "reward"])[..., 0]
        wanted = expected.unsqueeze(-1).clamp(-1.0, 1.0).expand_as(added)
        assert torch.allclose(added, wanted, atol=1e-4)


def test_a_potential_telescopes_in_every_copy(tmp_path: Path) -> None:
    height = Term(name="y", kind="progress", expression="team_mean(y)", weight=1.0)
    (tmp_path / "empty").mkdir()
    base, _ = collect(tmp_path / "empty", Signal())
    paid, _ = collect(tmp_path, Signal(terms=(height,)))
    added = paid["next", "agents", "reward"] - base["next", "agents", "reward"]
    first = added[:, :8].sum(dim=1)  # of the first episode; copies, agents, 1
    begin = paid["agents", "observation"][:, 0, :, 1].mean(dim=1)
    end = paid["next", "agents", "observation"][:, 7, :, 1].mean(dim=1)
    expected = (end - begin).reshape(-1, 1, 1).expand_as(first)
    assert torch.allclose(first, expected, atol=1e-5)


EVERYWHERE = Signal(
    terms=(
        Term(name="a", kind="potential", expression="-tanh(x) * y", weight=0.5),
        Term(name="b", kind="progress", expression="team_std(x + left)", weight=0.3),
        Term(name="c", kind="bonus", expression="others_mean(extra) - y", weight=0.2),
    )
)


def play(env: Any, script: list[Any]) -> tuple[Any, list[Any]]:
    """The first state; each step, and the state that it or a reset led to."""
    env.set_seed(0)
    first = env.reset()
    state, steps = first.clone(), []
    for actions in script:
        step, state = env.step_and_maybe_reset(state.update(actions.clone()))
        steps.append((step.clone(), state.clone()))
    return first, steps


def rewards(after: Any, k: int, env: Any) -> list[float]:
    """Of all agents in one row."""
    parts = [after[group, "reward"][k, :, 0] for group in env.group_map]
    return [float(reward) for reward in torch.cat(parts)]


@pytest.mark.parametrize(
    ("scenario", "extra", "continuous"),
    [
        ("BALANCE", "info['ground_rew']", True),
        ("BALANCE", "info['pos_rew']", False),
        ("SIMPLE_TAG", "action[1]", True),
        ("SIMPLE_TAG", "action", False),
    ],
)
def test_every_row_is_paid_as_a_team_alone(
    tmp_path: Path, scenario: str, extra: str, continuous: bool
) -> None:
    """A step in a batch is paid bit for bit what ``ShapedTeam`` pays in its row."""
    copies = 3
    features = FeatureMap(
        *FEATURES.features[:2],
        Feature("extra", extra),
        Feature("left", lambda view: float(view.observation[3]) + len(view.info)),
    )
    task = VmasTask[scenario].get_from_yaml()
    task.config["max_steps"] = 7

    def make() -> Any:
        return task.get_env_fun(copies, continuous, 0, "cpu")()

    posting = Posting(version=2, signal=EVERYWHERE, gamma=0.9)
    boards = [Board.create(tmp_path / name, posting) for name in "ab"]
    base, plain = make(), make()
    transform = ShapeRewardTransform(
        Shape(Task("Any.", features), boards[0]), plain.group_map, plain
    )
    shaped = TransformedEnv(plain, transform)
    agents = [a for names in base.group_map.values() for a in names]
    read = transform._read  # what the agents of a batch observe and do
    teams = [
        ShapedTeam(features, agents, transform._spaces, None, boards[1])
        for _ in range(copies)
    ]

    def entries(after: Any, before: Any, row: int) -> tuple[Any, Any, Any]:
        views = {e.agent: e.view(row) for e in read(after, before, slice(None))}
        return (
            {agent: view.action for agent, view in views.items()},
            {agent: view.observation for agent, view in views.items()},
            {agent: view.info for agent, view in views.items()},
        )

    script = [base.full_action_spec.rand() for _ in range(20)]
    (first, steps), (_, shaped_steps) = play(base, script), play(shaped, script)
    for k, team in enumerate(teams):
        _, seen, infos = entries(first, None, k)
        team.reset(seen, infos)
    for actions, (step, state), (ours, _) in zip(
        script, steps, shaped_steps, strict=True
    ):
        after = step["next"]
        for k, team in enumerate(teams):
            acted, seen, infos = entries(after, actions, k)
            over = bool(after["done"][k])
            paid = rewards(after, k, base)
            added = team.step(
                acted,
                seen,
                dict(zip(agents, paid, strict=True)),
                dict.fromkeys(agents, over),
                dict.fromkeys(agents, False),
                infos,
                ended=over,
                over=over,
            )
            assert added is not None
            total = [one + more for one, more in zip(paid, added, strict=True)]
            assert (
                rewards(ours["next"], k, base) == np.array(total, np.float32).tolist()
            )
            if over:
                _, seen, infos = entries(state, None, k)
                team.reset(seen, infos)
    one, other = (board.new_episodes() for board in boards)
    assert len(one) == 2 * copies
    assert (one == other).all()


def test_other_environments_leave_the_randomness_of_vmas_alone(tmp_path: Path) -> None:
    """All environments of a process share it; saved and restored, it survives JSON."""
    BenchMARLTrainer(make_experiment(tmp_path, balance()))

    def first_states(disturbed: bool) -> torch.Tensor:
        def make() -> Any:
            return VmasTask.BALANCE.get_from_yaml().get_env_fun(3, True, 0, "cpu")()

        env = make()
        env.set_seed(0)
        env.reset()
        states = json.loads(json.dumps(randomness_states()))
        if disturbed:
            make().reset()
            restore_randomness(states)
        observed: torch.Tensor = env.reset()["agents", "observation"]
        return observed

    assert torch.equal(first_states(False), first_states(True))


def test_experts_are_for_discrete_actions(tmp_path: Path) -> None:
    trainer = BenchMARLTrainer(make_experiment(tmp_path, balance()))
    assert not trainer.imitates
    with pytest.raises(ConfigurationError, match="prefer_continuous_actions=False"):
        trainer.audition(lambda env: env, 2, 0, 0.0, lambda steps: None)
    discrete = make_experiment(tmp_path, balance(), prefer_continuous_actions=False)
    assert BenchMARLTrainer(discrete).imitates


@pytest.mark.parametrize("algorithm", [IppoConfig, MappoConfig, MaddpgConfig])
def test_the_contract_holds(tmp_path: Path, algorithm: Any) -> None:
    signal = Signal(
        terms=(Term(name="y", kind="progress", expression="team_mean(y)", weight=0.5),)
    )
    harness = BenchMARLHarness(tmp_path, algorithm, balance(), aim=TASK)
    check_trainer(harness, TASK, signal)
