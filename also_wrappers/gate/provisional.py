"""Decides with ``Provisional``: swaps first, and confirms or undoes the swap later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from also_wrappers.gate.anchored import Anchored, Screening
from also_wrappers.gate.rule import CONTROL, Decision, Request, Trial

__all__ = ["Beside", "Provisional"]


@dataclass(frozen=True)
class Provisional(Anchored):
    """Swaps in a candidate that stands out in screening, and confirms it later.

    All arms are screened as in ``Race``. If the best candidate reaches ``bar``, its
    screening branch becomes the mainline at once, as provisional: no error is declared
    for that. The decision's ``then`` is a rule that goes on asking for fresh branches
    of winner and control, one at a time, which are trained beside the mainline from the
    same snapshot. That rule ends with "confirmed", or gives the winner up: the signal
    goes and the weights stay, but for a z of ``back`` or less, where control's
    screening branch becomes the mainline again.

    Declared error of "confirmed", on 345 real PPO branches in 50 pools: a run of five
    rounds whose three candidates all equal control confirms one in .007 of runs in the
    mean over the pools, and in .09 in the worst. Of provisional swaps: .19 of these
    rounds use a candidate for a while; where every measured weight is control once and
    the others are candidates, .005 of rounds swap in something that is worse by more
    than .01, by .03 in the mean. Until the swap a round discards 4.1 branches where
    there is nothing to find, 1.8 where all candidates do harm, and 3.2 where one is
    good; 4.9, 1.8 and 8.1 with those beside the training.
    ``python tests/calibration/gate.py --rounds 500 --gates provisional`` measures these
    numbers.

    A candidate whose screening branch failed is dropped; without control's branch the
    round is undecided. The first fresh branch that fails is replaced; a second failure
    ends the confirmation.

    Attributes:
        critical: The z from which the winner is confirmed.
        back: The z at or below which control's branch replaces the weights of a winner
            that is given up.

    The numbers of screening and confirmation that both rules share are attributes of
    ``also_wrappers.gate.anchored.Anchored``.

    Raises:
        ConfigurationError: A number cannot work; see ``Anchored``.

    Example:
        >>> rule = Provisional()
        >>> trials = [
        ...     Trial(Request(arm, "screen", 0, stretch), s, 0.001, points=(s,) * 8)
        ...     for stretch in (0.5, 1)
        ...     for arm, s in enumerate([0.2, 0.5])
        ... ]
        >>> decision = rule.next(2, trials)
        >>> decision.kind, decision.winner, decision.adopt.phase
        ('provisional', 1, 'screen')
        >>> decision.then.next(2, trials)  # beside the training
        [Request(arm=1, phase='confirm', index=1, stretch=1, keep=False)]
    """

    critical: float = 2.75
    back: float = -1.5

    def next(
        self, arms: int, trials: Sequence[Trial], number: int = 1
    ) -> list[Request] | Decision:
        """Asks for the branches to run next, or decides.

        Args:
            arms: Number of arms, control included.
            trials: All trials of the round so far, in any order.
            number: Number of the round in its run; every round is decided alike.

        Returns:
            Branches to run; or the decision. The ``then`` of a provisional decision
            asks for the branches beside the training.

        Raises:
            ConfigurationError: A trial has not the points of eight equal parts.
        """
        step = self.screen(arms, trials, adopts=True)
        if not isinstance(step, Screening):
            return step
        if step.z < self.bar:
            reason = "the best candidate does not stand out from control"
            return step.no_change(reason, self.bar)
        return Decision(
            "provisional",
            "stands out in screening",
            step.winner,
            step.branch(step.winner),
            step.effect,
            step.z,
            critical=self.bar,
            then=Beside(self, step),
        )


@dataclass(frozen=True)
class Beside:
    """Confirms a signal that is in use already, or takes the signal back.

    Attributes:
        rule: The rule that swapped the signal in.
        screening: The screening by which the signal was swapped in.
    """

    rule: Provisional
    screening: Screening

    def next(
        self, arms: int, trials: Sequence[Trial], number: int = 1
    ) -> list[Request] | Decision:
        """Asks for one fresh branch to run next, or decides.

        Args:
            arms: Number of arms, control included.
            trials: All trials of the round so far, in any order.
            number: Number of the round in its run; every round is decided alike.

        Returns:
            The branch to run next; or the decision, which adopts nothing if the winner
            is confirmed or given up, and control's screening branch if the winner does
            clear harm.

        Raises:
            ConfigurationError: A trial has not the points of eight equal parts.
        """
        step = self.rule.confirm(self.screening, trials, self.rule.critical)
        if not isinstance(step, Decision):
            # The end of a fresh branch is never adopted, so it is not kept.
            return [replace(request, keep=False) for request in step]
        harms = step.z is not None and step.z <= self.rule.back
        adopt = self.screening.branch(CONTROL) if harms else None
        return replace(step, adopt=adopt)
