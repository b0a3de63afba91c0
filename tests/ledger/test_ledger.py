"""The ledger: whole events only, no secrets, and readers that keep up with it."""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path

import pytest

from also_wrappers.advisors.llm.models.openai import OpenAICompatible
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.ledger.accounting import Accounting
from also_wrappers.ledger.events import (
    EVENT,
    AdvisorFailed,
    Decided,
    Event,
    Exchanged,
    Recorded,
    RunFinished,
    RunResumed,
    RunStarted,
)
from also_wrappers.ledger.ledger import (
    Ledger,
    LedgerReader,
    follow,
    last_event,
    read_ledger,
    salvage_ledger,
)
from also_wrappers.signal import Signal
from tests.support.counted import CountedBytes
from tests.support.ledgers import (
    EXPERT,
    SIGNAL,
    TOTAL,
    WORSE,
    Line,
    auditioned,
    branch,
    decided,
    exchange,
    expert_run,
    recorded,
    started,
    whole_run,
    write_ledger,
)
from tests.support.long_run import write_long_run

FINISHED = RunFinished(rounds=0, signal=Signal())
#: Bytes that are read at a time from the end of a ledger.
BLOCK = 1 << 16


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def kinds(path: Path) -> list[str]:
    return [event.event for event in read_ledger(path)]


@pytest.mark.parametrize("lines", [whole_run(), expert_run()])
def test_what_is_read_is_what_was_written(tmp_path: Path, lines: list[Line]) -> None:
    read = list(read_ledger(write_ledger(tmp_path, lines) / "ledger.jsonl"))
    assert [type(event) for event in read] == [type(event) for event, *_ in lines]
    stamp = {"time", "env_steps", "trainer_steps"}
    for (event, mainline, branches), back in zip(lines, read, strict=True):
        assert back.model_dump(exclude=stamp) == event.model_dump(exclude=stamp)
        assert back.trainer_steps.mainline == mainline
        assert back.env_steps.branches == branches // 2
        assert abs(back.time - time.time()) < 60.0


def test_an_audition_is_of_every_signal_with_its_expert() -> None:
    played = auditioned()
    assert played.spread == pytest.approx(0.5)
    assert EXPERT.expert is not None
    harder = EXPERT.expert.model_copy(update={"pull": 3.0})
    for signal in (
        EXPERT,
        EXPERT.model_copy(update={"terms": SIGNAL.terms, "fade": 0.5}),
        EXPERT.model_copy(update={"expert": harder}),
    ):
        assert played.is_of(signal)
    for signal in (
        SIGNAL,
        WORSE,
        EXPERT.model_copy(update={"define": {"near": "distance < 2"}}),
    ):
        assert not played.is_of(signal)


def test_scores_that_are_no_numbers_can_be_read(path: Path) -> None:
    ledger = Ledger(path, Accounting())
    ledger.write(branch(score=math.nan, error="it died"))
    ledger.close()
    (event,) = read_ledger(path)
    assert event.event == "branch"
    assert math.isnan(event.score)


