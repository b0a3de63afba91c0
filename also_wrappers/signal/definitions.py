"""Parses definitions: expressions that terms and rules use by name."""

from __future__ import annotations

from collections.abc import Mapping

from also_wrappers.exceptions import ConfigurationError, ExpressionError
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.language.parser import FUNCTIONS, REDUCTIONS, Node, parse

__all__ = ["parse_definitions"]

_WORDS = ("and", "or", "not", "delta", *FUNCTIONS, *REDUCTIONS)


def parse_definitions(
    define: Mapping[str, str], features: FeatureMap
) -> dict[str, Node]:
    """Parses a signal's definitions against a vocabulary.

    Args:
        define: Expressions by name; each may use the names before it.
        features: The vocabulary. A definition may not read features of the action.

    Returns:
        A tree for each name.

    Raises:
        ConfigurationError: A name is that of a feature, or a word of the language.
        ExpressionError: A definition is not a valid expression.

    Example:
        >>> from also_wrappers.signal import Feature
        >>> features = FeatureMap(Feature("x", "obs[0]"), Feature("y", "obs[1]"))
        >>> define = {"near": "min(x, y)", "twice": "2 * near"}
        >>> parse_definitions(define, features)["twice"].op
        '*'
    """
    definitions: dict[str, Node] = {}
    for name, text in define.items():
        if name in features.names or name in _WORDS:
            what = "a word of the language" if name in _WORDS else "a feature"
            raise ConfigurationError(
                f"{name!r} is {what} and cannot be defined; choose another name"
            )
        try:
            definitions[name] = parse(
                text,
                features.names,
                forbidden=features.action_names,
                definitions=definitions,
            )
        except ExpressionError as error:
            raise ExpressionError(
                f"the definition of {name}: {error.reason}", error.text, error.position
            ) from None
    return definitions
