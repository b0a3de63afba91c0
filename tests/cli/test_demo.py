"""The command line as its user meets it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import also_wrappers
from also_wrappers.cli.app import app
from also_wrappers.cli.demo import DemoSettings
from also_wrappers.exceptions import AlsoError
from also_wrappers.testing import OllamaServer, corridor_situation
from tests.support.corridor import events
from tests.support.processes import hear_interrupts, marked_processes

COMMAND = [sys.executable, "-c", "from also_wrappers.cli import main; main()"]
NOWHERE = {"OLLAMA_HOST": "http://127.0.0.1:9"}


def shown(*arguments: str) -> str:
    """What a command that succeeds prints."""
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def refused(*arguments: str, env: dict[str, str] | None = None) -> str:
    """The sentence with which a command is refused."""
    result = CliRunner().invoke(app, arguments, env=env)
    assert isinstance(result.exception, AlsoError), result.output
    return str(result.exception)


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    folder = str(tmp_path / "run")
    unknown = refused("demo", "--env", "Foraging-9x1-v9", "--run-dir", folder)
    assert "there is no environment 'Foraging-9x1-v9'" in unknown
    assert "--resume needs --run-dir" in refused("demo", "--resume")
    assert "no run to resume" in refused("demo", "--resume", "--run-dir", folder)
    dead = refused("demo", "--model", "x", "--run-dir", folder, env=NOWHERE)
    assert "'ollama serve'" in dead
    with OllamaServer([""], models=["other"]) as server:
        host = {"OLLAMA_HOST": server.host}
        absent = refused("demo", "--model", "x", "--run-dir", folder, env=host)
    assert "ollama pull x" in absent
    assert not Path(folder).exists()
    assert "holds no run" in refused("watch", folder, "--no-follow")
    assert "holds no run" in refused("report", folder)
    file = tmp_path / "file"
    file.write_text("")
    assert "cannot be made" in refused("demo", "--smoke", "--run-dir", str(file / "x"))


def test_a_refusal_is_the_only_output_and_exit_code_2() -> None:
    result = subprocess.run([*COMMAND, "demo", "--resume"], capture_output=True)
    assert result.returncode == 2
    assert result.stdout == b""
    told = "error: --resume needs --run-dir, the run to go on with"
    assert result.stderr.decode().strip() == told


@pytest.mark.parametrize("seed", ["-1", "4294967296", "x"])
def test_a_seed_that_cannot_be_one_is_said(seed: str) -> None:
    result = CliRunner().invoke(app, ["demo", "--seed", seed])
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert "--seed" in result.output
    assert "Traceback" not in result.output


def test_the_version_and_the_help_are_there() -> None:
    assert shown("--version").strip() == also_wrappers.__version__
    assert "demo" in shown("-h")
    assert "--seed" in shown("demo", "-h")


def test_a_named_model_proposes_and_a_resumed_demo_remembers_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[DemoSettings, Any]] = []

    def run_demo(settings: DemoSettings, advisor: Any, console: Any) -> None:
        settings.run_dir.mkdir(exist_ok=True)
        settings.save()
        asked.append((settings, advisor))

    monkeypatch.setattr("also_wrappers.cli.demo.run_demo", run_demo)
    where = ["--run-dir", str(tmp_path / "run")]
    with OllamaServer(["<hang>"]) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.host)
        shown("demo", "--smoke", "--model", "tiny", "--timeout", "0.2", *where)
        assert shown("demo", "--resume", "--timeout", "0.2", *where) == ""
        for settings, advisor in asked:
            assert (settings.smoke, settings.model) == (True, "tiny")
            assert advisor.name == "llm:tiny"
            advisor.prepare()
            with pytest.raises(AlsoError, match=r"no answer within 0\.2 seconds"):
                advisor.diagnose(corridor_situation())
    assert [settings.resume for settings, _ in asked] == [False, True]
    assert "No model was named" in shown("demo", "--smoke", *where)
    assert asked[-1][1].name == "rules"


def check_smoke(folder: Path) -> None:
    """Checks what every finished smoke run leaves."""
    assert events(folder)[-1]["event"] == "run_finished"
    result = json.loads((folder / "result.json").read_text())
    counts = result["env_steps"]
    parts = (counts[name] for name in ("mainline", "branches", "evaluation"))
    assert counts["total"] == sum(parts)
    plays = [*events(folder, "ranking"), *events(folder, "audition")]
    played = sum(event["steps"] for event in plays) // 3
    assert counts["evaluation"] == played + 1024  # of the rehearsal, one rollout
    assert counts["mainline"] == 16_384
    # As many steps, in whole rollouts.
    assert 0 <= result["base_only_env_steps"] - counts["total"] < 1024
    assert result["adapted"]["episodes"] == result["base_only"]["episodes"] == 32
    assert {"adapted_total", "base_only"} < set(result["milestones"])
    swaps = events(folder, "swap")
    assert result["standing"] is None or swaps
    base_only = events(folder / "base_only")[-1]
    assert base_only["event"] == "run_finished"
    assert base_only["env_steps"]["mainline"] == result["base_only_env_steps"]
    assert "base reward alone" in (folder / "report.html").read_text()
    assert result["advisor"] == "rules"
    assert (folder / "report.html").stat().st_size > 10_000
    assert list((folder / "tensorboard" / "mainline").iterdir())
    totals = [event["env_steps"]["total"] for event in events(folder)]
    assert totals == sorted(totals)


def check_rounds(folder: Path, wanted: int = 2) -> None:
    """Checks for so many whole rounds, each with control and a candidate at least, or
    with an expert that played: what was tried before is not tried again."""
    whole = 0
    for number in {e["round"] for e in events(folder) if "round" in e}:
        own = [event for event in events(folder) if event.get("round") == number]
        kinds = [event["event"] for event in own]
        arms = {event["name"] for event in own if event["event"] == "branch"}
        whole += {"evidence", "diagnosis", "decision"} <= set(kinds) and (
            "audition" in kinds or ("control" in arms and len(arms) >= 2)
        )
    assert whole >= wanted


@pytest.mark.slow
def test_a_demo_that_is_killed_and_then_interrupted_goes_on_to_its_end(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "run"
    where = ["--run-dir", str(folder)]
    marked = os.environ | {"ALSO_WRAPPERS_TEST": str(folder)}
    chance = random.Random(1)
    recorded: list[dict[str, Any]] = []
    for how, option, kind in (
        (signal.SIGKILL, "--smoke", "run_started"),
        (signal.SIGINT, "--resume", "round_finished"),
    ):
        process = subprocess.Popen(
            [*COMMAND, "demo", option, *where],
            env=marked,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=hear_interrupts,
        )
        assert process.stderr is not None
        while not events(folder, kind) and process.poll() is None:
            time.sleep(0.05)
        time.sleep(chance.uniform(0.0, 0.5))
        process.send_signal(how)
        code = process.wait(60)
        if how == signal.SIGINT:
            told = process.stderr.read().decode()
            assert code == 130, told
            assert "--resume" in told
        after = events(folder)
        assert after[: len(recorded)] == recorded, f"{how.name} lost an event"
        recorded = after
        deadline = time.monotonic() + 60
        while marked_processes(folder) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert marked_processes(folder) == []
    result = subprocess.run(
        [*COMMAND, "demo", "--resume", *where],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert "base reward alone" in result.stdout
    assert "No model was named" in result.stdout
    assert events(folder)[: len(recorded)] == recorded
    check_rounds(folder)
    check_smoke(folder)
    assert "already holds a run" in refused("demo", "--smoke", *where)
    assert "is finished" in refused("demo", "--resume", *where)
    assert "round 1" in shown("watch", str(folder))
    assert "report.html" in shown("report", str(folder))
