"""What the command line says of itself."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from also_wrappers.cli.app import app

COMMANDS = [
    "demo",
    "doctor",
    "inspect",
    "show",
    "watch",
    "report",
    "compare",
    "export",
    "replay",
    "study",
]


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "80"})
    assert result.exit_code == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)


def test_commands_are_listed_in_the_order_of_use_each_in_a_line() -> None:
    text = printed("--help")
    listed = text[text.index("Commands") :]
    assert re.findall(r"^\W*(\w+)  +\S", listed, re.MULTILINE) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_ends_with_an_example(command: str) -> None:
    last = printed(command, "--help").strip().splitlines()[-1].strip()
    assert last.startswith(f"Example: also-wrappers {command} ")
