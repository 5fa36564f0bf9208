"""The deep check the quick way, where that can be gone: it says that all is right, or nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lithograph.errors import CorruptionError
from lithograph.formats.manifest import Manifest
from lithograph.kernel import survey
from lithograph.maintenance.logged_columns import LoggedColumns
from lithograph.maintenance.meter import Meter
from lithograph.maintenance.verify_joined import is_sound
from lithograph.maintenance.verify_plain import is_plainly_sound, may_be_plain
from lithograph.segments.block_walk import NotPlainError
from lithograph.segments.history_reader import HistoryReader
from lithograph.segments.name_sum import NameSum
from lithograph.segments.segment_reader import SegmentReader
from lithograph.segments.slice_columns import COMMITS_MAX, SliceColumns, StoredColumns
from lithograph.segments.table_columns import IdArray
from lithograph.write.memtable import Memtable
from lithograph.write.memtable_slice import MemtableSlice

Stored = tuple[SegmentReader, HistoryReader | None]


def names_of(manifest: Manifest) -> NameSum | None:
    """Return what the names of the runs are to be added to; None where the quick way cannot be
    gone: on the reference kernel, with very many commits, and where more than one run reaches
    below the floor, as each name is then to be looked at in all of them."""
    floor = manifest.floor_sequence
    below = sum(run.first_sequence <= floor for run in manifest.runs)
    if survey is None or manifest.last_sequence > COMMITS_MAX or below > 1:
        return None
    return NameSum(floor)


def is_quickly_sound(
    stored: Sequence[Stored],
    manifest: Manifest,
    memtable: Memtable | None,
    names: NameSum,
    meter: Meter,
    size: int,
) -> bool:
    """Return True if everything in the files and in the log is right, and fits together; False for
    not known.

    stored : the segments of the manifest with their histories, whose blocks, padding and commit
        tables were checked.
    memtable : what is logged above them, None if nothing is.
    names : of all runs, which are sound.
    meter, size : told `size` bytes in all.
    """
    if not stored:
        return False
    try:
        rows = [_rows(segment) for segment, _ in stored]
        type_count = len(manifest.types)
        if memtable is None and may_be_plain(manifest):
            segment, _ = stored[0]
            if is_plainly_sound(segment, rows[0], type_count, names, meter):
                return True
        slices: list[SliceColumns] = [
            StoredColumns(*both, mine, type_count, names.key)
            for both, mine in zip(stored, rows, strict=True)
        ]
        last_sequence = manifest.last_sequence
        if memtable is not None:
            commits = memtable.commits
            last_sequence = commits.last_sequence
            whole = MemtableSlice(memtable, commits.first_sequence, last_sequence)
            slices.append(LoggedColumns(whole, memtable.type_count, names.key))
            for name, versions in memtable.all_names():
                names.add(name.encode(), versions)
    except (CorruptionError, NotPlainError):
        return False
    floor, purged = manifest.floor_sequence, manifest.purged_count
    return is_sound(slices, last_sequence, floor, purged, names, meter, size)


def _rows(segment: SegmentReader) -> IdArray:
    return np.array(list(segment.all_commits()), np.int64).reshape(-1, 4)
