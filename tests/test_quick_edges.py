"""Edges as the kernel reads them: those that the careful way finds, or that it is unsure; and it is
unsure wherever the careful way says that something is wrong."""

from __future__ import annotations

import copy
import os
import pickle
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lithograph
from lithograph import Edge, Graph, kernel
from lithograph.errors import CorruptionError
from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.file_header import FileKind
from lithograph.formats.properties import encode_properties
from lithograph.formats.segment_shape import ON_DISK
from lithograph.read.fold import find_edge as careful_edge
from lithograph.read.neighbors import edge_states
from lithograph.segments.layer import Direction, Layers
from lithograph.segments.segment_layer import SegmentLayer
from lithograph.segments.segment_reader import SegmentReader
from lithograph.segments.version import EdgeVersion
from lithograph.tools.testing import segment_samples as segments
from lithograph.tools.testing.samples import MOMENT
from lithograph.tools.testing.slices import RawSlice
from lithograph.view import edge_scan
from lithograph.view import view as view_module

if kernel.quick is None:
    pytest.skip("the reference kernel has nothing quick", allow_module_level=True)

from lithograph.kernel._reads import UNSURE, QuickStore, QuickView, find_edge, take_edges

TYPES = [f"type {code}" for code in range(64)]
START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = 1 if os.environ.get("LITHOGRAPH_FUZZ") else 3


# One segment -------------------------------------------------------------------------------------


def _view_of(segment: SegmentReader) -> QuickView:
    store = QuickStore([], [(segment.footer.first_id, segment.footer.end_id)])
    assert segment.quick_lists is not None
    # Names are for `_name`: the samples do not give one to every end.
    store.put_segment(0, *segment.quick_lists, segment.quick_nodes, None, segment.quick_edges)
    return QuickView(store, (), 2**62, TYPES)


def _fields(edge: Any) -> list[Any]:
    own = ("_properties", "_created_at", "_valid_from", "_valid_to", "_born")
    return [getattr(edge, field) for field in (*Edge._fields, *own)]


def _name(node_id: int) -> str:
    return f"n{node_id}"


def _of_state(state: Any) -> list[Any]:
    return _fields(
        Edge(
            _name(state.source),
            TYPES[state.type_code],
            _name(state.target),
            state.key,
            source_id=state.source,
            target_id=state.target,
            created_at=state.created_at,
            valid_from=state.valid_from,
            valid_to=state.valid_to,
            properties=state.properties,
            born=state.born,
        )
    )


def _outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except CorruptionError:
        return CorruptionError


def _taken(view: QuickView, node_id: int, room: int) -> Any:
    """Return the edges of a node, taken so many at a time; or UNSURE."""
    found: list[Edge] = []
    at, after = 0, None
    while not at:
        edges, at, after, is_sure = take_edges(
            view, Edge, [node_id], at, after, room, None, None, None, _name
        )
        found += edges
        if not is_sure:
            return UNSURE
    return [_fields(edge) for edge in found]


