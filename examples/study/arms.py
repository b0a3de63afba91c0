"""Makes the arms of the study: advisors that propose, and rules that decide.

Every function makes one option of ``AdaptationCallback`` for a task, by the task's name
in the plan, and a seed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import also_wrappers as also
from also_wrappers.advisors import Advisor, BlindAdvisor, Proposal, Situation
from also_wrappers.gate import Decision, Gate, Race, Request, ScoreGate, Trial
from also_wrappers.proposals import Diagnosis
from also_wrappers.signal import Signal, Term

#: Folder with the signals of each task: those that a person wrote, and those of a large
#: language model that knew the vocabulary and had seen no episode.
_SIGNALS = Path(__file__).parent / "signals"


def hand_made(task: str, seed: int) -> Advisor:
    """Returns an advisor that proposes, once, the signal that a person wrote."""
    return also.RecordedAdvisor([[Proposal(signal=_read(task, "hand")[0])]])


def recorded_terms(task: str, seed: int) -> Advisor:
    """Returns an advisor with the terms that a large language model wrote."""
    return also.RecordedAdvisor([[Proposal(signal=s) for s in _read(task, "terms")]])


def recorded_expert(task: str, seed: int) -> Advisor:
    """Returns an advisor with the expert that a large language model wrote."""
    proposals = [Proposal(signal=s, intent="expert") for s in _read(task, "expert")]
    return also.RecordedAdvisor([proposals])


def demonstrations(task: str, seed: int) -> Signal:
    """Returns the expert of ``recorded_expert``, to be recorded and imitated."""
    return _read(task, "expert")[0]


def blind(task: str, seed: int) -> Advisor:
    """Returns an advisor that draws its candidates at random."""
    return BlindAdvisor(seed)


def local_model(task: str, seed: int) -> Advisor:
    """Returns an advisor that asks a very small language model in this process."""
    return also.LLMAdvisor(also.Embedded(seed=seed), ceiling=also.Ceiling(calls=60))


def hostile(task: str, seed: int) -> Advisor:
    """Returns an advisor that proposes to pay for the opposite of the task."""
    return _Hostile(_read(task, "hand")[0])


def race(task: str, seed: int) -> Race:
    """Returns the rule that confirms a candidate before anything changes."""
    return Race()


def sixteen_pairs(task: str, seed: int) -> Gate:
    """Returns the rule that tests a candidate on sixteen pairs of branches."""
    return Gate()


def scores(task: str, seed: int) -> ScoreGate:
    """Returns the rule of LLM-ALSO's code: point scores of single branches."""
    return ScoreGate()


def at_once(task: str, seed: int) -> AtOnce:
    """Returns the rule that swaps in the first candidate without comparing."""
    return AtOnce()


def _read(task: str, kind: str) -> list[Signal]:
    """Reads the signals of a kind for a task from a file: one signal, or a list."""
    entry = json.loads((_SIGNALS / f"{task}.json").read_text())[kind]
    entries = entry if isinstance(entry, list) else [entry]
    return [Signal.model_validate(one) for one in entries]


@dataclass(frozen=True)
class AtOnce:
    """Swaps in the first candidate of every round; its branch becomes the mainline."""

    def next(
        self, arms: int, trials: Sequence[Trial], number: int = 1
    ) -> list[Request] | Decision:
        """Asks for one branch of the first candidate, and adopts it."""
        request = Request(1, "confirm", 0)
        for trial in trials:
            if trial.request == request:
                if not trial.ok:
                    return Decision("no_change", "the branch failed")
                return Decision("provisional", "nothing is compared", 1, request)
        return [request]


class _Hostile(Advisor):
    """Proposes to pay for the opposite of the task, more in every round."""

    name = "hostile"

    def __init__(self, signal: Signal) -> None:
        super().__init__()
        self._expression = signal.terms[0].expression

    def diagnose(self, situation: Situation) -> Diagnosis:
        """Returns a diagnosis without findings."""
        return Diagnosis(advice="worse")

    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        """Returns progress away from the task, and a bonus for being far from it."""
        number = len(situation.history) + 1 + len(situation.results)
        away = f"0 - ({self._expression})"
        terms = (
            Term(name="worse", kind="progress", expression=away, weight=2.0 * number),
            Term(name="worse", kind="bonus", expression=away, weight=0.1 * number),
        )
        return [Proposal(signal=Signal(terms=(term,))) for term in terms[:k]]