def test_secrets_of_the_environment_are_left_out(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = 'sk-"quoted\\and\u00e9'
    monkeypatch.setenv("SOME_API_KEY", key)
    monkeypatch.setenv("SHORT_TOKEN", "place")
    monkeypatch.setenv("HARMLESS", "progress")
    ledger = Ledger(path, Accounting())
    shown: list[Event] = []
    ledger.listeners.append(shown.append)
    error = f"refused {key} at https://ann:open@host/v1, place and progress"
    written = [
        ledger.write(AdvisorFailed(round=1, asked_for="proposal", error=error)),
        ledger.write(exchange(prompt=key)),
    ]
    ledger.close()
    text = path.read_text()
    assert "open" not in text
    assert "quoted" not in text
    failed, asked = read_ledger(path)
    assert isinstance(asked, Exchanged)
    assert asked.exchange.prompt == "[secret]"
    assert isinstance(failed, AdvisorFailed)
    assert failed.error == (
        "refused [secret] at https://[secret]@host/v1, place and progress"
    )
    assert shown == written == [failed, asked]


def test_a_secret_of_digits_leaves_numbers_as_they_are(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_PASSWORD", "33333333")
    ledger = Ledger(path, Accounting(mainline=33333333))
    written = ledger.write(recorded(33333333, 1 / 3))
    ledger.write(AdvisorFailed(round=1, asked_for="x", error="refused 33333333"))
    ledger.close()
    back, failed = read_ledger(path)
    assert back == written
    assert isinstance(back, Recorded)
    assert (back.window.steps, back.trainer_steps.mainline) == (33333333, 33333333)
    assert isinstance(failed, AdvisorFailed)
    assert failed.error == "refused [secret]"


def test_a_secret_that_is_a_word_of_the_ledger_leaves_the_ledger_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, word in enumerate(("run_started", "candidate_1")):
        monkeypatch.setenv(f"TOKEN_{number}", word)
    ledger = Ledger(path, Accounting())
    ledger.write(started(task="a run_started one"))
    ledger.write(decided())
    ledger.close()
    begun, decision = read_ledger(path)
    assert isinstance(begun, RunStarted)
    assert begun.task == "a [secret] one"
    assert isinstance(decision, Decided)
    assert decision.winner == "[secret]"


def test_a_variable_that_is_named_as_a_key_is_a_secret(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROM_THE_VAULT", "open sesame")
    OpenAICompatible("http://localhost", "tiny", api_key_variable="FROM_THE_VAULT")
    ledger = Ledger(path, Accounting())
    shown: list[Event] = []
    ledger.listeners.append(shown.append)
    ledger.write(exchange(answer="you said open sesame"))
    ledger.close()
    assert "sesame" not in path.read_text()
    assert "sesame" not in shown[0].model_dump_json()


def test_a_line_that_was_cut_is_dropped(path: Path) -> None:
    ledger = Ledger(path, Accounting())
    ledger.write(started())
    ledger.close()
    append(path, '{"event": "rec')
    assert kinds(path) == ["run_started"]
    ledger = Ledger(path, Accounting())
    ledger.write(FINISHED)
    ledger.close()
    assert kinds(path) == ["run_started", "run_finished"]


@pytest.mark.parametrize(
    ("end", "left"),
    [
        (b"", 2),
        (EVENT.dump_json(FINISHED), 3),  # whole, but for its end
        (EVENT.dump_json(FINISHED)[:-1], 2),
        (bytes(4096), 2),  # after a loss of power
    ],
)
def test_what_a_stop_left_at_the_end_is_mended(
    path: Path, end: bytes, left: int
) -> None:
    line = EVENT.dump_json(started()) + b"\n"
    path.write_bytes(2 * line + end)
    assert len(list(read_ledger(path))) == 2
    assert path.read_bytes() == 2 * line + end, "a reader has changed the ledger"
    ledger = Ledger(path, Accounting())
    ledger.write(FINISHED)
    ledger.close()
    assert path.read_bytes().startswith(2 * line)
    assert len(kinds(path)) == left + 1


def test_an_end_that_no_run_has_written_is_refused_and_stays(path: Path) -> None:
    path.write_bytes(b"\x80 what is this")
    with pytest.raises(ConfigurationError, match="or remove line 1"):
        Ledger(path, Accounting())
    assert path.read_bytes() == b"\x80 what is this"


def test_what_can_be_read_of_a_ledger_is_salvaged(path: Path) -> None:
    line = EVENT.dump_json(started()).decode() + "\n"
    append(path, f"{line}garbage\n{line}[1, 2]\n{line}")
    events, damage = salvage_ledger(path)
    assert len(events) == 3
    assert "'garbage'; take the file back" in damage
    assert damage.endswith("or remove line 2; so for 1 more line(s)")
    path.write_text(line)
    assert salvage_ledger(path)[1] == ""
    path.write_text("garbage\n")
    with pytest.raises(ConfigurationError, match="remove line 1"):
        salvage_ledger(path)
    path.unlink()
    with pytest.raises(ConfigurationError, match="holds no run"):
        salvage_ledger(path)


def test_a_listener_that_fails_ends_neither_the_run_nor_other_listeners(
    path: Path,
) -> None:
    def draw(event: Event) -> None:
        raise ZeroDivisionError("nothing to draw")

    shown: list[Event] = []
    ledger = Ledger(path, Accounting())
    ledger.listeners += [draw, shown.append]
    with pytest.warns(RuntimeWarning, match="draw .*'run_started'.*nothing to draw"):
        first = ledger.write(started())
    with pytest.warns(RuntimeWarning):
        second = ledger.write(FINISHED)
    ledger.close()
    assert shown == [first, second] == list(read_ledger(path))


def test_ctrl_c_in_a_listener_is_no_error_of_the_listener(path: Path) -> None:
    def interrupted(event: Event) -> None:
        raise KeyboardInterrupt

    ledger = Ledger(path, Accounting())
    ledger.listeners.append(interrupted)
    with pytest.raises(KeyboardInterrupt):
        ledger.write(started())
    ledger.close()
    assert kinds(path) == ["run_started"]


def test_a_reader_yields_what_was_added_since_its_last_look(path: Path) -> None:
    reader = LedgerReader(path)
    assert list(reader.read()) == []  # there is no file yet
    ledger = Ledger(path, Accounting())
    first, second = ledger.write(started()), ledger.write(recorded(10, 0.0))
    assert list(reader.read()) == [first, second]
    assert list(reader.read()) == []
    third = ledger.write(FINISHED)
    ledger.close()
    assert list(reader.read()) == [third]


def test_a_reader_that_was_left_early_goes_on_where_it_was(path: Path) -> None:
    ledger = Ledger(path, Accounting())
    first, second = ledger.write(started()), ledger.write(FINISHED)
    ledger.close()
    reader = LedgerReader(path)
    assert next(reader.read()) == first
    assert list(reader.read()) == [second]


def test_a_reader_waits_for_the_rest_of_a_line(path: Path) -> None:
    line = EVENT.dump_json(started()).decode()
    append(path, line[:30])
    reader = LedgerReader(path)
    assert list(reader.read()) == []
    append(path, line[30:])
    assert list(reader.read()) == []  # the end of the line may be missing yet
    append(path, "\n")
    assert list(reader.read()) == [started()]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"schema_version": 1, "event": "run_started"}', "form 1, this one reads for"),
        ('{"event": "run_started"}', "another version of this package"),
        ('{"schema_version": 7, "event": "audition"}', "form 7, this one reads form 3"),
        ("no JSON", "has a line that is no event of a run: 'no JSON'"),
        ("3", "has a line that is no event of a run: '3'"),
        ('{"schema_version": 3, "event": "guessed"}', "is no event of a run"),
        ('{"schema_version": 3, "event": "run_finished"}', "is no event of a run"),
    ],
)
def test_a_line_that_is_no_event_is_told_in_one_sentence(
    path: Path, line: str, sentence: str
) -> None:
    append(path, EVENT.dump_json(started()).decode() + "\n" + line + "\n")
    reader = LedgerReader(path)
    events = reader.read()
    assert isinstance(next(events), RunStarted)
    for look in (events, reader.read()):  # it is told again at the next look
        with pytest.raises(ConfigurationError, match=sentence) as caught:
            next(look)
        text = str(caught.value)
        assert text.startswith(str(path))
        assert "\n" not in text


