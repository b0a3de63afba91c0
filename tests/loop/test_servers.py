"""A run whose model answers well, dies, babbles or hangs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from also_wrappers.advisors.llm.advisor import LLMAdvisor
from also_wrappers.advisors.llm.models.ollama import Ollama
from also_wrappers.run.run import Run
from also_wrappers.testing import OllamaServer
from tests.support.answers import candidate, candidates, diagnosis
from tests.support.corridor import (
    ROLLOUT,
    callback,
    check_every_step_is_counted_once,
    events,
    make_model,
    make_task,
)

TOTAL = 2048
DIAGNOSIS = diagnosis(
    {"key": "team.episodes", "reads": "positive", "than": ""}, advice="go on"
)


def proposed(*expressions: str) -> str:
    return candidates(*[candidate(text, answers=[]) for text in expressions])


#: Every round proposes something else: nothing is tried twice.
FIRST = proposed("place", "team_min(place)", "-abs(place - mate_place)")
REPLACED = [proposed("team_mean(place)")] * 2
LATER = proposed("team_max(place)", "place * place", "sqrt(place)")


@pytest.mark.parametrize(
    ("answers", "timeout", "fails"),
    [
        ([DIAGNOSIS, FIRST, *REPLACED, DIAGNOSIS, LATER, *REPLACED], 5.0, ""),
        ([DIAGNOSIS, "<drop>"], 5.0, "cannot be reached"),
        (["<nonsense>"], 5.0, "was not understood"),
        ([DIAGNOSIS, "<hang>"], 0.2, "no answer within 0.2 seconds"),
    ],
    ids=["well", "dies", "babbles", "hangs"],
)
def test_a_run_ends_as_planned_whatever_its_model_does(
    tmp_path: Path, answers: Sequence[str], timeout: float, fails: str
) -> None:
    run = Run(make_task(), tmp_path / "run")
    model = make_model(run)
    with OllamaServer(answers) as server:
        advisor = LLMAdvisor(Ollama("tiny", server.host, timeout=timeout))
        pauses = {"first": 512, "every": 512, "horizon": ROLLOUT, "fade_out": 0.0}
        adapting = callback(run, advisor, refinements=1, **pauses)
        model.learn(TOTAL, callback=adapting)
    run.close()
    assert model.num_timesteps == TOTAL
    assert check_every_step_is_counted_once(run.dir, TOTAL) == 0
    assert events(run.dir, "run_started")[0]["advisor"] == "llm:tiny"
    assert len(events(run.dir, "exchange")) >= 2
    problems = [event["error"] for event in events(run.dir, "advisor_error")]
    assert bool(problems) == bool(fails)
    assert all(fails in problem for problem in problems)
    if fails:
        assert len(problems) >= 2
        assert events(run.dir, "branch") == []
        assert all(e["winner"] is None for e in events(run.dir, "decision"))
        return
    for number in (1, 2):
        own = [event for event in events(run.dir) if event.get("round") == number]
        kinds = [event["event"] for event in own]
        assert {"evidence", "diagnosis", "decision"} <= set(kinds)
        assert kinds.count("proposal") >= 3
        arms = {event["name"] for event in own if event["event"] == "branch"}
        assert {"control", "candidate_1", "candidate_2", "candidate_3"} <= arms
