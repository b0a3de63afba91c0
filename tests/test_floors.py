"""Who may import whom, and what an import may bring along."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import also_wrappers

ROOT = Path(also_wrappers.__file__).parent
PACKAGE = "also_wrappers"

#: Floors from the ground up. A room imports its own floor and those below.
FLOORS: list[list[str]] = [
    ["exceptions", "files", "glossary", "rendering", "templates", "trainer", "walks"],
    ["signal", "gate"],
    ["evidence", "task"],
    ["board", "proposals"],
    ["wrappers", "checks", "ledger"],
    ["advisors", "branches", "run", "report", "catalog"],
    ["loop", "testing"],
    ["trainers"],
    ["cli", ""],
]

#: What a room never imports, whatever its floor.
NEVER: dict[str, list[str]] = {
    "loop": ["trainers", "report", "cli"],
    "report": ["run", "loop", "cli"],
    "signal": ["board"],
    "evidence": ["board"],
    "proposals": ["board"],
}


def room(module: str) -> str:
    """The room that a module is in, or the module's own name at the top."""
    return module.partition(".")[0]


def floor(name: str) -> int:
    """The floor of a room."""
    for level, names in enumerate(FLOORS):
        if name in names:
            return level
    raise AssertionError(f"{name!r} stands on no floor")


def imports(path: Path) -> set[str]:
    """Modules of ours that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == PACKAGE:
                found |= {f"{PACKAGE}.{alias.name}" for alias in node.names}
            else:
                found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    ours = {name for name in found if name.startswith(f"{PACKAGE}.")}
    return {name.removeprefix(f"{PACKAGE}.") for name in ours}


def files() -> list[Path]:
    return [path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py"]


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def arrows() -> dict[tuple[str, str], list[str]]:
    """Which room imports which, and the imports that say so."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in files():
        name = name_of(path)
        for target in imports(path):
            if room(target) != room(name):
                pair = (room(name), room(target))
                found.setdefault(pair, []).append(f"{name} imports {target}")
    return found


def test_nothing_imports_upward() -> None:
    assert len(FLOORS) <= 9
    assert len(files()) > 40
    upward = [
        said
        for (above, below), all_said in arrows().items()
        for said in all_said
        if floor(below) > floor(above)
    ]
    assert upward == []


def test_rooms_of_one_floor_do_not_import_each_other_in_circles() -> None:
    pairs = set(arrows())
    circles = [(one, other) for one, other in pairs if (other, one) in pairs]
    assert circles == []


@pytest.mark.parametrize("name", NEVER)
def test_a_room_never_imports_what_it_must_not_know(name: str) -> None:
    met = [said for other in NEVER[name] for said in arrows().get((name, other), [])]
    assert met == []


def test_the_rules_that_decide_know_nothing_of_ours_but_errors() -> None:
    assert {below for above, below in arrows() if above == "gate"} <= {"exceptions"}


def test_the_rooms_of_two_trainers_do_not_import_each_other() -> None:
    rooms = {path.parent.name for path in (ROOT / "trainers").glob("*/__init__.py")}
    assert rooms == {"benchmarl", "rllib", "sb3", "tianshou"}
    for name in rooms:
        met = {
            target
            for path in (ROOT / "trainers" / name).rglob("*.py")
            for target in imports(path)
            for other in rooms - {name}
            if target.startswith(f"trainers.{other}")
        }
        assert met == set()


def test_only_tests_and_the_command_line_import_the_contracts_and_doubles() -> None:
    assert {above for above, below in arrows() if below == "testing"} <= {"cli"}


def test_the_top_holds_a_few_modules_and_the_rooms() -> None:
    modules = {path.stem for path in ROOT.glob("*.py")} - {"__init__"}
    assert modules == {
        "exceptions",
        "files",
        "glossary",
        "rendering",
        "task",
        "trainer",
        "walks",
    }
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert rooms | modules == {name for names in FLOORS for name in names if name}


def test_no_file_is_long() -> None:
    lines = {name_of(path): len(path.read_text().splitlines()) for path in files()}
    assert {name: count for name, count in lines.items() if count > 400} == {}


def test_the_signal_is_pure() -> None:
    allowed = {"numpy", "pydantic", "gymnasium"} | set(sys.stdlib_module_names)
    for path in (ROOT / "signal").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                root = name.split(".")[0]
                assert root in allowed | {PACKAGE}, f"{path.name} imports {name}"


ROOMS_OF_A_RUN = ["advisors", "branches", "checks", "ledger", "loop", "report", "run"]


@pytest.mark.parametrize(
    ("used", "heavy"),
    [
        ("RayExecutor", "torch stable_baselines3 ollama ray benchmarl"),
        ("RayExecutor", "tianshou agilerl skrl"),
        ("wrap", "scipy jinja2 rich matplotlib tensorboard"),
        ("wrap", " ".join(f"{PACKAGE}.{room}" for room in ROOMS_OF_A_RUN)),
        ("Run AdaptationCallback PettingZooVecEnv", "scipy jinja2"),
    ],
)
def test_a_heavy_import_waits_until_it_is_needed(used: str, heavy: str) -> None:
    code = (
        f"import {PACKAGE} as also, sys; [getattr(also, n) for n in {used.split()}]; "
        f"heavy = set({heavy.split()}) & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there_and_no_other_is_shown() -> None:
    for name in also_wrappers.__all__:
        assert getattr(also_wrappers, name).__doc__, name
    assert set(dir(also_wrappers)) == {*also_wrappers.__all__, "__version__"}
