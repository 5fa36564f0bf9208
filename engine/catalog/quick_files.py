"""The files of a generation as the compiled kernel reads them: straight from their maps.

A file is handed to the kernel when the careful way opens it, and stays open as long as the
generation is held: so only generations of few files are handed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lithograph.formats.manifest import Manifest
from lithograph.formats.segment_footer import Section
from lithograph.formats.segment_shape import ON_DISK
from lithograph.formats.table_directory import DENSE_OUT_ROW, DENSE_ROW
from lithograph.kernel import quick
from lithograph.segments.layer import Direction
from lithograph.segments.run_reader import RunReader
from lithograph.segments.segment_reader import SegmentReader

if TYPE_CHECKING or quick is not None:
    from lithograph.kernel._reads import QuickLists, QuickRun, QuickStore, QuickView


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
            quick_of_run = quick_run(run)
            if quick_of_run is not None:
                self.store.put_run(place, quick_of_run)
            self._known.add(("run", place))

    def put_segment(self, place: int, segment: SegmentReader) -> None:
        """Hand over the lists of an open segment."""
        if ("seg", place) not in self._known:
            out, in_ = (quick_lists(segment, direction) for direction in Direction)
            if out is not None and in_ is not None:
                self.store.put_segment(place, out, in_)
            self._known.add(("seg", place))


def quick_run(run: RunReader) -> QuickRun | None:
    """Return a run as the kernel reads it; None where its file is not mapped, or is empty."""
    view, footer = run.file.view(), run.footer
    if view is None:
        return None
    return QuickRun(
        *view,
        footer.root,
        footer.height,
        footer.page_count,
        footer.filter_offset,
        footer.filter_size,
        footer.last_sequence - footer.first_sequence,
    )


def quick_lists(segment: SegmentReader, direction: Direction) -> QuickLists | None:
    """Return the lists of a segment as the kernel reads them; None where it cannot."""
    view, footer = segment.file.view(), segment.footer
    if view is None or segment.shape is not ON_DISK:
        return None
    name = direction.name.lower()

    def section(prefix: str, suffix: str = "") -> Section:
        return footer.sections[f"{prefix}_{name}{suffix}"]

    return QuickLists(
        *view,
        (section("sparse"), section("sparse", "_directory")),
        section("sparse", "_filter"),
        (section("dense"), section("dense", "_directory")),
        range(footer.first_id, footer.end_id),
        (DENSE_OUT_ROW if direction == Direction.OUT else DENSE_ROW).size,
    )


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
