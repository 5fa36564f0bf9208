"""What a merge level costs per edge: four segments of plain edges become one, on a simulated disk.

`--twice` is the share of edges that an older segment has too, `--sealed` compresses the output.
Timed in µs of this process per edge, both directions, end states and an empty node table together.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator

from lithograph import kernel
from lithograph.files import Files
from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.segment_shape import ON_DISK
from lithograph.maintenance.merge_slice import MergeSlice
from lithograph.segments.segment_writer import write_segment
from lithograph.segments.slice import Slice
from lithograph.segments.version import EdgeVersion
from lithograph.tools.testing.merge_samples import stored, written
from lithograph.tools.testing.segment_samples import PARTITION, UUID, segment_files
from lithograph.tools.testing.slices import RawSlice

PARTS = 4
COMMITS = 1000
TIME = 10**15


def parts_of(edge_count: int, twice: float) -> Iterator[RawSlice]:
    """Yield slices, each with a fifth as many nodes as edges; some nodes have very many."""
    rng = random.Random(5)
    older: list[tuple[int, AdjacentEdge]] = []
    for part in range(PARTS):
        first, nodes = 1 + part * COMMITS, edge_count // 5
        times = [TIME + first + n for n in range(COMMITS)]
        counts = [0] * COMMITS
        slice_ = RawSlice(first, part * nodes, (part + 1) * nodes, times, counts, counts)
        known = set(older)
        while len(slice_.raw_edges) < edge_count:
            sequence = first + rng.randrange(COMMITS)
            time_ = TIME + sequence
            if older and rng.random() < twice:
                change = EdgeVersion(sequence, time_, EdgePatch(), False)
                slice_.raw_edges[rng.choice(older)] = [change]
                continue
            source, target = (int(slice_.end_id * rng.random() ** power) for power in (6, 2))
            name = (source, (rng.randrange(16), target, ""))
            if name not in known:
                made = EdgeVersion(sequence, time_, EdgePatch(), True, time_, sequence)
                slice_.raw_edges[name] = [made]
        older += slice_.raw_edges
        yield slice_


def merge_time(files: Files, slice_: Slice, *, sealed: bool) -> tuple[float, float]:
    """Return the seconds of a merge, and of its longest step."""
    steps = write_segment(files, 99, PARTITION, UUID, slice_, compress=sealed)
    total = longest = 0.0
    while True:
        start = time.process_time()
        done = next(steps, steps) is steps
        spent = time.process_time() - start
        total, longest = total + spent, max(longest, spent)
        if done:
            return total, longest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edges", type=int, default=100_000, help="of each segment")
    parser.add_argument("--twice", type=float, default=0.0)
    parser.add_argument("--sealed", action="store_true")
    options = parser.parse_args()
    files = segment_files()
    found = [
        written(files, number, slice_, ON_DISK, compress=options.sealed)
        for number, slice_ in enumerate(parts_of(options.edges, options.twice), 1)
    ]
    merge = MergeSlice([stored(files, one, ON_DISK) for one in found], 0, lambda *_: 0)
    total, longest = merge_time(files, merge, sealed=options.sealed)
    each = total / (PARTS * options.edges) * 1e6
    print(f"{kernel.backend}: {each:.2f} µs per edge; the longest step {longest * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
