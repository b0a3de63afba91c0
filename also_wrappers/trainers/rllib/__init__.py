"""RLlib: the callback, the trainer, environments with a signal.
"""

from also_wrappers.trainers.rllib.callback import AdaptationCallback
from also_wrappers.trainers.rllib.environments import GymnasiumEnv, PettingZooEnv, shaped_config
from also_wrappers.trainers.rllib.fork import RLlibFork
from also_wrappers.trainers.rllib.trainer import RLlibTrainer
