"""What the kernel reads straight from maps: the careful way's answer, or that it is unsure; and it
is unsure wherever the careful way says that something is wrong."""

from __future__ import annotations

import contextlib
import copy
import gc
import json
import os
import pickle
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lithograph
from lithograph import kernel
from lithograph.errors import CorruptionError
from lithograph.files import OsFiles
from lithograph.formats.adjacency_group import Mark
from lithograph.formats.block_columns import Record
from lithograph.formats.cursor import Cursor
from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.file_header import HEADER_SIZE, FileKind
from lithograph.formats.file_names import run_name
from lithograph.formats.moment import MOMENT_MAX, MOMENT_MIN, decode_moment
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.properties import check_encoded, encode_properties
from lithograph.formats.segment_shape import ON_DISK
from lithograph.formats.table_block import decode_heads, decode_ids, decode_presence, encode_block
from lithograph.formats.version_record import NODE_VERSIONS, CommitSpan
from lithograph.ids import ABSENT
from lithograph.read.fold import find_name, fold_node, is_live
from lithograph.read.neighbors import degree, neighbor_list
from lithograph.read.records import Node, PlainNode
from lithograph.read.traversal import k_hop
from lithograph.segments.adjacency_reader import FoundList
from lithograph.segments.layer import Direction, Layers
from lithograph.segments.run_reader import RunReader
from lithograph.segments.run_writer import RunWriter
from lithograph.segments.sealed_writer import SealedWriter
from lithograph.segments.segment_layer import SegmentLayer
from lithograph.segments.segment_reader import SegmentReader, decode_node_version
from lithograph.segments.version import EdgeVersion, NodeVersion
from lithograph.tools.testing import run_samples as runs
from lithograph.tools.testing import segment_samples as segments
from lithograph.tools.testing.samples import MOMENT
from lithograph.tools.testing.slices import RawSlice
from lithograph.tools.testing.strategies import node_patches, property_maps

if kernel.quick is None:
    pytest.skip("the reference kernel has nothing quick", allow_module_level=True)

