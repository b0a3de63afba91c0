"""Stable-Baselines3: the callback, the trainer, replay buffers, vectors."""

from also_wrappers.trainers.sb3.callback import AdaptationCallback
from also_wrappers.trainers.sb3.evaluation import Evaluation, evaluate
from also_wrappers.trainers.sb3.fork import SB3Fork
from also_wrappers.trainers.sb3.imitation import ImitationCallback
from also_wrappers.trainers.sb3.replay_buffer import (
    ShapedDictReplayBuffer,
    ShapedNStepReplayBuffer,
    ShapedReplayBuffer,
)
from also_wrappers.trainers.sb3.trainer import SB3Trainer
from also_wrappers.trainers.sb3.vec_env import PettingZooVecEnv

__all__ = [
    "AdaptationCallback",
    "Evaluation",
    "ImitationCallback",
    "PettingZooVecEnv",
    "SB3Fork",
    "SB3Trainer",
    "ShapedDictReplayBuffer",
    "ShapedNStepReplayBuffer",
    "ShapedReplayBuffer",
    "evaluate",
]
