"""The wheel: it holds the whole package and works outside the checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "also_wrappers"

CHECK = """
import pathlib, also_wrappers
from also_wrappers.rendering import render
assert "site-packages" in also_wrappers.__file__, also_wrappers.__file__
assert pathlib.Path(also_wrappers.__file__).with_name("py.typed").exists()
print(render("repair.j2", problems=["too long"], answer="x"))
"""
DEMO = """
import sys
from importlib.metadata import entry_points
(script,) = entry_points(group="console_scripts", name="also-wrappers")
sys.argv = ["also-wrappers", "demo"]
script.load()()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of a copy of the sources, in which nothing of an older build lies."""
    folder = tmp_path_factory.mktemp("build")
    for name in ("also_wrappers", "templates"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", str(folder)],
        check=True,
        capture_output=True,
    )
    (path,) = (folder / "dist").glob("*.whl")
    return path


def needed(package: Distribution, extras: frozenset[str]) -> Iterator[Distribution]:
    """What is installed with a package, as far down as it goes."""
    for line in package.requires or []:
        wanted = Requirement(line)
        chosen = [{"extra": extra} for extra in extras | {""}]
        if wanted.marker is None or any(map(wanted.marker.evaluate, chosen)):
            other = distribution(wanted.name)
            yield other
            yield from needed(other, frozenset(wanted.extras))


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of packages as ``pip install`` of the wheel alone would make it."""
    packages = tmp_path_factory.mktemp("clean") / "site-packages"
    zipfile.ZipFile(wheel).extractall(packages)
    (own,) = packages.glob("*.dist-info")
    for other in needed(Distribution.at(own), frozenset()):
        tops = {file.parts[0] for file in other.files or []} - {".."}
        for top in tops - {path.name for path in packages.iterdir()}:
            (packages / top).symlink_to(str(other.locate_file(top)))
    return packages


def run(code: str, packages: Path) -> subprocess.CompletedProcess[str]:
    """Runs code with the standard library and some packages, and nothing else."""
    return subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        cwd=packages.parent,
        env={"PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"},
    )


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_every_template(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    packed = {name for name in names if ".dist-info/" not in name}
    paths = [*PACKAGE.rglob("*"), *(PACKAGE / "templates").iterdir()]
    tree = {
        path.relative_to(ROOT).as_posix()
        for path in paths
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == tree
    assert "also_wrappers/py.typed" in packed
    assert sum(name.endswith(".j2") for name in packed) >= 8


def test_the_templates_of_the_package_are_those_at_the_top() -> None:
    link = PACKAGE / "templates"
    assert link.is_symlink()
    assert link.resolve() == ROOT / "templates"


@pytest.mark.slow
def test_the_wheel_renders_a_template_in_a_clean_environment(clean: Path) -> None:
    result = run(CHECK, clean)
    assert result.returncode == 0, result.stderr
    assert "too long" in result.stdout


@pytest.mark.slow
def test_the_demo_says_which_extra_is_missing(clean: Path) -> None:
    refused = run(DEMO, clean)
    assert refused.returncode == 2
    assert "pip install 'also-wrappers[sb3]'" in refused.stderr
    assert "Traceback" not in refused.stderr
