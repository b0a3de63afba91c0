"""Agents that leave and come back, and agents that take turns."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from also_wrappers.signal import Signal, Term
from also_wrappers.testing import (
    Shifts,
    Turns,
    check_copies,
    check_deterministic,
    check_identity,
    check_potentials,
    check_swap,
    corridor_features,
)
from also_wrappers.wrappers import wrap

SIGNAL = Signal(
    terms=(
        Term(name="p", kind="potential", expression="place ** 2", weight=0.5),
        Term(
            name="q",
            kind="progress",
            expression="team_mean(mate_place) - place",
            weight=0.3,
        ),
        Term(
            name="b",
            kind="bonus",
            expression="where(move > 0, 0.1, delta(place))",
            weight=1.0,
        ),
    )
)


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("rest", [1, 3])
def test_everything_holds_where_agents_leave_and_come_back(
    silent: bool, rest: int
) -> None:
    """But for PettingZoo's own checks and its conversion, which know no such agents."""
    make_env = partial(Shifts, rest=rest, silent=silent, agents=3)
    features = corridor_features()
    signal = SIGNAL
    check_identity(make_env, lambda env: wrap(env, features, signal=Signal()))
    check_deterministic(lambda: wrap(make_env(), features, signal=signal))
    check_copies(lambda: wrap(make_env(), features, signal=signal))
    check_swap(make_env, features, signal)
    check_potentials(make_env, features, steps=400)


@settings(max_examples=60)
@given(
    st.integers(1, 5), st.integers(2, 7), st.integers(1, 30), st.booleans(), st.data()
)
def test_potentials_telescope_in_games_of_turns(
    agents: int, length: int, limit: int, by_chance: bool, data: st.DataObject
) -> None:
    make_env = partial(
        Turns, agents=agents, length=length, limit=limit, by_chance=by_chance
    )
    check_potentials(make_env, corridor_features(), data.draw(st.integers(20, 90)))


def test_a_game_that_another_agent_ends_takes_the_potential_back() -> None:
    """Two players, three moves; the last one wins, and the other is paid in full."""
    near = Term(name="near", kind="potential", expression="2 * place", weight=1.0)
    env = wrap(
        Turns(length=4), corridor_features(), signal=Signal(terms=(near,)), gamma=0.9
    )
    bare = Turns(length=4)
    env.reset(seed=4)
    bare.reset(seed=4)
    first = {agent: 2.0 * bare.observe(agent)[0] for agent in bare.agents}
    paid, base = dict.fromkeys(first, 0.0), dict.fromkeys(first, 0.0)
    while bare.agents:
        agent = bare.agent_selection
        paid[agent] += env.last()[1] - bare.last()[1]
        base[agent] += bare.last()[1]
        ended = bare.terminations[agent]
        for one in (env, bare):
            one.step(None if ended else 2 if agent == "agent_0" else 0)
    assert base == {"agent_0": 1.0, "agent_1": -1.0}
    assert first["agent_1"] > 0.5
    assert paid["agent_1"] == pytest.approx(-first["agent_1"])
