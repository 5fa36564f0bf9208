"""The files of a generation as the compiled kernel reads them: straight from their maps.

A file is handed to the kernel when the careful way opens it, and stays open as long as the
generation is held: so only generations of few files are handed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lithograph.formats.manifest import Manifest
from lithograph.kernel import quick
from lithograph.segments.run_reader import RunReader
from lithograph.segments.segment_reader import SegmentReader

if TYPE_CHECKING or quick is not None:
    from lithograph.kernel._reads import QuickStore, QuickView


class QuickFiles:
    """What the kernel has of one generation, newest first.

    Attributes
    ----------
    store : for `QuickView`.
    """

    def __init__(self, manifest: Manifest) -> None:
        ranges = [(entry.first_id, entry.end_id) for entry in reversed(manifest.segments)]
        self.store = QuickStore(len(manifest.runs), ranges)
        self._known: set[tuple[str, int]] = set()

    def put_run(self, place: int, run: RunReader) -> None:
        """Hand over an open run; `place` counts from the newest."""
        if ("run", place) not in self._known:
            if run.quick is not None:
                self.store.put_run(place, run.quick)
            self._known.add(("run", place))

    def put_segment(self, place: int, segment: SegmentReader) -> None:
        """Hand over the lists of an open segment."""
        if ("seg", place) not in self._known:
            if segment.quick_lists is not None:
                self.store.put_segment(place, *segment.quick_lists)
            self._known.add(("seg", place))


def quick_files(manifest: Manifest, file_count_max: int) -> QuickFiles | None:
    """Return what takes the files of a generation; None without the kernel, or for many files."""
    count = len(manifest.runs) + len(manifest.segments)
    return QuickFiles(manifest) if quick is not None and count <= file_count_max else None


def quick_view(
    files: QuickFiles,
    names: tuple[dict[str, Any], ...],
    lists: tuple[tuple[dict[int, Any], dict[int, Any]], ...],
) -> QuickView:
    """Return files and the dictionaries of the memtables above them as one thing to ask."""
    return QuickView(files.store, names, lists)
