"""What the kernel reads straight from maps: the careful way's answer, or that it is unsure; and it
is unsure wherever the careful way says that something is wrong."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lithograph
from lithograph import kernel
from lithograph.errors import CorruptionError
from lithograph.files import OsFiles
from lithograph.formats.block_columns import Record
from lithograph.formats.cursor import Cursor
from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.file_header import HEADER_SIZE, FileKind
from lithograph.formats.file_names import run_name
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.segment_shape import ON_DISK
from lithograph.formats.table_block import decode_heads, decode_ids, decode_presence, encode_block
from lithograph.formats.version_record import NODE_VERSIONS, CommitSpan
from lithograph.ids import ABSENT
from lithograph.read.fold import find_name
from lithograph.read.neighbors import degree, neighbor_list
from lithograph.read.traversal import k_hop
from lithograph.segments.layer import Direction
from lithograph.segments.run_reader import RunReader
from lithograph.segments.run_writer import RunWriter
from lithograph.segments.sealed_writer import SealedWriter
from lithograph.segments.segment_reader import SegmentReader, decode_node_version
from lithograph.segments.version import EdgeVersion, NodeVersion
from lithograph.tools.testing import run_samples as runs
from lithograph.tools.testing import segment_samples as segments
from lithograph.tools.testing.samples import MOMENT
from lithograph.tools.testing.slices import RawSlice
from lithograph.tools.testing.strategies import node_patches

if kernel.quick is None:
    pytest.skip("the reference kernel has nothing quick", allow_module_level=True)

from lithograph.kernel._reads import (
    UNSURE,
    QuickRun,
    QuickStore,
    QuickView,
    block_heads,
    node_record,
)

STEP = 1 if os.environ.get("LITHOGRAPH_FUZZ") else 3


def _touched(run: RunReader) -> QuickRun:
    """Return a run as the kernel reads it once every block was checked."""
    assert list(run.file.check_blocks()) == []
    quick = run.quick
    assert quick is not None
    return quick


# Names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample", runs.SAMPLES)
def test_names_are_found_as_the_careful_way_finds_them(sample: str) -> None:
    names = runs.SAMPLES[sample]()
    quick = _touched(runs.run_of(names))
    unsure = 0
    for name, versions in names.items():
        found = quick.find(name)
        unsure += found is UNSURE
        assert found is UNSURE or found == versions[0][1]
        for other in (name + b"\0", name[:-1], b"\xff" + name):
            assert other in names or quick.find(other) in (None, UNSURE)

    # Only keys that go on in other pages are not for the kernel.
    assert unsure == sum(len(name) > 1024 for name in names) or sample in ("chains", "tall")


@given(st.dictionaries(runs.raw_names | runs.long_names, runs.version_lists, max_size=60))
def test_any_names_are_found_or_left_to_the_careful_way(names: runs.Names) -> None:
    names = {name: sorted(set(found), reverse=True) for name, found in names.items()}
    names = {name: found[:1] for name, found in names.items()}
    quick = _touched(runs.run_of(names))
    for name, versions in names.items():
        assert quick.find(name) in (versions[0][1], UNSURE)


def _damaged_runs(names: runs.Names) -> Iterator[RunReader]:
    """Yield a run with one byte after the other changed, under checksums that match."""
    files = runs.run_files()
    info = runs.write_run(files, names)
    run = RunReader.open(files, info.ref, runs.UUID)
    data, body = run.file.read(0, run.file.data_size), run.file.body
    files.unlink(run_name(1))
    for offset in range(HEADER_SIZE, len(data), STEP):
        damaged = bytearray(data)
        damaged[offset] ^= 1 << offset % 8 if offset % 5 else 0xFF
        writer = SealedWriter(files, run_name(1), 1, runs.UUID, FileKind.RUN)
        writer.append(bytes(damaged[HEADER_SIZE:]))
        with contextlib.suppress(CorruptionError):
            yield RunReader.open(files, writer.finish(body), runs.UUID)
        files.unlink(run_name(1))


def test_in_damaged_runs_nothing_else_is_found() -> None:
    names = runs.few_names()
    names |= {b"%d" % number: [(runs.FIRST, number)] for number in range(200)}
    unsure = 0
    for run in _damaged_runs(names):
        quick = _touched(run)
        for name in random.Random(1).sample(sorted(names), 8):
            found = quick.find(name)
            unsure += found is UNSURE
            if found is UNSURE:
                continue
            careful = run.find(name)
            assert found == (careful[0][1] if careful else None)

    assert unsure > 0


def test_where_a_block_was_not_checked_the_careful_way_must_look_first() -> None:
    run = runs.run_of(runs.few_names())
    quick = run.quick
    assert quick is not None
    name = b"entity:0007"

    assert quick.find(name) is UNSURE
    assert run.find(name) == [(runs.FIRST + 7, 7)]
    assert quick.find(name) == 7


# Lists -------------------------------------------------------------------------------------------


def _view_of(segment: SegmentReader) -> QuickView:
    assert list(segment.file.check_blocks()) == []
    store = QuickStore(0, [(segment.footer.first_id, segment.footer.end_id)])
    assert segment.quick_lists is not None
    store.put_segment(0, *segment.quick_lists)
    return QuickView(store, (), 0)


def _compare(segment: SegmentReader, ids: range) -> int:
    """Compare the lists of ids; return of how many the kernel was sure."""
    view = _view_of(segment)
    sure = 0
    for node_id in ids:
        for direction in Direction:
            for codes in (None, [1], [40, 0], []):
                found = view.neighbors(node_id, direction, codes)
                count = view.degree(node_id, direction, codes)
                if found is UNSURE:
                    assert count is UNSURE
                    continue
                sure += 1
                stored = segment.list_of(node_id, direction)
                edges, _ = stored.decode() if stored is not None else ([], [])
                assert segment.quick_lists is not None
                for code, other in ((1, 5), *[edge[:2] for edge in edges]):
                    known = segment.quick_lists[direction].has(node_id, code, other)
                    assert known == ((code, other, "") in edges)
                assert stored is None or stored.is_pure
                wanted = [edge[1] for edge in edges if codes is None or edge[0] in codes]
                assert found.tolist() == wanted
                assert count == len(wanted)
    return sure


@given(segments.slices(), st.booleans())
def test_lists_are_read_as_the_careful_way_reads_them(slice_: RawSlice, compress: bool) -> None:
    written = segments.write(slice_, compress=compress)

    _compare(written.segment(), range(slice_.end_id + 2))


def _hubs() -> RawSlice:
    """Return a slice in which lists have indexes, several groups of a type, and codes above 30."""
    count = 700
    slice_ = RawSlice(10, 0, count, [MOMENT], [count], [0])
    slice_.raw_names = {node_id: f"n{node_id}" for node_id in range(count)}
    rng = random.Random(1)
    for _ in range(6000):
        source = min(rng.randrange(count), rng.randrange(count), 40 + rng.randrange(count))
        adjacent = (rng.choice([0, 1, 40, 41, 100_000]), rng.randrange(count), "")
        slice_.raw_edges[source, adjacent] = [
            EdgeVersion(10, MOMENT, EdgePatch(), True, MOMENT, 10)
        ]
    for target in range(count):
        slice_.raw_edges[3, (1, target, "")] = [
            EdgeVersion(10, MOMENT, EdgePatch(), True, MOMENT, 10)
        ]
    return slice_


def test_lists_of_hubs_are_read_to_their_end() -> None:
    written = segments.write(_hubs())
    segment = written.segment()

    assert _compare(segment, range(702)) == 702 * 2 * 4
    stored = segment.list_of(3, Direction.OUT)
    assert stored is not None
    assert stored.count() > 700


def _outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except CorruptionError:
        return CorruptionError


def test_in_damaged_lists_nothing_else_is_found() -> None:
    written = segments.write(segments.sample(), shape=ON_DISK)
    data, body = segments.data_and_body(written, FileKind.SEGMENT)
    sections = written.written.footer.sections
    unsure = 0
    for name in ("sparse_out", "dense_out", "sparse_in", "dense_in"):
        end = sections.get(f"{name}_filter", sections[f"{name}_directory"]).end
        for offset in range(sections[name].offset, end):
            damaged = bytearray(data)
            damaged[offset] ^= 1 << offset % 8 if offset % 5 else 0xFF
            ref = segments.seal(written, FileKind.SEGMENT, bytes(damaged), body)
            segment = _outcome(lambda ref=ref: written.segment(ref))  # type: ignore[misc]
            if segment is CorruptionError:
                continue
            view = _view_of(segment)
            for node_id in range(9):
                for direction in Direction:
                    found = view.neighbors(node_id, direction, None)
                    unsure += found is UNSURE
                    if found is UNSURE:
                        continue
                    stored = segment.list_of(node_id, direction)
                    edges = stored.decode().edges if stored is not None else []
                    assert found.tolist() == [edge[1] for edge in edges]

    assert unsure > 0


# Nodes -------------------------------------------------------------------------------------------


def _compare_nodes(segment: SegmentReader, ids: range) -> int:
    """Compare end states of nodes with the careful way's; return how many were found."""
    count = 0
    for node_id in ids:
        careful = _outcome(lambda: segment._careful_node_version(node_id))  # noqa: B023
        # Twice: then what was compressed is in the cache.
        for _ in range(2):
            assert _outcome(lambda: segment.node_version(node_id)) == careful  # noqa: B023
        count += careful is not None
    return count


