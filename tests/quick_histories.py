"""Histories of a few nodes, and what the kernel says of them beside the careful way."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from lithograph import Graph
from lithograph.errors import LithographError
from lithograph.kernel import UNSURE
from lithograph.read.fold import fold_node, is_live, name_of
from lithograph.read.neighbors import degree, neighbor_list
from lithograph.read.records import Node
from lithograph.read.traversal import k_hop
from lithograph.segments.layer import Direction
from lithograph.view.view import View

Call = Callable[[Graph], Any]

NAMES = st.sampled_from(["a", "b", "c", "日"])
TEXTS = st.lists(st.sampled_from(["one", "zwei", "三", ""]), max_size=3)
MAPS = st.dictionaries(st.sampled_from("kmü"), st.integers(0, 9), max_size=2)
TIME = datetime(2020, 2, 29, 12, tzinfo=UTC)


@st.composite
def writes(draw: st.DrawFn) -> Call:
    a, b = draw(NAMES), draw(NAMES)
    kind, key = draw(st.sampled_from("TU")), draw(st.sampled_from(["", "", "", "k"]))
    texts, fields = draw(TEXTS), draw(MAPS)
    put: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "type": st.sampled_from(["T", "U", None]),
                "observations": TEXTS | st.none(),
                "properties": MAPS | st.none(),
                "created_at": st.sampled_from([TIME, None]),
            },
        )
    )
    calls: list[Call] = [
        lambda g: g.put_node(a, **put),
        lambda g: g.put_node(a, **put),
        lambda g: g.add_observations(a, texts),
        lambda g: g.remove_observations(a, texts),
        lambda g: g.update_properties(a, fields, remove=["k"]),
        lambda g: g.put_edge(a, kind, b, key=key, create_missing=True),
        lambda g: g.put_edge(a, kind, b, key=key, create_missing=True),
        lambda g: g.put_edge(a, kind, b, key=key, create_missing=True, properties=fields),
        lambda g: g.delete_edge(a, kind, b, key=key),
        lambda g: g.delete_edge(a, kind, b),
        lambda g: g.delete_node(a),
        lambda g: g.checkpoint(),
        freeze,
    ]
    return draw(st.sampled_from(calls))


def freeze(graph: Graph) -> None:
    """Let a new memtable take what follows, as when one is full."""
    engine = graph._engine
    if not engine.journal.stack.frozen and not engine.journal.memtable.is_empty:
        engine.committer.exclusively(engine.journal.freeze)


def done(graph: Graph, call: Call) -> None:
    # A missing node: nothing was written.
    with contextlib.suppress(LithographError):
        call(graph)


def fields(node: Node | None) -> list[Any]:
    if node is None:
        return []
    shown = [getattr(node, field) for field in Node._fields]
    return [*shown, list(node.properties), node._properties, node._born]


def careful(view: View, node_id: int) -> Node | None:
    state = fold_node(view.layers, node_id, view.sequence)
    return None if state is None else view.node_of(state, name_of(view.layers, node_id))


def compare(graph: Graph) -> Iterator[bool]:
    """Yield of each answer whether the kernel gave it; it is the careful way's then."""
    view = graph._view()
    quick, sequence = view.quick, view.sequence
    assert quick is not None
    for node_id in range(graph._engine.journal.memtable.next_id + 1):
        expected = careful(view, node_id)
        if expected is not None:
            name = expected.name
            found = quick.node_by_id(node_id, name)
            yield found is not UNSURE
            assert found is UNSURE or fields(found) == fields(expected)
            assert quick.names_of([node_id], False, str) in ([name], [str(node_id)])
        alive = quick.names_of([node_id], True, str) != [str(node_id)]
        assert not alive or is_live(view.layers, node_id, sequence)
        both = (Direction.OUT, Direction.IN)
        every = neighbor_list(view.layers, node_id, both, None, sequence)
        assert view.neighbors(node_id, both, None).tolist() == every
        assert view.degree(node_id, both, None) == len(every)
        for direction in Direction:
            for codes in (None, frozenset([0]), frozenset([1, 7])):
                listed = neighbor_list(view.layers, node_id, (direction,), codes, sequence)
                ids = quick.neighbors(node_id, direction, codes)
                count = quick.degree(node_id, direction, codes)
                yield ids is not UNSURE
                assert ids is UNSURE or ids.tolist() == listed
                assert count in (
                    UNSURE,
                    degree(view.layers, node_id, (direction,), codes, sequence),
                )
            if expected is not None:
                names = quick.neighbor_names(expected.name, direction)
                every = neighbor_list(view.layers, node_id, (direction,), None, sequence)
                assert names is UNSURE or names == [name_of(view.layers, end) for end in every]
            hops = view.k_hop(node_id, 3, (direction,), None)
            assert [ids.tolist() for ids in hops] == [
                list(ids) for ids in k_hop(view.layers, node_id, 3, (direction,), None, sequence)
            ]
