"""The commands that read what a run has left: report, watch, export and compare."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from also_wrappers.cli.app import app
from also_wrappers.cli.watch import watch_run
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.signal import Signal
from also_wrappers.testing import Corridor, corridor_features
from also_wrappers.wrappers import ShapeRewardParallel
from tests.support.counted import CountedBytes
from tests.support.damage import play_run
from tests.support.ledgers import (
    EXPERT,
    SIGNAL,
    base_only_run,
    whole_run,
    write_ledger,
)
from tests.support.long_run import write_long_run
from tests.support.walker import ROLLOUT


def printed(*arguments: str | Path) -> str:
    result = CliRunner().invoke(
        app, list(map(str, arguments)), catch_exceptions=False, standalone_mode=False
    )
    return result.stdout


def test_a_report_shows_the_baseline_that_it_is_given(tmp_path: Path) -> None:
    run_dir = write_ledger(tmp_path / "adapted", whole_run())
    baseline = write_ledger(tmp_path / "alone", base_only_run())
    page = run_dir / "report.html"
    assert printed("report", run_dir).strip() == str(page)
    assert "base reward alone" not in page.read_text()
    printed("report", run_dir, "--baseline", baseline)
    assert "base reward alone" in page.read_text()


def test_a_report_of_a_demo_shows_the_baseline_that_the_demo_trained(
    tmp_path: Path,
) -> None:
    run_dir = write_ledger(tmp_path, whole_run())
    write_ledger(run_dir / "base_only", base_only_run())
    printed("report", run_dir)
    assert "base reward alone" in (run_dir / "report.html").read_text()


def test_an_old_run_is_told_from_its_ledger(tmp_path: Path) -> None:
    text = printed("watch", write_ledger(tmp_path, whole_run()), "--no-follow")
    assert "10,000 trainer steps planned" in text
    assert "round 1 at 2,000 steps" in text
    assert "10,000/10,000 steps (100%)" in text


def test_a_run_of_another_version_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_text('{"schema_version": 1, "event": "swap"}\n')
    for command in ("watch", "report", "show", "compare"):
        with pytest.raises(ConfigurationError, match="another version of this package"):
            printed(command, tmp_path)


def test_what_can_be_read_of_a_damaged_run_is_shown(tmp_path: Path) -> None:
    run_dir = write_ledger(tmp_path, whole_run())
    ledger = run_dir / "ledger.jsonl"
    lines = ledger.read_text().splitlines(keepends=True)
    ledger.write_text("".join([*lines[:4], "garb<b>age\n", *lines[4:]]))
    printed("report", run_dir)
    page = (run_dir / "report.html").read_text()
    assert "Not all of the record can be read" in page
    assert "garb&lt;b&gt;age" in page
    assert "it stood out" in page
    watch = ["watch", str(run_dir), "--no-follow"]
    result = CliRunner().invoke(app, watch, standalone_mode=False)
    assert "10,000/10,000 steps (100%)" in result.stdout
    assert isinstance(result.exception, ConfigurationError)
    assert "remove line 5" in str(result.exception)


def test_a_whole_run_has_no_word_of_damage(tmp_path: Path) -> None:
    run_dir = write_ledger(tmp_path, whole_run())
    printed("report", run_dir)
    assert "can be read" not in (run_dir / "report.html").read_text()


def test_a_run_is_watched_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    *before, last = whole_run()
    run_dir = write_ledger(tmp_path / "run", before)
    append = threading.Timer(0.5, write_ledger, [run_dir, [last]])
    append.start()
    result = CliRunner().invoke(app, ["watch", str(run_dir)], standalone_mode=False)
    append.join()
    assert result.exception is None
    assert "10,000 trainer steps planned" in result.stdout
    assert "candidate_1: base return 0.750" in result.stdout
    assert "no process runs" in result.stderr


def test_whoever_ends_a_watch_ends_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("also_wrappers.ledger.ledger.time.sleep", interrupt)
    result = CliRunner().invoke(app, ["watch", str(tmp_path / "run")])
    assert result.exit_code == 130
    assert "holds no run yet; waiting" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["watch", "show", "report"])
def test_whoever_gives_the_directory_above_is_told_of_the_run(
    command: str, tmp_path: Path
) -> None:
    write_ledger(tmp_path / "one", whole_run())
    result = CliRunner().invoke(app, [command, str(tmp_path)])
    assert isinstance(result.exception, ConfigurationError)
    said = str(result.exception)
    assert f"{tmp_path} holds no run" in said
    assert f"did you mean {tmp_path / 'one'}?" in said


def test_a_run_that_has_no_event_yet_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(seconds: float) -> None:
        write_ledger(tmp_path, whole_run())

    monkeypatch.setattr("also_wrappers.ledger.ledger.time.sleep", begin)
    (tmp_path / "ledger.jsonl").touch()
    assert "10,000 trainer steps planned" in printed("watch", tmp_path)


def test_a_watch_ends_with_the_command_that_writes_the_report(tmp_path: Path) -> None:
    text = printed("watch", write_ledger(tmp_path / "a run", whole_run()))
    assert f"also-wrappers report '{tmp_path / 'a run'}' writes" in text


def test_piped_a_watch_is_lines_and_nothing_is_written_over(tmp_path: Path) -> None:
    text = printed("watch", write_ledger(tmp_path, whole_run()))
    assert not set(text) & {"\r", "\x1b"}
    assert "trainer steps  " not in text


def test_a_terminal_has_a_panel_that_is_gone_in_the_end(tmp_path: Path) -> None:
    run_dir = write_ledger(tmp_path / "run", whole_run())
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, width=90, height=40)
    watch_run(run_dir, terminal, Console(file=io.StringIO()))
    text = out.getvalue()
    assert "10,000 of 10,000 (100%)" in text
    assert "candidate_1: base return 0.750" in text
    shown, hidden = text.rfind("\x1b[?25h"), text.rfind("\x1b[?25l")
    assert shown > hidden >= 0  # the cursor is there again
    top, bottom = text.rfind("╭"), text.rfind("╰")
    lines = text[top:bottom].count("\n") + 1
    assert text[bottom:].count("\x1b[2K") == lines > 5
    assert text.rstrip().endswith("report.html")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped half-way, after a swap."""
    folder = tmp_path_factory.mktemp("found") / "run"
    play_run(folder, 4 * ROLLOUT)
    return folder


