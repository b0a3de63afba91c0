"""Makes a situation to ask advisors about."""

from __future__ import annotations

from typing import Any

from also_wrappers.advisors.base import Situation
from also_wrappers.evidence.document import Evidence
from also_wrappers.signal import FeatureMap, Signal
from also_wrappers.testing.environments import corridor_features

__all__ = ["corridor_situation"]


def corridor_situation(**changes: Any) -> Situation:
    """Makes an early situation in the corridor, with hardly any reward.

    Args:
        **changes: Fields of the situation, such as ``diagnosis`` or ``results``;
            ``values`` are added to its evidence, and ``insufficient`` and
            ``conditions`` replace those of its evidence.

    Example:
        >>> corridor_situation(progress=0.5).progress
        0.5
    """
    features: FeatureMap = changes.pop("features", corridor_features())
    values = {
        "team.episodes": 100.0,
        "team.base_return.mean": 0.01,
        "team.base_return.max": 1.0,
        "team.reward_rate": 0.01,
        "team.reward_steps": 1.0,
        "agent_0.action.idle_share": 0.7,
    }
    for name in features.names:
        key = f"feature.{name}"
        values |= {
            f"{key}.mean": 0.3,
            f"{key}.std": 0.2,
            f"{key}.min": 0.0,
            f"{key}.max": 1.0,
            f"{key}.change": 0.1,
        }
    values["feature.place.reward_min"] = 2.5
    values["feature.mate_place.reward_mean"] = 1.0
    evidence = Evidence(
        values=values | changes.pop("values", {}),
        features=features.names,
        agents=changes.get("agents", ("agent_0", "agent_1")),
        insufficient=changes.pop("insufficient", ()),
        conditions=changes.pop("conditions", {}),
    )
    arguments: dict[str, Any] = {
        "task": "Walk to the end together.",
        "features": features,
        "agents": ("agent_0", "agent_1"),
        "signal": Signal(),
        "evidence": evidence,
        "stage": "no_signal",
        "progress": 0.1,
        "history": (),
    }
    return Situation(**(arguments | changes))
