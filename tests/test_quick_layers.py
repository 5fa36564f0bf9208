"""What the kernel says of nodes and lists that newer segments have changed: as the careful way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quick_histories import TIME, Call, compare, done, fields, writes

from lithograph import Graph, kernel
from lithograph.errors import CorruptionError
from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.file_header import FileKind
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.properties import encode_properties
from lithograph.graph import registry
from lithograph.options import Options, Tuning
from lithograph.read.fold import fold_node, is_live
from lithograph.read.neighbors import neighbor_list
from lithograph.read.records import Node
from lithograph.segments.layer import Direction, Layers
from lithograph.segments.segment_layer import SegmentLayer
from lithograph.segments.segment_reader import SegmentReader
from lithograph.segments.version import EdgeVersion, NodeVersion
from lithograph.tools.testing import segment_samples as segments
from lithograph.tools.testing.samples import MOMENT
from lithograph.tools.testing.slices import RawSlice

if kernel.quick is None:
    pytest.skip("the reference kernel has nothing quick", allow_module_level=True)

from lithograph.kernel._reads import UNSURE, QuickStore, QuickView

TYPES = ["one", "two", "three"]
BORN = 4
"""Nodes of the older segment."""


def _open(path: Path) -> Graph:
    """Return a store whose segments are not merged."""
    tuning = Tuning(background=False, compaction=False)
    return Graph(
        registry.acquire(str(path), Options(durability="off", tuning=tuning)), writable=True
    )


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[Graph]:
    """A store of three nodes and four edges in one segment."""
    with _open(tmp_path / "g") as graph:
        for name in ("a", "b", "c"):
            graph.put_node(name, type="T", observations=["one", "two"], properties={"k": 1})
        for kind in ("T", "U"):
            graph.put_edge("a", kind, "b")
            graph.put_edge("a", kind, "c")
        graph.checkpoint()
        yield graph


def _all_sure(graph: Graph) -> bool:
    # The careful way opens files and checks blocks, once.
    for _ in compare(graph):
        pass
    return all(compare(graph))


# Histories ----------------------------------------------------------------------------------------


@given(st.lists(st.lists(writes(), min_size=1, max_size=3), min_size=2, max_size=6))
def test_what_segments_changed_is_read_as_the_careful_way_reads_it(
    flushes: list[list[Call]],
) -> None:
    with TemporaryDirectory() as directory, _open(Path(directory) / "g") as graph:
        for name in ("a", "b"):
            graph.put_node(name, observations=["one", "zwei", "one"], properties={"k": 1})
        graph.put_edge("a", "T", "b")
        for calls in flushes:
            for call in calls:
                done(graph, call)
            graph.checkpoint()
        assert _all_sure(graph)


def test_changed_nodes_and_lists_are_answered_by_the_kernel(graph: Graph) -> None:
    graph.put_node("new", type="N", observations=["three"])
    graph.put_node("a", type="U", created_at=TIME)
    graph.add_observations("b", ["three"])
    graph.update_properties("c", {"m": 2}, remove=["k"])
    graph.delete_edge("a", "T", "b")
    graph.put_edge("a", "U", "c", properties={"changed": True})
    graph.checkpoint()
    graph.put_edge("a", "T", "new")
    graph.put_edge("a", "T", "b")
    graph.remove_observations("b", ["one"])
    graph.delete_edge("a", "U", "b")
    graph.put_node("c", properties=None, observations=["x"])
    graph.checkpoint()
    graph.put_node("a", created_at=None)
    graph.delete_edge("a", "T", "new")
    graph.add_observations("b", ["four"])
    graph.checkpoint()

    assert _all_sure(graph)
    assert graph.neighbors("a") == ["b", "c", "c"]
    assert graph.degree("a") == 3
    assert graph.node("a").type == "U"
    assert graph.node("b").observations == ("two", "three", "four")
    assert graph.node("c").properties == {}
    assert graph.node("c").observations == ("x",)

    # Memtables above them.
    graph.add_observations("b", ["five"])
    graph.delete_edge("a", "T", "b")
    graph.put_edge("a", "T", "a")
    assert _all_sure(graph)
    assert graph.neighbors("a") == ["a", "c", "c"]


def test_hubs_that_segments_changed_are_answered_by_the_kernel(graph: Graph) -> None:
    """Lists with indexes, of several groups, over many segments."""
    names = [f"n{number}" for number in range(600)]
    with graph.transaction() as tx:
        for name in names:
            tx.put_edge("a", "T", name, create_missing=True)
            tx.put_edge(name, "U", "a")
    graph.checkpoint()
    left = set(names)
    for turn in range(12):
        with graph.transaction() as tx:
            for name in names[turn::7]:
                if (turn + int(name[1:])) % 3:
                    tx.delete_edge("a", "T", name)
                    left.discard(name)
                else:
                    tx.put_edge("a", "T", name, properties={"turn": turn})
                    left.add(name)
                tx.put_edge("a", f"V{turn}", name)
        graph.checkpoint()

    view = graph._view()
    assert view.quick is not None
    for direction in Direction:
        for codes in (None, [0], [1, 7]):
            careful = neighbor_list(view.layers, 0, (direction,), codes, view.sequence)
            assert view.quick.neighbors(0, direction, codes).tolist() == careful
            assert view.quick.degree(0, direction, codes) == len(careful)
    assert graph.neighbors("a", types="T") == ["b", "c", *(name for name in names if name in left)]
    assert graph.degree("a", types="V3") == len(names[3::7])


def test_parallel_edges_are_told_by_their_keys_in_the_kernel(graph: Graph) -> None:
    for number in range(300):
        graph.put_edge("a", "T", "b", key=f"k{number:03}")
    graph.checkpoint()
    for number in range(0, 300, 3):
        graph.delete_edge("a", "T", "b", key=f"k{number:03}")
        graph.put_edge("a", "T", "b", key=f"k{number + 1:03}", properties={"changed": True})
    graph.checkpoint()
    graph.delete_edge("a", "T", "b")
    graph.put_edge("a", "T", "b", key="new")
    graph.checkpoint()

    assert _all_sure(graph)
    assert graph.neighbors("a", types="T") == ["b"] * 201 + ["c"]
    assert graph.degree("b", "in") == 202


def test_a_node_that_a_newer_segment_ended_has_neither_fields_nor_edges(graph: Graph) -> None:
    graph.delete_node("b")
    graph.checkpoint()

    for _ in range(2):
        assert graph.get_node("b") is None
        assert graph.neighbors("a") == ["c", "c"]
        assert graph.neighbor_ids(1, "in").tolist() == []
        with pytest.raises(KeyError):
            graph.names([1])
    assert _all_sure(graph)


# Damaged bytes ------------------------------------------------------------------------------------


def _older() -> RawSlice:
    """Return a slice that makes some nodes and edges."""
    slice_ = RawSlice(1, 0, BORN, [MOMENT - 10**9] * 9, [BORN] * 9, [3] * 9)
    patch = NodePatch(
        type_code=1, observations=("a", "b", "a"), properties=encode_properties({"k": 1, "l": 2})
    )
    for node_id in range(BORN):
        slice_.raw_names[node_id] = f"n{node_id}"
        slice_.raw_nodes[node_id] = [NodeVersion(2, MOMENT - 10**9, patch, True, MOMENT - 10**9, 2)]
    parallel = [(3, (0, 0, key)) for key in ("", "k", "l", "m")]
    for edge in (
        (0, (0, 1, "")),
        (0, (1, 2, "")),
        (2, (0, 0, "")),
        (2, (0, 3, "")),
        *parallel,
    ):
        slice_.raw_edges[edge] = [
            EdgeVersion(2, MOMENT - 10**9, EdgePatch(), True, MOMENT - 10**9, 2)
        ]
    return slice_


def _newer() -> RawSlice:
    """Return a slice that changes them, each field of a node once."""
    slice_ = RawSlice(10, BORN, BORN + 1, [MOMENT, MOMENT + 5], [BORN] * 2, [3] * 2)
    slice_.raw_names[BORN] = "new"
    slice_.raw_nodes = {
        0: [NodeVersion(10, MOMENT, NodePatch(2, -(2**63), ("é", "x")), False)],
        1: [
            NodeVersion(
                11,
                MOMENT + 5,
                NodePatch(
                    removed=("a",),
                    appended=("c", ""),
                    properties_set=encode_properties({"m": [1, 2]}),
                    properties_unset=("k",),
                ),
                False,
            )
        ],
        2: [NodeVersion(10, MOMENT, None, False)],
        3: [
            NodeVersion(
                10,
                MOMENT,
                NodePatch(created_at=MOMENT // 10**6 * 10**6, properties=b"\x80"),
                False,
            )
        ],
        BORN: [NodeVersion(10, MOMENT, NodePatch(), True, MOMENT, 10)],
    }
    full = EdgeVersion(11, MOMENT + 5, EdgePatch(), True, MOMENT + 5, 11)
    slice_.raw_edges = {
        (0, (0, 1, "")): [EdgeVersion(10, MOMENT, None, False)],
        (0, (0, 3, "")): [full],
        (0, (1, 2, "")): [EdgeVersion(10, MOMENT, EdgePatch(valid_to=MOMENT), False)],
        (0, (40, BORN, "")): [full],
        (2, (0, 3, "")): [EdgeVersion(10, MOMENT, None, False)],
        (3, (0, 0, "k")): [EdgeVersion(10, MOMENT, None, False)],
        (3, (0, 0, "kä")): [full],
        (3, (0, 0, "l")): [EdgeVersion(10, MOMENT, EdgePatch(valid_to=MOMENT), False)],
        (3, (1, 1, "")): [full],
        (1, (0, 2, "")): [full],
    }
    return slice_


def _view_of(*readers: SegmentReader) -> tuple[QuickView, Layers]:
    """Return the newest view of segments, newest first, as the kernel and as the careful way has
    them."""
    store = QuickStore([], [(one.footer.first_id, one.footer.end_id) for one in readers])
    for place, reader in enumerate(readers):
        assert list(reader.file.check_blocks()) == []
        assert reader.quick_lists is not None
        store.put_segment(place, *reader.quick_lists, reader.quick_nodes, reader.quick_names)
    layers = tuple([SegmentLayer(reader, lambda: None) for reader in readers])
    return QuickView(store, (), 2**62, TYPES).make_nodes_of(Node), Layers((), layers, None)


def _outcome(call: Any) -> Any:
    try:
        return call()
    except CorruptionError:
        return CorruptionError


def _check_view(view: QuickView, layers: Layers, ids: range) -> tuple[int, int]:
    """Compare everything with the careful way; return how often the kernel was sure, and unsure."""
    answers = []
    for node_id in ids:
        # First what the careful way brings to hand.
        state = _outcome(lambda: fold_node(layers, node_id, 2**62))  # noqa: B023
        found = view.node_by_id(node_id, "name")
        answers.append(found is not UNSURE)
        if found is not UNSURE:
            assert state not in (None, CorruptionError)
            code = state.type_code
            wanted = Node(node_id, "name", "" if code is None else TYPES[code], *state[2:])
            assert fields(found) == fields(wanted)
        [name] = view.names_of([node_id], True, lambda node_id: "")
        # What is wrong in a record besides the mark of its end does not change a name.
        alive = _outcome(lambda: is_live(layers, node_id, 2**62))  # noqa: B023
        assert not name or alive in (True, CorruptionError)
        for direction in Direction:
            for codes in (None, frozenset([0, 40])):
                ends = view.neighbors(node_id, direction, codes)
                answers.append(ends is not UNSURE)
                if ends is not UNSURE:
                    assert ends.tolist() == neighbor_list(
                        layers, node_id, (direction,), codes, 2**62
                    )
                count = view.degree(node_id, direction, codes)
                assert count is UNSURE or ends is UNSURE or count == len(ends)
            reached = view.k_hop(node_id, 1, [direction], None, lambda node_id, direction: [77])
            ends = view.neighbors(node_id, direction, None)
            if ends is not UNSURE:
                assert reached[0].tolist() == sorted(set(ends.tolist()) - {node_id})
    return sum(answers), answers.count(False)


@given(segments.slices(), st.booleans())
def test_any_slice_over_an_older_one_is_read_as_the_careful_way_reads_it(
    slice_: RawSlice, compress: bool
) -> None:
    for versions in slice_.raw_nodes.values():
        for place, version in enumerate(versions):
            code = version.change.type_code if version.change is not None else None
            if version.change is not None and code is not None:
                change = version.change._replace(type_code=code % 3)
                versions[place] = version._replace(change=change)
    # An edge that both of them make would be one that the older one never made.
    older = _older()
    older.raw_edges = {
        edge: versions
        for edge, versions in older.raw_edges.items()
        if edge not in slice_.raw_edges or not slice_.raw_edges[edge][0].full
    }
    newer = segments.write(slice_, compress=compress).segment()
    view, layers = _view_of(newer, segments.write(older, compress=compress).segment())

    _check_view(view, layers, range(slice_.end_id + 1))


def test_of_more_segments_than_are_asked_the_careful_way_tells() -> None:
    slice_ = _newer()
    # Nobody makes an edge twice.
    del slice_.raw_edges[1, (0, 2, "")]
    older, newer = segments.write(_older()).segment(), segments.write(slice_).segment()
    for count, is_sure in ((64, True), (65, False)):
        view, layers = _view_of(*[newer] * count, older)
        _check_view(view, layers, range(BORN + 1))
        for found in (
            view.node_by_id(1, "n1"),
            view.neighbors(0, 0, None),
            view.degree(0, 0, None),
        ):
            assert (found is not UNSURE) == is_sure


def test_of_damaged_changes_nothing_else_is_read() -> None:
    older = segments.write(_older()).segment()
    written = segments.write(_newer())
    view, layers = _view_of(written.segment(), older)
    assert _check_view(view, layers, range(BORN + 1))[1] == 1  # The node that has ended.
    data, body = segments.data_and_body(written, FileKind.SEGMENT)
    sections = written.written.footer.sections
    sure = unsure = 0
    for name in ("sparse_nodes", "sparse_out", "sparse_in"):
        for offset in range(sections[name].offset, sections[f"{name}_filter"].end):
            # The lowest bit too: of a list's head it says that there are no marks.
            for bits in (1, 1 << offset % 8 if offset % 5 else 0xFF):
                damaged = bytearray(data)
                damaged[offset] ^= bits
                ref = segments.seal(written, FileKind.SEGMENT, bytes(damaged), body)
                segment = _outcome(lambda ref=ref: written.segment(ref))
                if segment is not CorruptionError:
                    counts = _check_view(*_view_of(segment, older), range(BORN + 1))
                    sure, unsure = sure + counts[0], unsure + counts[1]

    assert sure > 1000
    assert unsure > 100


def test_hostile_rows_of_a_directory_are_left_to_the_careful_way() -> None:
    """First ids and offsets that lead anywhere."""
    older = segments.write(_older()).segment()
    written = segments.write(_newer())
    data, body = segments.data_and_body(written, FileKind.SEGMENT)
    sections = written.written.footer.sections
    for name in ("sparse_nodes", "sparse_out", "sparse_in"):
        directory = sections[f"{name}_directory"]
        for offset in range(directory.offset, directory.end, 8):
            for value in (1, 2**31, 2**47, 2**48, 2**63, 2**64 - 1, 2**64 - 8):
                damaged = bytearray(data)
                damaged[offset : offset + 8] = value.to_bytes(8, "little")
                ref = segments.seal(written, FileKind.SEGMENT, bytes(damaged), body)
                segment = _outcome(lambda ref=ref: written.segment(ref))
                if segment is not CorruptionError:
                    _check_view(*_view_of(segment, older), range(BORN + 1))
