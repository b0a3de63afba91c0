"""RLlib: the callback, the trainer, environments with a signal."""

try:
    import ray.rllib  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError(
        f"what RLlib needs is not installed (there is no {error.name}); run: "
        "pip install 'also-wrappers[rllib]'"
    ) from error

from also_wrappers.trainers.rllib.callback import AdaptationCallback
from also_wrappers.trainers.rllib.environments import (
    GymnasiumEnv,
    PettingZooEnv,
    shaped_config,
)
from also_wrappers.trainers.rllib.fork import RLlibFork
from also_wrappers.trainers.rllib.trainer import RLlibTrainer

__all__ = [
    "AdaptationCallback",
    "GymnasiumEnv",
    "PettingZooEnv",
    "RLlibFork",
    "RLlibTrainer",
    "shaped_config",
]
