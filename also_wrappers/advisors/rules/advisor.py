"""Proposes signals from the evidence by heuristics, with ``RuleAdvisor``."""

from __future__ import annotations

from collections.abc import Iterable

from also_wrappers.advisors.base import Advisor, Situation, tried
from also_wrappers.advisors.rules import heuristics
from also_wrappers.advisors.rules.skeletons import skeletons
from also_wrappers.advisors.rules.variations import faded, variations
from also_wrappers.checks.check import Checks
from also_wrappers.evidence.document import Evidence
from also_wrappers.proposals.diagnosis import Claim, Diagnosis, Finding
from also_wrappers.proposals.proposal import Proposal

__all__ = ["RuleAdvisor"]

#: Share of episodes with a reward below which the base reward counts as sparse.
_SPARSE = 0.05
_ENTROPY = 0.2
#: The most experts that are played at a time.
_MOST_EXPERTS = 40


class RuleAdvisor(Advisor):
    """Proposes signals from the evidence by fixed rules, without a model.

    The rules know no environment. Without a signal, they draw agents to the states that
    come before a reward or that better episodes are in, to declared conditions that are
    rare, and to separate targets where agents crowd. With a signal, they vary the
    active terms, take away a term that is hacked, and fade a signal that has done its
    work. Where the task declares actions, the rules propose experts that go to a place
    and do something there; see ``also_wrappers.advisors.rules.skeletons``. The
    publications behind the rules are named in
    ``also_wrappers.advisors.rules.heuristics``.

    The same situation always gives the same answer.

    Example:
        >>> RuleAdvisor().name
        'rules'
    """

    name = "rules"

    def diagnose(self, situation: Situation) -> Diagnosis:
        """Returns the failures that the numbers of the evidence show."""
        evidence = situation.evidence
        if evidence.insufficient:
            return Diagnosis(insufficient=True, advice="record longer")
        findings = [*_of_learning(situation), *_of_the_signal(evidence)]
        findings += _of_the_team(situation)
        advice = (
            "draw the team to the states that come before a reward"
            if not situation.signal.terms
            else "vary the signal that is active"
        )
        return Diagnosis(
            stage=situation.stage, findings=tuple(findings[:5]), advice=advice
        )

    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        """Returns new terms, or variations of the signal where there is one.

        Once there are results, returns variations of the candidate that did best.
        """
        diagnosis = situation.diagnosis
        if diagnosis is not None and diagnosis.insufficient:
            return []
        if situation.results:
            return _first(self._replacements(situation), situation, k)
        signal = situation.signal
        if not signal.terms:
            return _first(self._new(situation), situation, k)
        varied = variations(signal, situation.evidence)
        if situation.stage == "solved":
            varied = [*faded(signal), *varied]
        joined = heuristics.combined(situation)
        new = self._new(situation)
        # One idea of every kind before the second of any.
        kinds = [varied[:1], joined[:1], new[:1], varied[1:], joined[1:], new[1:]]
        ideas = [idea for kind in kinds for idea in kind]
        return _first(ideas, situation, k)

    def experts(self, situation: Situation) -> list[Proposal]:
        """Returns experts that go to a place and do an action there."""
        return _first(skeletons(situation), situation, _MOST_EXPERTS)

    def _replacements(self, situation: Situation) -> list[Proposal]:
        scored = [result for result in situation.results if result.score is not None]
        best = max(scored, key=lambda result: result.score or 0.0, default=None)
        varied = []
        if best is not None and (best.score or 0.0) > 0.0:
            signal = best.proposal.signal
            varied = variations(signal, situation.evidence) if signal.terms else []
        varied = [proposal for proposal in varied if proposal.intent != "remove"]
        return [*varied, *self._new(situation)]

    @staticmethod
    def _new(situation: Situation) -> list[Proposal]:
        drawn = heuristics.new_terms(situation)
        special = [
            *heuristics.toward_conditions(situation),
            *heuristics.spread_out(situation),
            *heuristics.idle_costs(situation),
        ]
        # One idea of every kind before the second of any.
        return [*drawn[:2], *special[:1], *drawn[2:3], *special[1:], *drawn[3:]]


