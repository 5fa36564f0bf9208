"""Adjacency lists: every edge that a file knows at one node in one direction (SPEC.md, 12.4).

Edges ascend by (type code, neighbor, key), in groups of one type. A list longer than 1,024 bytes
begins with an index of its groups, so that one edge of a hub is found without decoding the others.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from lithograph.errors import CorruptionError, TruncatedError
from lithograph.formats.adjacency_group import (
    GROUP_COUNT_MAX,
    Mark,
    append_group,
    decode_group,
    decode_group_head,
    skip_group,
)
from lithograph.formats.cursor import Cursor
from lithograph.formats.layout import Buffer, Field, Layout
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.table_block import INDEXED, PURE

INDEX_HEAD: Final = Layout(
    "index of an adjacency list",
    Field("edge_count", "I", "edges in the whole list"),
    Field("group_count", "I", "rows that follow"),
)
INDEX_ROW: Final = Layout(
    "index row of an adjacency list",
    Field("first_neighbor", "Q", "of the group"),
    Field("type_code", "I", "of the group"),
    Field("offset", "I", "of the group, from the start of the list"),
)
UNINDEXED_SIZE_MAX: Final = 1024
"""Bytes of groups; more of them have an index."""

_HEAD_SIZE_MAX: Final = 1 + 5 + 1 + 2
"""Bytes before the neighbors of a group: header, type code, flags, count."""


def encode_list(
    edges: Sequence[AdjacentEdge],
    marks: Sequence[Mark] | None = None,
    *,
    group_count_max: int = GROUP_COUNT_MAX,
    unindexed_size_max: int = UNINDEXED_SIZE_MAX,
) -> tuple[bytes, int]:
    """Return a list and its flags.

    edges : at least one, strictly ascending.   marks : of each; None makes all of them MADE.
    """
    groups = bytearray()
    rows = []
    code = 0
    for start, end in _cut(edges, group_count_max):
        rows.append((edges[start][1], edges[start][0], len(groups)))
        append_group(groups, edges[start:end], None if marks is None else marks[start:end], code)
        code = edges[start][0]
    pure = marks is None or all(mark == Mark.MADE for mark in marks)
    flags = PURE if pure else 0
    if len(groups) <= unindexed_size_max:
        return bytes(groups), flags
    base = INDEX_HEAD.size + len(rows) * INDEX_ROW.size
    index = [INDEX_ROW.pack(first, code, base + offset) for first, code, offset in rows]
    return b"".join((INDEX_HEAD.pack(len(edges), len(rows)), *index, groups)), flags | INDEXED


def decode_list(
    data: Buffer, flags: int, group_count_max: int = GROUP_COUNT_MAX
) -> tuple[list[AdjacentEdge], list[Mark]]:
    """Return the edges of a whole list, strictly ascending, and the mark of each.

    Raises
    ------
    CorruptionError : also where the index contradicts the groups; offsets count from the list's
        start.
    """
    cursor = Cursor(data)
    rows = _decode_index(cursor) if flags & INDEXED else None
    edges: list[AdjacentEdge] = []
    marks: list[Mark] = []
    found: list[tuple[int, int, int, int]] = []
    while cursor.offset < cursor.end or not edges:
        start = cursor.offset
        code = edges[-1][0] if edges else 0
        group, group_marks = decode_group(cursor, group_count_max, code)
        if edges:
            _check_follows(edges, group, len(edges) - found[-1][3], group_count_max, start)
        if group_marks is not None and flags & PURE:
            raise CorruptionError("a list without marks has a marked group", offset=start)
        found.append((group[0][1], group[0][0], start, len(edges)))
        edges += group
        marks += group_marks or [Mark.MADE] * len(group)
    if not flags & PURE and marks.count(Mark.MADE) == len(marks):
        raise CorruptionError("a list with marks has no marked group")
    if rows is not None and rows != (len(edges), [row[:3] for row in found]):
        raise CorruptionError("the index of a list contradicts its groups")
    return edges, marks


def find_in_list(
    data: Buffer, edge: AdjacentEdge, group_count_max: int = GROUP_COUNT_MAX
) -> tuple[int, Mark] | None:
    """Return an edge's place in a list without an index, and its mark; None if it is not in.

    Groups of other types are passed over, so what stands in them is not checked here.
    Cost: O(bytes before the edge), a fifth of that of `decode_list` for 200 edges of 16 types.
    """
    cursor = Cursor(data)
    place = code = 0
    while cursor.offset < cursor.end:
        start, previous_code = cursor.offset, code
        head = skip_group(cursor, group_count_max, previous_code)
        code = head.type_code
        if code > edge[0]:
            return None
        if code < edge[0]:
            place += head.edge_count
            continue
        cursor.offset = start
        group, marks = decode_group(cursor, group_count_max, previous_code)
        position = bisect_left(group, edge)
        if position == len(group):
            place += position
        elif group[position] != edge:
            return None
        else:
            return place + position, Mark.MADE if marks is None else marks[position]
    return None


def decode_edge_count(head: Buffer, size: int) -> int:
    """Return how many edges a list with an index has, from its first eight bytes.

    size : of the whole list, in bytes.
    """
    return _decode_index_head(Cursor(head, 0, size))[0]


def count_edges(data: Buffer, group_count_max: int = GROUP_COUNT_MAX) -> int:
    """Return how many edges a list without an index has. Cost: O(bytes)."""
    cursor = Cursor(data)
    count = 0
    while cursor.offset < cursor.end:
        count += skip_group(cursor, group_count_max).edge_count
    return count


class LongList:
    """A list with an index, of which only what is needed is read.

    read : returns `size` bytes of the list from `offset` on.
    size : of the whole list, in bytes.
    """

    def __init__(
        self,
        read: Callable[[int, int], bytes],
        size: int,
        group_count_max: int = GROUP_COUNT_MAX,
    ) -> None:
        self._read = read
        self._size = size
        self._group_count_max = group_count_max
        self.edge_count, self._count = _decode_index_head(
            Cursor(read(0, min(INDEX_HEAD.size, size)), 0, size)
        )
        self._rows = read(INDEX_HEAD.size, self._count * INDEX_ROW.size)

    def find(self, edge: AdjacentEdge) -> tuple[int, Mark] | None:
        """Return an edge's place among the edges of the list, and its mark; None if it is not in.

        Cost: O(log groups), plus the groups before it that end a type.
        """
        place = edge[:2]
        # Parallel edges may fill several groups; the first of them may begin in the one before.
        group = max(self._bisect(place) - 1, 0)
        while group < self._count and self._key(group) <= place:
            edges, marks = self._group(group)
            if edge in edges:
                inside = edges.index(edge)
                place_in_list = self._position(group) + inside
                if place_in_list >= self.edge_count:
                    raise CorruptionError(f"edge {place_in_list} in a list of {self.edge_count}")
                return place_in_list, marks[inside] if marks else Mark.MADE
            group += 1
        return None

    def _row(self, group: int) -> tuple[int, int, int]:
        first, code, offset = INDEX_ROW.unpack_from(self._rows, group * INDEX_ROW.size)
        return first, code, offset

    def _key(self, group: int) -> tuple[int, int]:
        first, code, _ = self._row(group)
        return code, first

    def _bisect(self, place: tuple[int, int]) -> int:
        """Return the first group that does not begin below (type code, neighbor)."""
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._key(middle) < place:
                low = middle + 1
            else:
                high = middle
        return low

    def _span(self, group: int) -> tuple[int, int]:
        """Return where the bytes of a group begin and end."""
        start = self._row(group)[2]
        end = self._row(group + 1)[2] if group + 1 < self._count else self._size
        if not INDEX_HEAD.size + len(self._rows) <= start < end <= self._size:
            raise CorruptionError(
                f"a group from {start} to {end} in a list of {self._size} bytes",
                offset=INDEX_HEAD.size + group * INDEX_ROW.size,
            )
        return start, end

    def _group(self, group: int) -> tuple[list[AdjacentEdge], list[Mark] | None]:
        start, end = self._span(group)
        cursor = Cursor(self._read(start, end - start))
        try:
            previous_code = self._key(group - 1)[0] if group else 0
            found = decode_group(cursor, self._group_count_max, previous_code)
            cursor.finish("group")
        except CorruptionError as error:
            raise error.located("", start) from None
        if found[0][0][:2] != self._key(group):
            raise CorruptionError("the index of a list contradicts its groups", offset=start)
        return found

    def _position(self, group: int) -> int:
        """Return how many edges stand before a group: all are full that do not end a type."""
        code = self._key(group)[0]
        before = 0
        start = 0
        while self._key(start)[0] < code:
            last = self._bisect((self._key(start)[0] + 1, 0)) - 1
            if not start <= last < group:
                raise CorruptionError("the index of a list does not ascend")
            offset, end = self._span(last)
            head = Cursor(self._read(offset, min(_HEAD_SIZE_MAX, end - offset)))
            before += (last - start) * self._group_count_max
            before += decode_group_head(head, self._group_count_max).edge_count
            start = last + 1
        return before + (group - start) * self._group_count_max


def _cut(edges: Sequence[AdjacentEdge], group_count_max: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of each group: as many edges of one type as it may hold."""
    start = 0
    while start < len(edges):
        code = edges[start][0]
        end = start + 1
        limit = min(start + group_count_max, len(edges))
        while end < limit and edges[end][0] == code:
            end += 1
        yield start, end
        start = end


