"""The axes and the texts of a chart, in the units of its SVG element."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

__all__ = [
    "CHARACTER",
    "LINE",
    "WIDTH",
    "Scale",
    "draw_below",
    "draw_text",
    "range_of",
    "svg_element",
]

#: Width of a chart.
WIDTH = 440
#: Height of a line of text, and width of a character of it in a wide font.
LINE, CHARACTER = 17.0, 9.0
#: Numbers from here on are written with an exponent.
_LONG, _SHORT = 1e9, 1e-4
#: A smaller range is that of equal numbers.
_LEAST = 1e-12


@dataclass(frozen=True)
class Scale:
    """Maps numbers to places along one axis.

    Attributes:
        low: The smallest number.
        high: The largest number.
        begin: Place of the smallest number.
        end: Place of the largest one.
    """

    low: float
    high: float
    begin: float
    end: float

    def __call__(self, number: float) -> float:
        """Returns the place of a number, in tenths of a pixel."""
        share = (number - self.low) / (self.high - self.low)
        return round(self.begin + share * (self.end - self.begin), 1)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Returns round numbers within the scale, and their texts.

        Args:
            most: How many of them there is room for.

        Example:
            >>> Scale(0.0, 2500.0, 0.0, 400.0).ticks(3)
            [(0.0, '0'), (1000.0, '1,000'), (2000.0, '2,000')]
        """
        step = _round_step((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-6)
        last = math.floor(self.high / step + 1e-6)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        long = max(abs(self.low), abs(self.high)) >= _LONG or step < _SHORT
        return [
            (k * step, f"{k * step:.3g}" if long else f"{k * step:,.{digits}f}")
            for k in range(first, last + 1)
        ]


def range_of(numbers: Iterable[float]) -> tuple[float, float]:
    """Returns the range of 0 and of those numbers that are finite.

    Args:
        numbers: The numbers.

    Returns:
        Its ends; the upper one is 1 higher where all numbers are equal.
    """
    finite = [0.0, *filter(math.isfinite, numbers)]
    low, high = min(finite), max(finite)
    return (low, high) if high - low > _LEAST else (low, low + 1.0)


def _round_step(step: float) -> float:
    """Returns the next larger number of 1, 2 and 5 times a power of 10."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(
        factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= step
    )


def draw_below(along: Scale, bottom: float, what: str) -> list[str]:
    """Draws the horizontal axis, with as many numbers as there is room for.

    Args:
        along: The scale of the axis.
        bottom: Where the axis is.
        what: What the axis counts.

    Returns:
        SVG elements.
    """
    room = along.end - along.begin
    for most in (5, 4, 3, 2, 1):
        ticks = along.ticks(most)
        if sum(CHARACTER * (len(text) + 2) for _, text in ticks) < room:
            break
    path = f"M{along.begin} {bottom}H{along.end}"
    parts = [f'<path class="axis" d="{path}"/>']
    for number, text in ticks:
        half = CHARACTER * len(text) / 2
        place = min(max(along(number), half), WIDTH - half)
        parts.append(f'<path class="axis" d="M{along(number)} {bottom}v4"/>')
        parts.append(draw_text(place, bottom + LINE, text, anchor="middle"))
    middle = min((along.begin + along.end) / 2, WIDTH - CHARACTER * len(what) / 2)
    parts.append(draw_text(middle, bottom + 2 * LINE, what, "muted", "middle"))
    return parts


def draw_text(
    x: float, y: float, text: str, color: str = "", anchor: str = "start"
) -> str:
    """Draws a text.

    Args:
        x: Where the text is anchored.
        y: Its base line.
        text: The text.
        color: Class of its color; that of the page where there is none.
        anchor: Which part of it is at ``x``: ``start``, ``middle`` or ``end``.

    Returns:
        An SVG element.
    """
    classes = f' class="{color}"' if color else ""
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}"{classes}{where}>{escape(text)}</text>'


def svg_element(title: str, height: float, parts: Iterable[str]) -> str:
    """Puts the parts of a chart together.

    Args:
        title: What the chart shows, for those who do not see it.
        height: Height of the chart.
        parts: SVG elements.

    Returns:
        An SVG element.
    """
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {height:.0f}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
