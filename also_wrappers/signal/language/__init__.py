"""The expression language of terms: parsed, then compiled."""

from also_wrappers.signal.language.parser import GRAMMAR, Node, parse

__all__ = ["GRAMMAR", "Node", "parse"]
