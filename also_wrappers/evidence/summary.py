"""From accumulators to evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from also_wrappers.evidence.document import Evidence
from also_wrappers.evidence.effects import apart, correlation, effect, entropy, moments
from also_wrappers.evidence.statistics import AGGREGATES, Layout
from also_wrappers.evidence.sums import STILL, Sums
from also_wrappers.signal.model import Signal
from also_wrappers.signal.shaper import MOST_INVALID

__all__ = ["summarise"]

Array = npt.NDArray[np.float64]

#: Fewer episodes than this say nothing about behaviour.
FEWEST_EPISODES = 20
#: Actions with more choices than this are told by their entropy only.
_MOST_TOLD = 10
_EQUAL = "all returns are equal"


def summarise(
    layout: Layout,
    values: Array,
    signal: Signal,
    conditions: Mapping[str, str] | None = None,
    *,
    has_success: bool = False,
    figures: Mapping[str, float | str] | None = None,
) -> Evidence:
    """Turns accumulators into evidence.

    Args:
        layout: Layout of ``values``.
        values: Merged accumulators of one window.
        signal: The signal that was active in it.
        conditions: Recorded expressions, in the order in which they were recorded.
        has_success: Whether the task declares what success is.
        figures: Numbers that no episode has, by key; a text says why there is none. See
            ``also_wrappers.evidence.stationarity``.

    Example:
        >>> layout = Layout(("a",), ("x",), ((5,),), (0,))
        >>> summarise(layout, layout.empty(), Signal()).insufficient
        ('0 episodes, at least 20 are needed',)
    """
    named = dict(conditions or {})
    return _Summary(layout, values, signal, named, has_success, figures or {}).build()


class _Summary(Sums):
    def __init__(
        self,
        layout: Layout,
        values: Array,
        signal: Signal,
        conditions: dict[str, str],
        has_success: bool,
        figures: Mapping[str, float | str],
    ) -> None:
        super().__init__(layout, values)
        self._signal = signal
        self._conditions = conditions
        self._has_success = has_success
        self._figures = figures

    def build(self) -> Evidence:
        insufficient = []
        mapped = len(self._layout.cells) > 1
        in_part = self._detailed < self._n
        if self._detailed < FEWEST_EPISODES:
            insufficient.append(
                f"{self._detailed:.0f} episodes{' in detail' * in_part}, at least "
                f"{FEWEST_EPISODES} are needed"
            )
        self._put("team.episodes", self._n)
        if in_part:
            self._put("team.detailed", self._detailed)
        if self._n:
            self._team()
            self._signal_keys()
            for i, agent in enumerate(self._layout.agents):
                earned = float(self._block("agent_return")[i])
                self._put(f"{agent}.base_return", earned / self._n)
                if self._detailed:
                    self._agent(i, agent)
            if len(self._layout.agents) > 1:
                self._together()
            for f, name in enumerate(self._layout.features if self._detailed else ()):
                self._feature(f, f"feature.{name}")
            self._condition_keys()
            self._terms()
            for key, value in self._figures.items():
                if isinstance(value, str):
                    self._missing[key] = value
                else:
                    self._put(key, value)
        return Evidence(
            values=self._out,
            unavailable=self._missing,
            features=self._layout.features,
            agents=self._layout.agents,
            conditions=self._conditions,
            signal=self._signal,
            insufficient=tuple(insufficient),
            visits=tuple(map(tuple, self._block("visits").tolist())) if mapped else (),
            visits_of=tuple(
                self._layout.features[column] for column, *_ in self._layout.cells[:2]
            )
            if mapped
            else (),
        )

    def _team(self) -> None:
        n = self._n
        mean, std = self._return
        self._put("team.base_return.mean", mean)
        self._put("team.base_return.std", std)
        self._put("team.base_return.min", float(self._block("return_min")[0]))
        self._put("team.base_return.max", float(self._block("return_max")[0]))
        both = self._scalar("return_times_time")
        self._effect("team.base_return.late", n, both, self._return, self._time, _EQUAL)
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

    def _signal_keys(self) -> None:
        """Whether what is added helps, is hacked, or floods the base reward."""
        if not self._signal.terms:
            return
        n = self._n
        shaped = moments(n, self._scalar("shaped"), self._scalar("shaped_squared"))
        self._put("signal.shaped_return", shaped[0])
        both = self._scalar("return_times_shaped")
        r = correlation(n, both, self._return, shaped)
        self._put_or("signal.correlation", r, _EQUAL)
        both = self._scalar("shaped_times_time")
        rises = self._effect("signal.shaped_late", n, both, shaped, self._time, _EQUAL)
        both = self._scalar("return_times_time")
        falls = effect(n, both, self._return, self._time)
        if rises is not None and falls is not None:
            clear = rises[0] > 2.0 * rises[1] and falls[0] < -2.0 * falls[1]
            self._put("signal.hacking", float(clear))
        rewarded = self._scalar("rewarded")
        earned = self._scalar("rewarded_return") / max(rewarded, 1.0)
        if earned > 0.0:
            self._put("signal.flooding", self._scalar("added_size") / n / earned)
        else:
            self._missing["signal.flooding"] = "no reward was seen"

    def _agent(self, i: int, agent: str) -> None:
        taken = max(float(self._block("agent_steps")[i]), 1.0)
        pairs = max(float(self._block("pair_steps")[i]), 1.0)
        idle = float(self._block("idle_steps")[i]) / taken
        self._put(f"{agent}.action.idle_share", idle)
        back = float(self._block("back_steps")[i]) / pairs
        self._put(f"{agent}.move.back_share", back)
        if self._layout.cells:
            visits = max(float(self._block("cell_rows")[i]), 1.0)
            cells = float(self._block("cells")[i])
            self._put(f"{agent}.move.coverage", cells / visits)
        else:
            why = "no feature declares its range"
            self._missing[f"{agent}.move.coverage"] = why
        sizes = self._layout.actions[i]
        if not sizes:
            self._missing[f"{agent}.action.entropy"] = "actions are not numbers"
            return
        if any(sizes):
            switches = float(self._block("switch_steps")[i])
            self._put(f"{agent}.action.switch_rate", switches / pairs)
        for d, size in enumerate(sizes):
            key = f"{agent}.action" if len(sizes) == 1 else f"{agent}.action_{d}"
            if size > 1:
                self._choices(i, d, size, key)
            elif size == 0:
                self._continuous(i, d, key, taken, pairs)

    def _choices(self, i: int, d: int, size: int, key: str) -> None:
        counts = self._block("action_counts")[i, d, :size]
        share = counts / max(float(counts.sum()), 1.0)
        self._put(f"{key}.entropy", entropy(share) / math.log(size))
        if size > _MOST_TOLD:
            return
        for choice in range(size):
            self._put(f"{key}.{choice}.share", float(share[choice]))
            self._action_effect(f"{key}.{choice}.better", i, d, choice)

    def _continuous(self, i: int, d: int, key: str, taken: float, pairs: float) -> None:
        total = float(self._block("action")[i, d])
        mean, std = moments(taken, total, float(self._block("action_squared")[i, d]))
        self._put(f"{key}.mean", mean)
        self._put(f"{key}.std", std)
        self._put(f"{key}.change", float(self._block("action_change")[i, d]) / pairs)
        self._action_effect(f"{key}.better", i, d, 0)

    def _action_effect(self, key: str, i: int, d: int, choice: int) -> None:
        at = (i, d, choice)
        share = moments(
            self._detailed,
            float(self._block("episode_action")[at]),
            float(self._block("episode_action_squared")[at]),
        )
        both = float(self._block("episode_action_times_return")[at])
        self._effect(key, self._detailed, both, share, self._detailed_return, _EQUAL)

    def _together(self) -> None:
        """What the agents do as a team."""
        alike = self._scalar("together_steps")
        if alike:
            same = self._scalar("same_action_steps")
            self._put("team.action.same_share", same / alike)
            counts = self._block("action_counts")[:, 0]
            self._put("team.action.specialisation", apart(counts))
        if self._layout.cells:
            own = max(float(self._block("cells").sum()), 1.0)
            team = self._scalar("team_cells")
            visits = max(float(self._block("cell_rows").sum()), 1.0)
            self._put("team.coverage", team / visits)
            self._put("team.redundancy", 1.0 - team / own)
            free = float((self._block("cells_seen") == 0.0).mean())
            bits = len(self._block("cells_seen"))
            if free > 0.01:  # linear counting, Whang et al. 1990
                self._put("team.cells", -bits * math.log(free))
            else:
                self._missing["team.cells"] = "too many to count"
        if self._layout.targets:
            counted = self._scalar("targeted_steps")
            if counted:
                crowded = self._scalar("crowded_steps") / counted
                self._put("team.target.crowding", crowded)
                spread = apart(self._block("target_steps"))
                self._put("team.target.specialisation", spread)
            else:
                why = "never two agents and two targets at a time"
                self._missing["team.target.crowding"] = why

    def _feature(self, f: int, key: str) -> None:
        n, steps = self._detailed, max(self._scalar("detailed_steps"), 1.0)
        total = float(self._block("agent_steps").sum())
        sums = self._block("feature")[:, f].sum(), self._block("feature_squared")[:, f]
        mean, std = moments(total, float(sums[0]), float(sums[1].sum()))
        self._put(f"{key}.mean", mean)
        self._put(f"{key}.std", std)
        self._put(f"{key}.min", self._at("feature_min", f))
        self._put(f"{key}.max", self._at("feature_max", f))
        start, end = self._at("feature_start", f) / n, self._at("feature_end", f) / n
        self._put(f"{key}.start", start)
        self._put(f"{key}.end", end)
        self._put(f"{key}.change", end - start)
        self._put(f"{key}.lowest", self._at("episode_low", f) / n)
        self._put(f"{key}.highest", self._at("episode_high", f) / n)
        agents = len(self._layout.agents)
        if agents > 1:
            self._put(f"{key}.spread", self._at("feature_spread", f) / steps)
            team = self._block("team")[0, f], self._block("team_squared")[0, f]
            _, between = moments(steps, float(team[0]), float(team[1]))
            if std > 1e-12:
                alike = (agents * (between / std) ** 2 - 1.0) / (agents - 1.0)
                self._put(f"{key}.alike", max(-1.0, min(1.0, alike)))
        average = moments(
            n, self._at("episode_mean", f), self._at("episode_mean_squared", f)
        )
        both = self._at("episode_mean_times_return", f)
        returns, time = self._detailed_return, self._detailed_time
        found = self._effect(f"{key}.better", n, both, average, returns, _EQUAL)
        if found is not None:
            self._put(f"{key}.better_error", found[1])
        change = moments(n, n * (end - start), self._at("episode_change_squared", f))
        both = self._at("episode_change_times_return", f)
        self._effect(f"{key}.change_better", n, both, change, returns, _EQUAL)
        both = self._at("episode_mean_times_time", f)
        self._effect(f"{key}.late", n, both, average, time, STILL)
        self._before_reward(key, f, steps, self._scalar("detailed_reward_steps"))

    def _before_reward(self, key: str, f: int, steps: float, rewards: float) -> None:
        if not rewards:
            self._missing[f"{key}.reward_mean"] = "no reward was seen"
            return
        for g, aggregate in enumerate(AGGREGATES):
            usual, std = moments(
                steps,
                float(self._block("team")[g, f]),
                float(self._block("team_squared")[g, f]),
            )
            if std > 1e-12:
                paid = float(self._block("team_at_reward")[g, f]) / rewards
                self._put(f"{key}.reward_{aggregate}", (paid - usual) / std)
        usual, std = moments(steps, self._at("jump", f), self._at("jump_squared", f))
        jump = self._at("jump_at_reward", f) / rewards - usual
        self._put(f"{key}.reward_jump", jump)
        self._put(f"{key}.jump_std", std)

    def _condition_keys(self) -> None:
        n = self._n
        for k, name in enumerate(self._conditions):
            key = f"condition.{name}"
            seen = self._at("condition_episodes", k)
            self._put(f"{key}.rate", seen / n)
            if not seen:
                self._missing[f"{key}.first"] = "it never happened"
                continue
            self._put(f"{key}.first", self._at("condition_first", k) / seen)
            self._put(f"{key}.reward_rate", self._at("condition_rewarded", k) / seen)
            rate = moments(n, seen, seen)
            both = self._at("condition_times_return", k)
            self._effect(f"{key}.better", n, both, rate, self._return, _EQUAL)
            both = self._at("condition_times_time", k)
            self._effect(f"{key}.late", n, both, rate, self._time, STILL)

    def _terms(self) -> None:
        n = self._scalar("term_episodes")
        if not n:
            return
        sizes = self._block("term_size")
        for k, term in enumerate(self._signal.terms):
            key = f"term.{term.name}"
            paid = moments(n, self._at("term", k), self._at("term_squared", k))
            self._put(f"{key}.paid", paid[0])
            self._put(f"{key}.share", float(sizes[k]) / max(float(sizes.sum()), 1e-12))
            r = correlation(n, self._at("term_times_return", k), paid, self._return)
            self._put_or(f"{key}.correlation", r, "one of the two does not vary")
            invalid = self._at("term_invalid", k)
            self._put(f"{key}.invalid", invalid)
            self._put(f"{key}.off", float(invalid >= MOST_INVALID))