from lithograph.kernel._reads import (
    UNSURE,
    NodeRecord,
    QuickHotNames,
    QuickRun,
    QuickStore,
    QuickView,
    block_heads,
    is_plain_map,
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
        some = random.Random(1).sample(sorted(names), 8)
        _all_found([quick], [name.decode() for name in some])
        for name in some:
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


def _all_found(quicks: list[QuickRun], names: list[str]) -> list[int]:
    """Return the ids of names as a view over runs finds them all at once; -2 where it is unsure."""
    store = QuickStore(range(len(quicks)), [])
    for place, quick in enumerate(quicks):
        store.put_run(place, quick)
    view = QuickView(store, (), 2**62)
    ids = np.empty(len(names), np.int64)
    view.find_many(list(names), ids, lambda name: -2)
    for name, node_id in zip(names, ids.tolist(), strict=True):
        single = view.find(name)
        assert node_id == (-2 if single is UNSURE else -1 if single is None else single)
    return list(ids.tolist())


def _tall() -> runs.Names:
    """Return names of a run with branches, whose fences often begin with the same bytes."""
    numbers = random.Random(1).sample(range(10**9), 30_000)
    heads = ("node:", "node:aaaaaaaaaaaaaaaaaaaaaaaa", "node:aaaaaaaaaaaaaaaaaaaaaaaa\0", "z")
    return {f"{heads[n % 4]}{n:x}".encode(): [(runs.FIRST, n)] for n in numbers}


def test_names_looked_up_together_are_found_as_alone() -> None:
    newer = {b"node:gone": [(runs.FIRST, ABSENT)], b"node:moved": [(runs.FIRST, 77)]}
    older = _tall() | {b"node:gone": [(runs.FIRST, 5)], b"node:moved": [(runs.FIRST, 6)]}
    quicks = [_touched(runs.run_of(newer)), _touched(runs.run_of(older))]
    names = [name.decode() for name in older]
    wanted = {**{name: found[0][1] for name, found in (older | newer).items()}}
    absent = [name + "!" for name in names[:500]] + ["", "\0", "\uffff", "a" * 1025]

    found = _all_found(quicks, names + absent)
    assert found[: len(names)] == [wanted[name.encode()] for name in names]
    assert set(found[len(names) :]) == {-1, -2}
    assert found[-4] == found[-1] == -2


@given(st.dictionaries(runs.raw_names | runs.long_names, st.integers(0, 99), min_size=1))
def test_any_names_looked_up_together_are_found_as_alone(ids: dict[bytes, int]) -> None:
    quick = _touched(runs.run_of({name: [(runs.FIRST, n)] for name, n in ids.items()}))
    names = [name.decode("utf-8", "ignore") for name in ids for _ in range(2)]

    for name, found in zip(names, _all_found([quick], names), strict=True):
        assert found in (ids.get(name.encode(), -1), -2)


@given(
    st.lists(
        st.dictionaries(
            st.text("ab", min_size=1, max_size=2) | st.text("ab", min_size=47, max_size=50),
            st.sampled_from([ABSENT, 0, 5, 2**47]),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([0, 64, 200, 2**14]),
)
def test_names_that_are_kept_are_those_of_the_runs(
    changes: list[dict[str, int]], size_bytes: int
) -> None:
    """One run more in each round, and the same few places for what was found."""
    hot = QuickHotNames(size_bytes)
    quicks: list[QuickRun] = []
    wanted: dict[str, int] = {}
    for change in changes:
        wanted |= change
        raw = {name.encode(): [(runs.FIRST, node_id)] for name, node_id in change.items()}
        quicks.insert(0, _touched(runs.run_of(raw)))
        store = QuickStore(range(len(quicks), 0, -1), [], hot)
        for place, quick in enumerate(quicks):
            store.put_run(place, quick)
        view = QuickView(store, (), 0)
        names = [*wanted, "c", *wanted, "b" * 48]
        expected = [wanted.get(name, ABSENT) for name in names]
        ids = np.empty(len(names), np.int64)
        for _ in range(2):
            assert [view.find(name) for name in names] == [
                None if node_id == ABSENT else node_id for node_id in expected
            ]
            view.find_many(list(names), ids, lambda name: -2)
            assert ids.tolist() == expected

    assert hot.size_bytes <= size_bytes


def test_a_name_that_is_kept_needs_no_run() -> None:
    quick = _touched(runs.run_of({b"a": [(runs.FIRST, 3)], b"b" * 49: [(runs.FIRST, 4)]}))
    hot = QuickHotNames(2**12)
    store = QuickStore([9], [], hot)
    store.put_run(0, quick)
    assert [QuickView(store, (), 0).find(name) for name in ("a", "b" * 49, "c")] == [3, 4, None]

    later = QuickView(QuickStore([9], [], hot), (), 0)
    assert later.find("a") == 3
    assert later.find("b" * 49) is UNSURE
    assert later.find("c") is UNSURE
    assert QuickView(QuickStore([8], [], hot), (), 0).find("a") is UNSURE
    assert QuickView(QuickStore([10, 9], [], hot), (), 0).find("a") is UNSURE


def test_names_are_kept_while_there_is_room_and_forgotten_at_once() -> None:
    ids = {f"name {number}".encode(): [(runs.FIRST, number)] for number in range(3000)}
    names = [name.decode() for name in ids]
    quick = _touched(runs.run_of(ids))
    hot = QuickHotNames(2**20)
    assert hot.size_bytes == 0
    store = QuickStore([9], [], hot)
    store.put_run(0, quick)
    view = QuickView(store, (), 0)
    found = np.empty(len(names), np.int64)
    for _ in range(2):
        view.find_many(list(names), found, lambda name: -2)
        assert found.tolist() == list(range(3000))
    assert 3000 * 64 < hot.size_bytes <= 2**20

    # Without the run: most are kept, each with its own id.
    later = QuickView(QuickStore([9], [], hot), (), 0)
    known = [later.find(name) for name in names]
    assert sum(node_id is not UNSURE for node_id in known) > 2000
    assert all(node_id in (number, UNSURE) for number, node_id in enumerate(known))
    hot.clear()
    assert hot.size_bytes == 0
    assert later.find(names[0]) is UNSURE
    assert view.find(names[1]) == 1


def test_a_closed_store_keeps_no_names(tmp_path: Path) -> None:
    """A suite that opened thousands of stores had 6 GB of them until the collector came."""
    with lithograph.open(tmp_path / "s.graph") as graph:
        graph.put_node("a")
        graph.checkpoint()
        assert [graph.node_id("a") for _ in range(3)] == [0, 0, 0]
        hot = graph._engine.shelf.quick_names
        assert hot is not None
        assert hot.size_bytes > 0

    assert hot.size_bytes == 0


# Lists -------------------------------------------------------------------------------------------


def _view_of(segment: SegmentReader) -> QuickView:
    assert list(segment.file.check_blocks()) == []
    store = QuickStore([], [(segment.footer.first_id, segment.footer.end_id)])
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
                edges, marks = stored.decode() if stored is not None else ([], [])
                if stored is not None and direction == Direction.OUT:
                    assert stored._quick_position() in (None, stored._careful_position())
                assert segment.quick_lists is not None
                for code, other in ((1, 5), *[edge[:2] for edge in edges]):
                    known = segment.quick_lists[direction].has(node_id, code, other)
                    # It may look for none in a list with keys, or with edges that have ended.
                    has_keys = any(edge[2] for edge in edges)
                    assert known is UNSURE or known == ((code, other, "") in edges)
                    is_pure = stored is None or stored.is_pure
                    assert known is not UNSURE or has_keys or not is_pure
                wanted = [
                    edge[1]
                    for edge, mark in zip(edges, marks, strict=True)
                    if mark != Mark.DEAD and (codes is None or edge[0] in codes)
                ]
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


def test_a_traversal_gives_many_ids_in_order_however_high_they_are() -> None:
    rng = random.Random(2)
    for high in (2_000, 2**22, 2**47):
        targets = sorted({rng.randrange(high) for _ in range(3_000)} - {3})
        slice_ = RawSlice(10, 2**47, 2**47, [MOMENT], [10], [0])
        for target in targets:
            slice_.raw_edges[3, (0, target, "")] = [
                EdgeVersion(10, MOMENT, EdgePatch(), True, MOMENT, 10)
            ]
        view = _view_of(segments.write(slice_).segment())

        assert view.neighbors(3, 0, None).tolist() == targets
        (found,) = view.k_hop(3, 1, [0], None, lambda node_id, direction: [])
        assert found.tolist() == targets


def test_lists_of_hubs_are_read_to_their_end() -> None:
    written = segments.write(_hubs())
    segment = written.segment()

    assert _compare(segment, range(702)) == 702 * 2 * 4
    stored = segment.list_of(3, Direction.OUT)
    assert stored is not None
    assert stored.count() > 700
    assert stored._quick_position() is not None
    after = segment.list_of(4, Direction.OUT)
    assert after is not None
    assert after._quick_position() == after._careful_position() > stored.count()


def _outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except CorruptionError:
        return CorruptionError


def _same_position(segment: SegmentReader, node_id: int, direction: Direction) -> None:
    """Compare the position of a list that is there with the careful way's, errors too."""
    stored = segment.list_of(node_id, direction) if direction == Direction.OUT else None
    if stored is not None:
        assert _outcome(stored.position) == _outcome(stored._careful_position)


def _alive(stored: FoundList | None) -> list[int]:
    """Return the neighbors of a list whose edges have not ended."""
    edges, marks = stored.decode() if stored is not None else ([], [])
    return [edge[1] for edge, mark in zip(edges, marks, strict=True) if mark != Mark.DEAD]


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
                    _same_position(segment, node_id, direction)
                    stored = segment.list_of(node_id, direction)
                    assert found.tolist() == _alive(stored)

    assert unsure > 0


def test_in_damaged_numbers_of_every_size_nothing_else_is_found() -> None:
    """Zeros, numbers that do not end, and ones longer than they must be, of one byte to seven."""
    rng = random.Random(3)
    count, end_id = 50, 2**47
    targets = sorted({rng.randrange(2 ** rng.randrange(1, 47)) for _ in range(count)} - {3})
    slice_ = RawSlice(10, end_id, end_id, [MOMENT], [count], [0])
    for target in targets:
        slice_.raw_edges[3, (0, target, "")] = [
            EdgeVersion(10, MOMENT, EdgePatch(), True, MOMENT, 10)
        ]
    written = segments.write(slice_, shape=ON_DISK)
    data, body = segments.data_and_body(written, FileKind.SEGMENT)
    section = written.written.footer.sections["sparse_out"]
    found: Counter[str] = Counter()
    for offset in range(section.offset, section.end):
        for byte in {0, 0x80, 0xFF, data[offset] ^ 0x80, data[offset] ^ 1} - {data[offset]}:
            damaged = data[:offset] + bytes([byte]) + data[offset + 1 :]
            ref = segments.seal(written, FileKind.SEGMENT, damaged, body)
            segment = _outcome(lambda ref=ref: written.segment(ref))  # type: ignore[misc]
            if segment is CorruptionError:
                continue
            known = _view_of(segment).neighbors(3, 0, None)
            stored = _outcome(lambda segment=segment: segment.list_of(3, Direction.OUT))  # type: ignore[misc]
            wanted = [] if stored is None else stored
            if wanted and wanted is not CorruptionError:
                wanted = _outcome(lambda stored=stored: [edge[1] for edge in stored.decode().edges])  # type: ignore[misc]
            found["unsure" if known is UNSURE else "sure"] += 1
            assert known is UNSURE or known.tolist() == wanted

    assert found["unsure"] > 30
    assert found["sure"] > 50


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


# What readers get of nodes ------------------------------------------------------------------------


def _nodes_view(segment: SegmentReader, *names: str) -> QuickView:
    store = QuickStore([], [(segment.footer.first_id, segment.footer.end_id)])
    assert segment.quick_lists is not None
    store.put_segment(0, *segment.quick_lists, segment.quick_nodes, segment.quick_names)
    return QuickView(store, (), 2**62, list(names)).make_nodes_of(Node)


def _fields(node: Any) -> list[Any]:
    own = ("_properties", "_created_at", "_updated_at", "_born")
    return [getattr(node, field) for field in (*Node._fields, *own)]


def _compare_whole_nodes(segment: SegmentReader, ids: range) -> int:
    """Compare nodes with those of the careful way, field by field; return how many were sure."""
    types = ("one", "two", "three")
    view = _nodes_view(segment, *types)
    layers = Layers((), (SegmentLayer(segment, lambda: None),), None)
    sure = 0
    for node_id in ids:
        for _ in range(2):
            found = view.node_by_id(node_id, "name")
            if found is UNSURE:
                continue
            sure += 1
            state = fold_node(layers, node_id, segment.footer.last_sequence)
            assert state is not None
            code = state.type_code
            rest: Any = state[2:]
            type_name = "" if code is None else types[code]
            plain = PlainNode(node_id, "name", type_name, *rest)
            assert type(found) is Node
            assert _fields(found) == _fields(plain)
            assert found == Node(node_id, "name", type_name, *rest)
    return sure


@given(segments.slices(), st.booleans())
def test_nodes_have_the_fields_that_the_careful_way_finds(slice_: RawSlice, compress: bool) -> None:
    for versions in slice_.raw_nodes.values():
        for place, version in enumerate(versions):
            code = version.change.type_code if version.change is not None else None
            if version.change is not None and code is not None:
                change = version.change._replace(type_code=code % 4)
                versions[place] = version._replace(change=change)
    segment = segments.write(slice_, compress=compress).segment()
    assert list(segment.file.check_blocks()) == []

    _compare_whole_nodes(segment, range(slice_.end_id))


def _compare_names(segment: SegmentReader, ids: range) -> int:
    """Compare names of nodes with the careful way's; return how many were sure."""
    view = _nodes_view(segment)
    layers = Layers((), (SegmentLayer(segment, lambda: None),), None)
    sure = 0
    for alive in (False, True):
        for node_id in ids:
            [found] = view.names_of([node_id], alive, lambda node_id: "unsure\0")
            if found == "unsure\0":
                continue
            sure += 1
            assert found == segment.name_of(node_id)
            assert not alive or is_live(layers, node_id, segment.footer.last_sequence)
    return sure


@given(segments.slices(), st.booleans())
def test_names_by_id_are_those_of_the_careful_way(slice_: RawSlice, compress: bool) -> None:
    segment = segments.write(slice_, compress=compress).segment()
    assert list(segment.file.check_blocks()) == []
    for node_id in range(slice_.end_id):
        segment.name_of(node_id)

    assert _compare_names(segment, range(slice_.end_id + 2)) >= len(slice_.raw_names)


def test_in_damaged_names_by_id_nothing_else_is_found() -> None:
    written = segments.write(segments.sample(), shape=ON_DISK)
    data, body = segments.data_and_body(written, FileKind.SEGMENT)
    sections = written.written.footer.sections
    sure = tries = 0
    for offset in range(sections["names"].offset, sections["names_directory"].end):
        damaged = bytearray(data)
        damaged[offset] ^= 1 << offset % 8 if offset % 5 else 0xFF
        ref = segments.seal(written, FileKind.SEGMENT, bytes(damaged), body)
        segment = _outcome(lambda ref=ref: written.segment(ref))  # type: ignore[misc]
        if segment is not CorruptionError:
            assert list(segment.file.check_blocks()) == []
            sure += _compare_names(segment, range(9))
            tries += 18

    assert 0 < sure < tries


def test_anything_but_an_id_is_left_to_the_careful_way() -> None:
    segment = segments.write(_many_nodes(5), shape=ON_DISK).segment()
    assert list(segment.file.check_blocks()) == []
    view = _nodes_view(segment)
    asked: list[Any] = []

    def careful(item: Any) -> str:
        asked.append(item)
        return "asked"

    items = [True, -1, 2**48, 2**70, None, "1", np.int64(1), 1.0, 5]
    assert view.names_of(items, False, careful) == ["asked"] * len(items)
    assert asked == items
    with pytest.raises(ZeroDivisionError):
        view.names_of([-1], False, lambda item: 1 // 0)  # type: ignore[arg-type,return-value]


def _many_nodes(count: int) -> RawSlice:
    """Return a slice of nodes whose texts are ASCII or not, with and without everything else."""
    slice_ = RawSlice(10, 0, count, [MOMENT, MOMENT + 5], [count, count], [0, 0])
    for node_id in range(count):
        patch = NodePatch(
            type_code=None if node_id % 5 == 0 else node_id % 3,
            created_at=(None, MOMENT - 7, -(10**15), MOMENT // 1000 * 1000)[node_id % 4],
            observations=None if node_id % 7 == 0 else ("é" * (node_id % 3), f"plain {node_id}"),
            properties=encode_properties({"a": node_id}) if node_id % 6 == 0 else None,
        )
        sequence = 10 + node_id % 2
        time = MOMENT + 5 * (node_id % 2)
        slice_.raw_nodes[node_id] = [NodeVersion(sequence, time, patch, True, time, sequence)]
    return slice_


@pytest.mark.parametrize("compress", [False, True])
def test_many_nodes_have_their_fields(compress: bool) -> None:
    count = 300
    segment = segments.write(_many_nodes(count), compress=compress).segment()
    for node_id in range(0, count, 64):
        segment.node_version(node_id)

    assert _compare_whole_nodes(segment, range(count)) == 2 * count


def test_blocks_of_nodes_at_hand_are_bounded() -> None:
    count = 64 * 40
    written = segments.write(_many_nodes(count))
    assert written.segment(nodes_size_bytes=1000).quick_nodes is not None
    room = 20_000
    segment = written.segment(nodes_size_bytes=room)
    nodes = segment.quick_nodes
    assert nodes is not None
    assert list(segment.file.check_blocks()) == []
    at_hand: Any = segment.dense_nodes._cache.nodes  # type: ignore[union-attr]
    rng = random.Random(1)
    for _ in range(2000):
        node_id = min(rng.randrange(count), rng.randrange(count))
        found = segment.dense_nodes.find(node_id)
        assert found is not None
        record = segment.dense_nodes.record(*found)
        assert nodes.find(node_id) == node_record(record.read(0, record.size))
        assert 0 < at_hand.size_bytes <= room
    assert 0 < at_hand.hit_count < 2000

    del nodes, segment
    gc.collect()
    assert at_hand.size_bytes == 0


def test_a_record_of_texts_that_are_not_utf_8_is_left_to_the_careful_way() -> None:
    written = segments.write(_many_nodes(5), shape=ON_DISK)
    data, body = segments.data_and_body(written, FileKind.SEGMENT)
    damaged = data.replace(b"plain 1", b"plain \xff")
    assert damaged != data
    segment = written.segment(segments.seal(written, FileKind.SEGMENT, damaged, body))
    assert list(segment.file.check_blocks()) == []
    view = _nodes_view(segment, "a", "b", "c")

    assert view.node_by_id(1, "one") is UNSURE
    assert view.node_by_id(2, "two").observations == ("éé", "plain 2")
    with pytest.raises(CorruptionError, match="UTF-8"):
        segment.node_version(1)


@given(property_maps, st.binary(max_size=3), st.integers(0, 60), st.integers(0, 255))
def test_maps_that_are_plain_are_sound(
    properties: dict[str, Any], more: bytes, place: int, byte: int
) -> None:
    data = encode_properties(properties)
    assert (
        is_plain_map(data)
        or not json.dumps(properties, ensure_ascii=False).isascii()
        or _depth(properties) > 16
    )
    damaged = bytearray(data)
    damaged[place % len(data)] = byte
    for changed in (bytes(damaged), data + more, data[:place], more + data):
        if is_plain_map(changed):
            assert check_encoded(changed, 0) == changed


@given(st.binary(max_size=12), st.sampled_from([b"", b"\x81\xa1k", b"\x82\xa0", b"\xde\0\1\xa1k"]))
def test_any_bytes_that_are_a_plain_map_are_sound(data: bytes, start: bytes) -> None:
    if is_plain_map(start + data):
        assert check_encoded(start + data, 0) == start + data


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)


def test_maps_of_everything_are_plain_unless_deep_or_not_ascii() -> None:
    value: Any
    numbers = [0, 127, 128, 255, 256, 2**16, 2**32, 2**64 - 1, -1, -32, -33, -129, -(2**63), 0.5]
    texts = ["", "t" * 31, "t" * 32, "t" * 256, "t" * 70_000]
    for value in (numbers, texts, {"n": None, "t": True, "f": False}, [0] * 70_000, [[]] * 20):
        assert is_plain_map(encode_properties({"k": value}))
    deep: Any = 0
    for _ in range(40):
        deep = [deep]
    for value in ("é", {"é": 1}, deep):
        assert not is_plain_map(encode_properties({"k": value}))
    for data in (
        b"",
        b"\x90",
        b"\x81\xa1k\xcb\x7f\xf0" + bytes(6),
        b"\x81\x01\x01",
        b"\xdf\xff\xff\xff\xff",
    ):
        assert not is_plain_map(data)


@given(st.integers(MOMENT_MIN, MOMENT_MAX))
def test_moments_are_shown_as_plain_python_shows_them(moment: int) -> None:
    assert NodeRecord(1, "n", "t", (), b"\x80", moment, moment, 0).created_at == decode_moment(
        moment
    )


def test_nodes_are_immutable_and_not_pickled() -> None:
    node = Node(1, "n", "t", ("o",), b"\x80", 1, 2, 3)
    assert type(node).__mro__[1] is NodeRecord
    for field in (*Node._fields, "_born", "other"):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(node, field, 1)
        with pytest.raises(AttributeError, match="immutable"):
            delattr(node, field)
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(node)
    assert copy.deepcopy(node) is node
    assert node.properties is not node.properties


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
        node = view.quick.node(name)
        sure += node is not UNSURE
        if node_id is None:
            assert node in (None, UNSURE)
            continue
        careful = view.quick.names_of([node_id], True, lambda node_id: "unsure")
        sure += careful != ["unsure"]
        assert careful in ([name], ["unsure"])
        assert view.live_names([node_id]) == view.names_of([node_id]) == [name]
        if node is not UNSURE:
            state = fold_node(layers, node_id, sequence)
            assert state is not None
            assert _fields(node) == _fields(view.node_of(state, name))
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
    """Beside a writer: a view may show its newest node, one at a time, and changes nothing else."""
    count = 2000
    with lithograph.open(tmp_path / "s.graph") as graph:
        with graph.transaction() as tx:
            for number in range(count):
                tx.put_edge(f"n{number}", "a", f"n{number * 7 % count}", create_missing=True)
                tx.put_edge(f"n{number}", "a", f"n{number * 13 % count}", create_missing=True)
        graph.checkpoint()
        wanted = [[ids.tolist() for ids in graph.k_hop(f"n{number}", 6)] for number in range(20)]
        failed: list[int] = []
        new: list[list[int]] = []

        def run() -> None:
            for number in range(20):
                found = [ids.tolist() for ids in graph.k_hop(f"n{number}", 6)]
                if [[each for each in hop if each < count] for hop in found] != wanted[number]:
                    failed.append(number)
                new.append([each for hop in found for each in hop if each >= count])

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(50):
            graph.put_edge("n1", f"t{number}", "new", create_missing=True)
            graph.delete_node("new")
        for thread in threads:
            thread.join()

        assert failed == []
        assert max(map(len, new)) <= 1


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
        for number in range(1, 200):
            graph.put_node(f"n{number}")
            newest = number
            if number % 60 == 0:
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
