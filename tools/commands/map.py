"""segtool map: the partitions of a store over time, as a picture."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from lithograph.tools.commands.common import Verbs, add_verb, store_path
from lithograph.tools.exit_code import OK
from lithograph.tools.output import Output, human_size

if TYPE_CHECKING:
    from lithograph.tools.commands.map_answer import MapAnswer, MapSegment

_DETAILS = """\
One row for each segment, oldest first: on a terminal with a line that shows when
its commits were, and a bar of its size, the end of which is the share that
superseded versions have of it. --svg writes a picture of the same to a file.
Rows in a pipe: partition, segment, sealed (yes, no), first and last commit, time
of both, entries, bytes, superseded bytes, superseded share.

examples:
  segtool map --store my.graph
  segtool map --svg map.svg --store my.graph"""

_COLUMNS: Final = ("partition", "segment", "over time", "size", "", "superseded")
_COLUMNS_OF_TEXT: Final = ("partition", "segment", "size", "superseded")
_GAPS_WIDTH: Final = 12
_PICTURE_WIDTH_MIN: Final = 18


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(verbs, "map", run, "draw the partitions of a store over time", _DETAILS)
    parser.add_argument(
        "--svg", metavar="FILE", help="write a picture to a file, in place of one that is there"
    )


def run(arguments: argparse.Namespace, output: Output) -> int:
    from lithograph.tools.store_look import look_at
    from lithograph.tools.store_map import read_map

    with look_at(store_path(arguments)) as look:
        found = read_map(look)
    if arguments.svg is not None:
        from lithograph.tools.output_file import write_whole
        from lithograph.tools.page.map_picture import map_picture

        write_whole(arguments.svg, map_picture(found))
    if output.as_json:
        output.answer(found)
    elif output.is_terminal:
        _show(found, output)
    else:
        output.table((), _rows(found))
    return OK


def _segments(found: MapAnswer) -> Iterator[tuple[str, MapSegment]]:
    for partition in found.partitions:
        for segment in partition.segments:
            yield partition.name, segment


def _rows(found: MapAnswer) -> Iterator[tuple[Any, ...]]:
    for partition, segment in _segments(found):
        yield (
            partition,
            segment.file,
            segment.sealed,
            segment.first_sequence,
            segment.last_sequence,
            segment.first_time,
            segment.last_time,
            segment.entry_count,
            segment.size_bytes,
            segment.superseded_size_bytes,
            segment.superseded_share,
        )


def _show(found: MapAnswer, output: Output) -> None:
    """Write the picture of a terminal."""
    segments = list(_segments(found))
    if segments:
        begin, end = segments[0][1].first_time, segments[-1][1].last_time
        output.line(
            f"segments: {len(segments)}, partitions: {len(found.partitions)}, commits from"
            f" {_minute(begin)} to {_minute(end)}"
        )
        output.table(_COLUMNS, _pictured(segments, output))
    share = f", {100 * found.superseded_share:.1f} % superseded" if segments else ""
    output.line(f"segments    {human_size(found.size_bytes)}{share}")
    runs = "1 run" if found.run_count == 1 else f"{found.run_count} runs"
    output.line(f"name index  {human_size(found.run_size_bytes)} in {runs}")
    commits = "commit" if found.log_commit_count == 1 else "commits"
    waiting = f", {found.log_commit_count:,} {commits} in no segment yet"
    output.line(f"log         {human_size(found.log_size_bytes)}{waiting}")


def _pictured(segments: list[tuple[str, MapSegment]], output: Output) -> Iterator[tuple[Any, ...]]:
    from lithograph.tools.terminal_bars import bar, letters_for, span

    letters = letters_for(output.console.encoding)
    begin, end = segments[0][1].first_time, segments[-1][1].last_time
    most = max(segment.size_bytes for _, segment in segments)
    cells = [_cells(partition, segment) for partition, segment in segments]
    widths = [max(map(len, column)) for column in zip(*cells, _COLUMNS_OF_TEXT, strict=True)]
    room = max(output.console.width - sum(widths) - _GAPS_WIDTH, _PICTURE_WIDTH_MIN)
    last = None
    for (partition, name, size, share), (_, segment) in zip(cells, segments, strict=True):
        first_place = _place(segment.first_time, begin, end)
        last_place = _place(segment.last_time, begin, end)
        yield (
            partition if partition != last else "",
            name,
            span(first_place, last_place, room // 2, letters),
            size,
            bar(segment.size_bytes, segment.superseded_size_bytes, most, room // 2, letters),
            share,
        )
        last = partition


def _cells(partition: str, segment: MapSegment) -> tuple[str, ...]:
    """Return the texts of a row."""
    return (
        partition,
        f"{segment.number}{' sealed' if segment.sealed else ''}",
        human_size(segment.size_bytes),
        f"{100 * segment.superseded_share:.1f} %",
    )


def _place(time: datetime, begin: datetime, end: datetime) -> float:
    whole = (end - begin).total_seconds()
    return (time - begin).total_seconds() / whole if whole else 0.0


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
