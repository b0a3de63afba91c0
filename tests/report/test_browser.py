"""The report in a real browser: wide and on a phone, light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest

from also_wrappers.report import write_report
from tests.support.browser import BROWSER, look_at
from tests.support.ledgers import (
    base_only_run,
    expert_run,
    watched_run,
    whole_run,
    write_ledger,
)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no browser is installed")


@pytest.fixture
def pages(tmp_path: Path) -> list[Path]:
    baseline = write_ledger(tmp_path / "alone", base_only_run())
    runs = {"whole": whole_run(), "watched": watched_run(), "expert": expert_run()}
    return [
        write_report(write_ledger(tmp_path / name, lines), baseline)
        for name, lines in runs.items()
    ]


@pytest.mark.parametrize("dark", [False, True])
def test_a_report_is_read_wide_and_on_a_phone(
    pages: list[Path], tmp_path: Path, dark: bool
) -> None:
    looks, complaints = look_at(pages, [1200, 390], tmp_path / "browser", dark=dark)
    assert complaints == []
    assert [look.width for look in looks] == [1200, 390] * len(pages)
    for look in looks:
        assert look.scrolls == 0
        assert look.least_font >= 11.0, look.smallest
        assert look.outside == []
        assert look.dark is dark


def test_the_browser_sees_what_is_wrong_with_a_page(tmp_path: Path) -> None:
    page = tmp_path / "wrong.html"
    page.write_text(
        '<p style="font-size:9px">tiny</p><div style="width:2000px">wide</div>'
        '<svg viewBox="0 0 440 100" width="220"><text x="430">far out</text></svg>'
        "<script>missing()</script>"
    )
    (look,), complaints = look_at([page], [390], tmp_path / "browser")
    assert look.scrolls > 1500
    assert (look.smallest, look.outside) == ("far out", ["far out"])
    assert len(complaints) == 1
    assert "missing is not defined" in complaints[0]
