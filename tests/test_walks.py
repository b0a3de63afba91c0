"""The walks of the page lead through modules that are there, door to door."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from also_wrappers import walks

ROOT = Path(walks.__file__).parent
PACKAGE = "also_wrappers"


class Stop(NamedTuple):
    """A line of a walk: a module, and what leads to it if no import does."""

    module: str
    through: str | None


def read_walks() -> dict[str, list[Stop]]:
    """The walks by their headings; a list that begins anew is a walk of its own."""
    walks_read: dict[str, list[Stop]] = {}
    heading = ""
    text = re.sub(r"\n   +", " ", walks.__doc__ or "")
    for line in text.splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        match = re.match(r"(\d+)\. ``([\w.]+)``(?:, through ([^:]+))?: \w", line)
        assert bool(match) == line[:1].isdigit(), f"not a line of a walk: {line}"
        if match is None:
            continue
        number, module, through = match.groups()
        if number == "1":
            name = f"{heading} {sum(key.startswith(heading) for key in walks_read) + 1}"
            walks_read[name] = []
        assert int(number) == len(walks_read[name]) + 1, f"misnumbered: {line}"
        walks_read[name].append(Stop(module, through))
    return walks_read


def file_of(module: str) -> Path:
    return ROOT / Path(*module.split(".")).with_suffix(".py")


def imports(module: str) -> set[str]:
    """The modules of ours that a module imports, wherever in its file."""
    tree = ast.parse(file_of(module).read_text())
    return {
        node.module.removeprefix(f"{PACKAGE}.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
    }


WALKS = read_walks()
STOPS = sorted({stop.module for walk in WALKS.values() for stop in walk})


def test_there_is_a_walk_for_each_thing() -> None:
    headings = {name[:-2] for name in WALKS}
    assert headings == {
        "The base reward",
        "An episode",
        "The signal",
        "A snapshot",
        "An expert",
    }
    assert all(len(walk) >= 4 for walk in WALKS.values())


@pytest.mark.parametrize("module", STOPS)
def test_a_module_on_a_walk_is_there(module: str) -> None:
    assert file_of(module).is_file()


@pytest.mark.parametrize("name", WALKS)
def test_neighbours_on_a_walk_import_one_another(name: str) -> None:
    apart = [
        (before.module, after.module)
        for before, after in pairwise(WALKS[name])
        if after.through is None
        and after.module not in imports(before.module)
        and before.module not in imports(after.module)
    ]
    assert apart == []


@pytest.mark.parametrize("name", WALKS)
def test_a_walk_goes_through_something_else_only_where_no_import_leads(
    name: str,
) -> None:
    needless = [
        (before.module, after.module)
        for before, after in pairwise(WALKS[name])
        if after.through is not None
        and (
            after.module in imports(before.module)
            or before.module in imports(after.module)
        )
    ]
    assert needless == []
