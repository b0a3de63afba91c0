"""How far the world of an agent moves because others learn, and where to.

**What is public, and what is ours.** LEED (arXiv 2509.14680) has a language model write
instructions, records what an agent does that follows them, and trains each agent by a
loss towards these demonstrations beside its own. RELED (arXiv 2511.19368) weighs in how
stationary such demonstrations make the world of the other agents, and mixes expert and
agent adaptively. Of both, abstracts are public and formulas are not. Our form of them
follows what is published elsewhere: an expert is rules, as data, that say which actions
are good; policies are pulled towards it on the states that they visit themselves
(DAgger, Ross et al. 2011; kickstarting, Schmitt et al., arXiv 1803.03835), values by a
large margin (DQfD, Hester et al., arXiv 1704.03732), with a weight that ends itself
once the policy earns what the expert has earned by itself, which stands in the place of
RELED's mixing. The numbers of this module stand in the place of RELED's measure of
stationarity. They inform a diagnosis, a refinement and a reader of the report; they
decide nothing.

**What the numbers bound.** Let the policies of the others go from ``pi_j`` to
``pi_j'``, and let ``D`` be the sum over the others of the total variation between
``pi_j`` and ``pi_j'`` in a state. What agent ``i`` sees of the environment moves by

* at most ``span(r) * D`` in its mean reward,
* at most ``2 * D`` in the L1 distance of its transition probabilities,
* at most ``(span(r) + gamma * span(V)) / (1 - gamma) * sup D`` in its value, by the
  simulation lemma.

Li et al. (arXiv 2102.10616) and Sun et al. (arXiv 2202.00082) bound the same things by
the divergence of consecutive policies.

* ``*.policy_drift`` of the others bounds ``D`` of what has happened: a total variation
  is at most ``sqrt(KL / 2)`` (Pinsker), and its mean over states is at most that of the
  mean divergence.
* ``*.expert.distance`` of the others is ``D`` of what would happen if they obeyed. It
  is exact: of all policies that take good actions only, the nearest one keeps the
  probability that the policy gives to them and puts the rest there too, so the total
  variation to it is ``1 - agreement``.
* ``expert.spread`` and ``trainer.reward_volatility`` are how unsteady the returns are:
  the expert's between episodes, the policy's between records.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from also_wrappers.evidence.numbers.family import Family, Meaning, Number
from also_wrappers.evidence.sums import Sums
from also_wrappers.trainer import Imitated

__all__ = ["Stationarity", "expert_figures", "policy_figures"]

#: Numbers by key; a text says why there is none.
Figures = dict[str, float | str]


class Stationarity(Family):
    """Figures that come from the trainer and from auditions, as no episode has them."""

    def of_names(self, sums: Sums) -> Iterable[Number]:
        """Returns the figures that are given."""
        return sums.figures.items()

    meanings = {
        "*.policy_drift": Meaning("nats", "change of its policy since the last pause"),
        "trainer.reward_volatility": Meaning(
            "reward", "standard deviation of the shaped return between records"
        ),
        "expert.return": Meaning(
            "reward", "what the expert earns by itself, per agent"
        ),
        "expert.error": Meaning("reward", "standard error of that"),
        "expert.spread": Meaning("reward", "its standard deviation between episodes"),
        "expert.coverage": Meaning("share", "steps at which the expert is not silent"),
        "expert.pull": Meaning("weight", "of imitation beside the trainer's own loss"),
        "*.expert.distance": Meaning(
            "share", "of its actions that obeying the expert would change"
        ),
    }


def policy_figures(
    agents: Sequence[str], drift: Sequence[float] | None, volatility: float | None
) -> Figures:
    """Returns how much the policies of a window have moved.

    Args:
        agents: Names of the agents.
        drift: What ``Trainer.policy_drift`` has returned.
        volatility: Standard deviation of the shaped return between records.

    Example:
        >>> policy_figures(["a", "b"], [0.1, 0.3], None)
        {'a.policy_drift': 0.1, 'b.policy_drift': 0.3}
        >>> policy_figures(["a", "b"], [0.2], 0.5)
        {'team.policy_drift': 0.2, 'trainer.reward_volatility': 0.5}
    """
    figures: Figures = {}
    for name, value in zip(_names(agents, drift or ()), drift or (), strict=True):
        figures[f"{name}.policy_drift"] = value
    if volatility is not None:
        figures["trainer.reward_volatility"] = volatility
    return figures


def expert_figures(
    agents: Sequence[str], played: Mapping[str, float], imitated: Sequence[Imitated]
) -> Figures:
    """Returns what the expert in force earns, and how far the policies are from it.

    Args:
        agents: Names of the agents.
        played: What its last audition has measured: ``return``, ``error``, ``spread``
            and ``coverage``; nothing where it has not played.
        imitated: What ``Trainer.imitated`` has returned in the window, in order.

    Example:
        >>> played = {"return": 0.8, "error": 0.04, "spread": 0.4, "coverage": 1.0}
        >>> once = Imitated(pull=0.5, states=(10, 0), agreed=(7.5, 0.0))
        >>> figures = expert_figures(["a", "b"], played, [once])
        >>> figures["expert.return"], figures["expert.pull"]
        (0.8, 0.5)
        >>> figures["a.expert.distance"], figures["b.expert.distance"]
        (0.25, 'nothing was imitated in the window')
    """
    figures: Figures = {
        f"expert.{name}": played.get(name, "the expert has not played")
        for name in ("return", "error", "spread", "coverage")
    }
    nothing = "nothing was imitated in the window"
    figures["expert.pull"] = imitated[-1].pull if imitated else nothing
    states = [sum(column) for column in zip(*(i.states for i in imitated), strict=True)]
    agreed = [math.fsum(c) for c in zip(*(i.agreed for i in imitated), strict=True)]
    for name, count, good in zip(_names(agents, states), states, agreed, strict=True):
        figures[f"{name}.expert.distance"] = 1.0 - good / count if count else nothing
    return figures


def _names(agents: Sequence[str], numbers: Sequence[float]) -> Sequence[str]:
    """Returns whose the numbers are: each agent's, or the team's."""
    if len(numbers) == len(agents):
        return agents
    return ["team"] * len(numbers)
