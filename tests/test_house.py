"""The house of the tests: what they share stands in ``support``."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent
#: Also where a test holds a script as text, to run it in another process.
IMPORT = re.compile(r"^\s*(?:from|import)\s+(tests\.[\w.]*\btest_\w+)", re.MULTILINE)


def test_no_test_module_is_imported_by_another() -> None:
    files = list(ROOT.rglob("*.py"))
    assert len(files) > 60
    met = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in IMPORT.findall(path.read_text())
    ]
    assert met == []
