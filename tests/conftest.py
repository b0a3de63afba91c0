"""Settings shared by all tests."""

from __future__ import annotations

import os
import warnings

import torch
from hypothesis import settings

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# Tests run beside each other and beside worker processes.
torch.set_num_threads(1)

# The tuple environments warn that they do not follow Gymnasium's types; they do not.
warnings.filterwarnings("ignore", module="gymnasium")
