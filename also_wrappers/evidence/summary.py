"""Evidence: the compact document that an advisor reads, made from accumulators."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from also_wrappers.evidence.statistics import AGGREGATES, Layout
from also_wrappers.signal.model import Signal

__all__ = ["MEANINGS", "Evidence", "summarise"]

#: Fewer episodes than this say nothing about behaviour.
FEWEST_EPISODES = 20

#: What the parts of a key mean, for prompts, the report and people. ``*`` stands for
#: the name of an agent, feature, event or term.
MEANINGS: dict[str, str] = {
    "team.episodes": "episodes seen in this window",
    "team.base_return.mean": "base return of an episode, mean over agents",
    "team.base_return.std": "its standard deviation between episodes",
    "team.base_return.max": "the best episode",
    "team.reward_rate": "share of episodes with any base reward",
    "team.reward_steps": "steps with a base reward; few of them are an anecdote",
    "team.success_rate": "share of episodes that ended in success",
    "team.episode_length": "environment steps per episode",
    "team.first_reward": "step of the first base reward, where there is one",
    "team.termination_rate": "share of episodes that did not run out of time",
    "team.same_action_share": "share of steps in which all agents act alike",
    "team.shaped_return": "base return plus what the signal added",
    "team.shaped_correlation": "correlation of shaped and base return",
    "*.base_return": "base return of one agent",
    "*.action_entropy": "entropy of the agent's actions, 0 (one action) to 1 (uniform)",
    "*.idle_share": "share of steps that change none of the agent's features",
    "*.switch_rate": "share of steps with another action than the step before",
    "*.back_share": "share of steps that undo the step before",
    "feature.*.mean": "mean over agents and steps",
    "feature.*.std": "standard deviation over agents and steps",
    "feature.*.min": "smallest value seen",
    "feature.*.max": "largest value seen",
    "feature.*.change": "team mean at the end of an episode minus at its start",
    "feature.*.spread": "standard deviation between agents at a step",
    "feature.*.correlation": "correlation of the episode's mean with the base return",
    "feature.*.better_worse": "difference between rewarded and other episodes, in "
    "standard deviations",
    "feature.*.reward_mean": "team mean just before a reward, in standard deviations "
    "from usual",
    "feature.*.reward_min": "the same for the smallest value in the team",
    "feature.*.reward_max": "the same for the largest value in the team",
    "feature.*.reward_jump": "change of the team mean by a rewarded step, minus usual",
    "feature.*.jump_std": "standard deviation of its change over any step",
    "event.*.rate": "share of episodes in which the event happened",
    "event.*.first": "step at which it happened first",
    "event.*.reward_rate": "share of the episodes with the event that had a reward",
    "term.*.paid": "what the term added per episode, mean over agents",
    "term.*.share": "its share of all that was added, by size",
    "term.*.correlation": "correlation of what it paid with the base return",
    "term.*.invalid": "values that were not finite, in the worst copy",
}


class Evidence(BaseModel):
    """What was seen of the agents in one window.

    Attributes:
        values: Number per dotted key; see ``MEANINGS``.
        unavailable: Keys that have no number, with the reason.
        features: Names of the features.
        agents: Names of the agents.
        events: Recorded expressions by name.
        signal: The signal that was active.
        insufficient: Reasons for which the evidence says nothing; empty if it does.
    """

    model_config = ConfigDict(frozen=True)

    values: dict[str, float]
    unavailable: dict[str, str] = {}
    features: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    events: dict[str, str] = {}
    signal: Signal = Signal()
    insufficient: tuple[str, ...] = ()

    def text(self, budget: Annotated[int, Field(gt=0)] = 1500) -> str:
        """The evidence in words, most telling first.

        Args:
            budget: Tokens, estimated as a third of the characters.

        Returns:
            One ``key = number`` per line; the last line says how many were left out.
        """
        lines = [f"{key} = {self.values[key]:.3g}" for key in self._by_interest()]
        kept: list[str] = []
        spent = 0.0
        for line in lines:
            spent += (len(line) + 1) / 3.0
            if spent > budget - 30:
                kept.append(f"({len(lines) - len(kept)} further keys left out)")
                break
            kept.append(line)
        if self.unavailable:
            reasons = sorted(set(self.unavailable.values()))
            kept.append(
                f"unavailable: {len(self.unavailable)} keys ({'; '.join(reasons)})"
            )
        if self.insufficient:
            kept.insert(0, f"insufficient evidence: {'; '.join(self.insufficient)}")
        return "\n".join(kept)

    def _by_interest(self) -> list[str]:
        def interest(key: str) -> tuple[int, float, str]:
            head = key.split(".")[0]
            first = {"team": 0, "event": 1, "term": 2}.get(head, 4)
            size = 0.0
            if head == "feature":
                last = key.rsplit(".", 1)[1]
                strong = last.startswith("reward_") or last == "better_worse"
                first = 3 if strong or last in ("mean", "change") else 5
                size = -abs(self.values[key]) if strong else 0.0
            return first, size, key

        return sorted(self.values, key=interest)


def summarise(
    layout: Layout,
    values: npt.NDArray[np.float64],
    signal: Signal,
    events: Mapping[str, str] | None = None,
    *,
    has_success: bool = False,
) -> Evidence:
    """Turns accumulators into evidence.

    Args:
        layout: Layout of ``values``.
        values: Merged accumulators of one window.
        signal: The signal that was active in it.
        events: Recorded expressions, in the order in which they were recorded.
        has_success: Whether the task declares what success is.
    """
    return _Summary(layout, values, signal, dict(events or {}), has_success).build()


class _Summary:
    def __init__(
        self,
        layout: Layout,
        values: npt.NDArray[np.float64],
        signal: Signal,
        events: dict[str, str],
        has_success: bool,
    ) -> None:
        self._layout = layout
        self._values = values
        self._signal = signal
        self._events = events
        self._has_success = has_success
        self._out: dict[str, float] = {}
        self._missing: dict[str, str] = {}

    def build(self) -> Evidence:
        episodes = self._scalar("episodes")
        insufficient = []
        if episodes < FEWEST_EPISODES:
            insufficient.append(
                f"{episodes:.0f} episodes, at least {FEWEST_EPISODES} are needed"
            )
        self._put("team.episodes", episodes)
        if episodes:
            self._team(episodes)
            self._agents()
            self._features(episodes)
            self._event_keys(episodes)
            self._terms()
        return Evidence(
            values=self._out,
            unavailable=self._missing,
            features=self._layout.features,
            agents=self._layout.agents,
            events=self._events,
            signal=self._signal,
            insufficient=tuple(insufficient),
        )

    def _team(self, n: float) -> None:
        mean, std = _moments(n, self._scalar("return"), self._scalar("return_squared"))
        self._put("team.base_return.mean", mean)
        self._put("team.base_return.std", std)
        self._put("team.base_return.max", float(self._block("return_max")[0]))
        rewarded = self._scalar("rewarded")
        self._put("team.reward_rate", rewarded / n)
        self._put("team.reward_steps", self._scalar("reward_steps"))
        if self._has_success:
            self._put("team.success_rate", self._scalar("successes") / n)
        else:
            self._missing["team.success_rate"] = "the task declares no success"
        self._put("team.episode_length", self._scalar("length") / n)
        self._put("team.termination_rate", self._scalar("terminated") / n)
        if rewarded:
            self._put("team.first_reward", self._scalar("first_reward") / rewarded)
        else:
            self._missing["team.first_reward"] = "no reward was seen"
        together = self._scalar("together_steps")
        if together and len(self._layout.agents) > 1:
            self._put(
                "team.same_action_share", self._scalar("same_action_steps") / together
            )
        if self._signal.terms:
            shaped, spread = _moments(
                n, self._scalar("shaped"), self._scalar("shaped_squared")
            )
            self._put("team.shaped_return", shaped)
            both = self._scalar("return_times_shaped") / n - mean * shaped
            self._correlate("team.shaped_correlation", both, std, spread)

    def _agents(self) -> None:
        returns, steps = self._block("agent_return"), self._block("agent_steps")
        episodes = self._scalar("episodes")
        for i, agent in enumerate(self._layout.agents):
            taken = max(float(steps[i]), 1.0)
            self._put(f"{agent}.base_return", float(returns[i]) / episodes)
            self._put(
                f"{agent}.idle_share", float(self._block("idle_steps")[i]) / taken
            )
            self._put(
                f"{agent}.back_share", float(self._block("back_steps")[i]) / taken
            )
            self._action_keys(agent, i)

    def _action_keys(self, agent: str, i: int) -> None:
        sizes = self._layout.actions[i]
        if not sizes:
            self._missing[f"{agent}.action_entropy"] = "actions are not numbers"
            return
        taken = max(float(self._block("agent_steps")[i]), 1.0)
        pairs = max(float(self._block("pair_steps")[i]), 1.0)
        if any(sizes):
            switches = float(self._block("switch_steps")[i])
            self._put(f"{agent}.switch_rate", switches / pairs)
        for d, size in enumerate(sizes):
            key = f"{agent}.action" if len(sizes) == 1 else f"{agent}.action_{d}"
            if size > 1:
                counts = self._block("action_counts")[i, d, :size]
                share = counts / max(float(counts.sum()), 1.0)
                positive = share[share > 0.0]
                entropy = -float((positive * np.log(positive)).sum())
                self._put(f"{key}_entropy", entropy / math.log(size))
            elif size == 0:
                mean, std = _moments(
                    taken,
                    float(self._block("action")[i, d]),
                    float(self._block("action_squared")[i, d]),
                )
                self._put(f"{key}_mean", mean)
                self._put(f"{key}_std", std)
                change = float(self._block("action_change")[i, d])
                self._put(f"{key}_change", change / pairs)

    def _features(self, n: float) -> None:
        total = float(self._block("agent_steps").sum())
        steps = max(self._scalar("steps"), 1.0)
        rewarded, reward_steps = self._scalar("rewarded"), self._scalar("reward_steps")
        mean_return, std_return = _moments(
            n, self._scalar("return"), self._scalar("return_squared")
        )
        for f, name in enumerate(self._layout.features):
            key = f"feature.{name}"
            mean, std = _moments(
                total,
                float(self._block("feature")[:, f].sum()),
                float(self._block("feature_squared")[:, f].sum()),
            )
            self._put(f"{key}.mean", mean)
            self._put(f"{key}.std", std)
            self._put(f"{key}.min", self._at("feature_min", f))
            self._put(f"{key}.max", self._at("feature_max", f))
            change = self._at("feature_end", f) - self._at("feature_start", f)
            self._put(f"{key}.change", change / n)
            if len(self._layout.agents) > 1:
                self._put(f"{key}.spread", self._at("feature_spread", f) / steps)
            average, spread = _moments(
                n, self._at("episode_mean", f), self._at("episode_mean_squared", f)
            )
            both = self._at("episode_mean_times_return", f) / n - average * mean_return
            self._correlate(f"{key}.correlation", both, spread, std_return)
            self._better_worse(key, f, n, rewarded)
            self._before_reward(key, f, steps, reward_steps)

    def _better_worse(self, key: str, f: int, n: float, rewarded: float) -> None:
        rest = n - rewarded
        if rewarded < 2 or rest < 2:
            few = "rewarded" if rewarded < 2 else "unrewarded"
            self._missing[f"{key}.better_worse"] = f"fewer than two {few} episodes"
            return
        sums = self._at("rewarded_mean", f), self._at("rewarded_mean_squared", f)
        good, good_std = _moments(rewarded, *sums)
        bad, bad_std = _moments(
            rest,
            self._at("episode_mean", f) - sums[0],
            self._at("episode_mean_squared", f) - sums[1],
        )
        pooled = math.sqrt((good_std**2 + bad_std**2) / 2.0)
        if pooled > 1e-12:
            self._put(f"{key}.better_worse", (good - bad) / pooled)
        else:
            self._missing[f"{key}.better_worse"] = "the feature does not vary"

    def _before_reward(self, key: str, f: int, steps: float, rewards: float) -> None:
        if not rewards:
            self._missing[f"{key}.reward_mean"] = "no reward was seen"
            return
        for g, aggregate in enumerate(AGGREGATES):
            usual, std = _moments(
                steps,
                float(self._block("team")[g, f]),
                float(self._block("team_squared")[g, f]),
            )
            if std > 1e-12:
                paid = float(self._block("team_at_reward")[g, f]) / rewards
                self._put(f"{key}.reward_{aggregate}", (paid - usual) / std)
        usual, std = _moments(steps, self._at("jump", f), self._at("jump_squared", f))
        jump = self._at("jump_at_reward", f) / rewards - usual
        self._put(f"{key}.reward_jump", jump)
        self._put(f"{key}.jump_std", std)

    def _event_keys(self, n: float) -> None:
        for k, name in enumerate(self._events):
            seen = self._at("event_episodes", k)
            self._put(f"event.{name}.rate", seen / n)
            if seen:
                self._put(f"event.{name}.first", self._at("event_first", k) / seen)
                self._put(
                    f"event.{name}.reward_rate", self._at("event_rewarded", k) / seen
                )

    def _terms(self) -> None:
        n = self._scalar("term_episodes")
        if not n:
            return
        mean_return, std_return = _moments(
            self._scalar("episodes"),
            self._scalar("return"),
            self._scalar("return_squared"),
        )
        sizes = self._block("term_size")
        for k, term in enumerate(self._signal.terms):
            key = f"term.{term.name}"
            paid, std = _moments(n, self._at("term", k), self._at("term_squared", k))
            self._put(f"{key}.paid", paid)
            self._put(f"{key}.share", float(sizes[k]) / max(float(sizes.sum()), 1e-12))
            both = self._at("term_times_return", k) / n - paid * mean_return
            self._correlate(f"{key}.correlation", both, std, std_return)
            self._put(f"{key}.invalid", self._at("term_invalid", k))

    def _correlate(self, key: str, both: float, one: float, other: float) -> None:
        if one > 1e-12 and other > 1e-12:
            self._put(key, max(-1.0, min(1.0, both / (one * other))))
        else:
            self._missing[key] = "one of the two does not vary"

    def _put(self, key: str, value: float) -> None:
        if math.isfinite(value):
            self._out[key] = value
        else:
            self._missing[key] = "not finite"

    def _scalar(self, name: str) -> float:
        return self._layout.scalar(self._values, name)

    def _block(self, name: str) -> npt.NDArray[np.float64]:
        return self._layout.view(self._values, name)

    def _at(self, name: str, k: int) -> float:
        return float(self._block(name)[k])


def _moments(n: float, total: float, squares: float) -> tuple[float, float]:
    """Mean and (population) standard deviation from sums.

    What is left of a variance below the rounding of its sums is none.
    """
    n = max(n, 1.0)
    mean = total / n
    variance = squares / n - mean * mean
    return mean, math.sqrt(variance) if variance > 1e-12 * squares / n else 0.0


def explain(keys: Sequence[str]) -> dict[str, str]:
    """The meanings of the patterns that some keys fall under, each once."""
    patterns = {}
    for key in keys:
        head, _, tail = key.partition(".")
        last = key.rsplit(".", 1)[1]
        for pattern in (key, f"{head}.*.{last}", f"*.{tail}"):
            if pattern in MEANINGS:
                patterns[pattern] = MEANINGS[pattern]
                break
    return patterns
