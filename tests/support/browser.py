"""A browser that looks at pages: how large what it renders is, and its complaints."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path

#: The browser; ``None`` where there is none.
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
_TIMEOUT = 120.0

_PAGE = """<!doctype html><meta charset="utf-8">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">
<body>%s<pre id="seen"></pre><script>
function look(frame) {
  const page = frame.contentDocument;
  const root = page.scrollingElement;
  page.querySelectorAll("details").forEach(one => { one.open = true; });
  const sizes = [], outside = [];
  const walk = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
  for (let text; (text = walk.nextNode());) {
    const parent = text.parentElement;
    if (!text.data.trim() || !parent.getClientRects().length) continue;
    const svg = parent.closest("svg");
    const scale = svg ? svg.getScreenCTM().a : 1;
    const size = parseFloat(frame.contentWindow.getComputedStyle(parent).fontSize);
    sizes.push([size * scale, text.data.trim().slice(0, 40)]);
    if (svg) {
      const box = parent.getBBox(), view = svg.viewBox.baseVal;
      const right = box.x + box.width, bottom = box.y + box.height;
      if (box.x < -1 || right > view.width + 1 || bottom > view.height + 1)
        outside.push(text.data);
    }
  }
  sizes.sort((a, b) => a[0] - b[0]);
  const style = frame.contentWindow.getComputedStyle(page.body);
  return {
    width: root.clientWidth,
    scrolls: root.scrollWidth - root.clientWidth,
    least_font: sizes[0][0],
    smallest: sizes[0][1],
    outside: outside,
    background: style.backgroundColor,
    color: style.color,
  };
}
window.onload = () => {
  const frames = [...document.querySelectorAll("iframe")];
  document.getElementById("seen").textContent = JSON.stringify(frames.map(look));
};
</script>"""


@dataclass(frozen=True)
class Look:
    """What a browser shows of a page.

    Attributes:
        width: Width of the page in pixels.
        scrolls: Pixels by which the page is wider than its window.
        least_font: Height in pixels of the smallest text, pictures included.
        smallest: That text.
        outside: Labels of pictures that reach out of them.
        background: Color behind the page.
        color: Color of its text.
    """

    width: int
    scrolls: int
    least_font: float
    smallest: str
    outside: list[str]
    background: str
    color: str

    @property
    def dark(self) -> bool:
        """Whether the page is dark with bright text."""
        return _brightness(self.background) < 60 and _brightness(self.color) > 180


def look_at(
    pages: list[Path], widths: list[int], folder: Path, *, dark: bool = False
) -> tuple[list[Look], list[str]]:
    """Opens pages in a browser, all of their details unfolded.

    Args:
        pages: The pages.
        widths: Widths of the windows, in pixels.
        folder: Where the browser may write.
        dark: Whether the reader prefers dark pages.

    Returns:
        A look at each page for each width, and what the browser complains of.
    """
    frames = [
        f'<iframe width="{width}" height="900" style="border:0" '
        f'srcdoc="{escape(page.read_text())}"></iframe>'
        for page in pages
        for width in widths
    ]
    folder.mkdir(exist_ok=True)
    file = folder / "frames.html"
    file.write_text(_PAGE % "\n".join(frames))
    scheme = 0 if dark else 1
    done = subprocess.run(
        [
            str(BROWSER),
            "--no-sandbox",
            "--headless=new",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-first-run",
            f"--user-data-dir={folder / f'profile-{scheme}'}",
            f"--blink-settings=preferredColorScheme={scheme}",
            "--enable-logging=stderr",
            "--window-size=1400,1000",
            "--dump-dom",
            file.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    seen = done.stdout.partition('<pre id="seen">')[2].partition("</pre>")[0]
    assert seen, f"the browser has shown nothing: {done.stderr[-2000:]}"
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return [Look(**look) for look in json.loads(unescape(seen))], complaints


def _brightness(color: str) -> float:
    """Returns the mean of red, green and blue of ``rgb(...)``, of 255."""
    parts = color.removeprefix("rgb(").removesuffix(")").split(",")
    return sum(map(float, parts)) / 3.0
