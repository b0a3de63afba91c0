"""Makes skeletons: experts that go to a place and do an action there.

Skeletons are made of a vocabulary alone, without knowledge of an environment. Every
place is tried with every action that does not move; errands that earn something are put
in sequence, and given to agents as roles. Agents that can stay are also sent to a place
each. What the experts earn in their plays decides which of them is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from also_wrappers.advisors.base import Situation
from also_wrappers.proposals.outcomes import Played
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal.actions import Action, Actions
from also_wrappers.signal.model import (
    MAX_DEFINITIONS,
    MAX_RULES,
    Expert,
    Rule,
    Signal,
)

__all__ = ["skeletons"]


class _Errand(NamedTuple):
    """Names a place to go to, and an action to do there.

    Attributes:
        place: The place.
        action: Name of the action to do there; ``None`` for no action.
        inside: Whether the action is done at the place, and not one step away from it.
    """

    place: str
    action: str | None
    inside: bool = False


def skeletons(situation: Situation) -> list[Proposal]:
    """Returns the experts that are to be played next.

    The first experts do every action that does not move one step away from every place,
    and send each agent to a place of its own, where an action is declared to stay (its
    step is 0). Where some experts earn more than the policy, the next experts do these
    errands in sequence and as roles. Where none does, or every action moves, the next
    experts do the actions at the places themselves, go to a place without an action, or
    send an agent to each place.

    Args:
        situation: The situation; ``played`` has what earlier experts earned.

    Returns:
        The experts; empty where the task declares no places.

    Example:
        >>> from also_wrappers.testing import corridor_situation
        >>> skeletons(corridor_situation())
        []
    """
    actions = situation.actions
    if actions is None or not actions.places:
        return []
    still = [
        action.name
        for action in actions.actions
        if not any(action.step or ()) and not _of_the_compass(actions, action.name)
    ]
    places = list(actions.places)
    first = [_Errand(place, action) for action in still for place in places]
    second = [_Errand(place, None) for place in places]
    second += [_Errand(place, action, True) for action in still for place in places]
    made = {_signal(actions, (errand,)).id: errand for errand in (*first, *second)}
    if first and not situation.played:
        alone = [_proposal(actions, (errand,)) for errand in first]
        return [*alone, *_parted(actions, places, situation.agents)]
    earners = [
        made[played.proposal.signal.id]
        for played in sorted(situation.played, key=lambda one: -one.earned)
        if _earns(played) and played.proposal.signal.id in made
    ]
    if earners:
        return _joined(actions, earners, first, situation.agents)
    return [
        *(_proposal(actions, (errand,)) for errand in second),
        *_roles(actions, second[: len(places)], situation.agents),
    ]


def _joined(
    actions: Actions,
    earners: Sequence[_Errand],
    declared: Sequence[_Errand],
    agents: Sequence[str],
) -> list[Proposal]:
    """Proposes errands one after the other: as declared, best first, and as roles."""
    in_order = [errand for errand in declared if errand in earners]
    in_order += [errand for errand in earners if errand not in in_order]
    sequences = dict.fromkeys([tuple(in_order), tuple(earners)])
    return [
        *(_proposal(actions, sequence) for sequence in sequences if len(sequence) > 1),
        *_roles(actions, in_order, agents),
    ]


def _roles(
    actions: Actions, errands: Sequence[_Errand], agents: Sequence[str]
) -> Iterator[Proposal]:
    """Yields an expert with which every agent begins at another errand."""
    if len(agents) < 2 or len(errands) < 2:
        return
    rules: list[Rule] = []
    for k, agent in enumerate(agents):
        begin = k % len(errands)
        turns = (*errands[begin:], *errands[:begin])
        rules += _rules(actions, turns, (agent,))
    yield from _by_role(
        actions, errands, rules, "the same, and each agent begins somewhere else"
    )


def _parted(
    actions: Actions, places: Sequence[str], agents: Sequence[str]
) -> Iterator[Proposal]:
    """Yields an expert that sends each agent to a place of its own, to stay there."""
    stay = next((one.name for one in actions.actions if _stays(one)), None)
    if stay is None or not 2 <= len(agents) <= len(places):
        return
    errands = [_Errand(place, stay, inside=True) for place in places[: len(agents)]]
    rules = [
        rule
        for agent, errand in zip(agents, errands, strict=True)
        for rule in _rules(actions, (errand,), (agent,))
    ]
    yield from _by_role(
        actions, errands, rules, "each agent goes to a place of its own and stays there"
    )


def _by_role(
    actions: Actions, errands: Sequence[_Errand], rules: Sequence[Rule], rationale: str
) -> Iterator[Proposal]:
    """Yields an expert with rules for one agent each, unless rules are too many."""
    if len(rules) <= MAX_RULES and len(errands) <= MAX_DEFINITIONS:
        expert = Expert(rules=tuple(rules))
        signal = Signal(define=_steps(actions, errands), expert=expert)
        yield Proposal(signal=signal, intent="expert", rationale=rationale)


def _stays(action: Action) -> bool:
    """True for an action that is declared to move nothing."""
    return action.step is not None and not any(action.step)


def _proposal(actions: Actions, errands: Sequence[_Errand]) -> Proposal:
    what = ", then ".join(
        f"{errand.action or 'stay'} at {errand.place}" for errand in errands
    )
    return Proposal(
        signal=_signal(actions, errands),
        intent="expert",
        rationale=f"go there and act: {what}",
    )


def _signal(actions: Actions, errands: Sequence[_Errand]) -> Signal:
    errands = errands[: min(MAX_DEFINITIONS, MAX_RULES // 2)]
    rules = tuple(_rules(actions, errands))
    return Signal(define=_steps(actions, errands), expert=Expert(rules=rules))


def _rules(
    actions: Actions,
    errands: Sequence[_Errand],
    agents: tuple[str, ...] | None = None,
) -> Iterator[Rule]:
    for errand in errands:
        away = _away(errand.place)
        if errand.action is not None:
            near = f"{away} < 0.5" if errand.inside else _next(away)
            yield Rule(when=near, do=errand.action, agents=agents)
        yield Rule(when=f"{away} >= 0.5", do=f"toward {errand.place}", agents=agents)


def _steps(actions: Actions, errands: Sequence[_Errand]) -> dict[str, str]:
    """Returns definitions of the number of steps to each place, by name."""
    moves = [move.step or () for move in actions.moves]
    longest = [max(map(abs, along)) for along in zip(*moves, strict=True)]
    return {
        _away(errand.place): " + ".join(
            f"abs({column})" if size == 1.0 else f"abs({column}) / {size:.6g}"
            for column, size in zip(actions.places[errand.place], longest, strict=True)
            if size
        )
        for errand in errands
    }


def _away(place: str) -> str:
    return f"steps_to_{place}"[:40]


def _next(away: str) -> str:
    return f"{away} >= 0.5 and {away} < 1.5"


def _earns(played: Played) -> bool:
    return played.earned - played.policy > played.error


def _of_the_compass(actions: Actions, name: str) -> bool:
    compass = actions.compass
    return compass is not None and name in (compass.drive, compass.left, compass.right)
