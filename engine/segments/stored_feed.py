"""The lists of one file in one direction, on their way into a merge in the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lithograph.errors import StorageError
from lithograph.kernel import tables
from lithograph.segments.adjacency_reader import AdjacencyReader, FoundList
from lithograph.segments.edge_reader import EdgeReader
from lithograph.segments.history_reader import HistoryReader
from lithograph.segments.layer import Direction
from lithograph.segments.sealed_file import SealedFile
from lithograph.segments.segment_reader import SegmentReader

if TYPE_CHECKING:
    from lithograph.kernel._tables import StoredLists
    from lithograph.segments.table_reader import Block

_NAMES = ("out", "in")
_CHECKED_AHEAD = 64 * 1024
"""Bytes behind those that the kernel asks for, checked at once: it asks seldom."""


class Located(NamedTuple):
    """A list that is not decoded yet, and how many edges are before it in its file."""

    found: FoundList
    position: int


class StoredFeed:
    """The lists of a segment or a history in one direction, one after the other.

    Attributes
    ----------
    lists : the kernel's; it walks ahead on its own and asks for what it cannot do.
    path : of the file.   rank : among the sources of its merge.
    """

    def __init__(
        self,
        lists: StoredLists,
        file: SealedFile,
        reader: AdjacencyReader,
        edges: EdgeReader | None,
    ) -> None:
        self.lists = lists
        self.path = file.path
        self.rank = 0
        self._file = file
        self._reader = reader
        self._edges = edges
        self._last_wish: tuple[object, ...] = ()
        self._block: tuple[bool, int, Block] | None = None

    def answer(self) -> None:
        """Do what the kernel asks for.

        Raises
        ------
        CorruptionError : what it asks for is damaged.
        """
        wish = self.lists.wish()
        if wish[0] == "check":
            self._file.check(wish[1], wish[2])
            self._file.check_ahead(wish[1] + wish[2], _CHECKED_AHEAD)
        elif wish[0] == "unpack":
            assert self._edges is not None
            self.lists.give_versions(wish[1], self._edges.unpacked(wish[1]))
        else:
            self._find_block(wish[1], wish[2])
            if wish == self._last_wish:
                raise StorageError(f"{self.path}: block {wish[2]} of a table could not be read")
        self._last_wish = wish

    def current(self) -> Located:
        """Return the list that the kernel is at."""
        dense, index, place, position = self.lists.here()
        return Located(self._reader.list_at(self._find_block(dense, index), place), position)

    def position(self) -> int:
        """Return how many edges are before the current list."""
        return self.lists.here()[3]

    def passed(self, count: int) -> None:
        """Say how many edges the current list has."""
        self.lists.passed(count)

    def _find_block(self, dense: bool, index: int) -> Block:
        if self._block is None or self._block[:2] != (dense, index):
            table = self._reader.dense if dense else self._reader.sparse
            assert table is not None
            self._block = (dense, index, table.block(index))
        return self._block[2]


def segment_feed(segment: SegmentReader, direction: Direction) -> StoredFeed | None:
    """Return the lists of a segment; None where the kernel cannot read it."""
    view = segment.file.view() if tables is not None else None
    if tables is None or view is None:
        return None
    footer, shape, name = segment.footer, segment.shape, _NAMES[direction]
    sections = footer.sections
    versions = None
    if direction == Direction.OUT:
        versions = (
            sections["edges"],
            sections["edges_directory"],
            footer.edge_count,
            footer.first_sequence,
            footer.last_sequence,
        )
    lists = tables.StoredLists(
        *view,
        (sections[f"sparse_{name}"], sections[f"sparse_{name}_directory"]),
        (sections[f"dense_{name}"], sections[f"dense_{name}_directory"]),
        range(footer.first_id, footer.end_id),
        (shape.lists, shape.group_edges, shape.positions),
        direction == Direction.OUT,
        versions,
    )
    reader, edges = segment.lists[direction], segment.edge_table
    return StoredFeed(lists, segment.file, reader, edges if versions else None)


def history_feed(
    history: HistoryReader, shape: tuple[int, int, int], direction: Direction
) -> StoredFeed | None:
    """Return the lists of a history, all edges for the careful way; None as for segments."""
    view = history.file.view() if tables is not None else None
    if tables is None or view is None:
        return None
    sections, name = history.footer.sections, _NAMES[direction]
    lists = tables.StoredLists(
        *view,
        (sections[name], sections[f"{name}_directory"]),
        None,
        range(0),
        shape,
        direction == Direction.OUT,
        None,
        True,
    )
    return StoredFeed(lists, history.file, history.lists[direction], None)
