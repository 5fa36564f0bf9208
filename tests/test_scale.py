"""Larger than memory, and opened as fast whatever the size.

Run as a program, this file is the child that may hold little memory.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lithograph.catalog.current_file import read_current, write_current
from lithograph.catalog.manifest_file import read_manifest, write_manifest
from lithograph.environment import Environment
from lithograph.files import File, FileMap, OsFiles, os_file, os_files
from lithograph.formats.adjacency_group import Mark
from lithograph.formats.manifest_entries import RunEntry, SegmentEntry
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.operations import AdjacentEdge
from lithograph.graph.engine import Engine, open_engine
from lithograph.graph.graph import Graph
from lithograph.maintenance.creation import prepare_locks
from lithograph.options import Options, Tuning
from lithograph.segments.run_writer import RunWriter
from lithograph.segments.segment_writer import WrittenSegment, write_segment
from lithograph.segments.slice import SliceEdge
from lithograph.segments.version import NodeVersion
from lithograph.view.reads import Reads

# A store ten times larger than what its process may hold ----------------------------------------

HEADROOM = 16 * 2**20
"""Bytes that the child may hold besides the interpreter and what it imported."""
TEXT_SIZE = 128 * 2**10
COUNT = 10 * HEADROOM // TEXT_SIZE + 1
BATCH = 4


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts anonymous memory on Linux")
def test_a_store_ten_times_larger_than_its_process_may_hold(tmp_path: Path) -> None:
    """The limit is RLIMIT_DATA, hard: private memory of every kind. Not RLIMIT_AS, which would
    count the read-only maps of files too, and these are what the store may be larger in."""
    path = tmp_path / "store"
    for task in ("write", "read"):
        subprocess.run(
            [sys.executable, __file__, task, str(path)],
            check=True,
            timeout=300,
            # A thread per core would reserve more than the headroom.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )

    sealed = sum(file.stat().st_size for file in path.rglob("*.seg"))
    assert sealed >= 10 * HEADROOM


def limited(path: Path) -> Graph:
    """Limit this process, and open the store with a small memtable and cache."""
    with Path("/proc/self/status").open() as status:
        [used] = [int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:")]
    resource.setrlimit(resource.RLIMIT_DATA, (used + HEADROOM, used + HEADROOM))
    with pytest.raises(MemoryError):
        bytearray(HEADROOM + 2**20)
    # Nothing here is about power cuts.
    for module in (os_file, os_files):
        setattr(module, "sync", no_sync)  # noqa: B010
    files = OsFiles.create_root(str(path))
    prepare_locks(files)
    tuning = Tuning(
        background=False,
        memtable_size_bytes_max=2**20,
        wal_size_bytes_max=4 * 2**20,
        check_outputs=False,
    )
    options = Options(durability="off", cache_size_bytes=2**20, tuning=tuning)
    return Graph(Engine(files, Environment(), options), writable=True)


def no_sync(fd: int, *, data_only: bool = False) -> None:
    """Sync nothing: the files are as large, and sooner there."""


def text_of(number: int) -> str:
    """Return text that no compression makes much smaller."""
    return f"{number:08x}" + os.urandom(TEXT_SIZE // 2 - 4).hex()


def write_much(path: Path) -> None:
    graph = limited(path)
    for start in range(0, COUNT, BATCH):
        with graph.transaction() as tx:
            for number in range(start, min(start + BATCH, COUNT)):
                name = f"n{number:05}"
                tx.put_node(name, type="even" if number % 2 == 0 else "odd")
                tx.add_observations(name, [text_of(number)])
                tx.put_edge(name, "half", f"n{number // 2:05}", properties={"of": number})
    graph.update_properties("n00000", {"changed": True})
    graph.delete_node("n00003")
    graph._engine.close()


def read_much(path: Path) -> None:
    graph = limited(path)
    engine = graph._engine
    assert engine.journal.stack.generation.manifest.last_sequence > 0
    with graph.snapshot() as snapshot:
        for reads in (graph, snapshot):
            read_all(reads)
    with graph.as_of(graph.sequence - 1) as before:
        assert before.node("n00003").observations[0].startswith("00000003")
        assert before.degree("n00003", "both") == 3
    assert len(list(graph.history("n00005"))) == 1
    assert len(list(graph.changes(graph.sequence))) == 4
    assert graph.verify() == []
    engine.close()


def read_all(graph: Reads) -> None:
    """Ask everything that can be asked, of all nodes where that holds little at a time."""
    assert (graph.node_count, graph.edge_count) == (COUNT - 1, COUNT - 3)
    for number, node in zip(
        (number for number in range(COUNT) if number != 3), graph.nodes(), strict=True
    ):
        assert node.name == f"n{number:05}"
        [text] = node.observations
        assert (len(text), text[:8]) == (TEXT_SIZE, f"{number:08x}")
    assert len([node.name for node in graph.nodes(type="odd")]) == COUNT // 2 - 1
    assert [node.name for node in graph.nodes("n0101", after="n01013")] == [
        f"n0101{digit}" for digit in range(4, 10)
    ]
    assert "n00003" not in graph
    assert graph.get_node("n00003") is None
    assert graph.node("n00000").properties == {"changed": True}
    names = [f"n{number:05}" for number in range(0, COUNT, 7)]
    ids = graph.node_ids(names)
    assert graph.names(ids) == names
    assert [graph.node_id(name) for name in names] == ids.tolist()
    assert sum(1 for _ in graph.edges()) == COUNT - 3
    assert graph.neighbors("n00600") == ["n00300"]
    assert graph.neighbors("n00600", "in") == ["n01200", "n01201"]
    assert graph.neighbor_ids(int(ids[2]), "both").tolist() == [7, 28, 29]
    assert graph.degree("n00600", "both") == 3
    assert [edge.properties for edge in graph.edges("n00600")] == [{"of": 600}]
    edge = graph.get_edge("n00600", "half", "n00300")
    assert edge is not None
    assert [layer.tolist() for layer in graph.k_hop("n00600", 2)] == [[300], [150]]


# Opening reads as much at any size --------------------------------------------------------------


class CountedFiles(OsFiles):
    """The files of a store, with the bytes that were read from them, by kind of file."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.read: Counter[str] = Counter()

    def open(self, name: str, *, writable: bool = False) -> File:
        return CountedFile(super().open(name, writable=writable), name, self.read)

    def map(self, name: str) -> FileMap:
        return CountedMap(super().map(name), name, self.read)


