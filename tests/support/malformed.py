"""Signals with experts that something is wrong with, as a model might write them."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Sequence
from typing import Any

__all__ = ["damaged", "malformed"]

_WORDS = [
    *"-+*/<>(),.'\0[]{}=!%^&|~:;@#\"\\",
    *["**", "==", "<=", "and", "or", "not", "if", "else", "lambda", "1e999", "0x1f"],
    *["where(", "min(", "max(", "abs(", "sqrt(", "delta(", "team_max(", "others_min("],
    *[
        "1",
        "0.5",
        "1e9",
        "nan",
        "inf",
        "True",
        "None",
        "__class__",
        "import os",
        "√",
        "⅓",
    ],
]
_ODD: list[Any] = [
    *[None, True, 3, -1.0, 0, 1e308, math.nan, math.inf, 10**400, b"1", object()],
    *["", " ", "stay", "do stay", "å", "\u202e", "\ud800", "\0", "x" * 5000, "(" * 900],
    *[[], {}, ["a"], [[]], [None], {"when": "1"}, {"rules": []}, {1: 2}, {"a": {}}],
]
_NAMES = [
    "mine",
    "near",
    "gap",
    "min",
    "and",
    "team_max",
    "2",
    "",
    "é",
    "a b",
    "x" * 99,
]


def malformed(
    chance: random.Random, says: Sequence[str], names: Sequence[str]
) -> dict[str, Any]:
    """Makes the data of a signal with an expert; a few of them are valid after all.

    Args:
        chance: What is drawn by.
        says: What rules may say.
        names: Names of the features.
    """
    made: dict[str, Any] = {
        "define": {"near": f"{names[0]} < 1", "gap": f"abs({names[0]})"},
        "expert": {
            "rules": [
                {"when": _condition(chance, names), "do": _saying(chance, says)}
                for _ in range(chance.choice([0, 1, 1, 1, 2, 2, 2, 3, 3, 30]))
            ]
        },
    }
    if chance.random() < 0.3:
        made["define"] = _definitions(chance, names)
    for _ in range(chance.choice([0, 0, 0, 1, 1, 2])):
        made = damaged(chance, made)
    return made


def _condition(chance: random.Random, names: Sequence[str]) -> str:
    valid = [names[0], f"{names[0]} > 0.5", f"near and not {names[1]}", "gap < 2", "1"]
    text = chance.choice(valid)
    match chance.randrange(6):
        case 0:
            words = [*_WORDS, *names, *names]
            return " ".join(chance.choices(words, k=chance.randrange(1, 12)))
        case 1:  # a letter is another, or gone
            place = chance.randrange(len(text))
            letter = chance.choice(["", "(", "é", "\t", "0", "<", "_"])
            return text[:place] + letter + text[place + 1 :]
        case 2:
            depth = chance.choice([1, 5, 39, 60, 400])
            opened, closed = chance.choice([("(", ")"), ("not ", ""), ("abs(", ")")])
            return opened * depth + text + closed * chance.choice([depth, depth - 1])
        case 3 if chance.random() < 0.3:
            return " + ".join([text] * chance.choice([30, 90, 400]))
        case _:
            return text


def _saying(chance: random.Random, says: Sequence[str]) -> str:
    if chance.random() < 0.8:
        return chance.choice(says)
    wrong = ["", "toward", "toward  goal", "goal", "STAY", "go", "stay; up", "x" * 99]
    return chance.choice([*wrong, f"{chance.choice(says)} "])


def _definitions(chance: random.Random, names: Sequence[str]) -> dict[str, str]:
    """Cycles, names that are taken, and towers of what was defined before."""
    match chance.randrange(4):
        case 0:
            return {"near": "gap < 1", "gap": "near + 1"}
        case 1:
            return {chance.choice([*_NAMES, *names]): _condition(chance, names)}
        case 2:
            tower = {"a0": names[0]}
            for k in range(chance.choice([3, 7, 12])):
                tower[f"a{k + 1}"] = " + ".join([f"a{k}"] * chance.choice([1, 2, 90]))
            return tower
        case _:
            return {"near": "near", "gap": f"delta({names[0]})"}


def damaged(chance: random.Random, made: dict[str, Any]) -> dict[str, Any]:
    """Replaces, drops or adds something at a random place."""
    made = copy.copy(made)
    inside: Any = made
    while True:
        keys = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
        if not keys:
            break
        key = chance.choice(keys)
        value = inside[key]
        if isinstance(value, (dict, list)) and value and chance.random() < 0.8:
            inside[key] = copy.copy(value)
            inside = inside[key]
            continue
        match chance.randrange(4):
            case 0:
                inside[key] = [value]
            case 1 if isinstance(inside, dict):
                added = ["then", "pull", "agents", "bound", "terms", "fade", "code", 7]
                inside[chance.choice(added)] = chance.choice(_ODD)
            case 2:
                del inside[key]
            case _:
                inside[key] = chance.choice(_ODD)
        break
    return made