@given(segments.slices(), st.booleans())
def test_nodes_are_read_as_the_careful_way_reads_them(slice_: RawSlice, compress: bool) -> None:
    segment = segments.write(slice_, compress=compress).segment()
    assert list(segment.file.check_blocks()) == []

    _compare_nodes(segment, range(slice_.end_id + 2))


@pytest.mark.parametrize("compress", [False, True])
def test_many_nodes_are_read_as_the_careful_way_reads_them(compress: bool) -> None:
    count = 200
    slice_ = RawSlice(10, 0, count, [MOMENT], [count], [0])
    slice_.raw_nodes = {
        node_id: [
            NodeVersion(
                10,
                MOMENT,
                NodePatch(
                    type_code=7, created_at=MOMENT - node_id, observations=("a b c", "é" * 9)
                ),
                True,
                MOMENT,
                10,
            )
        ]
        for node_id in range(0, count, 3)
    }
    segment = segments.write(slice_, compress=compress).segment()

    assert _compare_nodes(segment, range(count + 2)) == len(slice_.raw_nodes)


def test_of_damaged_nodes_nothing_else_is_read() -> None:
    written = segments.write(segments.sample(), shape=ON_DISK)
    data, body = segments.data_and_body(written, FileKind.SEGMENT)
    sections = written.written.footer.sections
    wrong = 0
    for offset in range(sections["dense_nodes"].offset, sections["dense_nodes_directory"].end):
        damaged = bytearray(data)
        damaged[offset] ^= 1 << offset % 8 if offset % 5 else 0xFF
        ref = segments.seal(written, FileKind.SEGMENT, bytes(damaged), body)
        segment = _outcome(lambda ref=ref: written.segment(ref))  # type: ignore[misc]
        if segment is not CorruptionError:
            assert list(segment.file.check_blocks()) == []
            _compare_nodes(segment, range(4, 9))
            wrong += _outcome(lambda: segment.node_version(4)) is CorruptionError  # noqa: B023

    assert wrong > 0


