"""Lists the kinds of terms: how the value of an expression becomes a payment.

``KINDS`` is read by the parser, the compiler, the shapers, the payments, the checks,
the advisors, the schema of answers, the prompts and the report. All of these read a
kind when they compile or render; no step of an environment looks a kind up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["KINDS", "STATE_KINDS", "TRANSITION_KINDS", "Kind", "KindName"]

KindName = Literal["progress", "potential", "bonus"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Holds what makes one kind of term different from another.

    Attributes:
        of_state: Whether the expression gives Phi, a value of a state. Then the change
            of Phi is paid, the expression may use neither features of the action nor
            ``delta``, and standing still earns nothing that changes what is optimal.
            Otherwise the expression gives a value of a transition, may use features of
            the action and ``delta``, and is paid as it is, so that standing still is
            paid at every step.
        discounted: Whether Phi(s') counts as the learner counts it: ``gamma`` times,
            and 0 where the agent's episode terminated. The factor without the 0, or the
            0 without the factor, would not keep the optimal policy. Otherwise Phi(s')
            counts in full, at the end of an episode, too.
        usual_weight: Size of a usual weight: 1.0 where a change is paid, as changes sum
            up to one change over an episode; less where every step is paid.
        pays: Formula of what is added at a step, for the docstring of the room.
        keeps_optimum: Whether the optimal policy stays optimal, for that docstring.
        advice: Explanation for a language model, for the prompts.
        meaning: Explanation for a person, for the report.
    """

    of_state: bool
    discounted: bool
    usual_weight: float
    pays: str
    keeps_optimum: str
    advice: str
    meaning: str

    @property
    def absent(self) -> float | None:
        """The Phi of an absent agent; ``None`` where Phi begins anew with the agent."""
        return 0.0 if self.discounted else None


#: Every kind by its name, in the order in which a model is shown them.
KINDS: dict[KindName, Kind] = {
    "progress": Kind(
        of_state=True,
        discounted=False,
        usual_weight=1.0,
        pays="Phi(s') - Phi(s)",
        keeps_optimum="no, but often learns faster",
        advice=(
            "w * (Phi(after) - Phi(before)). Pays for change, charges for going back. "
            "Learns fastest."
        ),
        meaning=(
            "It pays for a change and charges for the way back: quick to learn from, "
            "but it can change which policy is best."
        ),
    ),
    "potential": Kind(
        of_state=True,
        discounted=True,
        usual_weight=1.0,
        pays="gamma * Phi(s') - Phi(s), Phi = 0 after termination",
        keeps_optimum="yes (Ng et al. 1999, Devlin & Kudenko 2011)",
        advice=(
            "w * (gamma * Phi(after) - Phi(before)), with Phi 0 after the end. Keeps "
            "the optimal policy."
        ),
        meaning=(
            "It pays for a change, discounted as the learner does, and charges for the "
            "way back: the best policy stays the best."
        ),
    ),
    "bonus": Kind(
        of_state=False,
        discounted=False,
        usual_weight=0.02,
        pays="the value itself",
        keeps_optimum="no",
        advice=(
            "w * value, every step. Agents may collect it instead of doing the task: a "
            "weight of 0.02 at most."
        ),
        meaning=(
            "It pays at every step: agents may collect it instead of doing the task."
        ),
    ),
}

STATE_KINDS = tuple(name for name, kind in KINDS.items() if kind.of_state)
TRANSITION_KINDS = tuple(name for name, kind in KINDS.items() if not kind.of_state)
