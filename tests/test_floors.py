"""Who may import whom, and what an import may bring along."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import also_wrappers

ROOT = Path(also_wrappers.__file__).parent
PACKAGE = "also_wrappers"

#: Floors from the ground up. A module imports its own floor and those below.
FLOORS: list[list[str]] = [
    ["exceptions", "files", "generators", "rendering", "templates"],
    ["signal"],
    ["evidence"],
    ["slots", "board", "ledger"],
    ["wrappers", "advisors", "validation.gate"],
    ["run", "trainers", "validation", "catalog"],
    ["plan", "branches", "rounds", "mainline", "rehearsal"],
    ["adaptation", "pictures"],
    ["report", "progress", "figures"],
    ["callback", "testing"],
    ["demo", "demo_training"],
    ["doctor", "cli", ""],
]


def floor(module: str) -> int:
    """The floor of a module, by its longest matching name."""
    best, height = -1, -1
    for level, names in enumerate(FLOORS):
        for name in names:
            fits = module == name or (name and module.startswith(f"{name}."))
            if fits and len(name) > best:
                best, height = len(name), level
    assert height >= 0, f"{module} stands on no floor"
    return height


def imports(path: Path) -> set[str]:
    """Modules of ours that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} if node.module != PACKAGE else set()
            if (
                ROOT / node.module.replace(f"{PACKAGE}.", "").replace(".", "/")
            ).is_dir():
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    ours = {name for name in found if name.startswith(f"{PACKAGE}.")}
    return {name.removeprefix(f"{PACKAGE}.") for name in ours}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def test_nothing_imports_upward() -> None:
    files = [path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py"]
    assert len(files) > 40
    upward = [
        f"{name_of(path)} imports {target}"
        for path in files
        for target in imports(path)
        if floor(target) > floor(name_of(path))
    ]
    assert upward == []


def test_the_signal_is_pure() -> None:
    allowed = {"numpy", "pydantic", "gymnasium"} | set(sys.stdlib_module_names)
    for path in (ROOT / "signal").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                root = name.split(".")[0]
                assert root in allowed | {PACKAGE}, f"{path.name} imports {name}"


def test_a_heavy_import_waits_until_it_is_needed() -> None:
    code = (
        "import also_wrappers, sys; "
        "heavy = {'torch', 'stable_baselines3', 'ollama'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there() -> None:
    for name in also_wrappers.__all__:
        assert getattr(also_wrappers, name).__doc__, name