# Blocks and records ------------------------------------------------------------------------------


def _careful_heads(body: bytes, count: int, first_id: int, dense: bool) -> Any:
    cursor = Cursor(body)
    if dense:
        presence = decode_presence(cursor, count)
        return None, *decode_heads(cursor, count, len(body), presence)
    ids = decode_ids(cursor, first_id, count)
    return ids, *decode_heads(cursor, len(ids), len(body))


def _same_or_unsure(found: Any, careful: Callable[[], Any]) -> None:
    if found is not UNSURE:
        assert found == careful()


blocks = st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 3)), min_size=1, max_size=70)


@given(blocks, st.integers(0, 2**48 - 5000), st.integers(1, 60), st.booleans())
def test_heads_of_blocks_are_read_alike(
    records: list[Record], first_id: int, step: int, dense: bool
) -> None:
    records = [(record, flags if record else 0) for record, flags in records]
    ids = None
    if not dense:
        records = [(record or b"r", flags) for record, flags in records]
        ids = [first_id + step * place for place in range(len(records))]
    body = encode_block(records, ids)

    found = block_heads(body, len(records), first_id, dense)
    assert found is not UNSURE
    assert found == _careful_heads(body, len(records), first_id, dense)


@given(st.binary(max_size=40), st.integers(1, 20), st.booleans())
def test_heads_of_any_bytes_are_read_alike(body: bytes, count: int, dense: bool) -> None:
    _same_or_unsure(
        block_heads(body, count, 7, dense), lambda: _careful_heads(body, count, 7, dense)
    )


