"""The bytes that work W takes as one sealed segment and one run, part by part.

The files are written straight from the workload, as a merge of everything would write them after a
load in transactions of 10,000 (`load_w.py` loads in earnest, which takes far longer).
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
from load_w import BATCH
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from workload import Ids, Workload

from lithograph.files import OsFiles
from lithograph.formats.edge_patch import UNCHANGED_EDGE
from lithograph.formats.file_names import NAMES_DIRECTORY, PARTITIONS_DIRECTORY
from lithograph.formats.moment import encode_moment
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.operations import AdjacentEdge
from lithograph.segments.run_reader import RunReader
from lithograph.segments.run_writer import RunInfo, RunWriter
from lithograph.segments.segment_writer import WrittenSegment, write_segment
from lithograph.segments.slice import Mark, SliceEdge
from lithograph.segments.version import EdgeVersion, NodeVersion

_PARTITION = "2026-11"
_UUID = bytes(16)
_FIRST_TIME = 1_795_219_200_123_456
_COMMIT_US = 250_000


class WorkloadSlice:
    """Implements `segments.slice.Slice`: nodes first, then edges, 10,000 of them per commit."""

    def __init__(self, workload: Workload) -> None:
        self.first_sequence = 1
        self.node_commits = -(-workload.node_count // BATCH)
        self.last_sequence = self.node_commits + -(-workload.edge_count // BATCH)
        self.first_id = 0
        self.end_id = workload.node_count
        self._workload = workload
        keys = np.stack((workload.sources, workload.edge_types, workload.targets))
        # Of equal edges the first one makes it; the others change nothing.
        _, self._made = np.unique(keys, axis=1, return_index=True)

    def commits(self) -> Iterator[tuple[int, int, int, int]]:
        for sequence in range(1, self.last_sequence + 1):
            nodes = min(sequence * BATCH, self.end_id)
            edges = max(0, sequence - self.node_commits) * BATCH
            yield sequence, _time(sequence), nodes, edges

    def names(self) -> Iterator[tuple[int, str]]:
        for number in range(self.end_id):
            yield number, self._workload.name(number)

    def nodes(self) -> Iterator[tuple[int, NodeVersion | None, list[NodeVersion]]]:
        for number in range(self.end_id):
            row = self._workload.node(number)
            patch = NodePatch(
                type_code=int(row.type[-2:]),
                created_at=encode_moment(row.created_at, "created_at"),
                observations=row.observations,
            )
            sequence = 1 + number // BATCH
            time = _time(sequence)
            yield number, NodeVersion(sequence, time, patch, True, time, sequence), []

    def edges(self) -> Iterator[tuple[int, list[SliceEdge]]]:
        work = self._workload
        for source, part in _grouped(work.sources, work.targets, work.edge_types, self._made):
            edges = []
            for adjacent, place in part:
                sequence = self.node_commits + 1 + place // BATCH
                time = _time(sequence)
                version = EdgeVersion(sequence, time, UNCHANGED_EDGE, True, time, sequence)
                edges.append(SliceEdge(adjacent, Mark.MADE, version, []))
            yield source, edges

    def incoming(self) -> Iterator[tuple[int, list[tuple[AdjacentEdge, Mark, bool]]]]:
        work = self._workload
        for target, part in _grouped(work.targets, work.sources, work.edge_types, self._made):
            yield target, [(adjacent, Mark.MADE, False) for adjacent, _ in part]


def _grouped(
    ends: Ids, others: Ids, types: Ids, made: NDArray[np.intp]
) -> Iterator[tuple[int, list[tuple[AdjacentEdge, int]]]]:
    """Yield each end, ascending, with its edges, ascending, and their places in the workload."""
    order = made[np.lexsort((others[made], types[made], ends[made]))]
    part: list[tuple[AdjacentEdge, int]] = []
    current = -1
    for start in range(0, len(order), BATCH):
        chunk = order[start : start + BATCH]
        columns = (ends[chunk], types[chunk], others[chunk], chunk)
        for end, code, other, place in zip(*(c.tolist() for c in columns), strict=True):
            if end != current:
                if part:
                    yield current, part
                current, part = end, []
            part.append(((16 + code, other, ""), place))
    if part:
        yield current, part


def _time(sequence: int) -> int:
    return _FIRST_TIME + sequence * _COMMIT_US


def _finish(steps: Generator[None, None, WrittenSegment]) -> WrittenSegment:
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            written: WrittenSegment = stop.value
            return written


def filter_size_of(files: OsFiles, info: RunInfo) -> int:
    """Return the bytes of a run's filter."""
    reader = RunReader.open(files, info.ref, _UUID)
    size = reader._pages.footer.filter_size
    reader.close()
    return size


def print_sizes(written: WrittenSegment, info: RunInfo, filter_size: int, node_count: int) -> None:
    """Print the bytes of every part, and per node or edge."""
    parts: Counter[str] = Counter()
    for name, section in written.footer.sections.items():
        table = name.removesuffix("_directory").removesuffix("_filter")
        parts[table] += section.size
    parts["checksums, footer, padding"] = written.segment.size - sum(parts.values())
    parts["run: pages, checksums, footer"] = info.ref.size - filter_size
    parts["run: filter"] = filter_size
    edge_count = written.footer.edge_count
    shown = Table("part", "bytes", "per node", "per edge", title=f"W with {node_count:,} nodes")
    for part, size in sorted(parts.items(), key=lambda item: -item[1]):
        if size:
            per = (f"{size / node_count:.2f}", f"{size / edge_count:.2f}")
            shown.add_row(part, f"{size:,}", *per)
    total = sum(parts.values())
    shown.add_row("all", f"{total:,}", f"{total / node_count:.2f}", f"{total / edge_count:.2f}")
    Console(width=90).print(shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1_000_000)
    arguments = parser.parse_args()
    workload = Workload(arguments.nodes)
    slice_ = WorkloadSlice(workload)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "w"
        files = OsFiles.create_root(str(root))
        for name in (NAMES_DIRECTORY, PARTITIONS_DIRECTORY, f"{PARTITIONS_DIRECTORY}/{_PARTITION}"):
            files.make_directory(name)
        written = _finish(write_segment(files, 2, _PARTITION, _UUID, slice_, compress=True))
        run = RunWriter(files, 3, _UUID, 1, slice_.last_sequence)
        names = sorted((workload.name(n).encode(), n) for n in range(arguments.nodes))
        for encoded, number in names:
            run.add(encoded, [(1 + number // BATCH, number)])
        info = run.finish()
        print_sizes(written, info, filter_size_of(files, info), workload.node_count)


if __name__ == "__main__":
    main()
