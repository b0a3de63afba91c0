"""Lists the failures that a finding may name, and the intents of a candidate."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FAILURES", "INTENTS", "Failure", "intents"]


class Failure(NamedTuple):
    """Describes a failure of learning or of coordination.

    Attributes:
        meaning: The failure in one line, for prompts.
        source: Publication that describes the failure.
    """

    meaning: str
    source: str


#: Failures by name: failures of one learner first, then failures between several.
FAILURES: dict[str, Failure] = {
    "sparse_reward": Failure(
        "the base reward is so rare that it teaches nothing",
        "Bellemare et al. 2016, Unifying count-based exploration",
    ),
    "undirected_exploration": Failure(
        "agents do not move towards the states that come before a reward",
        "Thrun 1992, Efficient exploration in reinforcement learning",
    ),
    "partial_progress": Failure(
        "agents reach part of what is needed and lose the way to the rest",
        "Ecoffet et al. 2021, First return, then explore (derailment)",
    ),
    "premature_convergence": Failure(
        "actions became nearly certain before they earned anything",
        "Williams & Peng 1991, Function optimization using connectionist RL",
    ),
    "stagnation": Failure(
        "the base return no longer changes, below what is possible",
        "Schaul et al. 2019, Ray interference",
    ),
    "forgetting": Failure(
        "what was learned is lost again: the base return falls",
        "McCloskey & Cohen 1989, Catastrophic interference",
    ),
    "dithering": Failure(
        "agents undo their last step again and again",
        "Osband et al. 2016, Deep exploration via bootstrapped DQN",
    ),
    "reward_hacking": Failure(
        "what the signal pays rises while the base return does not",
        "Amodei et al. 2016, Concrete problems in AI safety",
    ),
    "flooding": Failure(
        "what the signal pays outweighs the base reward of a success",
        "Randlov & Alstrom 1998, Learning to drive a bicycle",
    ),
    "miscoordination": Failure(
        "agents do the right thing at different times or places",
        "Claus & Boutilier 1998; Matignon et al. 2012",
    ),
    "relative_overgeneralization": Failure(
        "agents avoid what pays only together for what is safe with any mate",
        "Wiegand 2003, An analysis of cooperative coevolutionary algorithms",
    ),
    "crowding": Failure(
        "agents get into each other's way or do one agent's work together",
        "Wolpert & Tumer 2001, Optimal payoff functions for collectives",
    ),
    "lazy_agent": Failure(
        "an agent does little because others already earn the reward",
        "Sunehag et al. 2018, Value-decomposition networks",
    ),
    "unclear_credit": Failure(
        "the team's reward does not tell an agent what it contributed",
        "Foerster et al. 2018, Counterfactual multi-agent policy gradients",
    ),
    "moving_teammates": Failure(
        "teammates change faster than an agent can adapt to them",
        "Hernandez-Leal et al. 2017, Learning in multiagent environments",
    ),
}

#: What a candidate changes of the active signal.
INTENTS: dict[str, str] = {
    "new_term": "add a term, or begin with one",
    "reweight": "change weights only",
    "change_kind": "change the kind of a term",
    "remove": "take a term away",
    "schedule": "let the signal fade out while training goes on",
    "combine": "join terms that help in different ways",
    "expert": "say which actions are good, where paying for states does not lead to "
    "them",
}


def intents(*, experts: bool) -> dict[str, str]:
    """Returns the intents that a candidate may have, with their meanings, by name.

    Args:
        experts: Whether a candidate may have an expert.

    Example:
        >>> sorted(set(INTENTS) - set(intents(experts=False)))
        ['expert']
    """
    return {
        name: meaning
        for name, meaning in INTENTS.items()
        if experts or name != "expert"
    }
