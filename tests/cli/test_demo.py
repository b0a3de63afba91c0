"""The command line as its user meets it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from also_wrappers.testing import OllamaServer
from tests.support.answers import candidate, candidates, diagnosis

COMMAND = [sys.executable, "-c", "from also_wrappers.cli import main; main()"]


def run(
    *arguments: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | (env or {}),
    )


def refused(*arguments: str, env: dict[str, str] | None = None) -> str:
    """Runs a command that must be refused; returns the sentence."""
    result = run(*arguments, env=env)
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    return result.stderr


def ledger(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "ledger.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def check_smoke(folder: Path) -> dict[str, Any]:
    """What every finished smoke run leaves; returns its result."""
    events = ledger(folder)
    assert events[-1]["event"] == "run_finished"
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    counts = result["env_steps"]
    parts = (counts[name] for name in ("mainline", "branches", "evaluation"))
    assert counts["total"] == sum(parts)
    assert counts["evaluation"] == 1024  # of the rehearsal, one rollout
    assert counts["mainline"] == 16_384
    assert result["base_only_env_steps"] == counts["total"]
    assert result["adapted"]["episodes"] == result["base_only"]["episodes"] == 32
    milestones = {"adapted_own", "adapted_total", "base_only", "search"}
    assert set(result["milestones"]) == milestones
    base_only = ledger(folder / "base_only")[-1]
    assert base_only["event"] == "run_finished"
    assert base_only["env_steps"]["mainline"] == counts["total"]
    assert "base reward alone" in (folder / "report.html").read_text()
    assert (folder / "report.html").stat().st_size > 10_000
    assert list((folder / "tensorboard").iterdir())
    return result


def check_rounds(folder: Path, wanted: int = 2) -> None:
    """At least so many whole rounds, each with control and three candidates."""
    events = ledger(folder)
    whole = 0
    for number in {event["round"] for event in events if "round" in event}:
        own = [event for event in events if event.get("round") == number]
        kinds = [event["event"] for event in own]
        arms = {event["name"] for event in own if event["event"] == "branch"}
        whole += (
            {"evidence", "diagnosis", "decision"} <= set(kinds)
            and kinds.count("proposal") >= 3
            and "control" in arms
            and len(arms) >= 4
        )
    assert whole >= wanted


@pytest.mark.slow
def test_the_smoke_demo(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    began = time.monotonic()
    result = run("demo", "--smoke", "--run-dir", str(folder))
    assert result.returncode == 0, result.stderr
    assert "base reward alone" in result.stdout
    assert "No model was named" in result.stdout
    print(f"the smoke demo took {time.monotonic() - began:.0f} seconds")
    check_rounds(folder)
    assert check_smoke(folder)["advisor"] == "rules"
    again = refused("demo", "--smoke", "--run-dir", str(folder))
    assert "already holds a run" in again
    finished = refused("demo", "--resume", "--run-dir", str(folder))
    assert "is finished" in finished
    assert "round 1" in run("inspect", str(folder)).stdout
    assert "report.html" in run("report", str(folder)).stdout


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    folder = str(tmp_path / "run")
    unknown = refused("demo", "--env", "Foraging-9x1-v9", "--run-dir", folder)
    assert "there is no environment 'Foraging-9x1-v9'" in unknown
    assert "--resume needs --run-dir" in refused("demo", "--resume")
    assert "no run to resume" in refused("demo", "--resume", "--run-dir", folder)
    nowhere = {"OLLAMA_HOST": "http://127.0.0.1:9"}
    dead = refused("demo", "--model", "x", "--run-dir", folder, env=nowhere)
    assert "'ollama serve'" in dead
    with OllamaServer([""], models=["other"]) as server:
        host = {"OLLAMA_HOST": server.host}
        absent = refused("demo", "--model", "x", "--run-dir", folder, env=host)
    assert "ollama pull x" in absent
    assert not Path(folder).exists()
    assert "holds no run" in refused("inspect", folder)
    assert "holds no run" in refused("report", folder)
    file = tmp_path / "file"
    file.write_text("")
    assert "cannot be made" in refused("demo", "--smoke", "--run-dir", str(file / "x"))


CLAIM = {"key": "team.base_return.mean", "reads": "below", "than": "0.9"}
DIAGNOSIS = diagnosis(CLAIM, advice="get closer")
HYPOTHESIS = {"key": "feature.foods_left.end", "moves": "down"}


def proposed(*expressions: str) -> str:
    about = {"answers": [], "hypothesis": HYPOTHESIS, "weight": 1.0}
    return candidates(*[candidate(text, **about) for text in expressions])


CANDIDATES = proposed(
    "-nearest_food_distance", "-team_max(shared_food_distance)", "-foods_left"
)
#: Every round proposes something else: nothing is tried twice.
LATER = proposed(
    "-shared_food_distance", "-team_mean(nearest_food_distance)", "mate_distance"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answers", "errors"),
    [
        (
            [DIAGNOSIS, CANDIDATES, proposed("-mate_distance"), DIAGNOSIS, LATER]
            + [proposed("-team_max(foods_left)")] * 4,
            0,
        ),
        ([DIAGNOSIS, "<drop>"], 1),
        (["<nonsense>"], 1),
        ([DIAGNOSIS, "<hang>"], 1),
    ],
    ids=["well", "dies", "babbles", "hangs"],
)
def test_the_demo_with_a_model_that_answers_well_dies_babbles_or_hangs(
    tmp_path: Path, answers: Sequence[str], errors: int
) -> None:
    folder = tmp_path / "run"
    with OllamaServer(answers) as server:
        result = run(
            *["demo", "--smoke", "--model", "tiny", "--run-dir", str(folder)],
            *["--timeout", "2"],
            env={"OLLAMA_HOST": server.host},
        )
    assert result.returncode == 0, result.stderr
    assert check_smoke(folder)["advisor"] == "llm:tiny"
    kinds = [event["event"] for event in ledger(folder)]
    assert kinds.count("exchange") >= 2
    assert (kinds.count("advisor_error") > 0) == (errors > 0)
    if not errors:
        check_rounds(folder)


def orphans(folder: Path) -> list[int]:
    """Processes that still have the run directory in their command or environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                environ = (entry / "environ").read_bytes()
            except OSError:
                continue
            if fields[0] != "Z" and str(folder).encode() in environ:
                found.append(int(entry.name))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_demo_that_is_stopped_goes_on(tmp_path: Path, how: signal.Signals) -> None:
    folder = tmp_path / "run"
    chance = random.Random(how)
    marked = os.environ | {"ALSO_WRAPPERS_TEST": str(folder)}
    seen: list[dict[str, Any]] = []
    for attempt in range(3):
        if (folder / "result.json").exists():  # it was quicker than its killer
            break
        arguments = [
            "demo",
            "--resume" if seen else "--smoke",
            "--run-dir",
            str(folder),
        ]
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            env=marked,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if (folder / "ledger.jsonl").exists() and len(ledger_prefix(folder)) > len(
                seen
            ):
                break
            time.sleep(0.05)
        time.sleep(chance.uniform(0.2, 5.0))
        process.send_signal(how)
        process.wait(60)
        if how == signal.SIGINT and process.returncode:
            assert process.returncode == 130
            assert process.stderr is not None
            assert b"--resume" in process.stderr.read()
        after = ledger_prefix(folder)
        assert after[: len(seen)] == seen, f"attempt {attempt} lost an event"
        seen = after
        deadline = time.monotonic() + 10
        while orphans(folder) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert orphans(folder) == []
    if not (folder / "result.json").exists():
        result = run("demo", "--resume", "--run-dir", str(folder))
        assert result.returncode == 0, result.stderr
    check_smoke(folder)
    events = ledger(folder)
    assert events[: len(seen)] == seen
    totals = [event["env_steps"]["total"] for event in events]
    assert totals == sorted(totals)


def ledger_prefix(folder: Path) -> list[dict[str, Any]]:
    """The whole lines of a ledger; the last may be cut."""
    text = (folder / "ledger.jsonl").read_text()
    return [
        json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"
    ]
