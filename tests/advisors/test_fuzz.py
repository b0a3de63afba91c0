"""Answers of any shape end in a valid object or a clean error, soon."""

from __future__ import annotations

import contextlib
import random
import time
import tracemalloc

import pytest

from also_wrappers.advisors.llm.advisor import LLMAdvisor
from also_wrappers.exceptions import AdvisorError
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.signal import Advice, compile_signal
from also_wrappers.testing import ScriptedModel, corridor_situation
from tests.support.answers import EXPERT, WALK
from tests.support.babble import babble

ANSWERS = 10_000


@pytest.mark.slow
def test_ten_thousand_answers() -> None:
    pick = random.Random(0)
    without = corridor_situation()
    experts = corridor_situation(signal=EXPERT, actions=WALK)
    usable = advised = 0
    slowest = 0.0
    peak = 0
    for number in range(ANSWERS):
        answer = babble(pick)
        now = experts if number % 2 else without
        # Tracing takes longer than reading: the long answers, and some of the others.
        traced = len(answer) > 10_000 or number % 20 == 0
        if traced:
            tracemalloc.start()
        began = time.perf_counter()
        advisor = LLMAdvisor(ScriptedModel([answer] * 4), repairs=1)
        with contextlib.suppress(AdvisorError):
            assert isinstance(advisor.diagnose(now), Diagnosis)
            usable += 1
        with contextlib.suppress(AdvisorError):
            for proposal in advisor.propose(now, 2):
                compile_signal(proposal.signal, now.features, now.agents)
                if proposal.signal.expert is not None:
                    Advice(proposal.signal, now.features, WALK, now.agents)
                    advised += 1
                usable += 1
        slowest = max(slowest, time.perf_counter() - began)
        if traced:
            peak = max(peak, tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    print(f"{usable} usable, slowest {slowest:.2f} s, peak {peak / 2**20:.0f} MiB")
    assert ANSWERS / 20 < usable < ANSWERS  # neither all good nor all bad
    assert advised > ANSWERS / 200
    assert slowest < 5.0
    assert peak < 200 * 2**20
