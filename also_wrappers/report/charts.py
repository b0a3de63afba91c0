"""Charts as SVG elements of a page: small, readable on a phone, in the page's colors.

A chart has no script and no font of its own. Its colors are classes of the page, such
as ``blue``, which are others in dark mode. It is drawn ``WIDTH`` units wide, in text
of 14 units, so that the text is read where a phone shows the chart 350 pixels wide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from also_wrappers.report.axes import (
    CHARACTER,
    LINE,
    WIDTH,
    Scale,
    draw_below,
    draw_text,
    range_of,
    svg_element,
)

__all__ = [
    "Curve",
    "Dot",
    "Mark",
    "Point",
    "Row",
    "draw_curves",
    "draw_grid",
    "draw_rows",
]

_HEIGHT = 190
_RIGHT = 12.0
#: Lines above a chart in which the words of marks stand, at most.
_MOST_LINES = 3


@dataclass(frozen=True)
class Point:
    """Holds a mean at a place, and its uncertainty.

    Attributes:
        x: The place.
        mean: The mean.
        error: Standard error of the mean.
    """

    x: float
    mean: float
    error: float


@dataclass(frozen=True)
class Curve:
    """Holds one line of a chart, with a band of two standard errors.

    Attributes:
        name: Of the curve, for its legend.
        color: Class of its color.
        stretches: Its points, in stretches that are not joined.
    """

    name: str
    color: str
    stretches: tuple[tuple[Point, ...], ...]


@dataclass(frozen=True)
class Mark:
    """Marks a place of a chart with a line and a word.

    Attributes:
        x: The place.
        word: The word.
        color: Class of its color.
        dashed: Whether the line is dashed.
    """

    x: float
    word: str
    color: str
    dashed: bool = False


@dataclass(frozen=True)
class Dot:
    """Shows one number in a row, with a bar of two standard errors.

    Attributes:
        value: The number.
        error: Its standard error.
        color: Class of its color.
        open: Whether the dot is open.
    """

    value: float
    error: float
    color: str
    open: bool = False


@dataclass(frozen=True)
class Row:
    """Holds the dots of one row of a chart.

    Attributes:
        name: Of the row.
        dots: The dots.
    """

    name: str
    dots: tuple[Dot, ...]


def draw_curves(
    title: str,
    curves: Sequence[Curve],
    *,
    x: str,
    y: str,
    marks: Sequence[Mark] = (),
    spans: Sequence[tuple[float, float]] = (),
    strips: Sequence[tuple[float, float]] = (),
    levels: Sequence[tuple[float, float, float]] = (),
    end: float = 0.0,
) -> str:
    """Draws curves with their bands over an axis from 0 on; the other one has 0 too.

    Args:
        title: What the chart shows, for those who do not see it.
        curves: The curves.
        x: What the horizontal axis counts.
        y: What the vertical axis measures.
        marks: Places that are marked.
        spans: From where to where the chart is shaded.
        strips: From where to where a strip is drawn along the bottom.
        levels: From where to where a level is drawn, and the level.
        end: Where the horizontal axis ends at the earliest.

    Returns:
        An SVG element.
    """
    stretches = [s for curve in curves for s in curve.stretches]
    shown = [point for point in chain.from_iterable(stretches) if _finite(point)]
    heights = [p.mean + side * 2.0 * p.error for p in shown for side in (-1.0, 1.0)]
    heights += [level for _, _, level in levels]
    low, high = range_of(heights)
    lines, rows = _place(marks, max([end, 1.0, *(p.x for p in shown)]))
    top = LINE * (rows + 1.4)
    bottom = top + _HEIGHT
    up = Scale(low, high, bottom, top)
    ticks = up.ticks(5)
    left = 12.0 + CHARACTER * max(len(text) for _, text in ticks)
    along = Scale(0.0, lines.end, left, WIDTH - _RIGHT)
    parts = [draw_text(4, LINE * (rows + 0.8), y, "muted")]
    for begin, stop in spans:
        width = max(along(stop) - along(begin), 0.5)
        parts.append(
            f'<rect class="orange shade" x="{along(begin)}" y="{top}" '
            f'width="{width:.1f}" height="{_HEIGHT}"/>'
        )
    for begin, stop in strips:
        width = max(along(stop) - along(begin), 0.5)
        parts.append(
            f'<rect class="purple" x="{along(begin)}" y="{bottom - 5}" '
            f'width="{width:.1f}" height="5" fill="currentColor"/>'
        )
    for number, text in ticks:
        parts.append(f'<path class="rule" d="M{left} {up(number)}H{WIDTH - _RIGHT}"/>')
        parts.append(draw_text(left - 4, up(number) + 5, text, anchor="end"))
    parts += draw_below(along, bottom, x)
    for begin, stop, level in levels:
        path = f"M{along(begin)} {up(level)}H{along(stop)}"
        parts.append(f'<path class="brown line dashed" d="{path}"/>')
    for mark, (row, anchor) in zip(marks, lines.words, strict=True):
        place = along(mark.x)
        dashed = " dashed" if mark.dashed else ""
        parts.append(
            f'<path class="{mark.color} line{dashed}" d="M{place} {top}V{bottom}"/>'
        )
        if row is not None:
            height = LINE * (row + 0.8)
            parts.append(draw_text(place, height, mark.word, mark.color, anchor))
    parts += [_band(curve, along, up) for curve in curves]
    parts += [_line(curve, along, up) for curve in curves]  # above all bands
    return svg_element(title, bottom + 2.4 * LINE, parts)


def draw_rows(title: str, rows: Sequence[Row], *, x: str) -> str:
    """Draws numbers with bars of two standard errors, a row for each name.

    Args:
        title: What the chart shows, for those who do not see it.
        rows: The rows, from the top.
        x: What the axis measures; 0 is on it.

    Returns:
        An SVG element.
    """
    dots = [dot for row in rows for dot in row.dots]
    ends = [dot.value + side * 2.0 * dot.error for dot in dots for side in (-1.0, 1.0)]
    low, high = range_of(ends)
    names = [row.name if len(row.name) <= 24 else f"{row.name[:23]}…" for row in rows]
    left = 10.0 + CHARACTER * max(map(len, names), default=0)
    along = Scale(low, high, left, WIDTH - _RIGHT)
    gap = 26.0
    bottom = gap * len(rows) + 6.0
    zero = along(0.0)
    parts = [f'<path class="rule" d="M{zero} 0V{bottom}"/>']
    for number, (row, name) in enumerate(zip(rows, names, strict=True)):
        middle = gap * (number + 0.5) + 3.0
        parts.append(draw_text(left - 6, middle + 5, name, anchor="end"))
        for k, dot in enumerate(row.dots):
            if not (math.isfinite(dot.value) and math.isfinite(dot.error)):
                continue
            place = along(dot.value)
            height = middle + 14.0 * ((k + 0.5) / len(row.dots) - 0.5)
            bar = (along(dot.value - 2 * dot.error), along(dot.value + 2 * dot.error))
            fill = "var(--page)" if dot.open else "currentColor"
            parts.append(
                f'<g class="{dot.color}"><path class="line thin" '
                f'd="M{bar[0]} {height:.1f}H{bar[1]}"/><circle class="line" '
                f'cx="{place}" cy="{height:.1f}" r="3.5" style="fill:{fill}"/></g>'
            )
    return svg_element(
        title, bottom + 2.4 * LINE, [*parts, *draw_below(along, bottom, x)]
    )


def draw_grid(title: str, shares: Sequence[Sequence[float]], *, x: str, y: str) -> str:
    """Draws how often each bin of two numbers was visited.

    Args:
        title: What the chart shows, for those who do not see it.
        shares: A share for each bin of the first number, and in it of the second one.
        x: Name of the first number.
        y: Name of the second one.

    Returns:
        An SVG element.
    """
    size, left, top = 240.0, 90.0, 1.5 * LINE
    most = max(chain.from_iterable(shares), default=0.0) or 1.0
    parts = [draw_text(4, LINE, y, "muted")]
    width, height = size / len(shares), size / max(map(len, shares))
    for column, bins in enumerate(shares):
        for row, share in enumerate(bins):
            if share > 0.0:
                parts.append(
                    f'<rect class="blue" x="{left + column * width:.1f}" '
                    f'y="{top + size - (row + 1) * height:.1f}" width="{width:.1f}" '
                    f'height="{height:.1f}" fill="currentColor" '
                    f'fill-opacity="{share / most:.2f}"/>'
                )
    parts.append(
        f'<rect class="frame" x="{left}" y="{top}" width="{size}" height="{size}"/>'
    )
    for place, word, anchor in ((left, "low", "start"), (left + size, "high", "end")):
        parts.append(draw_text(place, top + size + LINE, word, anchor=anchor))
    for place, word in ((top + size, "low"), (top + 12, "high")):
        parts.append(draw_text(left - 6, place, word, anchor="end"))
    parts.append(
        draw_text(left + size / 2, top + size + 2 * LINE, x, "muted", "middle")
    )
    return svg_element(title, top + size + 2.4 * LINE, parts)


@dataclass(frozen=True)
class _Words:
    """Says where the words of marks stand.

    Attributes:
        end: Where the horizontal axis ends.
        words: Line and anchor of each word; no line where there was no room.
    """

    end: float
    words: list[tuple[int | None, str]]


def _place(marks: Sequence[Mark], end: float) -> tuple[_Words, int]:
    """Gives each word the first line in which there is room, and counts the lines."""
    taken = [-1.0] * _MOST_LINES
    words: list[tuple[int | None, str]] = []
    for mark in marks:
        long = CHARACTER * len(mark.word) / WIDTH * end * 1.2
        anchor = "start" if mark.x + long < end else "end"
        begin = mark.x if anchor == "start" else mark.x - long
        free = [line for line, until in enumerate(taken) if until < begin]
        words.append((free[0] if free else None, anchor))
        if free:
            taken[free[0]] = begin + long
    return _Words(end, words), sum(until >= 0.0 for until in taken)


def _band(curve: Curve, along: Scale, up: Scale) -> str:
    """Draws two standard errors around a curve."""
    path = ""
    for points in _shown(curve):
        above = [f"{along(p.x)} {up(p.mean + 2.0 * p.error)}" for p in points]
        below = [f"{along(p.x)} {up(p.mean - 2.0 * p.error)}" for p in points[::-1]]
        path += f"M{'L'.join([*above, *below])}Z"
    return f'<path class="{curve.color} band" d="{path}"/>'


def _line(curve: Curve, along: Scale, up: Scale) -> str:
    """Draws a curve, with a dot for each of its points."""
    line = dots = ""
    for points in _shown(curve):
        places = [f"{along(p.x)} {up(p.mean)}" for p in points]
        line += f"M{'L'.join(places)}"
        dots += "".join(f"M{place}h0" for place in places)
    return (
        f'<g class="{curve.color}"><path class="line" d="{line}"/>'
        f'<path class="dots" d="{dots}"/></g>'
    )


def _shown(curve: Curve) -> list[list[Point]]:
    """Returns the stretches of a curve that can be drawn."""
    stretches = [list(filter(_finite, stretch)) for stretch in curve.stretches]
    return [stretch for stretch in stretches if stretch]


def _finite(point: Point) -> bool:
    return math.isfinite(point.mean) and math.isfinite(point.error)