class CountedFile:
    """Implements `files.File`."""

    def __init__(self, file: File, name: str, read: Counter[str]) -> None:
        self.path = file.path
        self.size, self.truncate, self.sync_data = file.size, file.truncate, file.sync_data
        self.write_at, self.close = file.write_at, file.close
        self._file = file
        self._kind = name.rpartition(".")[2]
        self._read = read

    def read_at(self, offset: int, size: int) -> bytes:
        data = self._file.read_at(offset, size)
        self._read[self._kind] += len(data)
        return data


class CountedMap:
    """Implements `files.FileMap`."""

    def __init__(self, mapped: FileMap, name: str, read: Counter[str]) -> None:
        self.path = mapped.path
        self.size, self.close = mapped.size, mapped.close
        self._map = mapped
        self._kind = name.rpartition(".")[2]
        self._read = read

    def read(self, offset: int, size: int) -> bytes:
        self._read[self._kind] += size
        return self._map.read(offset, size)

    def view(self) -> None:
        """Let nobody read what is not counted."""


class ManyNodes:
    """Implements `segments.slice.Slice`: one commit that made nodes without fields or edges."""

    first_sequence = last_sequence = 1
    first_id = 0

    def __init__(self, count: int, time: int) -> None:
        self.end_id = count
        self._time = time

    def commits(self) -> Iterator[tuple[int, int, int, int]]:
        yield 1, self._time, self.end_id, 0

    def names(self) -> Iterator[tuple[int, str]]:
        for node_id in range(self.end_id):
            yield node_id, f"{node_id:08}"

    def nodes(self) -> Iterator[tuple[int, NodeVersion | None, list[NodeVersion]]]:
        version = NodeVersion(1, self._time, NodePatch(), True, self._time, 1)
        for node_id in range(self.end_id):
            yield node_id, version, []

    def edges(self) -> Iterator[tuple[int, list[SliceEdge]]]:
        yield from ()

    def incoming(self) -> Iterator[tuple[int, list[tuple[AdjacentEdge, Mark, bool]]]]:
        yield from ()


