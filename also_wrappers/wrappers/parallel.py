"""``ShapeRewardParallel``: the wrapper for PettingZoo parallel environments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Unpack

from pettingzoo import ParallelEnv
from pettingzoo.utils import BaseParallelWrapper

from also_wrappers.board.board import Board
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.model import Signal
from also_wrappers.wrappers.shaped_team import ShapedTeam, action_spaces_of
from also_wrappers.wrappers.source import Options

__all__ = ["ShapeRewardParallel"]


class ShapeRewardParallel(BaseParallelWrapper[str, Any, Any]):
    """Adds a signal to the rewards of a PettingZoo parallel environment.

    Observations, spaces, masks and rendering stay as they are. Agents may leave
    ``agents`` and come back within an episode: the potential of an agent that is not
    there is 0, so that it is taken back from one that leaves and paid to one that comes
    with the step at which it is observed again. Progress begins anew with it.
    ``infos[agent]["shaping"]`` says what was added: see ``Shaping``.

    Args:
        env: The environment.
        features: The vocabulary that the signal speaks.
        signal: A signal that stays as it is. Give this or ``board``.
        board: Where the active signal is posted and evidence is left.
        **options: ``gamma``, ``bootstraps_truncation``, ``conditions``, ``success``,
            ``actions``; see ``also_wrappers.wrappers.Options``.

    Raises:
        ConfigurationError: Neither or both of ``signal`` and ``board`` were given.
        ExpressionError: An expression is not valid.

    Example:
        >>> from also_wrappers.signal import Term
        >>> from also_wrappers.testing import Corridor, corridor_features
        >>> go = Term(name="go", kind="progress", expression="place", weight=1.0)
        >>> signal = Signal(terms=(go,))
        >>> env = ShapeRewardParallel(Corridor(), corridor_features(), signal)
        >>> observations, infos = env.reset(seed=0)
        >>> _, rewards, _, _, infos = env.step({"agent_0": 2, "agent_1": 0})
        >>> round(rewards["agent_0"], 3), infos["agent_0"]["shaping"]["base"]
        (0.2, 0.0)
    """

    def __init__(
        self,
        env: ParallelEnv[str, Any, Any],
        features: FeatureMap,
        signal: Signal | None = None,
        board: Board | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(env)
        self._living = _behind_black_death(env)
        self.shaped = ShapedTeam(
            features,
            env.possible_agents,
            action_spaces_of(env, env.possible_agents),
            signal,
            board,
            **options,
        )

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Resets the environment; a newly posted signal is in force from here on."""
        observations, infos = self.env.reset(seed=seed, options=options)
        self.shaped.reset(observations, infos, self._state())
        return observations, self.shaped.first_infos(infos)

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, Any],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Steps the environment and adds to the agents' rewards."""
        living = self._living
        before = None if living is None else list(living.agents)
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        if not rewards:
            return observations, rewards, terminations, truncations, infos
        observed, ends, cuts = observations, terminations, truncations
        if living is not None and before is not None:
            if not before:  # black_death's last step, after all have died
                return observations, rewards, terminations, truncations, infos
            observed = {agent: observations[agent] for agent in before}
            ends = {agent: agent not in living.agents for agent in before}
            cuts = {}
        there = (living or self.env).agents
        if len(there) < len(observed):
            ends = _with_those_who_left(ends, cuts, observed, there)
        ended = True in ends.values() or True in cuts.values()
        over = ended and (
            not there
            or all(ends.get(agent) or cuts.get(agent) for agent in {*observed, *there})
        )
        team = self.shaped
        added = team.step(
            actions,
            observed,
            rewards,
            ends,
            cuts,
            infos,
            self.env.state() if team.needs_state else None,
            ended=ended,
            over=over,
        )
        shaped_rewards = {}
        shaped_infos = {}
        places = team.places
        for agent, reward in rewards.items():
            base = float(reward)
            place = places[agent]
            paid = added[place] if added else 0.0
            shaped_rewards[agent] = base + paid
            shaping = team.info(base, paid, over, place)
            shaped_infos[agent] = {**infos[agent], "shaping": shaping}
        if added is not None:
            rewards = shaped_rewards
        return observations, rewards, terminations, truncations, shaped_infos

    def _state(self) -> Any:
        return self.env.state() if self.shaped.needs_state else None

    def __str__(self) -> str:
        return f"{type(self).__name__}<{self.env!s}>"


def _with_those_who_left(
    ends: Mapping[str, Any],
    cuts: Mapping[str, Any],
    observed: Iterable[str],
    there: Sequence[str],
) -> Mapping[str, Any]:
    """Returns whose episode terminated, agents that left without a word included."""
    left = [agent for agent in observed if agent not in there and not cuts.get(agent)]
    return {**ends, **dict.fromkeys(left, True)}


def _behind_black_death(env: Any) -> Any:
    """Returns the environment behind SuperSuit's ``black_death``, if that is inside.

    ``black_death`` shows dead agents as alive, with observations of zeros that must
    not be paid for, and hides how they ended: they count as terminated.
    """
    while isinstance(env, BaseParallelWrapper):
        if type(env).__name__ == "black_death_par":
            return env.env
        env = env.env
    return None
