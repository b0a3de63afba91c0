"""What runs before a commit and on every push, and how to cite the package."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if not line.startswith("#")
)


def read(name: str) -> Any:
    """What a YAML file holds."""
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((ROOT / name).read_text())


def test_commits_are_checked_by_the_versions_that_ci_uses() -> None:
    repos = {
        repo["repo"].rpartition("/")[2]: repo
        for repo in read(".pre-commit-config.yaml")["repos"]
    }
    assert repos["ruff-pre-commit"]["rev"] == f"v{PINS['ruff']}"
    assert repos["codespell"]["rev"] == f"v{PINS['codespell']}"
    hooks = [hook["id"] for repo in repos.values() for hook in repo["hooks"]]
    assert hooks == ["ruff-check", "ruff-format", "codespell", "mypy"]
    assert repos["local"]["hooks"][0]["entry"] == "mypy"


def test_what_commits_are_checked_with_is_installed_for_development() -> None:
    extra = {re.split("[>=]", line)[0] for line in development()}
    assert {"ruff", "codespell", "mypy"} <= extra
    assert extra <= PINS.keys() | {"setuptools"}


def development() -> list[str]:
    """The requirements of the extra ``dev``."""
    requirements: list[str] = PROJECT["optional-dependencies"]["dev"]
    return requirements


def test_every_push_and_pull_request_runs_ci_on_the_first_and_last_python() -> None:
    workflow = read(".github/workflows/ci.yml")
    assert set(workflow[True]) == {"push", "pull_request"}  # YAML reads "on" as true
    (job,) = workflow["jobs"].values()
    assert job["steps"][-1] == {"run": ".ci/run"}
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100, ".ci/run is not executable"
    prefix = "Programming Language :: Python :: "
    versions = [
        line.removeprefix(prefix)
        for line in PROJECT["classifiers"]
        if line.startswith(prefix)
    ]
    assert job["strategy"]["matrix"]["python"] == [versions[0], versions[-1]]
    assert PROJECT["requires-python"] == f">={versions[0]}"


def test_the_citation_names_this_version_and_the_papers_behind_it() -> None:
    citation = read("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"] == PROJECT["name"].replace("-", "_")
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["message"]
    (author,) = citation["authors"]
    assert author["name"] in (ROOT / "LICENSE").read_text()
    papers = {reference["url"] for reference in citation["references"]}
    assert {url.rpartition("/")[2] for url in papers} == {
        "2605.29293",  # LLM-ALSO
        "2509.14680",  # LEED
        "2511.19368",  # RELED
    }
    for reference in citation["references"]:
        assert reference["title"]
        assert all(author["family-names"] for author in reference["authors"])


def test_nothing_is_misspelt() -> None:
    pytest.importorskip("codespell_lib")
    result = subprocess.run(
        [sys.executable, "-m", "codespell_lib"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_changelog_has_a_section_for_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert changelog.startswith(f"# Changelog\n\n## {PROJECT['version']}")


def test_ci_tests_every_library_of_trainers_in_an_environment_of_its_own() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    (names,) = re.findall(r"for library in (.*); do \.ci/library", script)
    trainers = ROOT / "also_wrappers" / "trainers"
    rooms = {path.parent.name for path in trainers.glob("*/__init__.py")}
    assert set(names.split()) == rooms - {"sb3"}
    for name in names.split():
        assert name in PROJECT["optional-dependencies"]
        pins = (ROOT / f"constraints-{name}.txt").read_text().splitlines()
        named = {pin.partition("==")[0].lower() for pin in pins if pin[0] != "#"}
        assert not named & {pin.lower() for pin in PINS}, "a version is pinned twice"
        assert list((ROOT / "examples").glob(f"{name}_*.py"))
        assert (ROOT / "tests" / "trainers" / name / "test_contract.py").exists()