def open_counted(path: Path) -> tuple[Engine, Counter[str]]:
    files = CountedFiles(str(path))
    return open_engine(files, Environment(), Options(durability="off")), files.read


def make_large(path: Path, node_count: int) -> None:
    """Make a compacted store of nodes, its files straight from their writers.

    A store of one node is made and compacted through the graph; then its segment and its run are
    replaced by those of as many nodes as wanted.
    """
    files = OsFiles.create_root(str(path))
    prepare_locks(files)
    tuning = Tuning(background=False)
    engine = open_engine(files, Environment(), Options(durability="off", tuning=tuning))
    graph = Graph(engine, writable=True)
    graph.put_node("00000000")
    graph.compact()
    engine.close()
    files = OsFiles(str(path))
    slot = read_current(files).newest
    assert slot is not None
    manifest = read_manifest(files, slot)
    [segment], number = manifest.segments, manifest.next_file_number
    many = ManyNodes(node_count, segment.first_time)
    written = write_whole(files, number, segment.partition, slot.store_uuid, many)
    writer = RunWriter(files, number + 1, slot.store_uuid, 1, 1)
    for node_id in range(node_count):
        writer.add(b"%08d" % node_id, [(1, node_id)])
    info = writer.finish()
    entry: SegmentEntry = replace(
        segment, ref=written.segment, end_id=node_count, entry_count=node_count
    )
    manifest = replace(
        manifest,
        generation=manifest.generation + 1,
        next_file_number=number + 3,
        next_id=node_count,
        node_count=node_count,
        segments=(entry,),
        runs=(RunEntry(info.ref, 1, 1, node_count),),
    )
    digest = write_manifest(files, slot.store_uuid, number + 2, manifest)
    write_current(
        files,
        replace(
            slot,
            turn=slot.turn + 1,
            generation=manifest.generation,
            manifest_number=number + 2,
            manifest_hash=digest,
        ),
    )
    files.close()
    # The first opening removes what the store was before.
    engine, _ = open_counted(path)
    engine.close()


def write_whole(
    files: OsFiles, number: int, partition: str, store_uuid: bytes, many: ManyNodes
) -> WrittenSegment:
    steps = write_segment(files, number, partition, store_uuid, many, compress=False)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            written: WrittenSegment = stop.value
            return written


def test_opening_reads_the_same_bytes_at_a_thousand_and_a_million_nodes(tmp_path: Path) -> None:
    read: list[Counter[str]] = []
    first_read: list[Counter[str]] = []
    for count in (1_000, 1_000_000):
        path = tmp_path / f"{count}"
        make_large(path, count)
        engine, counted = open_counted(path)
        read.append(counted.copy())
        graph = Graph(engine, writable=True)
        last = f"{count - 1:08}"
        assert (graph.node_count, graph.node_id(last), graph.names([count - 1])) == (
            count,
            count - 1,
            [last],
        )
        first_read.append(counted)
        engine.close()

    assert read[0] == read[1]
    assert read[0].total() < 32 * 2**10
    # The first look-up reads a filter block and a page per level, with their checksums.
    assert all(counted.total() - read[0].total() < 100 * 2**10 for counted in first_read)


if __name__ == "__main__":
    {"write": write_much, "read": read_much}[sys.argv[1]](Path(sys.argv[2]))
