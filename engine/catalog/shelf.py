"""The sealed files of a store: opened when first touched, closed when others are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lithograph.catalog.hot_names import HotNames
from lithograph.files import Files
from lithograph.formats.manifest_entries import RunEntry, SegmentEntry
from lithograph.kernel import quick
from lithograph.segments.block_cache import BlockCache
from lithograph.segments.history_reader import HistoryReader
from lithograph.segments.map_pool import MapPool
from lithograph.segments.run_reader import RunReader
from lithograph.segments.segment_reader import SegmentReader

if TYPE_CHECKING:
    from lithograph.kernel._reads import QuickHotNames

_HOT_NAMES_SHARE: Final = 4
"""One fourth of the cache is for names, the rest for blocks."""

_NODES_SHARE: Final = 2
"""One half is for blocks of nodes where the kernel reads them."""


class Shelf:
    """Opens sealed files; at most `open_max` are open at a time, whatever the store holds.

    Attributes
    ----------
    cache : decompressed blocks of all of them.
    hot_names, quick_names : names looked up last, the plain way and by the kernel (None without).
    open_max : as it was given.
    """

    def __init__(self, files: Files, cache_size_bytes: int, open_max: int) -> None:
        names_size = cache_size_bytes // _HOT_NAMES_SHARE
        # Where the kernel looks names up it keeps them itself; the plain way has what is rare.
        quick_size = names_size // 2 if quick is not None else 0
        self.hot_names = HotNames(names_size - quick_size)
        self.quick_names: QuickHotNames | None = (
            quick.QuickHotNames(quick_size) if quick is not None else None
        )
        nodes_size = cache_size_bytes // _NODES_SHARE if quick is not None else 0
        self.cache = BlockCache(cache_size_bytes - names_size - nodes_size, nodes_size)
        self.open_max = open_max
        self._files = files
        self._pool = MapPool(open_max)

    @property
    def open_count(self) -> int:
        """How many files are open now."""
        return self._pool.open_count

    def run(self, entry: RunEntry, store_uuid: bytes) -> RunReader:
        """Return the reader of a run; CorruptionError if it is not the file that was published."""
        return self._pool.get(
            ("run", entry.number), lambda: RunReader.open(self._files, entry.ref, store_uuid)
        )

    def segment(self, entry: SegmentEntry, store_uuid: bytes) -> SegmentReader:
        """Return the reader of a segment."""
        return self._pool.get(
            ("seg", entry.number),
            lambda: SegmentReader.open(
                self._files, entry.partition, entry.ref, store_uuid, self.cache
            ),
        )

    def history(self, entry: SegmentEntry, store_uuid: bytes) -> HistoryReader | None:
        """Return the reader of a segment's history, or None if it has none."""
        history = entry.history
        if history is None:
            return None
        return self._pool.get(
            ("his", entry.number),
            lambda: HistoryReader.open(
                self._files, entry.partition, history, store_uuid, self.cache
            ),
        )

    def forget(self, number: int) -> None:
        """Close what is open of a file that is about to be removed."""
        for kind in ("run", "seg", "his"):
            self._pool.drop((kind, number))

    def shrink(self) -> bool:
        """Close files that nobody uses; return whether there were any."""
        return self._pool.shrink()

    def close(self) -> None:
        self._pool.close()
        if self.quick_names is not None:
            # At once: what is closed may be kept for long by whoever has a node of it.
            self.quick_names.clear()
