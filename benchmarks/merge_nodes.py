"""What it costs to merge names and end states of nodes: four segments of work W, without edges.

Processor time, for it is the kernel's loops and the compressor that are compared, not the disk.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

from workload import Workload

from lithograph import kernel
from lithograph.files import Files, OsFiles
from lithograph.formats.file_names import NAMES_DIRECTORY, PARTITIONS_DIRECTORY
from lithograph.formats.moment import encode_moment
from lithograph.formats.node_patch import NodePatch
from lithograph.maintenance.merge_slice import MergeSlice
from lithograph.segments.block_cache import BlockCache
from lithograph.segments.segment_reader import SegmentReader
from lithograph.segments.segment_writer import WrittenSegment, write_segment
from lithograph.segments.slice import Slice
from lithograph.segments.stored_slice import StoredSlice
from lithograph.segments.version import NodeVersion
from lithograph.tools.testing.slices import RawSlice

PART_COUNT: Final = 4
COMMIT_COUNT: Final = 20
"""Commits of each segment."""

_PARTITION: Final = "2026-11"
_UUID: Final = bytes(16)
_FIRST_TIME: Final = 1_795_219_200_123_456
_COMMIT_US: Final = 250_000


def slice_of(workload: Workload, part: int) -> RawSlice:
    """Return the nodes of one part of the workload."""
    count = workload.node_count // PART_COUNT
    first = 1 + part * COMMIT_COUNT
    times = [_FIRST_TIME + (first + place) * _COMMIT_US for place in range(COMMIT_COUNT)]
    slice_ = RawSlice(
        first, part * count, (part + 1) * count, times, [0] * COMMIT_COUNT, [0] * COMMIT_COUNT
    )
    for place in range(count):
        number = part * count + place
        row = workload.node(number)
        patch = NodePatch(
            type_code=int(row.type[-2:]),
            created_at=encode_moment(row.created_at, "created_at"),
            observations=row.observations,
        )
        commit = place * COMMIT_COUNT // count
        slice_.raw_names[number] = row.name
        slice_.raw_nodes[number] = [
            NodeVersion(first + commit, times[commit], patch, True, times[commit], first + commit)
        ]
    return slice_


def write(files: Files, number: int, slice_: Slice, *, compress: bool) -> tuple[StoredSlice, float]:
    """Write a slice; return it as it is read back, and the seconds it took."""
    steps = write_segment(files, number, _PARTITION, _UUID, slice_, compress=compress)
    begun = time.process_time()
    written = _finish(steps)
    seconds = time.process_time() - begun
    cache = BlockCache(0)
    segment = SegmentReader.open(files, _PARTITION, written.segment, _UUID, cache)
    return StoredSlice(segment, None), seconds


def _finish(steps: Generator[None, None, WrittenSegment]) -> WrittenSegment:
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            written: WrittenSegment = stop.value
            return written


def no_edges(source: int, edge: object) -> int:
    raise AssertionError("there are no edges")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=80_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    workload = Workload(arguments.nodes)
    print(f"{kernel.backend} kernel, {arguments.nodes:,} nodes, best of {arguments.rounds}")
    with tempfile.TemporaryDirectory() as directory:
        files = OsFiles.create_root(str(Path(directory) / "w"))
        for name in (NAMES_DIRECTORY, PARTITIONS_DIRECTORY, f"{PARTITIONS_DIRECTORY}/{_PARTITION}"):
            files.make_directory(name)
        number = 2
        for sealed in (False, True):
            parts = []
            for part in range(PART_COUNT):
                parts.append(write(files, number, slice_of(workload, part), compress=sealed)[0])
                number += 1
            best = float("inf")
            for _ in range(arguments.rounds):
                merged = MergeSlice(parts, 0, no_edges)
                best = min(best, write(files, number, merged, compress=sealed)[1])
                number += 1
            what = "sealed" if sealed else "not compressed"
            print(f"  {what:16} {best * 1e6 / arguments.nodes:8.2f} µs per node")


if __name__ == "__main__":
    main()
