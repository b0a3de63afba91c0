"""Libraries of trainers that may be missing where tests run."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

#: By the name of a room or the first word of an example: the modules that it needs.
NEEDED = {
    "agilerl": ("agilerl",),
    "benchmarl": ("benchmarl",),
    "rllib": ("ray", "tree"),  # ray alone does not bring what RLlib needs
    "skrl": ("skrl",),
    "tianshou": ("tianshou",),
}


def is_missing(name: str) -> bool:
    """True if a library of trainers is not installed."""
    return any(find_spec(module) is None for module in NEEDED[name])


def skip_without(name: str) -> None:
    """Skips a test of a library of trainers that is not installed."""
    if is_missing(name):
        pytest.skip(f"{name} is not installed")
