"""Charts as inline SVG: bars, columns over time, and lines on log axes.

Widths are in percent and heights in pixels, so that a chart fills its place on any screen while its
texts keep their size; a viewBox would shrink them on a phone. Colors are classes of the page's
style. Each chart is an image with a title, and says its figures in text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from lithograph.tools.page.markup import Content, Markup, cut, cut_inside, join, tag

_LABEL_SIZE_MAX: Final = 32
_NOTE_SIZE_MAX: Final = 200
_ROW_HEIGHT: Final = 36
_BAR_TOP: Final = 20
_BAR_HEIGHT: Final = 10
_COLUMN_HEIGHT: Final = 190
_COLUMN_SHARE: Final = 0.72
_COLUMN_HEAD: Final = 22
_COLUMN_FOOT: Final = 26
_FIGURES_MAX: Final = 12
_FIGURES_NARROW_MAX: Final = 5
_WIDE: Final = 900
_NARROW: Final = 320
"""Pixels that a chart has at least, on a desk and on a phone."""
_LETTER_WIDTH: Final = 7.5
_PLOT_HEIGHT: Final = 240
_PLOT_FOOT: Final = 44
_POINTS_MAX: Final = 160
_BAR: Final[dict[str, Content]] = {"height": _BAR_HEIGHT, "rx": 2}


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a bar chart.

    value : its length.   figure : what stands at its end.
    """

    label: str
    value: float
    figure: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a column: `value` high, of which `part` is drawn in the second color."""

    value: float
    part: float
    note: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column: pieces from the bottom up, what stands below it, and what above it."""

    label: str
    figure: str
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Series:
    """A line of (x, y), both above 0, ascending by x; `style` is a class of the page."""

    label: str
    style: str
    points: Sequence[tuple[float, float]] = field(default_factory=list)


def bars(title: str, rows: Sequence[Bar]) -> Markup:
    """Return a bar chart: label and figure over each bar, so that long names have room."""
    largest = max((row.value for row in rows), default=0) or 1
    parts: list[Content] = []
    for index, row in enumerate(rows):
        top = index * _ROW_HEIGHT
        whole = 100 * row.value / largest
        drawn: list[Content] = [
            tag("title", f"{cut(row.label, _NOTE_SIZE_MAX)}: {row.figure}"),
            tag("text", cut_inside(row.label, _LABEL_SIZE_MAX), x="0", y=top + 14),
            tag("text", row.figure, x="100%", y=top + 14, class_="figure end"),
            tag("rect", class_="track", x="0", y=top + _BAR_TOP, width="100%", **_BAR),
            tag("rect", class_="one", x="0", y=top + _BAR_TOP, width=_percent(whole), **_BAR),
        ]
        parts.append(tag("g", *drawn))
    return _image(title, len(rows) * _ROW_HEIGHT, parts)


def columns(title: str, shown: Sequence[Column]) -> Markup:
    """Return stacked columns of equal width, in the order given.

    Labels are left out where they would not have room, on a narrow screen more of them; the largest
    column always has its figure.
    """
    sizes = [sum(piece.value for piece in column.pieces) for column in shown]
    largest = max(sizes, default=0) or 1
    bottom = _COLUMN_HEAD + _COLUMN_HEIGHT
    slot = 100 / max(len(shown), 4)
    label_width = _LETTER_WIDTH * (max((len(each.label) for each in shown), default=0) + 3)
    every = max(1, math.ceil(len(shown) * label_width / _WIDE))
    every_narrow = every * max(1, math.ceil(len(shown) * label_width / every / _NARROW))
    parts: list[Content] = [tag("line", class_="axis", x1="0", x2="100%", y1=bottom, y2=bottom)]
    for index, column in enumerate(shown):
        top = bottom - _COLUMN_HEIGHT * sizes[index] / largest
        parts += _pieces(column.pieces, index * slot, slot * _COLUMN_SHARE, bottom, largest)
        # Between others a figure may be wider than its column; above the largest nothing stands.
        is_largest = sizes.index(max(sizes)) == index
        if is_largest or len(shown) <= _FIGURES_MAX:
            spare = "" if is_largest or len(shown) <= _FIGURES_NARROW_MAX else " spare"
            x, anchor = _label_place(index, len(shown), slot)
            style = f"quiet figure {anchor}{spare}"
            parts.append(tag("text", column.figure, x=x, y=_pixels(top - 6), class_=style))
        if index % every == 0:
            x, anchor = _label_place(index, len(shown), slot)
            style = f"{anchor}{' spare' if index % every_narrow else ''}"
            parts.append(tag("text", column.label, x=x, y=bottom + 18, class_=style))
    return _image(title, bottom + _COLUMN_FOOT, parts)