SPAN = CommitSpan(100, 2**50, lambda sequence: MOMENT + sequence)


def _careful_record(data: bytes) -> NodeVersion:
    cursor = Cursor(data)
    version = NodeVersion(*NODE_VERSIONS.read(cursor, SPAN))
    cursor.finish("record")
    return version


@given(st.integers(100, 2**40), st.integers(0, 9), node_patches())
def test_records_of_nodes_are_read_alike(sequence: int, age: int, patch: NodePatch) -> None:
    born = max(100, sequence - age)
    out = bytearray()
    NODE_VERSIONS.append(out, (sequence, MOMENT + sequence, patch, True, MOMENT, born), 100)
    data = bytes(out)

    assert decode_node_version(data, SPAN) == _careful_record(data)
    plain = patch[3:5] == (None, None) and patch[6:] == (None, None)
    assert (node_record(data) is not UNSURE) == plain
    for size in range(len(data)):
        with pytest.raises(CorruptionError):
            decode_node_version(data[:size], SPAN)


@given(st.binary(max_size=30), st.sampled_from([b"", b"\3\7", b"\7\7", b"\3\4\0\2"]))
def test_records_of_any_bytes_are_read_alike(data: bytes, start: bytes) -> None:
    data = start + data
    try:
        careful = _careful_record(data)
    except CorruptionError:
        with pytest.raises(CorruptionError):
            decode_node_version(data, SPAN)
        return
    assert decode_node_version(data, SPAN) == careful


# Stores ------------------------------------------------------------------------------------------


def _check_graph(graph: Any, names: list[str]) -> int:
    """Compare everything that the kernel answers with the careful way; return how often it was
    sure."""
    view = graph._view()
    layers, sequence = view.layers, view.sequence
    sure = 0
    for name in names:
        node_id = find_name(layers, name, sequence)
        assert view.look_up(name) == node_id
        sure += view.quick.find(name) is not UNSURE
        if node_id is None:
            continue
        for direction in Direction:
            both = (direction,)
            for codes in (None, frozenset([1, 2])):
                wanted = neighbor_list(layers, node_id, both, codes, sequence)
                assert view.neighbors(node_id, both, codes).tolist() == wanted
                assert view.degree(node_id, both, codes) == degree(
                    layers, node_id, both, codes, sequence
                )
            sure += view.quick.neighbors(node_id, direction, None) is not UNSURE
    assert view.look_up_all(names).tolist() == [
        ABSENT if (found := find_name(layers, name, sequence)) is None else found for name in names
    ]
    for name in names[:5]:
        start = view.look_up(name)
        if start is None:
            continue
        for directions in ((Direction.OUT,), (Direction.IN, Direction.OUT)):
            for codes in (None, frozenset([1])):
                reached = view.k_hop(start, 3, directions, codes)
                assert [ids.tolist() for ids in reached] == k_hop(
                    layers, start, 3, directions, codes, sequence
                )
    return sure


