"""A segment read in long stretches of ids, for whoever goes over all of it.

Only of plain segments: all that they hold was born in them, nothing in them changes or hides what
is older, and no edge has a key. Whatever else there is raises `NotPlainError`; then the careful
way, one record at a time, is the one to go. So is it where anything is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from lithograph.formats.segment_shape import ON_DISK
from lithograph.formats.table_directory import DENSE_OUT_ROW
from lithograph.kernel import survey as kernel
from lithograph.segments.block_walk import BlockWalk, NotPlainError
from lithograph.segments.layer import Direction
from lithograph.segments.segment_reader import SegmentReader

IdArray = npt.NDArray[np.int64]
HashArray = npt.NDArray[np.uint64]

STRETCH: Final = 2**16
"""Ids at a time: whole blocks of every table, and a few MB."""

_READ_SIZE: Final = 2**21
_POSITIONS_AT_ONCE: Final = 2**19
_SUM_END: Final = 2**64

assert STRETCH % max(ON_DISK.names, ON_DISK.nodes, ON_DISK.lists) == 0


class Stretch(NamedTuple):
    """What a segment holds of consecutive ids.

    first_id : the lowest.   names : the hash of each name, with the seed of the key.
    born : commit that made each node.
    out_degrees, in_degrees : of each node.
    edges_out, edges_in : sums of the hashes of all edges that leave, or enter, modulo 2**64.
    edge_born, edge_changed : commit that made each edge that leaves, and that of its end state.
    """

    first_id: int
    names: HashArray
    born: IdArray
    out_degrees: IdArray
    in_degrees: IdArray
    edges_out: int
    edges_in: int
    edge_born: IdArray
    edge_changed: IdArray


def survey(
    segment: SegmentReader, times: IdArray, type_count: int, key: bytes
) -> Iterator[Stretch]:
    """Yield all that a plain segment holds, by id.

    times : of its commits, µs.   key : random, of all hashes.

    Checked besides: every rule of `table_check`; that every id has a name and a full version; that
    the directory has the positions of the edges right; that every edge is between ids below the
    segment's end, of a type code below `type_count`, and has a full version; that no node has a
    type code above.

    Raises
    ------
    NotPlainError, CorruptionError : the careful way says what it is, if it is anything.

    Cost: every byte of the tables once, about 0.3 µs per node and 0.03 µs per edge.
    """
    footer = segment.footer
    count = footer.end_id - footer.first_id
    counts = (footer.dense_node_count, footer.name_count)
    if kernel is None or segment.shape is not ON_DISK:
        raise NotPlainError
    if counts != (count, count) or footer.sparse_node_count or footer.sparse_edge_count:
        raise NotPlainError
    if segment.sparse_nodes.block_count or footer.superseding_edge_count:
        raise NotPlainError
    if any(lists.sparse.block_count or lists.dense is None for lists in segment.lists):
        raise NotPlainError
    names, nodes = _Names(segment, key), _Nodes(segment, times, type_count)
    lists = [_Lists(segment, direction, type_count, key) for direction in Direction]
    edges = _EdgeStates(segment, times)
    # Nodes on the one side, names and edges on the other cost about the same, 0.2 s for W, and the
    # kernel lets two threads work at once.
    with ThreadPoolExecutor(1) as helper:
        for first_id in range(footer.first_id, footer.end_id, STRETCH):
            size = min(STRETCH, footer.end_id - first_id)
            beside = helper.submit(nodes.take, size)
            found = names.take(size)
            (out_degrees, edges_out), (in_degrees, edges_in) = (each.take(size) for each in lists)
            _check_positions(segment, first_id, out_degrees, edges.position)
            states = edges.take(int(out_degrees.sum()))
            yield Stretch(
                first_id,
                found,
                beside.result(),
                out_degrees,
                in_degrees,
                edges_out,
                edges_in,
                *states,
            )
    names.walk.check_end()
    nodes.walk.check_end()
    edges.check_end()


class _Names:
    """The names of the ids born in a segment, all of them."""

    def __init__(self, segment: SegmentReader, key: bytes) -> None:
        self.walk = BlockWalk(segment.names, segment.names.block)
        self._per_block = segment.names.per_block
        self._seed = int.from_bytes(key[:8], "little")

    def take(self, size: int) -> HashArray:
        """Return the hashes of the next names."""
        assert kernel is not None
        digests, present = np.zeros(size, np.uint64), np.zeros(size, np.uint8)
        done, per_block = 0, self._per_block
        for batch in self.walk.take(-(-size // per_block)):
            count = len(batch.places)
            into = slice(done, done + count * per_block)
            if (
                kernel.take_names(*batch, per_block, self._seed, digests[into], present[into])
                != count
            ):
                raise NotPlainError
            done += count * per_block
        if not present.all():
            raise NotPlainError
        return digests


class _Nodes:
    """The end states of the nodes born in a segment."""

    def __init__(self, segment: SegmentReader, times: IdArray, type_count: int) -> None:
        self.walk = BlockWalk(segment.dense_nodes, segment.dense_nodes.block)
        self._per_block = segment.dense_nodes.per_block
        self._commits = (segment.footer.first_sequence, times, type_count)

    def take(self, size: int) -> IdArray:
        """Return the commits that made the next nodes."""
        assert kernel is not None
        born, changed = np.zeros(size, np.int64), np.zeros(size, np.int64)
        done, per_block = 0, self._per_block
        for batch in self.walk.take(-(-size // per_block)):
            count = len(batch.places)
            into = slice(done, done + count * per_block)
            if (
                kernel.take_nodes(*batch, per_block, *self._commits, born[into], changed[into])
                != count
            ):
                raise NotPlainError
            done += count * per_block
        return born


class _Lists:
    """The lists of the nodes born in a segment, in one direction."""

    def __init__(
        self, segment: SegmentReader, direction: Direction, type_count: int, key: bytes
    ) -> None:
        dense = segment.lists[direction].dense
        assert dense is not None
        self._table = dense
        self._key = key
        self._is_out = direction == Direction.OUT
        self._ends = (segment.footer.end_id, type_count)
        self._per_block = segment.shape.lists
        self._index = 0

    def take(self, size: int) -> tuple[IdArray, int]:
        """Return the degrees of the next nodes, and the sum of the hashes of their edges."""
        assert kernel is not None
        table, per_block = self._table, self._per_block
        degrees, total = np.zeros(size, np.int64), 0
        end = self._index - (-size // per_block)
        done = 0
        while self._index < end:
            starts = table.starts(self._index, end)
            room = int(starts[0]) + _READ_SIZE
            count = max(int(np.searchsorted(starts, room, "right")) - 1, 1)
            starts = starts[: count + 1]
            if not 0 <= starts[0] < starts[count] <= table.size or (not self._index and starts[0]):
                raise NotPlainError
            into = degrees[done : done + count * per_block]
            blocks, found = kernel.take_lists(
                self._key,
                table.stored(int(starts[0]), int(starts[count])),
                starts,
                table.ids.start + self._index * per_block,
                self._is_out,
                *self._ends,
                into,
            )
            if blocks != count:
                raise NotPlainError
            done += len(into)
            total += found
            self._index += count
        return degrees, total % _SUM_END


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

    def __init__(self, segment: SegmentReader, times: IdArray) -> None:
        table, span = segment.edge_table, segment.span
        self.position = 0
        self._edge_count = table.edge_count
        self._walk = BlockWalk(table, lambda index: table.record_block(index, span), is_bare=True)
        self._per_block = segment.shape.positions
        self._commits = (segment.footer.first_sequence, times)
        # What was read and not taken yet.
        self._read = 0
        self._born, self._changed = _NONE, _NONE

    def take(self, count: int) -> tuple[IdArray, IdArray]:
        """Return the commits that made the next edges, and those of their end states."""
        while len(self._born) < count:
            self._read_on()
        born, changed = self._born[:count], self._changed[:count]
        self._born, self._changed = self._born[count:], self._changed[count:]
        self.position += count
        return born, changed

    def check_end(self) -> None:
        """Raise NotPlainError unless all edges were taken."""
        self._walk.check_end()
        if self.position != self._edge_count:
            raise NotPlainError

    def _read_on(self) -> None:
        assert kernel is not None
        size = min(_POSITIONS_AT_ONCE, self._edge_count - self._read)
        if not size:
            raise NotPlainError
        born, changed = np.zeros(size, np.int64), np.zeros(size, np.int64)
        done, per_block = 0, self._per_block
        for batch in self._walk.take(-(-size // per_block)):
            count = len(batch.places)
            into = slice(done, done + count * per_block)
            if kernel.take_edges(*batch, *self._commits, born[into], changed[into]) != count:
                raise NotPlainError
            done += count * per_block
        self._read += size
        self._born = np.concatenate((self._born, born))
        self._changed = np.concatenate((self._changed, changed))


_NONE: Final = np.zeros(0, np.int64)