def _pieces(
    pieces: Sequence[Piece], left: float, width: float, bottom: float, largest: float
) -> Iterator[Markup]:
    """Yield the pieces of a column, from the bottom up."""
    top = bottom
    for piece in pieces:
        height = _COLUMN_HEIGHT * piece.value / largest
        top -= height
        # A line of the ground between pieces, as long as there is something to divide.
        solid = max(height - 1, 0.5)
        second = solid * piece.part / piece.value if piece.value else 0
        drawn: list[Content] = [tag("title", piece.note)]
        for style, at, size in (("one", top + second, solid - second), ("two", top, second)):
            if size > 0:
                place = {"y": _pixels(at), "height": _pixels(size)}
                across = {"x": _percent(left), "width": _percent(width)}
                drawn.append(tag("rect", class_=style, **place, **across))
        yield tag("g", *drawn)


def _label_place(index: int, count: int, slot: float) -> tuple[str, str]:
    """Return where a label of a column stands, and how it is anchored: those at the ends of a long
    row of columns do not reach over them."""
    left = index * slot
    if count > _FIGURES_NARROW_MAX and index == 0:
        return _percent(left), "start"
    if count > _FIGURES_NARROW_MAX and index == count - 1:
        return _percent(left + slot * _COLUMN_SHARE), "end"
    return _percent(left + slot * _COLUMN_SHARE / 2), "middle"


def log_lines(title: str, series: Sequence[Series], x_title: str, y_title: str) -> Markup:
    """Return lines on two log axes, each with its name at its beginning."""
    points = [point for each in series for point in each.points]
    x_decades = _decades(max((x for x, _ in points), default=1))
    y_decades = _decades(max((y for _, y in points), default=1))

    def across(x: float) -> str:
        return _percent(100 * math.log10(x) / x_decades)

    def down(y: float) -> str:
        return _pixels(_PLOT_HEIGHT * (1 - math.log10(y) / y_decades))

    parts: list[Content] = []
    for power in range(y_decades + 1):
        y = down(10**power)
        parts.append(tag("line", class_="grid", x1="0", x2="100%", y1=y, y2=y))
        parts.append(tag("text", short(10**power), x=-8, y=y, dy="4", class_="quiet figure end"))
    for power in range(x_decades + 1):
        x = across(10**power)
        parts.append(tag("line", class_="grid", x1=x, x2=x, y1=0, y2=_PLOT_HEIGHT))
        parts.append(
            tag("text", short(10**power), x=x, y=_PLOT_HEIGHT + 18, class_="quiet figure middle")
        )
    parts.append(tag("text", x_title, x="50%", y=_PLOT_HEIGHT + 38, class_="quiet middle"))
    for index, each in enumerate(series):
        kept = _thinned(each.points)
        lines = [
            tag("line", class_=each.style, x1=across(a), y1=down(b), x2=across(c), y2=down(d))
            for (a, b), (c, d) in pairwise(kept)
        ]
        dots = [
            tag("circle", class_=each.style, cx=across(x), cy=down(y), r="2.2") for x, y in kept
        ]
        parts.append(tag("g", tag("title", each.label), *lines, *dots))
        at = 16 + 18 * index
        parts.append(
            tag("circle", class_=each.style, cx="100%", cy=at, r="4", transform="translate(-10)")
        )
        parts.append(tag("text", each.label, x="100%", y=at, dx="-22", dy="4", class_="end"))
    caption = tag("p", y_title, class_="quiet axis-title")
    plot = _image(title, _PLOT_HEIGHT + _PLOT_FOOT, parts)
    return join((caption, tag("div", plot, class_="plot")))


def short(count: float) -> str:
    """Return a round number in few letters.

    >>> short(1), short(1000), short(10**7), short(10**9)
    ('1', '1 k', '10 M', '1 G')
    """
    for size, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:g} {unit}"
    return f"{count:g}"


def _image(title: str, height: float, parts: Sequence[Content]) -> Markup:
    return tag(
        "svg",
        tag("title", title),
        *parts,
        role="img",
        aria_label=title,
        width="100%",
        height=_pixels(height),
        class_="chart",
    )


def _decades(largest: float) -> int:
    """Return how many powers of ten an axis from 1 needs."""
    return max(1, math.ceil(math.log10(max(largest, 1)) - 1e-9))


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return points so that no two of a hundred and sixty places across are the same."""
    if len(points) <= _POINTS_MAX:
        return list(points)
    scale = (_POINTS_MAX - 2) / (math.log10(points[-1][0] / points[0][0]) or 1)
    kept = {int(scale * math.log10(x / points[0][0])): (x, y) for x, y in points[:-1]}
    return [*kept.values(), points[-1]]


def _percent(value: float) -> str:
    return f"{max(value, 0):.2f}%"


def _pixels(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