def _of_learning(situation: Situation) -> list[Finding]:
    values = situation.evidence.values
    findings = []
    if values.get("team.reward_rate", 0.0) < _SPARSE:
        findings.append(
            _finding(
                "sparse_reward",
                "severe",
                "hardly any episode has a base reward",
                Claim(key="team.reward_rate", reads="below", than=f"{_SPARSE:g}"),
            )
        )
    targets = heuristics.targets(situation)
    if targets and targets[0].strength > 0.0:
        best = targets[0]
        reads = "positive" if best.direction > 0.0 else "negative"
        findings.append(
            _finding(
                "undirected_exploration",
                "moderate",
                f"{best.feature} stands out in what went well",
                Claim.model_validate({"key": best.key, "reads": reads}),
            )
        )
    if situation.stage == "plateau":
        findings.append(_finding("stagnation", "moderate", "nothing changes"))
    if situation.stage == "regression":
        findings.append(_finding("forgetting", "severe", "the base return falls"))
    certain = [
        Claim(key=key, reads="below", than=f"{_ENTROPY:g}")
        for agent in situation.agents
        for key in [f"{agent}.action.entropy"]
        if values.get(key, 1.0) < _ENTROPY
    ]
    if certain and situation.stage in ("no_signal", "discovery"):
        findings.append(
            _finding("premature_convergence", "severe", "nearly certain", *certain)
        )
    return findings


def _of_the_signal(evidence: Evidence) -> list[Finding]:
    values = evidence.values
    findings = []
    if values.get("signal.hacking", 0.0) > 0.5:
        claim = Claim(key="signal.hacking", reads="high")
        findings.append(_finding("reward_hacking", "severe", "paid for less", claim))
    if values.get("signal.flooding", 0.0) > 1.0:
        claim = Claim(key="signal.flooding", reads="above", than="1")
        argument = "the signal pays an average episode more than a rewarded one earns"
        findings.append(_finding("flooding", "moderate", argument, claim))
    return findings


def _of_the_team(situation: Situation) -> list[Finding]:
    values = situation.evidence.values
    findings = []
    if values.get("team.target.crowding", 0.0) > 0.5:
        claim = Claim(key="team.target.crowding", reads="high")
        findings.append(_finding("crowding", "moderate", "at the same target", claim))
    for what, limit, failure in (
        ("action.idle_share", 0.5, "lazy_agent"),
        ("move.back_share", 0.4, "dithering"),
    ):
        high = [
            Claim(key=f"{agent}.{what}", reads="above", than=f"{limit:g}")
            for agent in situation.agents
            if values.get(f"{agent}.{what}", 0.0) > limit
        ]
        if high:
            findings.append(_finding(failure, "minor", f"above {limit:g}", *high))
    return findings


def _finding(failure: str, severity: str, argument: str, *claims: Claim) -> Finding:
    return Finding.model_validate(
        {
            "failure": failure,
            "severity": severity,
            "claims": claims[:3],
            "argument": argument,
        }
    )


def _first(
    proposals: Iterable[Proposal], situation: Situation, k: int
) -> list[Proposal]:
    """Returns the first ``k`` proposals whose signals were not tried before.

    Proposals that pay the same as a tried signal in other words are left out, and so
    are citations of keys that the evidence lacks.
    """
    checks = Checks(
        situation.features,
        situation.agents,
        situation.episodes,
        scale=1.0,
        gamma=1.0 if situation.gamma is None else situation.gamma,
    )
    known = {signal.id: signal for signal in tried(situation)}
    fresh: list[Proposal] = []
    for proposal in proposals:
        if len(fresh) == k:
            break
        signal = proposal.signal
        if signal.id in known or checks.repeats(signal, [*known.values()]):
            continue
        known[signal.id] = signal
        fresh.append(_grounded(proposal, situation.evidence))
    return fresh


def _grounded(proposal: Proposal, evidence: Evidence) -> Proposal:
    expected = proposal.hypothesis
    if expected is not None and expected.key not in evidence.values:
        expected = None
    answers = tuple(key for key in proposal.answers if key in evidence.values)
    return proposal.model_copy(update={"hypothesis": expected, "answers": answers})
