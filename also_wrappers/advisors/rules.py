"""``RuleAdvisor``: proposals from the evidence by heuristics, without a model.

It knows no environment. What it uses, in this order:

* What was special about the states just before a base reward, feature by feature, in
  standard deviations from usual: a reward-triggered average, as one does for spikes
  (de Boer & Kuyper 1968). The features that stand out become potentials (Ng et al.
  1999) that draw the team to such states.
* Features that jump when a reward is paid count what is left to do. They are added to
  the potential so that reaching a goal never costs more than was gained on the way.
* Where no reward was seen, names and descriptions: distances are worth shrinking. And
  where those say nothing either, both ends of what varies most within an episode.
* Where a signal is active: stronger, weaker, the policy-preserving kind, none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from also_wrappers.advisors.base import (
    ArmOutcome,
    Claim,
    Diagnosis,
    Exchange,
    Finding,
    Proposal,
    Situation,
)
from also_wrappers.evidence.document import Evidence
from also_wrappers.signal.model import Signal, Term

__all__ = ["RuleAdvisor"]

_SHRINK = re.compile(r"distance|dist\b|error|gap|remaining|offset", re.IGNORECASE)
#: Standard deviations from usual that make a feature stand out before a reward.
_STANDS_OUT = 0.5
#: Jump at a reward, in standard deviations of usual changes, that makes a feature a
#: counter of what is left to do, and its size relative to the feature's spread.
_JUMPS = 3.0
_WHOLE = 0.5


@dataclass(frozen=True)
class _Target:
    """A feature to draw towards one of its ends, as the team or each agent."""

    feature: str
    aggregate: str
    direction: float
    strength: float

    def expression(self, own: bool) -> str:
        sign = "" if self.direction > 0.0 else "-"
        if own:
            return f"{sign}{self.feature}"
        return f"{sign}team_{self.aggregate}({self.feature})"


class RuleAdvisor:
    """Reads the same evidence as a language model would, and proposes by rule.

    Deterministic: the same situation gives the same answer.

    Example:
        >>> RuleAdvisor().name
        'rules'
    """

    name = "rules"

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def prepare(self) -> None:
        """Nothing to check."""

    def diagnose(self, situation: Situation) -> Diagnosis:
        """Names what the numbers show."""
        evidence = situation.evidence
        if evidence.insufficient:
            return Diagnosis(insufficient=True, advice="record longer")
        values = evidence.values
        findings = []
        if values.get("team.reward_rate", 0.0) < 0.05:
            findings.append(
                Finding(
                    failure="no_reward_seen",
                    severity="severe",
                    claims=(Claim(key="team.reward_rate", reads="low"),),
                    argument="hardly any episode has a base reward",
                )
            )
        targets = self._targets(situation)
        if targets and targets[0].strength > 0.0:
            best = targets[0]
            key = f"feature.{best.feature}.reward_{best.aggregate}"
            findings.append(
                Finding(
                    failure="no_approach",
                    severity="moderate",
                    claims=(
                        Claim(
                            key=key,
                            reads="positive" if best.direction > 0.0 else "negative",
                        ),
                    ),
                    argument=f"{best.feature} stands out just before a reward",
                )
            )
        findings += _by_agent(evidence, "action.idle_share", 0.5, "idleness")
        findings += _by_agent(evidence, "move.back_share", 0.4, "dithering")
        if values.get("signal.flooding", 0.0) > 1.0:
            findings.append(
                Finding(
                    failure="flooding",
                    severity="moderate",
                    claims=(Claim(key="signal.flooding", reads="high"),),
                    argument="the signal pays an average episode more than a "
                    "rewarded one earns",
                )
            )
        if situation.stage in ("plateau", "regression"):
            findings.append(Finding(failure="stagnation", severity="moderate"))
        advice = (
            "vary the signal that is active"
            if situation.signal.terms
            else "draw the team to the states that come before a reward"
        )
        return Diagnosis(findings=tuple(findings[:5]), advice=advice)

    def propose(
        self, situation: Situation, diagnosis: Diagnosis, k: int
    ) -> list[Proposal]:
        """New potentials without a signal, variations of it otherwise."""
        if diagnosis.insufficient:
            return []
        if situation.signal.terms:
            proposals = [*_variations(situation.signal), *self._new(situation)]
        else:
            proposals = self._new(situation)
        return _untried(proposals, situation, ())[:k]

    def refine(
        self,
        situation: Situation,
        diagnosis: Diagnosis,
        results: Sequence[ArmOutcome],
        k: int,
    ) -> list[Proposal]:
        """Varies the candidate that did best so far."""
        if diagnosis.insufficient:
            return []
        scored = [result for result in results if result.score is not None]
        best = max(scored, key=lambda result: result.score or 0.0, default=None)
        proposals = []
        if best is not None and (best.score or 0.0) > 0.0 and best.signal.terms:
            proposals = _variations(best.signal)
            proposals = [p for p in proposals if p.intent != "remove"]
        proposals += self._new(situation)
        return _untried(proposals, situation, [r.signal for r in results])[:k]

    def _new(self, situation: Situation) -> list[Proposal]:
        proposals = []
        targets = self._targets(situation)
        left = self._counter(situation.evidence)
        team = len(situation.agents) > 1
        shapes = [(place, own) for place in range(4) for own in (False, True)]
        if not targets:
            targets = self._either_end(situation)
        for place, own in shapes:
            if place >= len(targets) or (not team and not own):
                continue
            target = targets[place]
            expression, weight = self._potential(
                situation.evidence, target, left, own or not team
            )
            term = Term(
                name=f"toward_{target.feature}"[:40],
                kind="progress",
                expression=expression,
                weight=weight,
                rationale="states before a reward differ from usual ones in this",
            )
            move = "rise" if target.direction > 0.0 else "fall"
            proposals.append(
                Proposal(
                    signal=Signal(terms=(term,)),
                    intent="new_term",
                    rationale=f"draw {'each agent' if own else 'the team'} to where "
                    f"{target.feature} was when a reward was paid"
                    if target.strength
                    else f"{target.feature} is worth reaching by its description",
                    hypothesis=f"feature.{target.feature}.change should {move}",
                )
            )
        return proposals

    def _targets(self, situation: Situation) -> list[_Target]:
        """Features to draw towards, the most telling first, each once."""
        values = situation.evidence.values
        found: dict[str, _Target] = {}
        counter = self._counter(situation.evidence)
        for feature in situation.features.features:
            name = feature.name
            if name in situation.features.action_names:
                continue
            if counter is not None and counter[0] == name:
                continue
            candidates = []
            for aggregate in ("max", "mean", "min"):
                effect = values.get(f"feature.{name}.reward_{aggregate}", 0.0)
                if abs(effect) >= _STANDS_OUT and self._moves(situation, name):
                    sign = 1.0 if effect > 0.0 else -1.0
                    candidates.append(_Target(name, aggregate, sign, abs(effect)))
            if candidates:
                found[name] = max(candidates, key=lambda target: target.strength)
            elif _SHRINK.search(f"{name} {feature.description}") and self._moves(
                situation, name
            ):
                found[name] = _Target(name, "max", -1.0, 0.0)
        return sorted(found.values(), key=lambda target: -target.strength)

    @staticmethod
    def _either_end(situation: Situation) -> list[_Target]:
        """Both directions of the feature that varies most within its range."""
        values = situation.evidence.values

        def variety(name: str) -> float:
            key = f"feature.{name}"
            extent = values.get(f"{key}.max", 0.0) - values.get(f"{key}.min", 0.0)
            return values.get(f"{key}.std", 0.0) / extent if extent > 1e-9 else 0.0

        state = [
            name
            for name in situation.features.names
            if name not in situation.features.action_names and variety(name) > 0.0
        ]
        best = sorted(state, key=variety, reverse=True)[:2]
        return [
            _Target(name, "mean", sign, 0.0) for name in best for sign in (1.0, -1.0)
        ]

    @staticmethod
    def _moves(situation: Situation, name: str) -> bool:
        """Whether the feature varies at all, within its own scale."""
        return situation.evidence.values.get(f"feature.{name}.std", 0.0) > 1e-9

    @staticmethod
    def _counter(evidence: Evidence) -> tuple[str, float] | None:
        """The feature that jumps most at a reward, and its jump."""
        best: tuple[str, float] | None = None
        most = _JUMPS
        for name in evidence.features:
            jump = evidence.values.get(f"feature.{name}.reward_jump", 0.0)
            usual = evidence.values.get(f"feature.{name}.jump_std", 0.0)
            std = evidence.values.get(f"feature.{name}.std", 0.0)
            if usual <= 1e-9 or abs(jump) < _WHOLE * std:
                continue
            if abs(jump) / usual > most:
                most = abs(jump) / usual
                best = (name, jump)
        return best

    @staticmethod
    def _potential(
        evidence: Evidence,
        target: _Target,
        counter: tuple[str, float] | None,
        own: bool,
    ) -> tuple[str, float]:
        """The expression, and a weight that pays a whole approach like a reward."""
        values = evidence.values
        key = f"feature.{target.feature}"
        extent = values.get(f"{key}.max", 1.0) - values.get(f"{key}.min", 0.0)
        expression = target.expression(own)
        if counter is not None and counter[0] != target.feature:
            name, jump = counter
            share = abs(extent / jump)
            sign = "+" if jump > 0.0 else "-"
            expression += f" {sign} {share:.3g} * {name}"
        reward = values.get("team.base_return.max", 0.0)
        weight = (reward if reward > 0.0 else 1.0) / max(extent, 1e-6)
        return expression, float(f"{min(weight, 100.0):.3g}")


def _by_agent(
    evidence: Evidence, what: str, limit: float, failure: str
) -> list[Finding]:
    keys = [f"{agent}.{what}" for agent in evidence.agents]
    high = [key for key in keys if evidence.values.get(key, 0.0) > limit]
    if not high:
        return []
    return [
        Finding.model_validate(
            {
                "failure": failure,
                "severity": "minor",
                "claims": [{"key": key, "reads": "high"} for key in high[:3]],
                "argument": f"above {limit:g}",
            }
        )
    ]


def _variations(signal: Signal) -> list[Proposal]:
    """The same terms stronger, weaker, policy-preserving; and none of them."""

    def scaled(factor: float) -> Signal:
        return Signal(
            terms=tuple(
                term.model_copy(update={"weight": float(f"{term.weight * factor:.3g}")})
                for term in signal.terms
                if abs(term.weight * factor) <= 100.0
            )
        )

    strict = Signal(
        terms=tuple(
            term.model_copy(update={"kind": "potential"})
            if term.kind == "progress"
            else term
            for term in signal.terms
        )
    )
    return [
        Proposal(
            signal=scaled(2.0), intent="reweight", rationale="twice as much guidance"
        ),
        Proposal(
            signal=strict,
            intent="change_kind",
            rationale="the same guidance in the form that keeps the optimal policy",
        ),
        Proposal(
            signal=scaled(0.5), intent="reweight", rationale="half as much guidance"
        ),
        Proposal(
            signal=Signal(),
            intent="remove",
            rationale="what was learned may no longer need guidance",
        ),
    ]


def _untried(
    proposals: Sequence[Proposal], situation: Situation, also: Sequence[Signal]
) -> list[Proposal]:
    tried = {situation.signal.id, *(signal.id for signal in also)}
    if situation.history and not situation.signal.terms:
        last = situation.history[-1]
        tried |= {arm.signal.id for arm in last.arms}
    kept = []
    for proposal in proposals:
        if proposal.signal.id not in tried:
            tried.add(proposal.signal.id)
            kept.append(proposal)
    return kept
