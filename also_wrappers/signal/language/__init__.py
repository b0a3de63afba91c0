"""Parses and compiles the expressions of terms, rules and conditions."""

from also_wrappers.signal.language.parser import GRAMMAR, Node, parse

__all__ = ["GRAMMAR", "Node", "parse"]
