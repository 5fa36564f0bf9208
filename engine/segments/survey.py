"""A segment read in long stretches of ids, for whoever goes over all of it.

Only of plain segments: all that they hold was born in them, nothing in them changes or hides what
is older, and no edge has a key. Whatever else there is raises `NotPlainError`; then the careful
way, one record at a time, is the one to go. So is it where anything is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from lithograph.formats.segment_shape import ON_DISK
from lithograph.formats.table_directory import DENSE_OUT_ROW
from lithograph.kernel import UNSURE, quick
from lithograph.segments.layer import Direction
from lithograph.segments.segment_reader import (
    SegmentReader,
    decode_name,
    decode_node_version,
)
from lithograph.segments.table_reader import DenseTable

IdArray = npt.NDArray[np.int64]

STRETCH: Final = 2**16
"""Ids at a time: whole blocks of every table, and a few MB."""

_READ_SIZE_MAX: Final = 2**20
_BLOCKS_AT_ONCE: Final = 64

assert STRETCH % max(ON_DISK.names, ON_DISK.nodes, ON_DISK.lists) == 0


class NotPlainError(Exception):
    """The segment cannot be read like this."""


class Stretch(NamedTuple):
    """What a segment holds of consecutive ids; arrays are of int64.

    first_id : the lowest; as many follow as there are names.
    names : in UTF-8.
    born : commit that made each node.   changed : commit of its end state.
    type_code_max : the highest type code of any node, -1 where none has one.
    out_degrees, in_degrees : of each node.
    edges_out, edges_in : sums of the hashes of all edges that leave, or enter, modulo 2**64.
    edge_born, edge_changed : commit that made each edge that leaves, and that of its end state.
    """

    first_id: int
    names: list[bytes]
    born: IdArray
    changed: IdArray
    type_code_max: int
    out_degrees: IdArray
    in_degrees: IdArray
    edges_out: int
    edges_in: int
    edge_born: IdArray
    edge_changed: IdArray


def survey(segment: SegmentReader, type_count: int) -> Iterator[Stretch]:
    """Yield all that a plain segment holds, by id.

    Checked besides: that every id has a name and a full version; that the directory has the
    positions of the edges right; that every edge is between ids below the segment's end, of a type
    code below `type_count`, and has a full version.

    Raises
    ------
    NotPlainError, CorruptionError : the careful way says what it is, if it is anything.

    Cost: every byte of the tables once, about 10 µs per node and 0.2 µs per edge.
    """
    footer = segment.footer
    count = footer.end_id - footer.first_id
    counts = (footer.dense_node_count, footer.name_count)
    if quick is None or segment.quick_lists is None or segment.shape is not ON_DISK:
        raise NotPlainError
    if counts != (count, count) or footer.sparse_node_count or footer.sparse_edge_count:
        raise NotPlainError
    if any(lists.sparse.block_count or lists.dense is None for lists in segment.lists):
        raise NotPlainError
    # The kernel reads only what was checked.
    segment.file.check(0, segment.file.data_size)
    edges = _EdgeStates(segment)
    for first_id in range(footer.first_id, footer.end_id, STRETCH):
        size = min(STRETCH, footer.end_id - first_id)
        names = [bytes(data) for data in _records(segment.names, first_id, size)]
        for name in names:
            decode_name(name)
        born, changed, type_code_max = _nodes(segment, first_id, size)
        out_degrees, edges_out = _lists(segment, Direction.OUT, first_id, size, type_count)
        in_degrees, edges_in = _lists(segment, Direction.IN, first_id, size, type_count)
        _check_positions(segment, first_id, out_degrees, edges.position)
        yield Stretch(
            first_id,
            names,
            born,
            changed,
            type_code_max,
            out_degrees,
            in_degrees,
            edges_out,
            edges_in,
            *edges.take(int(out_degrees.sum())),
        )
    if edges.position != footer.edge_count or footer.superseding_edge_count:
        raise NotPlainError


def _records(table: DenseTable, first_id: int, size: int) -> Iterator[bytes]:
    """Yield the record of each of `size` ids, which begin with a block."""
    assert quick is not None
    per_block = table.per_block
    first = (first_id - table.ids.start) // per_block
    end = first - (-size // per_block)
    while first < end:
        bodies = table.bodies(first, min(end, first + _BLOCKS_AT_ONCE), _READ_SIZE_MAX)
        for index, (_, body) in enumerate(bodies, first):
            start = table.ids.start + index * per_block
            count = min(per_block, table.ids.stop - start)
            found: Any = quick.block_heads(body, count, start, True)
            if found is UNSURE or len(found[2]) != count:
                raise NotPlainError
            _, offsets, heads = found
            for place, head in enumerate(heads):
                if not head:
                    raise NotPlainError
                if head & 3:
                    # Out of line: the table knows where.
                    block = table.block(index)
                    yield table.record(block, place).decode(bytes)
                else:
                    yield body[offsets[place] : offsets[place] + (head >> 2)]
        first += len(bodies)


def _nodes(segment: SegmentReader, first_id: int, size: int) -> tuple[IdArray, IdArray, int]:
    """Return the commits that made nodes, those of their end states, and the highest type code."""
    span = segment.span
    born, changed, codes = [], [], {-1}
    for data in _records(segment.dense_nodes, first_id, size):
        version = decode_node_version(data, span)
        if version.change is None or not version.full:
            raise NotPlainError
        born.append(version.born_sequence)
        changed.append(version.sequence)
        if version.change.type_code is not None:
            codes.add(version.change.type_code)
    return np.array(born, np.int64), np.array(changed, np.int64), max(codes)


def _lists(
    segment: SegmentReader, direction: Direction, first_id: int, size: int, type_count: int
) -> tuple[IdArray, int]:
    """Return the degrees of nodes, and the sum of the hashes of their edges."""
    assert segment.quick_lists is not None
    degrees = np.zeros(size, np.int64)
    done, total = segment.quick_lists[direction].survey(
        first_id, direction == Direction.OUT, segment.footer.end_id, type_count, degrees
    )
    if done != size:
        raise NotPlainError
    return degrees, total


def _check_positions(
    segment: SegmentReader, first_id: int, degrees: IdArray, position: int
) -> None:
    """Compare the positions that the directory has with those that come of the degrees."""
    per_block = segment.shape.lists
    first = (first_id - segment.footer.first_id) // per_block
    section = segment.footer.sections["dense_out_directory"]
    row_size = DENSE_OUT_ROW.size
    count = -(-len(degrees) // per_block)
    data = segment.file.read(section.offset + first * row_size, count * row_size)
    rows = np.frombuffer(data, "<u8").reshape(count, row_size // 8)
    before = np.concatenate(([0], np.cumsum(degrees)))[:-1:per_block] + position
    if not np.array_equal(rows[:, -1].astype(np.int64), before):
        raise NotPlainError


class _EdgeStates:
    """The versions of the edges of a segment, in order of their positions."""

    def __init__(self, segment: SegmentReader) -> None:
        self.position = 0
        self._segment = segment
        self._index = 0
        self._waiting: list[tuple[IdArray, IdArray]] = []
        self._waiting_count = 0

    def take(self, count: int) -> tuple[IdArray, IdArray]:
        """Return the commits that made the next edges, and those of their end states."""
        while self._waiting_count < count:
            self._read()
        born = np.concatenate([_NONE, *(made for made, _ in self._waiting)])
        changed = np.concatenate([_NONE, *(last for _, last in self._waiting)])
        self._waiting = [(born[count:], changed[count:])]
        self._waiting_count -= count
        self.position += count
        return born[:count], changed[:count]

    def _read(self) -> None:
        """Read the next block."""
        table, span = self._segment.edge_table, self._segment.span
        if self._index >= table.block_count:
            raise NotPlainError
        plain = table.plain_block(self._index, span)
        if plain is not None:
            changed = born = np.array(plain, np.int64)
        else:
            start = self._index * self._segment.shape.positions
            count = min(self._segment.shape.positions, table.edge_count - start)
            versions = list(table.versions(start, count, span))
            if any(version.change is None or not version.full for version in versions):
                raise NotPlainError
            changed = np.array([version.sequence for version in versions], np.int64)
            born = np.array([version.born_sequence for version in versions], np.int64)
        self._waiting.append((born, changed))
        self._waiting_count += len(born)
        self._index += 1


_NONE: Final = np.zeros(0, np.int64)