def _compare(segment: SegmentReader, ids: range, room: int = 1000) -> int:
    """Compare the edges that leave nodes; return of how many nodes the kernel was sure."""
    view = _view_of(segment)
    layers = Layers((), (SegmentLayer(segment, lambda: None),), None)
    sequence = segment.footer.last_sequence
    sure = 0
    for node_id in ids:
        found = _taken(view, node_id, room)
        states = _outcome(
            lambda node_id=node_id: list(  # type: ignore[misc]
                edge_states(layers, node_id, Direction.OUT, None, sequence)
            )
        )
        if found is not UNSURE:
            sure += 1
            assert states is not CorruptionError
            assert found == [_of_state(state) for state in states]
        if states is not CorruptionError:
            for state in states[:: max(1, len(states) // 40)]:
                ends = (node_id, _name(node_id), state.type_code, state.target)
                one = find_edge(view, Edge, *ends, _name(state.target), state.key)
                assert one is UNSURE or _fields(one) == _of_state(state)
                other = find_edge(view, Edge, *ends, _name(state.target), "no such key")
                adjacent = (state.type_code, state.target, "no such key")
                assert other in (UNSURE, None)
                assert careful_edge(layers, node_id, adjacent, sequence) is None
    return sure


@given(segments.slices(), st.booleans(), st.integers(1, 4))
def test_edges_are_read_as_the_careful_way_reads_them(
    slice_: RawSlice, compress: bool, room: int
) -> None:
    written = segments.write(slice_, compress=compress)

    _compare(written.segment(), range(slice_.end_id + 2), room)


def _hubs() -> RawSlice:
    """Return a slice with lists of several groups, with fields, keys, and commits of their own."""
    count = 400
    times = [MOMENT + 1_000_003 * number for number in range(30)]
    slice_ = RawSlice(10, 0, count, times, [count] * 30, [0] * 30)
    slice_.raw_names = {node_id: _name(node_id) for node_id in range(count)}
    rng = random.Random(1)

    def made() -> EdgeVersion:
        number = rng.randrange(30)
        time = times[number]
        patch = EdgePatch(
            rng.choice([None, None, time - 5_000_000]),
            rng.choice([None, None, MOMENT // 1000 * 1000]),
            rng.choice([None, None, MOMENT + 77]),
            rng.choice([None, None, encode_properties({"weight": rng.random(), "note": "é" * 9})]),
        )
        return EdgeVersion(10 + number, time, patch, True, time, 10 + number)

    for _ in range(2_000):
        adjacent = (rng.choice([0, 1, 40]), rng.randrange(count), rng.choice(["", "", "k", "kk"]))
        slice_.raw_edges[rng.randrange(100), adjacent] = [made()]
    for target in range(count):
        slice_.raw_edges[3, (1, target, "")] = [made()]
        slice_.raw_edges[7, (0, 5, f"key {target:03}")] = [made()]
        for code in (1, 2, 40):
            slice_.raw_edges[101, (code, target, "")] = [made()]
    return slice_


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("room", [1, 30, 1000])
def test_edges_of_hubs_are_read_to_their_end(compress: bool, room: int) -> None:
    segment = segments.write(_hubs(), compress=compress).segment()

    # Blocks that nobody has checked or unpacked yet are no reason to be unsure.
    assert _compare(segment, range(402), room) == 402


def test_of_damaged_edges_nothing_else_is_read() -> None:
    written = segments.write(segments.sample(), shape=ON_DISK)
    data, body = segments.data_and_body(written, FileKind.SEGMENT)
    sections = written.written.footer.sections
    unsure = 0
    for name in ("sparse_out", "dense_out", "edges"):
        end = sections.get(f"{name}_filter", sections[f"{name}_directory"]).end
        for offset in range(sections[name].offset, end, STEP):
            damaged = bytearray(data)
            damaged[offset] ^= 1 << offset % 8 if offset % 5 else 0xFF
            ref = segments.seal(written, FileKind.SEGMENT, bytes(damaged), body)
            segment = _outcome(lambda ref=ref: written.segment(ref))  # type: ignore[misc]
            if segment is not CorruptionError:
                unsure += 9 - _compare(segment, range(9))

    assert unsure > 0


# Stores ------------------------------------------------------------------------------------------


def _plain(graph: Graph) -> Any:
    """Return the newest view without the kernel."""
    view = copy.copy(graph._view())
    view.quick = None
    return view


def _check(graph: Graph, names: list[str]) -> None:
    """Compare all edges of a store with those of the careful way."""
    view, plain = graph._view(), _plain(graph)
    moments = (None, _moment(3), _moment(30))
    for valid_at in moments:
        for codes in (None, frozenset([1])):
            found = [_fields(edge) for edge in view.all_edges(codes, valid_at)]
            assert found == [_fields(edge) for edge in plain.all_edges(codes, valid_at)]
    for name in names:
        node_id = view.look_up(name)
        if node_id is None:
            continue
        for directions in view_module.DIRECTIONS.values():
            for codes, valid_at in ((None, None), (frozenset([0, 2]), moments[1])):
                asked = (node_id, name, directions, codes, valid_at)
                found = [_fields(edge) for edge in view.edges_at(*asked)]
                assert found == [_fields(edge) for edge in plain.edges_at(*asked)]
        for edge in plain.edges_at(node_id, name, (Direction.OUT,), None, None):
            again = view.edge(edge.source, edge.type, edge.target, edge.key)
            assert _fields(again) == _fields(edge)
            assert view.edge(edge.target, edge.type, edge.source, "odd") is None


def _moment(day: int) -> int:
    return int((START + timedelta(days=day)).timestamp()) * 1_000_000


def _change(graph: Graph, rng: random.Random, names: list[str]) -> None:
    """Commit inserts, changes and ends of edges."""
    with graph.transaction() as tx:
        for _ in range(60):
            fields: dict[str, Any] = {}
            if rng.random() < 0.3:
                fields["valid_from"] = START + timedelta(days=rng.randrange(9))
            if rng.random() < 0.3:
                fields["valid_to"] = START + timedelta(days=9 + rng.randrange(30))
            if rng.random() < 0.3:
                fields["properties"] = {"weight": rng.randrange(9)}
            key = rng.choice(["", "", "", "a", "b"])
            ends = rng.choice(names[:6]), rng.choice("abc"), rng.choice(names)
            tx.put_edge(*ends, key=key, create_missing=True, **fields)
    for edge in list(graph.edges())[:: rng.randrange(5, 9)]:
        graph.delete_edge(edge.source, edge.type, edge.target, key=edge.key)


def test_a_store_answers_alike_through_flushes_changes_and_merges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few edges at a time, so that lists are gone on with; and over memtables, segments, both."""
    monkeypatch.setattr(edge_scan, "EDGES_FIRST", 2)
    monkeypatch.setattr(edge_scan, "EDGES_MAX", 8)
    monkeypatch.setattr(view_module, "_SOURCES_FIRST", 3)
    rng = random.Random(5)
    names = [f"node {number}" for number in range(40)]
    with lithograph.open(tmp_path / "s.graph") as graph:
        for round_ in range(5):
            _change(graph, rng, names[: 10 + 8 * round_])
            _check(graph, names[::3])
            if round_ == 3:
                graph.delete_node(names[2])
            graph.checkpoint()
            _check(graph, names[::3])
        graph.compact()
        _check(graph, names)


def test_edges_of_a_hub_in_memory_are_all_there(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "s.graph") as graph:
        with graph.transaction() as tx:
            for number in range(3_000):
                tx.put_edge("hub", "to", f"n{number:04}", create_missing=True)

        assert [edge.target for edge in graph.edges("hub")] == graph.neighbors("hub")
        assert sum(edge.source == "hub" for edge in graph.edges(types="to")) == 3_000
        graph.checkpoint()
        assert [edge.target for edge in graph.edges("hub")] == graph.neighbors("hub")


def test_iterators_keep_their_view_while_others_write(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "s.graph") as graph:
        for number in range(200):
            graph.put_edge("hub", "to", f"n{number:03}", create_missing=True)
        edges = graph.edges("hub")
        first = next(edges)
        for number in range(200):
            graph.put_edge("hub", "more", f"n{number:03}")
            graph.delete_edge("hub", "to", f"n{number:03}")
        graph.checkpoint()

        assert [edge.target for edge in (first, *edges)] == [f"n{n:03}" for n in range(200)]
        later = graph.edges("hub")
        next(later)
        graph.close()
        with pytest.raises(lithograph.ClosedError):
            next(later)


def test_two_iterators_over_one_list_do_not_disturb_each_other(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "s.graph") as graph:
        with graph.transaction() as tx:
            for number in range(500):
                tx.put_edge("hub", "to", f"n{number:03}", key="é", create_missing=True)
        graph.checkpoint()
        wanted = [edge.target for edge in graph.edges("hub")]
        pairs = list(zip(graph.edges("hub"), graph.edges(), strict=True))

        assert [one.target for one, _ in pairs] == [other.target for _, other in pairs] == wanted


def test_edges_are_immutable_compared_by_value_and_outlive_the_store(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "s.graph") as graph:
        graph.put_edge("a", "to", "b", properties={"n": 1}, create_missing=True)
        graph.checkpoint()
        edge, same = next(graph.edges()), graph.get_edge("a", "to", "b")

        assert edge == same
        assert hash(edge) == hash(same)
    assert (edge.source, edge.type, edge.target, edge.key) == ("a", "to", "b", "")
    assert edge.properties == {"n": 1}
    edge.properties["n"] = 2
    assert edge.properties == {"n": 1}
    assert repr(edge).startswith("Edge(source='a', type='to', target='b', key='', ")
    for field in Edge._fields:
        with pytest.raises(AttributeError):
            setattr(edge, field, "x")
    with pytest.raises(TypeError):
        pickle.dumps(edge)
