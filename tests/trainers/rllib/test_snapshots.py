"""A rollback that rolls back, and what RLlib's own checkpoints leave out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ray.rllib", exc_type=ImportError)


from also_wrappers.testing.states import check_same, differ
from also_wrappers.trainers.rllib import RLlibTrainer, shaped_config
from also_wrappers.trainers.rllib.snapshots import learner_state
from tests.support.rllib import make_corridor, make_shared
from tests.support.trainers import flat


def make_trainer(config: Any) -> RLlibTrainer:
    shaped_config(config, make_corridor, lambda env: env)
    return RLlibTrainer(config.build_algo(), 4096)


def state_of(trainer: RLlibTrainer) -> dict[str, Any]:
    return flat("", learner_state(trainer.algorithm))


def of_runners(trainer: RLlibTrainer) -> list[dict[str, Any]]:
    """The policies with which actions are taken."""
    states = trainer.algorithm.env_runner_group.foreach_env_runner(
        lambda runner: runner.module.get_state(), local_env_runner=False
    )
    return [flat("", state) for state in states]


def test_learners_and_runners_in_other_processes_roll_back(tmp_path: Path) -> None:
    config = make_shared(runners=1, copies=2).learners(num_learners=1)
    trainer = make_trainer(config)
    trainer.algorithm.train()
    trainer.snapshot(tmp_path / "older")
    learners, runners, steps = state_of(trainer), of_runners(trainer), trainer.steps
    for _ in range(2):
        trainer.algorithm.train()
        assert differ(state_of(trainer), learners)
        trainer.adopt(tmp_path / "older")
        check_same(state_of(trainer), learners, "the learners")
        for now, then in zip(of_runners(trainer), runners, strict=True):
            check_same(now, then, "a runner")
        assert trainer.steps == steps
    trainer.algorithm.stop()


def test_schedules_and_penalties_go_back_too(tmp_path: Path) -> None:
    config = make_shared().training(
        lr=[[0, 1e-2], [128, 1e-3]], entropy_coeff=[[0, 0.1], [128, 0.0]], kl_target=1e9
    )
    trainer = make_trainer(config)

    def scheduled() -> tuple[float, float, float]:
        learner = trainer.algorithm.learner_group._learner
        (optimizer,) = learner._named_optimizers.values()
        entropy = learner.entropy_coeff_schedulers_per_module["all"]
        return (
            float(optimizer.param_groups[0]["lr"]),
            float(entropy.get_current_value()),
            float(learner.curr_kl_coeffs_per_module["all"]),
        )

    trainer.algorithm.train()
    then = scheduled()
    trainer.snapshot(tmp_path / "older")
    trainer.algorithm.train()
    after = scheduled()
    assert all(later < earlier for later, earlier in zip(after, then, strict=True))
    trainer.adopt(tmp_path / "older")
    assert np.allclose(scheduled(), then)
    trainer.algorithm.train()
    assert np.allclose(scheduled(), after), "schedules go by the steps of the lineage"
    trainer.algorithm.stop()
