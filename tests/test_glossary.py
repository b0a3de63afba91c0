"""Names are made of the words of the glossary, and each of its words is in use."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from also_wrappers import glossary

ROOT = Path(glossary.__file__).parent

#: Names that have a word of the last column in another sense, or from a library.
ALLOWED = {"generator": "a role of a language model, in its prompts"}


class Entry(NamedTuple):
    """A line of the glossary."""

    words: list[str]
    meaning: str
    others: list[str]


def read_glossary() -> list[Entry]:
    lines = (glossary.__doc__ or "").splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("|")
    ]
    return [
        Entry(words.split(", "), meaning, others.split(", ") if others else [])
        for words, meaning, others in cells[2:]
    ]


def split(name: str) -> list[str]:
    """The words of a name in small letters, without the s of many."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return [word.lower().removesuffix("s") for word in words]


def names_in(source: str) -> Iterator[str]:
    """The names that a file gives to functions, classes, arguments and all else."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.arg(arg=name):
                yield name
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name


def all_names() -> dict[str, set[str]]:
    """The names of the package, and the files that give each of them."""
    names: dict[str, set[str]] = {}
    for file, text in TEXTS.items():
        for name in (*Path(file).with_suffix("").parts, *names_in(text)):
            names.setdefault(name, set()).add(file)
    return names


ENTRIES = read_glossary()
TEXTS = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in ROOT.rglob("*.py")
    if path.name != "glossary.py"
}
NAMES = all_names()


def named(words: str) -> list[str]:
    """The names that have these words, one after the other."""
    wanted = split(words)
    return [
        name
        for name in NAMES
        for parts in [split(name)]
        for k in range(len(parts))
        if parts[k : k + len(wanted)] == wanted
    ]


def test_each_line_has_a_word_and_what_it_means() -> None:
    assert len(ENTRIES) > 40
    assert all(entry.words and entry.meaning for entry in ENTRIES)


def test_no_word_is_in_two_lines() -> None:
    words = [word for entry in ENTRIES for word in (*entry.words, *entry.others)]
    assert sorted(words) == sorted(set(words))


@pytest.mark.parametrize("word", [word for entry in ENTRIES for word in entry.words])
def test_each_word_is_in_use(word: str) -> None:
    pattern = re.compile(rf"(?<![a-z]){word.replace(' ', '[ _]')}", re.IGNORECASE)
    users = [name for name, text in TEXTS.items() if pattern.search(text)]
    assert len(users) >= 2, f"only {users} speak of {word!r}"


@pytest.mark.parametrize(
    "entry", [e for e in ENTRIES if e.others], ids=lambda e: e.words[0]
)
def test_no_name_has_another_word_for_it(entry: Entry) -> None:
    wrong = {
        name: sorted(NAMES[name])
        for other in entry.others
        for name in named(other)
        if name not in ALLOWED
    }
    assert wrong == {}, f"say {entry.words[0]}"


def test_a_name_is_only_let_off_that_is_there() -> None:
    assert [name for name in ALLOWED if name not in NAMES] == []
