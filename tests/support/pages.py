"""What a reader reads of a page."""

from __future__ import annotations

import re
from pathlib import Path


def text_of(page: Path) -> str:
    """What a reader of the page reads, pictures left out, spaces evened."""
    html = re.sub(r"<(svg|style).*?</\1>", " ", page.read_text(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())