def _check_follows(
    edges: list[AdjacentEdge],
    group: list[AdjacentEdge],
    previous_count: int,
    group_count_max: int,
    offset: int,
) -> None:
    if group[0] <= edges[-1]:
        raise CorruptionError("groups are not in ascending order", offset=offset)
    if group[0][0] == edges[-1][0] and previous_count < group_count_max:
        raise CorruptionError("a group begins before the one before it is full", offset=offset)


def _decode_index_head(cursor: Cursor) -> tuple[int, int]:
    """Return the numbers of edges and of groups; the rows fit before the cursor's end."""
    start = cursor.take(INDEX_HEAD.size)
    edge_count, group_count = INDEX_HEAD.unpack_from(cursor.data, start)
    if group_count * INDEX_ROW.size > cursor.end - cursor.offset:
        raise TruncatedError(
            f"{group_count} groups are announced, {cursor.end - cursor.offset} bytes are left",
            offset=start,
        )
    if not 0 < group_count <= edge_count:
        raise CorruptionError(f"{edge_count} edges in {group_count} groups", offset=start)
    return edge_count, group_count


def _decode_index(cursor: Cursor) -> tuple[int, list[tuple[int, int, int]]]:
    edge_count, group_count = _decode_index_head(cursor)
    start = cursor.take(group_count * INDEX_ROW.size)
    rows = [
        INDEX_ROW.unpack_from(cursor.data, start + row * INDEX_ROW.size)
        for row in range(group_count)
    ]
    return edge_count, rows
