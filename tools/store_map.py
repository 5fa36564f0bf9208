"""The map of a store: its segments over time, as its manifest names them."""

from __future__ import annotations

from itertools import groupby

from lithograph.formats.file_names import segment_name
from lithograph.formats.manifest_entries import SegmentEntry
from lithograph.formats.moment import decode_moment
from lithograph.tools.commands.map_answer import MapAnswer, MapPartition, MapSegment
from lithograph.tools.store_look import Look


def read_map(look: Look) -> MapAnswer:
    """Return the map of a store. Cost: O(segments); no segment is opened."""
    manifest, stats = look.stack.generation.manifest, look.stats()
    partitions = [
        _partition(name, [_segment(entry) for entry in entries])
        for name, entries in groupby(manifest.segments, lambda entry: entry.partition)
    ]
    size = sum(partition.size_bytes for partition in partitions)
    superseded = sum(partition.superseded_size_bytes for partition in partitions)
    return MapAnswer(
        path=look.path,
        sequence=look.view.sequence,
        size_bytes=size,
        superseded_size_bytes=superseded,
        superseded_share=share(superseded, size),
        log_commit_count=look.view.sequence - manifest.last_sequence,
        log_size_bytes=stats.wal_total_size_bytes,
        run_count=stats.run_count,
        run_size_bytes=stats.run_size_bytes,
        partitions=partitions,
    )


def share(part: int, whole: int) -> float:
    """Return a part of a whole, 0 to 1, to four places; 0 of nothing."""
    return round(part / whole, 4) if whole else 0.0


def _partition(name: str, segments: list[MapSegment]) -> MapPartition:
    return MapPartition(
        name,
        sum(segment.size_bytes for segment in segments),
        sum(segment.superseded_size_bytes for segment in segments),
        segments,
    )


def _segment(entry: SegmentEntry) -> MapSegment:
    size = entry.size + entry.history_size
    return MapSegment(
        number=entry.number,
        file=segment_name(entry.partition, entry.number),
        sealed=entry.sealed,
        first_sequence=entry.first_sequence,
        last_sequence=entry.last_sequence,
        first_time=decode_moment(entry.first_time),
        last_time=decode_moment(entry.last_time),
        entry_count=entry.entry_count,
        superseding_entry_count=entry.superseding_count,
        version_count=entry.version_count,
        size_bytes=size,
        superseded_size_bytes=entry.history_size,
        superseded_share=share(entry.history_size, size),
    )
