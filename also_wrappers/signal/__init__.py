"""Declares and computes signals: terms, their language, features, experts, the shaper.

## Terms

A term says what states are worth. It has a kind, with Phi the value of its expression:

| kind | added at a step | keeps the optimal policy |
|---|---|---|
| ``progress`` | Phi(s') - Phi(s) | no, but often learns faster |
| ``potential`` | gamma * Phi(s') - Phi(s), Phi = 0 after termination | yes (Ng et al. 1999, Devlin & Kudenko 2011) |
| ``bonus`` | the value itself | no |

Expressions speak of features: numbers, ``+ - * / **``, comparisons, ``and or not``,
``where``, ``abs min max clip exp log1p sqrt tanh sign hypot``, reductions over the team
such as ``team_max(distance)`` and ``others_mean(distance)``, and in bonuses
``delta(x)``. Our own parser reads them; ``GRAMMAR`` is the whole of it. However far a
model is steered, all it can do is propose a bounded number.

## Features

A ``Feature`` is a path (``obs[3]``, ``obs.goal[0]``, ``info.health``, ``state[4]``,
``action``) or a function of a ``View``; a ``FeatureGroup`` computes several at once.
``FeatureMap.from_spaces(env)`` names every number that the spaces offer.

```python
features = also.FeatureMap(
    also.Feature("place", "obs[0]", "own place, 1 at the goal"),
    also.Feature("left", lambda view: 1 - view.observation[0], "way to go"),
)
signal = also.Signal(
    terms=(also.Term(name="near", kind="potential", expression="-left", weight=1.0),)
)
env = also.wrap(make_env(), features, signal=signal, gamma=0.99)
```

## Experts

An *expert* says which actions are good, by rules of which the first that holds counts.
The policy imitates it on the states that it visits itself: PPO, A2C and MaskablePPO by
likelihood, DQN and QRDQN by a large margin on what they replay. ``examples/expert.py``
shows rules that lead ``toward`` places.

```python
signal = also.Signal(expert=also.Expert(rules=(also.Rule(when="place < 1", do="on"),)))
actions = also.Actions(
    (also.Action("stay", 0), also.Action("back", 1), also.Action("on", 2))
)
venv = make_venv(lambda env: also.wrap(env, features, signal=signal, actions=actions))
PPO("MlpPolicy", venv, n_steps=64).learn(4096, callback=also.ImitationCallback())
```

In a run, ``Task(actions=...)`` declares what agents can do, and where that can lead:

```python
offset = also.Feature(
    "goal_dx", lambda view: 1 - view.observation[0], "cells to the end, scaled"
)
walk = also.Actions(
    (
        also.Action("stay", 0),
        also.Action("back", 1, step=(-1 / 11,)),
        also.Action("on", 2, step=(1 / 11,)),
    ),
    places={"goal": ("goal_dx",)},
)
task = also.Task("Walk to the end.", also.FeatureMap(offset), actions=walk)
```

A candidate may then bring an expert. It is played before any branch, exactly and with a
tenth of random actions, beside the policy on the same seeds; what does not earn clearly
more is sent back with what each rule did. Where the policy earns nothing and the expert
clearly does, it is used without a branch, as exploratory, and watched. The pull towards
it ends itself as the policy comes to earn what the expert earns, which is measured
again at every round.

Rules for single agents (``Rule(agents=...)``) part a team: one goes here, one there. A
policy that all agents share can follow such rules only if it sees who it acts for, as
with SuperSuit's ``agent_indicator_v0``; else its agreement with the expert stays low.

The built-in rules try every place with every action that does not move, put in sequence
what earns something, send agents to a place each where an action's step of zeros says
that it stays, and know no environment; a language model writes rules;
``BlindAdvisor`` draws them. The catalogue names actions and places for foraging, the
warehouse and spread: ``lbforaging.features(env, experts=True)``,
``lbforaging.actions(env)``.
"""

from also_wrappers.signal.actions import Action, Actions, Compass, Heading
from also_wrappers.signal.advice import Advice
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.features import Feature, FeatureGroup, View
from also_wrappers.signal.language.parser import GRAMMAR, parse
from also_wrappers.signal.model import Expert, Fade, Rule, Signal, Term
from also_wrappers.signal.shaper import Shaper, compile_signal

__all__ = [
    "GRAMMAR",
    "Action",
    "Actions",
    "Advice",
    "Compass",
    "Expert",
    "Fade",
    "Feature",
    "FeatureGroup",
    "FeatureMap",
    "Heading",
    "Rule",
    "Shaper",
    "Signal",
    "Term",
    "View",
    "compile_signal",
    "parse",
]
