"""Every public name has an example, and the examples do what they show."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import pytest

import also_wrappers
from tests.support.libraries import NEEDED, skip_without

MODULES = [
    module.name
    for module in pkgutil.walk_packages(also_wrappers.__path__, "also_wrappers.")
]
#: What users import from.
PUBLIC = [
    "also_wrappers",
    "also_wrappers.signal",
    "also_wrappers.wrappers",
    "also_wrappers.testing",
    "also_wrappers.catalog.lbforaging",
    "also_wrappers.catalog.mpe2",
    "also_wrappers.catalog.rware",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    room = name.removeprefix("also_wrappers.trainers.").partition(".")[0]
    if room in NEEDED:
        skip_without(room)
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_an_example(name: str) -> None:
    module = importlib.import_module(name)
    documented = {
        public: inspect.getdoc(getattr(module, public)) or ""
        for public in module.__all__
        if callable(getattr(module, public))
    }
    assert documented
    assert [public for public, text in documented.items() if ">>>" not in text] == []
