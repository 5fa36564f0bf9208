"""One generation of a store: its manifest, and layers over the files that it names.

Making one reads nothing: a layer opens its file when something is asked of it that its range does
not answer already, and the shelf closes it again when others are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from lithograph.catalog.hot_names import HotNames
from lithograph.catalog.shelf import Shelf
from lithograph.errors import CorruptionError
from lithograph.formats.manifest import Manifest
from lithograph.formats.manifest_entries import RunEntry, SegmentEntry
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.segment_footer import HistoryFooter, SegmentFooter
from lithograph.kernel import quick
from lithograph.segments.history_reader import HistoryReader
from lithograph.segments.layer import Change, Direction, GraphLayer, NameLayer
from lithograph.segments.run_reader import RunLayer
from lithograph.segments.segment_layer import SegmentLayer
from lithograph.segments.version import EdgeVersion, NodeVersion

if TYPE_CHECKING:
    from lithograph.kernel._reads import QuickStore

T = TypeVar("T")
IdArray = npt.NDArray[np.int64]


class LazyRun:
    """The layer of one run; implements `segments.layer.NameLayer`."""

    def __init__(self, entry: RunEntry, hot: HotNames, open_run: Callable[[], RunLayer]) -> None:
        self.entry = entry
        self._hot = hot
        self._open = open_run

    def find_name(self, name: str, sequence: int) -> int | None:
        entry = self.entry
        if sequence < entry.last_sequence:
            known = sequence >= entry.first_sequence
            return self._open().find_name(name, sequence) if known else None
        found = self._hot.get(entry.number, name)
        if found is None:
            found = self._open().find_name(name, sequence)
            if found is not None:
                self._hot.put(entry.number, name, found)
        return found

    def versions_of_name(self, name: str) -> list[tuple[int, int]]:
        return self._open().versions_of_name(name)

    def names_after(self, start: str, after: bool, count: int) -> list[str]:
        return self._open().names_after(start, after, count)


class LazySegment:
    """The layer of one segment and its history; implements `segments.layer.GraphLayer`."""

    def __init__(self, entry: SegmentEntry, open_segment: Callable[[], SegmentLayer]) -> None:
        self.entry = entry
        self.first_id = entry.first_id
        self.first_sequence = entry.first_sequence
        self._open = open_segment

    def name_of(self, node_id: int) -> str | None:
        if not self.first_id <= node_id < self.entry.end_id:
            return None
        return self._open().name_of(node_id)

    def node_versions(self, node_id: int, sequence: int) -> list[NodeVersion]:
        if self._is_outside(node_id, sequence):
            return []
        return self._open().node_versions(node_id, sequence)

    def adjacency(
        self, node_id: int, direction: Direction, sequence: int
    ) -> list[tuple[AdjacentEdge, bool]]:
        if self._is_outside(node_id, sequence):
            return []
        return self._open().adjacency(node_id, direction, sequence)

    def out_edges(
        self, node_id: int, sequence: int
    ) -> list[tuple[AdjacentEdge, list[EdgeVersion]]]:
        if self._is_outside(node_id, sequence):
            return []
        return self._open().out_edges(node_id, sequence)

    def edge_versions(
        self, source: int, adjacent: AdjacentEdge, sequence: int
    ) -> list[EdgeVersion]:
        if self._is_outside(max(source, adjacent[1]), sequence):
            return []
        return self._open().edge_versions(source, adjacent, sequence)

    def degree(self, node_id: int, direction: Direction, sequence: int) -> int | None:
        if self._is_outside(node_id, sequence):
            return 0
        return self._open().degree(node_id, direction, sequence)

    def sources(self, start: int, count: int) -> Sequence[int]:
        return self._open().sources(start, count)

    def check_lists_ahead(self, direction: Direction, start: int, end: int) -> None:
        """Check what holds the lists of ids from `start` to before `end`: all are wanted."""
        if start < self.entry.end_id:
            self._open().check_lists_ahead(direction, start, min(end, self.entry.end_id))

    def bring_nodes(self, ids: IdArray, count: int, size_max: int) -> None:
        """Bring the block of the first of these ids to hand, as `SegmentReader.bring_nodes`."""
        self._open().bring_nodes(ids, count, size_max)

    def commit_time(self, sequence: int) -> int:
        return self._open().commit_time(sequence)

    def sequence_at(self, time: int) -> int | None:
        if self.entry.last_time <= time:
            return self.entry.last_sequence
        return self._open().sequence_at(time) if self.entry.first_time <= time else None

    def all_node_versions(self, node_id: int) -> list[NodeVersion]:
        return self._open().all_node_versions(node_id) if node_id < self.entry.end_id else []

    def changes(self, first: int, last: int) -> Iterator[Change]:
        if first <= self.entry.last_sequence and last >= self.first_sequence:
            yield from self._open().changes(first, last)

    def _is_outside(self, node_id: int, sequence: int) -> bool:
        """Return whether the segment's ranges alone say that it knows nothing."""
        return node_id >= self.entry.end_id or sequence < self.entry.first_sequence


