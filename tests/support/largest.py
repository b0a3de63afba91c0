"""The largest prompts that an environment of usual size makes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from also_wrappers.advisors.base import Situation
from also_wrappers.advisors.llm import prompts
from also_wrappers.evidence.document import Evidence
from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.evidence.numbers import MEANINGS
from also_wrappers.proposals.diagnosis import Claim, Diagnosis, Finding
from also_wrappers.proposals.outcomes import ArmOutcome, Rejection, RoundOutcome
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal import (
    Action,
    Actions,
    Expert,
    Feature,
    FeatureMap,
    Rule,
    Signal,
    Term,
)

AGENTS = tuple(f"agent_{k}" for k in range(4))
NAMES = [
    *(f"{thing}_distance" for thing in ("nearest_food", "shared_food", "mate", "door")),
    *(f"food{k}_distance" for k in range(4)),
    *("foods_left", "own_level", "speed", "carried_load"),
]


#: Six actions and the places of four foods.
ACTIONS = Actions(
    (
        Action("stay", 0),
        *(
            Action(name, index, step, f"not blocked_{name}")
            for index, (name, step) in enumerate(
                {
                    "up": (-1, 0),
                    "down": (1, 0),
                    "left": (0, -1),
                    "right": (0, 1),
                }.items(),
                start=1,
            )
        ),
        Action("load", 5),
    ),
    places={f"food{k}": (f"food{k}_dy", f"food{k}_dx") for k in range(4)},
)
NEXT = "where(foods_left > 1.5, food0_distance, food1_distance)"
RULES = [
    ("my_next < 0.01 and team_max(my_next) < 0.01", "load"),
    ("others_max(my_next) < 0.01 and abs(mate_distance) < 0.05 and speed > 0.5", "up"),
    ("foods_left > 1.5 and food0_distance > 0.01", "toward food0"),
    ("foods_left > 0.5 and food1_distance > 0.01", "toward food1"),
]


def episode(returned: float) -> EpisodeRows:
    """An episode of fifty steps."""
    random = np.random.default_rng(0)
    there = np.ones((51, len(AGENTS)), dtype=bool)
    rows = random.random((51, len(AGENTS), len(NAMES)))
    return EpisodeRows(rows, np.zeros((50, 4)), there, returned, False, True)


def situation(*, experts: bool) -> Situation:
    """Twelve features, four agents, a long history, and nothing left out."""
    features = FeatureMap(
        *[
            Feature(
                name, f"obs[{k}]", "grid distance to the nearest one of all", 0.0, 1.0
            )
            for k, name in enumerate(NAMES)
        ]
    )
    values: dict[str, float] = {}
    for pattern in MEANINGS:
        whose = NAMES if pattern.startswith("feature.") else AGENTS
        if pattern.startswith(("condition.", "term.")):
            whose = ["both_at_food", "one_waits"]
        for place, name in enumerate(whose):
            key = pattern.replace("*", name, 1)
            for choice in range(6) if "*" in key else [0]:
                values[key.replace("*", f"{choice}")] = -0.123 * (place + choice + 1)
    shaped = "-team_max(nearest_food_distance + 0.5 * shared_food_distance)"
    bonus = Term(name="b", kind="bonus", expression="-(speed < 0.1)", weight=0.01)
    terms = [
        Term(name="a", kind="progress", expression=shaped, weight=0.1 * k)
        for k in range(1, 9)
    ]
    signals = [Signal(terms=(term, bonus)) for term in terms]
    if experts:
        rules = tuple(Rule(when=when, do=do) for when, do in RULES)
        expert = {"expert": Expert(rules=rules), "define": {"my_next": NEXT}}
        other = expert | {"expert": Expert(rules=rules[1:])}
        signals[:3] = [
            signal.model_copy(update=own)
            for signal, own in zip(signals, (expert, expert, other), strict=False)
        ]
    proposals = [Proposal(signal=signal) for signal in signals]
    outcome = (
        "screen of 30,720 steps: base return 0.123 (error 0.021) over 2 branch(es), "
        "curve 0 0.01 0.02 0.05 0.08 0.1 0.12 0.13; control 0.045 (error 0.011), "
        "curve 0 0.01 0.01 0.02 0.02 0.04 0.04 0.05; condition.both_at_food.rate 0.4, "
        "control 0.1; condition.one_waits.rate 0.9, control 0.8"
    )
    history = [
        RoundOutcome(
            round=number,
            stage="discovery",
            control_score=0.1,
            arms=tuple(ArmOutcome(proposal=p, outcome=outcome) for p in proposals[:5]),
            decision="stopped: candidate_2 is not better than control after 3 pairs",
            winner=None,
        )
        for number in (1, 2, 3)
    ]
    return Situation(
        task="Two agents load food together. " * 20,
        features=features,
        agents=AGENTS,
        signal=proposals[0].signal,
        evidence=Evidence(
            values=values,
            features=tuple(NAMES),
            agents=AGENTS,
            conditions={
                "both_at_food": "team_max(nearest_food_distance) < 0.01",
                "one_waits": "team_min(shared_food_distance) < 0.01",
            },
        ),
        stage="discovery",
        progress=0.4,
        history=history,
        rejected=[Rejection(proposal=p, reason="x" * 300) for p in proposals[5:8]],
        actions=ACTIONS if experts else None,
        gamma=0.99,
        horizon=15_360,
        episodes=[episode(1.0), episode(0.0)],
    )


def largest(*, experts: bool) -> dict[str, str]:
    """The prompts by role."""
    now = situation(experts=experts)
    keys = now.evidence.keys(prompts.EVIDENCE)[:4]
    finding = Finding(
        failure="miscoordination",
        severity="severe",
        claims=tuple(Claim(key=key, reads="low") for key in keys),
        argument="Agents are at different foods at most times. " * 5,
    )
    diagnosis = Diagnosis(findings=(finding,) * 4, advice="Bring them together. " * 15)
    results = [
        ArmOutcome(
            proposal=arm.proposal,
            outcome=arm.outcome,
            hypothesis="feature.mate_distance.change should go down: it did, -0.2 "
            "against control's -0.1",
        )
        for arm in now.history[0].arms[1:4]
    ]
    requests = {
        "critic": prompts.critic(now),
        "generator": prompts.generator(replace(now, diagnosis=diagnosis), 3),
        "refine": prompts.refine(replace(now, diagnosis=diagnosis, results=results), 2),
    }
    repair = prompts.repair(["candidate 1: " + "y" * 300] * 3, "z" * 2000)
    requests["repair"] = f"{max(requests.values(), key=len)}\n\n{repair}"
    return {role: f"{prompts.system()}\n{text}" for role, text in requests.items()}