def test_a_store_answers_alike_through_flushes_deletions_and_merges(tmp_path: Path) -> None:
    rng = random.Random(5)
    names = [f"node {number}" for number in range(400)]
    with lithograph.open(tmp_path / "s.graph") as graph:
        for round_ in range(6):
            with graph.transaction() as tx:
                for name in names[round_ * 60 : round_ * 60 + 100]:
                    tx.put_node(name, type="A")
            with graph.transaction() as tx:
                for _ in range(300):
                    high = round_ * 60 + 100
                    tx.put_edge(
                        names[rng.randrange(high)],
                        rng.choice("abc"),
                        names[rng.randrange(high)],
                        key="k" if rng.random() < 0.02 else "",
                        create_missing=True,
                    )
            _check_graph(graph, names)
            if round_ > 2:
                graph.delete_node(names[rng.randrange(100)])
            graph.checkpoint()
            _check_graph(graph, names)
        # What the careful way has touched is the kernel's from then on.
        assert _check_graph(graph, names) > 600
        graph.compact()
        _check_graph(graph, names)
        # Lists with keys stay with the careful way.
        assert _check_graph(graph, names) > 900


def test_many_nodes_are_visited_once(tmp_path: Path) -> None:
    """More than stand in the hash, in several bitmaps."""
    count = 30_000
    rng = random.Random(6)
    with lithograph.open(tmp_path / "s.graph") as graph:
        with graph.transaction() as tx:
            for number in range(count):
                tx.put_node(f"n{number}")
        with graph.transaction() as tx:
            for number in range(count):
                tx.put_edge("n0", "a", f"n{number}")
                tx.put_edge(f"n{number}", "b", f"n{rng.randrange(count)}")
        graph.checkpoint()
        view = graph._view()
        wanted = k_hop(view.layers, 0, 3, (Direction.OUT,), None, view.sequence)

        assert [ids.tolist() for ids in graph.k_hop("n0", 3)] == wanted
        assert sum(map(len, wanted)) == count - 1


def test_threads_that_traverse_see_what_one_does(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "s.graph") as graph:
        with graph.transaction() as tx:
            for number in range(2000):
                tx.put_edge(f"n{number}", "a", f"n{number * 7 % 2000}", create_missing=True)
                tx.put_edge(f"n{number}", "a", f"n{number * 13 % 2000}", create_missing=True)
        graph.checkpoint()
        wanted = [[ids.tolist() for ids in graph.k_hop(f"n{number}", 6)] for number in range(20)]
        failed: list[int] = []

        def run() -> None:
            for number in range(20):
                found = [ids.tolist() for ids in graph.k_hop(f"n{number}", 6)]
                if found != wanted[number]:
                    failed.append(number)

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(50):
            graph.put_edge("n1", f"t{number}", "new", create_missing=True)
            graph.delete_node("new")
        for thread in threads:
            thread.join()

        assert failed == []


