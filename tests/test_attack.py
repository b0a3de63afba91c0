"""Each attack of ``tests/attack.py``, for a moment, and what it says of a fault."""

from __future__ import annotations

import random
import time

import pytest

from tests import attack
from tests.support.attacks import environments
from tests.support.attacks.tally import Attempt, attempt_until

pytest.importorskip("openai", reason="the extra 'openai' is not installed")


@pytest.mark.parametrize("name", attack.ATTACKS)
def test_an_attack_finds_nothing(name: str) -> None:
    tally = attack.ATTACKS[name](random.Random(name), time.monotonic() + 2.0)
    assert tally.faults == []
    assert tally.attempts.total() > 0
    assert set(tally.attempts) <= {k for k in attack.ATTEMPTS if k.startswith(name)}


def test_a_fault_is_told_and_can_be_had_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(randomness: random.Random) -> None:
        raise KeyError(randomness.random())

    attempts: dict[str, Attempt] = {"environments: broken": breaks}
    monkeypatch.setattr(environments, "ATTEMPTS", attempts)
    monkeypatch.setitem(attack.ATTEMPTS, "environments: broken", breaks)
    assert attack.main(["--minutes", "0", "--only", "environments"]) == 1
    said = capsys.readouterr().out
    (again,) = [line for line in said.splitlines() if "--again" in line]
    seed = again.split()[-1]
    assert "KeyError" in said
    assert attack.main(["--again", "environments: broken", seed]) == 1
    value = random.Random(int(seed)).random()
    assert str(value) in said
    assert str(value) in capsys.readouterr().err


def test_what_hangs_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.attacks.tally._LONG", 0.1)
    hangs = {"hangs": lambda randomness: time.sleep(30)}
    tally = attempt_until(hangs, random.Random(0), 0.0)
    assert ["for longer than 0.1 seconds" in fault.what for fault in tally.faults] == [
        True
    ]
