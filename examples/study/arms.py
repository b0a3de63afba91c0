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
from also_wrappers.proposals.outcomes import ArmOutcome, Rejection
from also_wrappers.signal import Signal

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


def hostile(task: str, seed: int) -> Advisor:
    """Returns an advisor that proposes nothing but what harms."""
    return _Hostile(_read(task, "harm"))


def horizon(task: str, seed: int) -> int | None:
    """Returns a horizon with which rounds fit a plan; ``None`` for the default."""
    return {"mountain-car": 16_384}.get(task)  # 16 episodes of 1,000 steps, not 50


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
    """Proposes what harms, the worst first, and nothing that was tried or rejected.

    Args:
        harms: Signals that pay for the opposite of a task, and for what keeps from it.
    """

    name = "hostile"

    def __init__(self, harms: Sequence[Signal]) -> None:
        super().__init__()
        self._harms = harms

    def diagnose(self, situation: Situation) -> Diagnosis:
        """Returns a diagnosis without findings."""
        return Diagnosis(advice="worse")

    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        """Returns the worst signals that are left, at most ``k``."""
        known: list[Rejection | ArmOutcome] = []
        known += [*situation.rejected, *situation.results]
        for outcome in situation.history:
            known += [*outcome.rejected, *outcome.arms]
        seen = {_paid_for(one.proposal.signal) for one in known}
        left = [signal for signal in self._harms if _paid_for(signal) not in seen]
        return [Proposal(signal=signal) for signal in left[:k]]


def _paid_for(signal: Signal) -> tuple[str, str]:
    """Returns what a signal of one term pays for: weights may have been scaled."""
    (term,) = signal.terms
    return term.kind, term.expression
