"""The examples: each is one file, says what to expect, and runs as it stands."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.libraries import NEEDED, skip_without

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def head(path: Path) -> str:
    """The docstring of an example."""
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def last_lines(path: Path) -> str:
    """Where an example reads its command line."""
    return path.read_text().partition('\nif __name__ == "__main__":\n')[2]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_needs_nothing_but_what_is_installed(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in getattr(node, "names", [])]
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module or ""]
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert not {name.split(".")[0] for name in names} & {"tests", "examples"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_what_to_expect(path: Path) -> None:
    text = head(path)
    assert f"    python examples/{path.name} --smoke" in text.splitlines()
    expected = " ".join(text.partition("\nExpect")[2].split())
    for word in ("seed", "environment steps", "seconds"):
        assert word in expected, f"the docstring names no {word}"


def test_every_example_reads_its_command_line_alike() -> None:
    assert len(EXAMPLES) >= 8
    assert len({last_lines(path) for path in EXAMPLES}) == 1
    for path in EXAMPLES:
        (arguments,) = [
            node
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.ClassDef) and node.name == "Arguments"
        ]
        (decorator,) = map(ast.unparse, arguments.decorator_list)
        assert decorator == "dataclasses.dataclass(frozen=True)"
        assert "smoke: bool = False" in ast.unparse(arguments)
        runs = f"run_dir: str = 'runs/{path.stem}'"
        assert ("run_dir" in path.read_text()) == (runs in ast.unparse(arguments))


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(path: Path, tmp_path: Path) -> None:
    library = path.stem.partition("_")[0]
    if library in NEEDED:
        skip_without(library)
    result = subprocess.run(
        [sys.executable, str(path), "--smoke"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert "base return" in result.stdout
    written = [place.relative_to(tmp_path) for place in tmp_path.iterdir()]
    recorded = "run_dir" in path.read_text()
    assert written == ([Path("runs")] if recorded else [])


@pytest.mark.slow
def test_the_environment_of_ones_own_passes_the_contract(tmp_path: Path) -> None:
    """With the command that the example names, in the folder of the example."""
    path = ROOT / "examples" / "own_environment.py"
    (line,) = [line for line in head(path).splitlines() if "inspect" in line[:30]]
    program, *rest = line.split()
    assert program == "also-wrappers"
    result = subprocess.run(
        [sys.executable, "-c", "from also_wrappers.cli import main; main()", *rest],
        capture_output=True,
        text=True,
        cwd=path.parent,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert "well_distance" in result.stdout


def test_supersuit_needs_three_lines_more() -> None:
    text = (ROOT / "examples" / "supersuit_spread.py").read_text()
    marks = [line.partition("# added, ")[2][:6] for line in text.splitlines()]
    assert [mark for mark in marks if mark] == ["1 of 3", "2 of 3", "3 of 3"]
