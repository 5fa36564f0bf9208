"""The map of a store as columns: partitions from left to right in time, segments from the bottom
up, the oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from lithograph.tools.commands.map_answer import MapAnswer, MapPartition, MapSegment
from lithograph.tools.output import human_size
from lithograph.tools.page.charts import Column, Piece, columns
from lithograph.tools.page.markup import Markup, cut, tag
from lithograph.tools.page.style import CHARTS, COLORS

_COLUMNS_MAX: Final = 36
_PIECES_MAX: Final = 40
_WIDTH: Final = 760
_HEAD: Final = 74


def map_columns(found: MapAnswer) -> Markup:
    """Return the chart, for a page."""
    title = (
        f"Size of the partitions over time: {len(found.partitions)} partitions,"
        f" {human_size(found.size_bytes)}, {percent(found.superseded_share)} superseded"
    )
    return columns(title, _columns(found.partitions))


def map_picture(found: MapAnswer) -> str:
    """Return a picture that stands alone: an SVG file."""
    chart = map_columns(found)
    drawn: list[Markup] = [
        tag("rect", x="0", y="0", width="100%", height="100%", class_="ground"),
        tag("text", cut(found.path, 80), x="24", y="30", class_="title"),
        tag(
            "text",
            f"{human_size(found.size_bytes)} in segments by partition, oldest first;"
            f" {percent(found.superseded_share)} superseded",
            x="24",
            y="50",
            class_="lead",
        ),
        _key("one", "newest versions", 24),
        _key("two", "superseded", 150),
        tag("svg", chart, x="24", y=str(_HEAD + 12), width=str(_WIDTH - 48), height="260"),
    ]
    style = COLORS + CHARTS + _ALONE
    picture = tag(
        "svg",
        tag("title", f"Map of {cut(found.path, 200)}"),
        tag("style", Markup(style)),
        *drawn,
        xmlns="http://www.w3.org/2000/svg",
        width=str(_WIDTH),
        height=str(_HEAD + 262),
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{picture}\n'


def percent(share: float) -> str:
    """Return a share in percent, to one place.

    >>> percent(0.125), percent(0), percent(0.0001)
    ('12.5 %', '0.0 %', '<0.1 %')
    """
    return "<0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def minute(time: datetime) -> str:
    """Return a time to the minute, UTC."""
    return f"{time:%Y-%m-%d %H:%M}"


_ALONE: Final = """\
text { font: 13px system-ui, "Segoe UI", Roboto, Arial, sans-serif; fill: var(--ink); }
.ground { fill: var(--ground); }
.title { font-size: 17px; font-weight: 600; }
.lead, .key { fill: var(--quiet); }
rect.one { fill: var(--one); }
rect.two { fill: var(--two); }
"""


def _key(style: str, label: str, x: int) -> Markup:
    return tag(
        "g",
        tag("rect", x=x, y=62, width=10, height=10, rx=2, class_=style),
        tag("text", label, x=x + 16, y=71, class_="key"),
    )


def _columns(partitions: Sequence[MapPartition]) -> list[Column]:
    """Return a column for each partition; where there are too many, one for all that are older."""
    shown = list(partitions[-_COLUMNS_MAX:])
    older = partitions[: len(partitions) - len(shown)]
    found = [
        Column(partition.name, human_size(partition.size_bytes), _pieces(partition.segments))
        for partition in shown
    ]
    if older:
        piece = _together(older, "partitions")
        found.insert(0, Column("older", human_size(int(piece.value)), [piece]))
    return found


def _pieces(segments: Sequence[MapSegment]) -> list[Piece]:
    older = segments[: max(0, len(segments) - _PIECES_MAX)]
    pieces = [_piece(segment) for segment in segments[len(older) :]]
    return [_together(older, "segments"), *pieces] if older else pieces


def _together(older: Sequence[MapPartition] | Sequence[MapSegment], what: str) -> Piece:
    size = sum(each.size_bytes for each in older)
    superseded = sum(each.superseded_size_bytes for each in older)
    return Piece(size, superseded, f"{len(older)} older {what}: {human_size(size)}")


def _piece(segment: MapSegment) -> Piece:
    note = (
        f"segment {segment.number}: {human_size(segment.size_bytes)},"
        f" {percent(segment.superseded_share)} superseded;"
        f" commits {segment.first_sequence:,} to {segment.last_sequence:,},"
        f" {minute(segment.first_time)} to {minute(segment.last_time)} UTC"
        f"{', sealed' if segment.sealed else ''}"
    )
    return Piece(segment.size_bytes, segment.superseded_size_bytes, note)