def test_what_a_run_has_found_is_given_out_and_can_be_used(
    tmp_path: Path, found: Path
) -> None:
    result = CliRunner().invoke(app, ["export", str(found)], catch_exceptions=False)
    signal = Signal.from_run(found)
    assert Signal.model_validate_json(result.stdout) == signal
    assert signal.describe() == "1 * progress[place]"
    place = {"features": corridor_features(), "env": Corridor()}
    exec(result.stderr, place)
    assert isinstance(place["env"], ShapeRewardParallel)
    out = tmp_path / "signal.json"
    assert printed("export", found, "--out", out) == ""
    assert Signal.model_validate_json(out.read_text()) == signal


def test_an_expert_that_was_found_is_used_with_its_actions(tmp_path: Path) -> None:
    (tmp_path / "schedule.json").write_text(
        json.dumps([{"signal": EXPERT.model_dump(mode="json")}])
    )
    usage = CliRunner().invoke(app, ["export", str(tmp_path)]).stderr
    assert "signal=signal, actions=actions)" in usage
    assert "callback=also.ImitationCallback()" in usage


def test_a_signal_that_fades_is_used_without_its_share(tmp_path: Path) -> None:
    fading = SIGNAL.model_copy(update={"fade": 0.5})
    (tmp_path / "schedule.json").write_text(
        json.dumps([{"signal": fading.model_dump(mode="json")}])
    )
    usage = CliRunner().invoke(app, ["export", str(tmp_path)]).stderr
    assert "signal=signal.with_terms(signal.terms)" in usage
    assert Signal.from_run(tmp_path) == fading


def test_where_nothing_was_found_a_sentence_says_so(
    tmp_path: Path, found: Path
) -> None:
    with pytest.raises(ConfigurationError, match="holds no run"):
        Signal.from_run(tmp_path / "nowhere")
    alone = write_ledger(tmp_path / "alone", base_only_run())
    with pytest.raises(ConfigurationError, match="has found no signal"):
        Signal.from_run(alone)
    given_up = {"signal": Signal().model_dump(mode="json")}
    for content, message in (
        ("[]", "has found no signal"),
        (json.dumps([given_up]), "has found no signal"),
        ("{", "is no JSON"),
        ("7", "holds no swaps"),
        ('[{"signal": 1}]', "holds no swaps"),
        ('{"a": 1}', "holds no swaps"),
    ):
        (alone / "schedule.json").write_text(content)
        with pytest.raises(ConfigurationError, match=message):
            printed("export", alone)


def test_runs_are_compared_beside_each_other(tmp_path: Path, found: Path) -> None:
    whole = write_ledger(tmp_path / "whole", whole_run())
    alone = write_ledger(tmp_path / "alone", base_only_run())
    text = printed("compare", whole, alone, found)
    rows = {line[:22].strip(): line[22:].split() for line in text.splitlines()}
    assert rows["base return"] == ["0.950", "0.900", "0.612"]
    assert rows["standard error"] == ["0.020", "0.023", "0.068"]
    assert rows["of episodes"] == ["400", "300", "52"]
    assert rows["environment steps, own"] == ["5,000", "7,500", "180"]
    assert rows["environment steps, all"] == ["7,500", "7,500", "360"]
    assert rows["signal"] == ["confirmed", "none", "confirmed"]
    assert rows["rounds"] == ["1", "0", "1"]
    assert max(map(len, text.splitlines())) <= 80
    read = json.loads(printed("compare", whole, alone, "--json"))
    assert [run["env_steps"]["total"] for run in read] == [7500, 7500]


def test_watch_reads_a_ledger_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = write_long_run(tmp_path / "run", 5)
    console = Console(file=io.StringIO())
    read = CountedBytes(monkeypatch)
    watch_run(run_dir, console, console)
    size = (run_dir / "ledger.jsonl").stat().st_size
    assert size <= read.count <= size + 2**16 < 1.2 * size  # and its last block