class Generation:
    """The files of a manifest as layers.

    Attributes
    ----------
    number : of the generation.   manifest_number : file number of its manifest.
    names, graph : layers over runs and segments, newest first.
    quick : the same files as the kernel reads them; None without it, or for many files.
    """

    def __init__(
        self,
        manifest: Manifest,
        manifest_number: int,
        shelf: Shelf,
        store_uuid: bytes,
        *,
        is_pinned: bool = True,
    ) -> None:
        """Make the layers.

        is_pinned : other processes leave the files. If not, all of them are opened at once and stay
            open as long as the generation is held, so that it does not matter when they go.

        Raises
        ------
        CorruptionError, StorageError : a file is gone, or cannot be opened; only without a pin.
        """
        self.manifest = manifest
        self.manifest_number = manifest_number
        self.number = manifest.generation
        self._shelf = shelf
        self._store_uuid = store_uuid
        self.quick = store = _quick_store(manifest, shelf, shelf.open_max // 2)
        self.names: tuple[NameLayer, ...] = tuple(
            [
                _run_layer(entry, shelf, store_uuid, store, place, is_pinned)
                for place, entry in enumerate(reversed(manifest.runs))
            ]
        )
        self.graph: tuple[GraphLayer, ...] = tuple(
            [
                _segment_layer(entry, shelf, store_uuid, store, place, is_pinned)
                for place, entry in enumerate(reversed(manifest.segments))
            ]
        )

    def commit_row(self, sequence: int) -> tuple[int, int, int]:
        """Return time, node count and edge count of a commit that the segments hold.

        Cost: one block of the commit table of its segment.
        """
        for entry in self.manifest.segments:
            if entry.first_sequence <= sequence <= entry.last_sequence:
                return self._shelf.segment(entry, self._store_uuid).commit_row(sequence)
        raise CorruptionError(f"no segment holds commit {sequence}")

    def footers(self) -> Iterator[tuple[SegmentEntry, SegmentFooter, HistoryFooter | None]]:
        """Yield each segment, oldest first, with what its footer and its history's say.

        Cost: both files are opened, one after the other.
        """
        for entry in self.manifest.segments:
            segment = self._shelf.segment(entry, self._store_uuid)
            history = self._shelf.history(entry, self._store_uuid)
            yield entry, segment.footer, history.footer if history is not None else None

    def sequence_at(self, time: int) -> int:
        """Return the newest commit in the segments that is not after `time` (µs); 0 if none is."""
        for entry in reversed(self.manifest.segments):
            if entry.last_time <= time:
                return entry.last_sequence
            if entry.first_time <= time:
                return self._shelf.segment(entry, self._store_uuid).sequence_at(time)
        return 0


# Of the shelf, not of the generation: it is in no cycle, so that its files are let go as soon as
# the last view drops it.


def _run_layer(
    entry: RunEntry,
    shelf: Shelf,
    store_uuid: bytes,
    quick_store: QuickStore | None,
    place: int,
    is_pinned: bool,
) -> LazyRun:
    def open_layer() -> RunLayer:
        run = shelf.run(entry, store_uuid)
        if quick_store is not None and run.quick is not None:
            quick_store.put_run(place, run.quick)
        return RunLayer(run)

    return LazyRun(entry, shelf.hot_names, open_layer if is_pinned else _opened(open_layer))


def _segment_layer(
    entry: SegmentEntry,
    shelf: Shelf,
    store_uuid: bytes,
    quick_store: QuickStore | None,
    place: int,
    is_pinned: bool,
) -> LazySegment:
    def open_history() -> HistoryReader | None:
        return shelf.history(entry, store_uuid)

    history = open_history if is_pinned else _opened(open_history)

    def open_layer() -> SegmentLayer:
        segment = shelf.segment(entry, store_uuid)
        if quick_store is not None and segment.quick_lists is not None:
            quick_store.put_segment(
                place,
                *segment.quick_lists,
                segment.quick_nodes,
                segment.quick_names,
                segment.quick_edges,
            )
        return SegmentLayer(segment, history)

    return LazySegment(entry, open_layer if is_pinned else _opened(open_layer))


def _opened(open_it: Callable[[], T]) -> Callable[[], T]:
    """Open something now; return what returns it ever after."""
    opened = open_it()
    return lambda: opened


def _quick_store(manifest: Manifest, shelf: Shelf, file_count_max: int) -> QuickStore | None:
    """Return what takes the files of a generation; None without the kernel, or for many files.

    A file is handed over when the careful way opens it, and stays open as long as the generation is
    held: so only generations of few files have one.
    """
    if quick is None or len(manifest.runs) + len(manifest.segments) > file_count_max:
        return None
    ranges = [(entry.first_id, entry.end_id) for entry in reversed(manifest.segments)]
    runs = [entry.number for entry in reversed(manifest.runs)]
    store: QuickStore = quick.QuickStore(runs, ranges, shelf.quick_names)
    return store
