"""BenchMARL and torchrl."""

try:
    import benchmarl  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError(
        "benchmarl is not installed; run: pip install 'also-wrappers[benchmarl]'"
    ) from error

from also_wrappers.trainers.benchmarl.callback import AdaptationCallback
from also_wrappers.trainers.benchmarl.fork import BenchMARLFork
from also_wrappers.trainers.benchmarl.tasks import ParallelTask, shaped_task
from also_wrappers.trainers.benchmarl.trainer import BenchMARLTrainer
from also_wrappers.trainers.benchmarl.transform import ShapeRewardTransform

__all__ = [
    "AdaptationCallback",
    "BenchMARLFork",
    "BenchMARLTrainer",
    "ParallelTask",
    "ShapeRewardTransform",
    "shaped_task",
]
