"""Checks candidates on recorded episodes, before any training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from also_wrappers.checks.experts import useless_rule, useless_silence
from also_wrappers.checks.payments import (
    ends,
    net,
    pay_for_staying,
    payments,
    values,
    worth_of_end,
)
from also_wrappers.checks.ranges import Interval, interval, ranges
from also_wrappers.evidence.episodes import EpisodeRows, telling_apart
from also_wrappers.exceptions import AlsoError
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal.actions import Actions
from also_wrappers.signal.advice import Advice
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.kinds import STATE_KINDS
from also_wrappers.signal.model import Signal
from also_wrappers.signal.transitions import ParsedTerm, Payments

__all__ = ["Checks"]

#: Values that differ by less count as equal.
_ALIKE = 1e-9
#: The largest share of values that may not be finite.
_MOST_INVALID = 0.01
#: Net payment of an episode, as a multiple of the base reward's scale, above which
#: weights are scaled down, and below which a signal is too weak to matter.
_MOST_PAID, _LEAST_PAID = 10.0, 0.001
#: Share of their size by which the payments of two signals must differ.
_APART = 0.1
#: The largest gain by dying, as a share of a good episode's base return.
_DYING = 0.5
_DEATHS = 3
#: The fewest episodes for a ranking, and the probability that a rejection is wrong.
_RANKED, _SURE = 8, 0.01

_FADES = (
    "it fades, and values that were learned from a replay buffer fade with it; leave "
    "the fade out"
)


@dataclass(frozen=True)
class Checks:
    """Checks the candidates of a round on the recorded episodes of a window.

    Attributes:
        features: The vocabulary.
        agents: The team.
        episodes: Recorded whole episodes, on which candidates are tried.
        scale: Size of the base return of a good episode.
        gamma: The learner's discount factor.
        may_fade: Whether the learner can keep what it learned from a fading signal.
        actions: The actions that experts may advise; ``None`` where no expert can be
            tried.
    """

    features: FeatureMap
    agents: Sequence[str]
    episodes: Sequence[EpisodeRows]
    scale: float
    gamma: float
    may_fade: bool = True
    actions: Actions | None = None

    def check(
        self, proposal: Proposal, tried: Sequence[Signal]
    ) -> tuple[Proposal | None, str]:
        """Checks one candidate; returns the candidate or the reason to reject it.

        Args:
            proposal: The candidate.
            tried: Signals that the candidate must differ from: the active one, other
                candidates of the round, and signals that were trained or rejected
                before.

        Returns:
            The candidate, scaled down where it would flood the base reward, or ``None``
            if it is rejected; and a sentence that says what was wrong or changed, empty
            where nothing was.
        """
        signal = proposal.signal
        try:
            pay = Payments(signal, self.features, self.agents)
            problem = self._expert(signal)
        except AlsoError as error:
            return None, str(error)
        if problem:
            return None, problem
        if signal.fade is not None and not self.may_fade:
            return None, _FADES
        if any(_same_text(signal, other) for other in tried):
            return None, _TRIED
        roles = self._roles(signal)
        if not signal.terms or not self.episodes:
            return proposal, roles
        problem = self._values(pay)
        if problem:
            return None, problem
        pay, remark = self._scaled(pay)
        problem = self._effect(pay) or self._repeats(pay, tried)
        if problem:
            return None, problem
        scaled = proposal.model_copy(update={"signal": pay.signal})
        return scaled, "; ".join(filter(None, (remark, roles)))

    def repeats(self, signal: Signal, tried: Sequence[Signal]) -> str:
        """Returns a sentence if a signal repeats an earlier one; empty if not.

        A signal also repeats another one where both pay the same in other words.

        Args:
            signal: The signal.
            tried: The earlier signals.

        Raises:
            AlsoError: The signal cannot be read.
        """
        if any(_same_text(signal, other) for other in tried):
            return _TRIED
        if not signal.terms or not self.episodes:
            return ""
        return self._repeats(Payments(signal, self.features, self.agents), tried)

    def _expert(self, signal: Signal) -> str:
        """Returns what is certainly wrong with an expert; empty if nothing is.

        Raises:
            AlsoError: A rule or a definition cannot be read.
        """
        if signal.expert is None:
            return ""
        if self.actions is None:
            return _NO_ACTIONS
        advice = Advice(signal, self.features, self.actions, self.agents)
        return useless_rule(
            signal, self.features, self._ranges, self.actions, self.agents
        ) or useless_silence(advice, self.episodes)

    def _roles(self, signal: Signal) -> str:
        """Returns a warning about roles that a shared policy may not tell apart."""
        rules = signal.expert.rules if signal.expert else ()
        if not self.episodes or not any(rule.agents for rule in rules):
            return ""
        apart = telling_apart(self.episodes, self.features.names)
        return "" if apart else _SHARED

    def _values(self, pay: Payments) -> str:
        """Returns which term has no finite value, or only one; empty if none."""
        for parsed in pay.terms:
            term = parsed.term
            pairs = [values(parsed, episode) for episode in self.episodes]
            every = np.concatenate([value[there] for value, there in pairs])
            invalid = 1.0 - float(np.isfinite(every).mean()) if every.size else 0.0
            if invalid > _MOST_INVALID:
                return (
                    f"term {term.name!r} is not finite in {invalid:.0%} of the "
                    "recorded steps; guard divisions, roots and logarithms"
                )
            low, high = self._reach(parsed)
            if high - low < _ALIKE:
                return (
                    f"term {term.name!r} has the same value wherever features are in "
                    "their ranges, so it cannot tell good behaviour from bad"
                )
        return ""

    def _reach(self, parsed: ParsedTerm) -> Interval:
        """Returns an interval that holds all clipped values of a term."""
        low, high = interval(parsed.tree, self._ranges, len(self.agents))
        bound = parsed.term.bound
        return max(min(low, bound), -bound), min(max(high, -bound), bound)

    def _dormant(self, parsed: ParsedTerm) -> bool:
        """True where a term had one and the same value at all recorded steps.

        The event that such a term pays for, a milestone for example, has not happened
        yet.
        """
        pairs = [values(parsed, episode) for episode in self.episodes]
        every = parsed.bounded(np.concatenate([value[there] for value, there in pairs]))
        return bool(every.size) and float(np.ptp(every)) < _ALIKE

    def _scaled(self, pay: Payments) -> tuple[Payments, str]:
        """Makes weights smaller with which a signal would flood the base reward.

        Returns:
            The payments with the smaller weights, and a sentence that says so; the same
            payments and an empty sentence where nothing is flooded.
        """
        paid = self._paid(pay)
        limit = _MOST_PAID * self.scale
        if paid <= limit:
            return pay, ""
        factor = limit / paid
        terms = tuple(
            term.model_copy(update={"weight": float(f"{term.weight * factor:.3g}")})
            for term in pay.signal.terms
        )
        return (
            pay.reweighed(pay.signal.model_copy(update={"terms": terms})),
            f"its weights were scaled by {factor:.3g}, because it would have paid "
            f"{paid:.3g} an episode where a good one earns {self.scale:.3g}",
        )

    def _effect(self, pay: Payments) -> str:
        """Returns what unwanted behaviour a signal would teach; empty if none."""
        paid = self._paid(pay)
        if paid < _LEAST_PAID * self.scale:
            return (
                f"it would pay {paid:.2g} an episode where a good one earns "
                f"{self.scale:.3g}: too little to be noticed; use larger weights"
            )
        staying = max(
            float(pay_for_staying(pay, episode).max())
            for episode in self.episodes
            if len(episode.rewards)
        )
        if staying * self._longest > self.scale:
            return (
                f"to stand still in the best place would be paid {staying:.3g} a step, "
                f"{staying * self._longest:.3g} an episode, where a good episode earns "
                f"{self.scale:.3g}: agents would stay; use {' or '.join(STATE_KINDS)}, "
                f"or a weight {staying * self._longest / self.scale:.2g} times smaller"
            )
        dying = self._dying(pay)
        if dying > _DYING * self.scale:
            return (
                f"an agent whose episode ends without success gains {dying:.3g} by it, "
                f"where a good episode earns {self.scale:.3g}: agents would end their "
                "episodes early; let less be charged every step, or change what jumps "
                "at the end"
            )
        return self._ranking(pay)

    def _ranking(self, pay: Payments) -> str:
        """Returns a sentence if a signal prefers worse episodes; empty if not.

        Preference is Kendall's rank correlation, which allows for ties (Kendall 1945).
        """
        whole = [episode for episode in self.episodes if episode.complete]
        returns = np.array([episode.base_return for episode in whole])
        if len(whole) < _RANKED or float(np.ptp(returns)) < 1e-9:
            return ""
        from scipy.stats import kendalltau  # half a second, and most checks need none

        correlation = kendalltau([worth_of_end(pay, e) for e in whole], returns)
        if not (correlation.statistic < 0.0 and correlation.pvalue < _SURE):
            return ""
        return (
            f"it ranks worse episodes above better ones (rank correlation "
            f"{correlation.statistic:.2f} with the base return over {len(whole)} "
            "episodes); turn it round, or count what was already achieved"
        )

    def _dying(self, pay: Payments) -> float:
        """Computes what agents gain by ending without success, a mean over ends.

        The gain of an end is the pay of its last step, and the charges of the steps
        that the end saves the agents.
        """
        gains = []
        for episode in self.episodes:
            ended = ends(episode) & (episode.rewards <= 0.0)
            if not ended.any():
                continue
            paid = payments(pay, episode, self.gamma, strict=False)
            for t, agent in zip(*np.nonzero(ended), strict=True):
                if episode.rewards[: t + 1, agent].sum() > 0.0:
                    continue
                charged = max(-float(paid[: t + 1, agent].mean()), 0.0)
                gains.append(paid[t, agent] + charged * (self._longest - t - 1))
        return float(np.mean(gains)) if len(gains) >= _DEATHS else 0.0

    def _repeats(self, pay: Payments, tried: Sequence[Signal]) -> str:
        """Returns which earlier signal pays the same; empty if none does."""
        if any(self._dormant(parsed) for parsed in pay.terms):
            return ""  # a dormant term has not shown yet what it pays
        paid = self._flat(pay)
        for other in tried:
            if _kinds(other) != _kinds(pay.signal) or _rest(other) != _rest(pay.signal):
                continue
            try:
                other_pay = Payments(other, self.features, self.agents)
            except AlsoError:  # a signal that was rejected may not parse
                continue
            other_paid = self._flat(other_pay)
            size = max(_size(paid), _size(other_paid))
            if _size(paid - other_paid) <= _APART * size:
                return f"{_TRIED}: {other.describe()}"
        return ""

    def _flat(self, pay: Payments) -> npt.NDArray[np.float64]:
        """Computes the payments at all recorded steps, as one vector."""
        paid = [payments(pay, episode, self.gamma) for episode in self.episodes]
        return np.concatenate([part.ravel() for part in paid])

    def _paid(self, pay: Payments) -> float:
        """Computes the size of the payments of an episode.

        The size is a sum over terms, and a mean over episodes and agents. A term whose
        event has not happened yet counts as if it happened once.
        """
        total = 0.0
        for parsed in pay.terms:
            if self._dormant(parsed):
                low, high = self._reach(parsed)
                size = high - low if parsed.kind.of_state else max(-low, high)
                total += abs(parsed.term.weight) * size
                continue
            sizes = [
                net(payments(parsed, episode, self.gamma)).mean()
                for episode in self.episodes
                if len(episode.rewards)
            ]
            total += float(sum(sizes)) / len(self.episodes)
        return total

    @cached_property
    def _longest(self) -> int:
        return max(len(episode.rewards) for episode in self.episodes)

    @cached_property
    def _ranges(self) -> list[Interval]:
        return ranges(self.features, self.episodes)


_NO_ACTIONS = "it has an expert, and no expert can be tried here; propose terms only"
_SHARED = (
    "no recorded feature tells agents apart: a policy that they share follows rules "
    "for some of them only if its observation tells which agent it is"
)
_TRIED = "it is the same as one that is active or was tried already"


def _size(paid: npt.NDArray[np.float64]) -> float:
    return float(np.sqrt(np.square(paid).sum()))


def _kinds(signal: Signal) -> list[str]:
    return sorted(term.kind for term in signal.terms)


def _rest(signal: Signal) -> tuple[object, ...]:
    """Returns what a signal does besides the payments of its terms."""
    expert = signal.expert
    return signal.fade, (expert.rules, expert.pull) if expert else None


def _same_text(one: Signal, other: Signal) -> bool:
    """True where two signals differ only in names, and in weights by a tenth."""
    if len(one.terms) != len(other.terms) or _rest(one) != _rest(other):
        return False
    if one.define != other.define:
        return False
    return all(
        a.kind == b.kind
        and a.agents == b.agents
        and "".join(a.expression.split()) == "".join(b.expression.split())
        and abs(a.weight - b.weight) <= _APART * max(abs(a.weight), abs(b.weight))
        for a, b in zip(one.terms, other.terms, strict=True)
    )
