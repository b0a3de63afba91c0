"""Outcomes of episodes: base return, reward, success and length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from also_wrappers.evidence.accumulators import (
    Accumulator,
    Accumulators,
    highest,
    lowest,
    summed,
)
from also_wrappers.evidence.effects import EQUAL
from also_wrappers.evidence.numbers.counts import every_episode
from also_wrappers.evidence.numbers.family import DEVIATIONS, Family, Meaning, Number
from also_wrappers.evidence.scope import Scope
from also_wrappers.evidence.steps import Steps
from also_wrappers.evidence.sums import Sums

__all__ = ["NO_REWARD", "Outcomes", "return_times_time", "rewarded_episodes"]

#: Why there is no number of what comes before or with a reward.
NO_REWARD = "no reward was seen"


class Outcomes(Family):
    """How episodes ended, and what they earned."""

    scalars = (
        "steps",
        "terminated",
        "successes",
        "rewarded",
        "reward_steps",
        "first_reward",
        "return_times_time",
    )

    def arrays(self, scope: Scope) -> dict[str, Accumulator]:
        """Returns the worst and the best episode, and what each agent earned."""
        return {
            "return_min": lowest(1),
            "return_max": highest(1),
            "agent_return": summed(len(scope.agents)),
        }

    def add(self, steps: Steps, totals: Accumulators) -> None:
        """Adds returns, lengths and rewards."""
        base = steps.returns
        _, first_reward = steps.first_rewards
        totals.add(
            {
                "steps": float(steps.length.sum()),
                "terminated": float(steps.episodes["terminated"].sum()),
                "successes": float(steps.episodes["success"].sum()),
                "rewarded": float(len(first_reward)),
                "reward_steps": float(steps.at_reward.sum()),
                "first_reward": float(first_reward.sum()),
                "return_times_time": float(base.dot(steps.time)),
            }
        )
        worst, best = totals["return_min"], totals["return_max"]
        np.minimum(worst, base.min(), out=worst)
        np.maximum(best, base.max(), out=best)
        totals["agent_return"][...] += np.add.reduce(steps.base, axis=1)

    def of_episodes(self, sums: Sums) -> Iterator[Number]:
        """Returns how the episodes of the team went."""
        basis = every_episode(sums)
        mean, std = basis.returns
        yield "team.base_return.mean", mean
        yield "team.base_return.std", std
        yield "team.base_return.min", sums.at("return_min", 0)
        yield "team.base_return.max", sums.at("return_max", 0)
        late = basis.late(return_times_time(sums), basis.returns, EQUAL)
        yield "team.base_return.late", late
        rewarded = rewarded_episodes(sums)
        yield "team.reward_rate", rewarded / basis.episodes
        yield "team.reward_steps", sums.at("reward_steps")
        if sums.has_success:
            yield "team.success_rate", sums.at("successes") / basis.episodes
        else:
            yield "team.success_rate", "the task declares no success"
        yield "team.episode_length", sums.at("steps") / basis.episodes
        yield "team.termination_rate", sums.at("terminated") / basis.episodes
        if rewarded:
            yield "team.first_reward", sums.at("first_reward") / rewarded
        else:
            yield "team.first_reward", NO_REWARD

    def of_agent(self, sums: Sums, i: int) -> Iterator[Number]:
        """Returns what one agent earns."""
        earned = sums.at("agent_return", i) / every_episode(sums).episodes
        yield f"{sums.scope.agents[i]}.base_return", earned

    meanings = {
        "team.base_return.mean": Meaning(
            "reward", "base return of an episode, per agent"
        ),
        "team.base_return.std": Meaning("reward", "its standard deviation"),
        "team.base_return.min": Meaning("reward", "the worst episode"),
        "team.base_return.max": Meaning("reward", "the best episode"),
        "team.base_return.late": Meaning(
            DEVIATIONS, "late episodes of the window minus early ones"
        ),
        "team.reward_rate": Meaning("share", "episodes with any base reward"),
        "team.reward_steps": Meaning(
            "steps", "with a base reward; few are an anecdote"
        ),
        "team.success_rate": Meaning("share", "episodes that ended in success"),
        "team.episode_length": Meaning("steps", "of an episode"),
        "team.first_reward": Meaning(
            "step", "of the first base reward, where there is one"
        ),
        "team.termination_rate": Meaning(
            "share", "episodes that did not run out of time"
        ),
        "*.base_return": Meaning("reward", "base return of one agent"),
    }


def rewarded_episodes(sums: Sums) -> float:
    """Returns the number of episodes with a step at which the team is rewarded."""
    return sums.at("rewarded")


def return_times_time(sums: Sums) -> float:
    """Returns the sum over episodes of base return times time."""
    return sums.at("return_times_time")