def test_the_kernel_answers_alone_until_something_is_published(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "s.graph") as graph:
        graph.put_edge("a", "to", "b", create_missing=True)
        graph.checkpoint()
        reader = graph._engine.reader
        assert reader is not None
        assert reader.find("a") is UNSURE
        for _ in range(3):
            # Once for the view, once for the blocks, which are checked when they are first read.
            assert graph.node_id("a") == 0
            assert graph.neighbor_ids(0).tolist() == [1]
        assert reader.find("a") == 0
        assert reader.find("nobody") is None
        assert reader.neighbors(1, "in").tolist() == [0]
        for odd in ("", "\ud800", 1, None, "x" * 70_000):
            assert reader.find(odd) is UNSURE
        for odd in (-1, 2**48, 2**70, "a", True):
            assert reader.neighbors(odd, "out") is UNSURE
        assert reader.neighbors(0, "both") is UNSURE

        graph.put_node("c")
        assert reader.find("a") is UNSURE
        assert graph.node_id("c") == 2
        assert reader.find("c") == 2
        assert reader.find("a") == 0
        graph.delete_node("a")
        assert graph.node_id("a") is None
        assert graph.neighbor_ids(0).tolist() == []
        assert reader.find("b") == 1

        other = lithograph.open(tmp_path / "s.graph")
        assert other.node_id("b") == 1
        other.close()
        with pytest.raises(lithograph.ClosedError):
            other.node_id("b")
        with pytest.raises(lithograph.ClosedError):
            other.neighbor_ids(1)
        assert graph.node_id("b") == 1
    assert reader.find("b") is UNSURE
    with pytest.raises(lithograph.ClosedError):
        graph.node_id("b")


def test_a_view_older_than_the_counter_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one is that was made while another thread was between the counter and its own state."""
    with lithograph.open(tmp_path / "s.graph", exclusive=True) as graph:
        graph.put_node("a")
        engine = graph._engine
        reader = engine.reader
        assert reader is not None
        old = engine.view()
        graph.put_node("b")
        monkeypatch.setattr(engine.journal, "_seen", b"before..")
        monkeypatch.setattr(engine, "view", lambda: old)
        engine.newest_view()

        assert reader.find("nobody") is UNSURE


@pytest.mark.parametrize("exclusive", [False, True])
def test_what_was_acknowledged_is_seen_by_every_thread(tmp_path: Path, exclusive: bool) -> None:
    """Also by one that looked while it was being published."""
    with lithograph.open(tmp_path / "s.graph", durability="off", exclusive=exclusive) as graph:
        graph.put_node("first")
        graph.checkpoint()
        newest = 0
        missed: list[str] = []
        stop = threading.Event()

        def look() -> None:
            while not stop.is_set():
                number = newest
                if graph.node_id(f"n{number}") is None and number:
                    missed.append(f"n{number}")

        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(1, 1500):
            graph.put_node(f"n{number}")
            newest = number
            if number % 500 == 0:
                graph.checkpoint()
        stop.set()
        for thread in threads:
            thread.join()

        assert missed == []


# Pages that cannot be had ------------------------------------------------------------------------


def test_a_file_that_was_cut_under_the_kernel_ends_no_process(tmp_path: Path) -> None:
    """In a child: it would be killed by SIGBUS."""
    files = OsFiles.create_root(str(tmp_path / "s"))
    files.make_directory("names")
    writer = RunWriter(files, 1, runs.UUID, 1, 1)
    for number in range(20_000):
        writer.add(b"%06d" % number, [(1, number)])
    run = RunReader.open(files, writer.finish().ref, runs.UUID)
    quick = _touched(run)
    assert quick.find(b"012345") == 12345
    child = os.fork()
    if not child:
        status = 1
        try:
            os.truncate(tmp_path / "s" / run_name(1), 5000)
            unsure = [quick.find(b"%06d" % number) is UNSURE for number in range(0, 20_000, 99)]
            status = 0 if all(unsure) else 2
        finally:
            os._exit(status)

    assert os.waitpid(child, 0)[1] == 0


def test_a_shared_map_that_was_cut_ends_no_process(tmp_path: Path) -> None:
    path = tmp_path / "s.graph"
    command = (
        "import lithograph, os, sys\n"
        "g = lithograph.open(sys.argv[1])\n"
        "g.put_node('a')\n"
        "assert g.node_id('a') == 0\n"
        "os.truncate(sys.argv[1] + '/shared.map', 0)\n"
        "try:\n"
        "    g.node_id('a')\n"
        "except lithograph.CorruptionError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", command, str(path)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "shared.map" in done.stdout