def test_a_reader_reads_each_byte_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_long_run(tmp_path / "run", 5, finished=False) / "ledger.jsonl"
    read, reader = CountedBytes(monkeypatch), LedgerReader(path)
    assert len(list(reader.read())) > 100
    assert read.take() == path.stat().st_size > 5 * BLOCK
    line = EVENT.dump_json(FINISHED).decode() + "\n"
    append(path, line)
    assert list(reader.read()) == [FINISHED]
    assert read.take() == len(line)


def test_the_last_event_takes_the_end_of_the_file_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_long_run(tmp_path / "run", 5) / "ledger.jsonl"
    *_, last = read_ledger(path)
    read = CountedBytes(monkeypatch)
    assert last_event(path) == last
    append(path, '{"schema_version": 3, "eve')  # it is being written
    assert last_event(path) == last
    assert 0 < read.take() <= 2 * BLOCK
    Ledger(path, Accounting()).close()  # what was cut is dropped
    assert 0 < read.take() <= BLOCK
    assert last_event(path) == last
    assert path.read_bytes().endswith(b"}\n")


def test_a_last_event_may_be_longer_than_what_is_read_at_a_time(path: Path) -> None:
    assert last_event(path) is None
    append(path, "")
    assert last_event(path) is None
    ledger = Ledger(path, Accounting())
    for size in (1, BLOCK - 300, BLOCK, 5 * BLOCK):
        first = ledger.write(exchange(answer="!" * size))
        assert last_event(path) == first
        second = ledger.write(recorded(10, 0.0))
        assert last_event(path) == second
        append(path, "{" * size)
        assert last_event(path) == second
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size - size)
    ledger.close()


def test_a_last_line_that_is_no_event_is_told_by_its_number(path: Path) -> None:
    append(path, EVENT.dump_json(started()).decode() + "\nno JSON\n")
    with pytest.raises(ConfigurationError, match="remove line 2"):
        last_event(path)


def test_what_follows_a_run_ends_with_the_run(path: Path) -> None:
    """The file comes late and grows line by line, with a pause within a line."""
    events: list[Event] = [started(), recorded(10, 0.0), FINISHED]

    def run() -> None:
        for event in events:
            line = EVENT.dump_json(event).decode() + "\n"
            for part in (line[:40], line[40:]):
                time.sleep(0.02)
                append(path, part)

    writer = threading.Thread(target=run)
    writer.start()
    assert list(follow(path, interval=0.001)) == events
    writer.join()


def test_what_follows_a_run_does_not_stop_where_it_was_resumed(path: Path) -> None:
    ledger = Ledger(path, Accounting())
    for event in (started(), FINISHED, RunResumed(rounds=0, total=TOTAL, checkpoint=0)):
        ledger.write(event)
    events = follow(path, interval=0.001)
    first = [next(events) for _ in range(3)]
    ledger.write(FINISHED)
    ledger.close()
    assert [event.event for event in [*first, *events]] == [
        "run_started",
        "run_finished",
        "run_resumed",
        "run_finished",
    ]


def test_events_are_told_apart_by_their_class(tmp_path: Path) -> None:
    run_dir = write_ledger(tmp_path, whole_run())
    means = []
    for event in follow(run_dir / "ledger.jsonl"):
        match event:
            case Recorded(window=window):
                means.append(window.mean)
    assert means == [0.0, 0.1, 0.92, 0.98]
