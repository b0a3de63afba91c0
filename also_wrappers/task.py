"""Declares with ``Task`` what is to be learned, in words and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Literal

from also_wrappers.exceptions import AlsoError, ConfigurationError
from also_wrappers.signal.actions import Actions
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.language.parser import parse

__all__ = ["Task"]

_WANTED = (
    "a task needs a description and a FeatureMap, not {}; write "
    "Task('Reach the goal.', FeatureMap(Feature('x', 'obs[0]')))"
)
_SWAPS = ("reset", "step")


def _no_features() -> FeatureMap:
    raise ConfigurationError(_WANTED.format("one of them alone"))


@dataclass(frozen=True)
class Task:
    """Declares what is to be learned, in words and numbers.

    Attributes:
        description: What the agents should achieve, in words that advisors read.
        features: The vocabulary.
        conditions: Expressions to record, by name, such as
            ``{"both_near": "team_max(distance) < 0.2"}``. Declare what is wanted: where
            no branch sees any base reward, signals are compared by how often and how
            early these conditions hold, and the decision is marked as exploratory.
        success: An expression over the features, ``base_return`` and
            ``episode_length`` that holds at the end of a successful episode.
        swap_at: ``"reset"``, where an environment takes a signal that was swapped in at
            its next reset, or ``"step"``, at its next step, where episodes do not end.
        actions: The actions that experts may advise; if ``None``, no expert is
            proposed.

    Raises:
        ConfigurationError: A part is of another type than declared, an expression is
            not valid, or actions read features that the vocabulary lacks.

    Example:
        >>> from also_wrappers import Feature, FeatureMap
        >>> task = Task(
        ...     "Both reach the far end.",
        ...     FeatureMap(Feature("distance", "obs[0]", "to the far end", 0.0, 1.0)),
        ...     conditions={"both_near": "team_max(distance) < 0.2"},
        ...     success="base_return >= 1",
        ... )
        >>> task.features.describe()
        ['distance in [0, 1]: to the far end']
    """

    description: str
    features: FeatureMap = field(default_factory=_no_features)
    conditions: Mapping[str, str] = field(default_factory=dict)
    success: str | None = None
    swap_at: Literal["reset", "step"] = "reset"
    actions: Actions | None = None

    def __post_init__(self) -> None:
        self._check_types()
        names = list(self.features.names)
        for name, text in self.conditions.items():
            if not isinstance(name, str) or not name.isidentifier():
                raise ConfigurationError(
                    f"{name!r} cannot be a condition's name; use letters, digits and "
                    "underscores, as in both_near"
                )
            self._check(f"condition {name!r}", text, names)
        if self.success is not None:
            self._check("success", self.success, [*names, *AT_END])
        if self.actions is not None:
            self.actions.check_features(self.features)

    def valid_probes(self, probes: Mapping[str, str]) -> dict[str, str]:
        """Returns those probes of an advisor that can be recorded."""
        valid = {}
        for name, text in probes.items():
            if name.isidentifier() and len(name) <= 40 and name not in self.conditions:
                try:
                    parse(text, self.features.names, allow_delta=True)
                except AlsoError:
                    continue
                valid[name] = text
        return valid

    def __repr__(self) -> str:
        """Returns the description and the declared parts, in one line."""
        parts = [repr(shorten(self.description, 60)), repr(self.features)]
        if self.conditions:
            parts.append(f"conditions={list(self.conditions)}")
        if self.success is not None:
            parts.append(f"success={self.success!r}")
        if self.actions is not None:
            parts.append("actions=...")
        return f"Task({', '.join(parts)})"

    def _check_types(self) -> None:
        for part, kind in ((self.description, str), (self.features, FeatureMap)):
            if not isinstance(part, kind):
                raise ConfigurationError(_WANTED.format(f"{part!r:.80}"))
        if not isinstance(self.conditions, Mapping):
            raise ConfigurationError(
                f"conditions are expressions by name, not {self.conditions!r:.80}; "
                "write conditions={'near': 'distance < 0.2'}"
            )
        if self.swap_at not in _SWAPS:
            raise ConfigurationError(
                f"swap_at is {' or '.join(map(repr, _SWAPS))}, not {self.swap_at!r:.80}"
            )
        if self.actions is not None and not isinstance(self.actions, Actions):
            raise ConfigurationError(
                f"actions are an Actions, not {self.actions!r:.80}; write "
                "Actions((Action('left', 0), ...))"
            )

    @staticmethod
    def _check(what: str, text: str, names: list[str]) -> None:
        try:
            parse(text, names, allow_delta=what != "success")
        except AlsoError as error:
            raise ConfigurationError(f"{what}: {error}") from error


AT_END = ("base_return", "episode_length")
