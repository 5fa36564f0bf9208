"""The rules of DESIGN, section 8, for the reading methods, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lithograph
from lithograph import Graph, InvalidArgumentError, NodeNotFoundError


@pytest.fixture
def g(tmp_path: Path) -> Iterator[Graph]:
    with lithograph.open(tmp_path / "reads.graph", durability="off") as graph:
        yield graph


@pytest.fixture
def star(g: Graph) -> Graph:
    """Edges of two types around "hub": Z is used before A, and c has the smallest id but hub."""
    for name in ("hub", "c", "b", "a"):
        g.put_node(name)
    g.put_edge("hub", "Z", "c")
    g.put_edge("hub", "Z", "a", key="2")
    g.put_edge("hub", "Z", "a", key="1")
    g.put_edge("hub", "A", "a")
    g.put_edge("hub", "A", "hub")
    g.put_edge("b", "Z", "hub")
    g.put_edge("a", "A", "hub")
    return g


def test_an_empty_graph_is_true_and_has_nothing(g: Graph) -> None:
    assert bool(g) is True
    assert (len(g), g.node_count, g.edge_count, g.sequence) == (0, 0, 0, 0)
    assert (list(g.nodes()), list(g.edges()), g.get_node("x")) == ([], [], None)
    assert g.node_ids([]).tolist() == g.names([]) == []


def test_contains_asks_for_names_only(star: Graph) -> None:
    assert "hub" in star
    assert "nobody" not in star
    for odd in ("", 0, None, b"hub", "\ud800", "x" * 70_000):
        assert odd not in star


def test_edges_come_by_type_code_then_neighbor_id_then_key(star: Graph) -> None:
    ordered = [(edge.type, edge.target, edge.key) for edge in star.edges("hub")]

    assert ordered == [
        ("Z", "c", ""),
        ("Z", "a", "1"),
        ("Z", "a", "2"),
        ("A", "hub", ""),
        ("A", "a", ""),
    ]
    assert star.neighbors("hub") == ["c", "a", "a", "hub", "a"]
    assert star.neighbor_ids(0).tolist() == [1, 3, 3, 0, 3]


def test_both_is_out_then_in_with_a_self_loop_once(star: Graph) -> None:
    assert star.neighbors("hub", "in") == ["b", "hub", "a"]
    assert star.neighbors("hub", "both") == ["c", "a", "a", "hub", "a", "b", "a"]
    assert star.neighbor_ids(0, "both").tolist() == [1, 3, 3, 0, 3, 2, 3]
    assert len(list(star.edges("hub", "both"))) == 7
    assert [star.degree("hub", d) for d in ("out", "in", "both")] == [5, 3, 7]


def test_every_edge_once_comes_by_source_id(star: Graph) -> None:
    assert [(edge.source_id, edge.type) for edge in star.edges()] == [
        *[(0, "Z")] * 3,
        *[(0, "A")] * 2,
        (2, "Z"),
        (3, "A"),
    ]
    assert [edge.source for edge in star.edges(types="A", limit=2)] == ["hub", "hub"]


@pytest.mark.parametrize(
    ("types", "count"),
    [
        (None, 5),
        ("Z", 3),
        (["Z"], 3),
        (("Z", "Z"), 3),
        ({"A", "Z"}, 5),
        ((t for t in ["A", "unknown"]), 2),
        ([], 0),
        ("", 0),
        ("unknown", 0),
        (["unknown"], 0),
    ],
)
def test_types_select(star: Graph, types: Any, count: int) -> None:
    wanted = types if types is None or isinstance(types, str) else list(types)

    assert star.degree("hub", types=wanted) == count
    assert len(star.neighbors("hub", types=wanted)) == count
    assert len(star.neighbor_ids(0, types=wanted)) == count
    assert len(list(star.edges("hub", types=iter(wanted) if wanted else wanted))) == count
    assert (len(star.k_hop("hub", 1, types=wanted)[0]) == 0) == (count == 0)


def test_an_edge_type_may_be_empty(g: Graph) -> None:
    g.put_edge("a", "", "b", create_missing=True)

    assert g.neighbors("a", types="") == ["b"]
    assert g.get_edge("a", "", "b") is not None


def test_wrong_arguments_of_reads_are_refused_at_the_call(star: Graph) -> None:
    reads = (star.edges, star.degree, star.neighbors)
    odd: Any
    for read in reads:
        for odd in ("sideways", "OUT", None, 1):
            with pytest.raises(InvalidArgumentError, match="direction"):
                read("hub", odd)
        for odd in (b"Z", 1, [1], [None], [b"Z"], ["\ud800"]):
            with pytest.raises(InvalidArgumentError, match="types"):
                read("hub", types=odd)
        for odd in ("", 1, None, b"hub", "\ud800"):
            if odd is not None or read != star.edges:
                with pytest.raises(InvalidArgumentError):
                    read(odd)
    for odd in (-1, True, 1.0, "1", 2**64):
        with pytest.raises(InvalidArgumentError, match="limit"):
            star.edges(limit=odd)
        with pytest.raises(InvalidArgumentError, match="limit"):
            star.nodes(limit=odd)
        with pytest.raises(InvalidArgumentError, match="hops"):
            star.k_hop("hub", odd)
    for odd in (1, b"", "\ud800"):
        with pytest.raises(InvalidArgumentError):
            star.nodes(prefix=odd)
        with pytest.raises(InvalidArgumentError):
            star.nodes(after=odd)
        with pytest.raises(InvalidArgumentError):
            star.nodes(type=odd)
    for odd in (datetime(2020, 1, 1), 1, "2020-01-01"):
        with pytest.raises(InvalidArgumentError, match="valid_at"):
            star.edges("hub", valid_at=odd)
    for odd in ("hub", b"hub", [1], [None], [""]):
        with pytest.raises(InvalidArgumentError):
            star.node_ids(odd)
    for odd in (["hub"], [True], [1.0], [None]):
        with pytest.raises(InvalidArgumentError):
            star.names(odd)


def test_what_cannot_be_iterated_is_an_invalid_argument(star: Graph) -> None:
    odd: Any = 3
    with pytest.raises(InvalidArgumentError):
        star.node_ids(odd)
    with pytest.raises(InvalidArgumentError):
        star.names(odd)


def test_a_missing_name_raises_at_the_call_except_where_none_is_an_answer(star: Graph) -> None:
    for read in (star.node, star.edges, star.degree, star.neighbors):
        with pytest.raises(NodeNotFoundError, match="'nobody'"):
            read("nobody")
    with pytest.raises(NodeNotFoundError):
        star.k_hop("nobody", 2)
    assert star.get_node("nobody") is None
    assert star.node_id("nobody") is None
    assert star.get_edge("nobody", "Z", "hub") is None
    assert star.get_edge("hub", "unknown", "a") is None
    assert star.node_ids(["nobody", "hub", "nobody"]).tolist() == [-1, 0, -1]


def test_unknown_ids_have_no_neighbors_and_no_names(star: Graph) -> None:
    star.delete_node("b")
    for unknown in (2, 4, -1, 2**47, 2**48, 2**63, 2**80, -(2**70)):
        found = star.neighbor_ids(unknown, "both")
        assert found.dtype == np.int64
        assert found.tolist() == []
        with pytest.raises(NodeNotFoundError) as caught:
            star.names([0, unknown])
        assert caught.value.node == unknown
    for odd in ("hub", None, 1.0, True):
        with pytest.raises(InvalidArgumentError):
            star.neighbor_ids(odd)  # type: ignore[arg-type]


def test_ids_may_be_numpy_integers(star: Graph) -> None:
    ids = star.node_ids(["a", "hub"])
    small: Any = np.uint8(3)

    assert star.names(ids) == ["a", "hub"]
    assert star.neighbor_ids(small).tolist() == star.neighbor_ids(3).tolist() == [0]


def test_k_hop_gives_exactly_the_hops_asked_for(g: Graph) -> None:
    for source, target in ("ab", "bc", "ca", "cd", "aa"):
        g.put_edge(source, "T", target, create_missing=True)

    assert [g.names(ids) for ids in g.k_hop("a", 5)] == [["b"], ["c"], ["d"], [], []]
    assert [g.names(ids) for ids in g.k_hop("a", 2, "in")] == [["c"], ["b"]]
    assert [g.names(ids) for ids in g.k_hop("a", 2, "both")] == [["b", "c"], ["d"]]
    assert [ids.tolist() for ids in g.k_hop("a", 2, types=[])] == [[], []]
    assert g.k_hop("a", 0) == []


def test_nodes_come_in_the_order_of_their_bytes(g: Graph) -> None:
    names = ["b", "a", "ab", "a\0", "é", "e\u0301", "z", "\U0001f600", "\uffff", "A", " "]
    for name in names:
        g.put_node(name)

    ordered = sorted(names, key=str.encode)
    assert [node.name for node in g.nodes()] == ordered
    assert [node.name for node in g.nodes(prefix="a")] == ["a", "a\0", "ab"]
    assert [node.name for node in g.nodes(prefix="\U0001f600")] == ["\U0001f600"]
    assert [node.name for node in g.nodes(prefix="")] == ordered
    assert list(g.nodes(prefix="nothing")) == []


def test_nodes_page_by_after_and_limit(g: Graph) -> None:
    names = [f"n{number:04}" for number in range(700)]
    with g.transaction() as tx:
        for name in reversed(names):
            tx.put_node(name, type="even" if int(name[1:]) % 2 == 0 else "odd")
    pages, after = [], None
    while page := [node.name for node in g.nodes(after=after, limit=300)]:
        pages.append(page)
        after = page[-1]

    assert [len(page) for page in pages] == [300, 300, 100]
    assert [name for page in pages for name in page] == names
    assert [n.name for n in g.nodes(prefix="n00", after="n0097")] == ["n0098", "n0099"]
    assert [n.name for n in g.nodes(prefix="n00", after="a", limit=1)] == ["n0000"]
    assert list(g.nodes(prefix="n00", after="n01")) == []
    assert [n.name for n in g.nodes(type="odd", limit=2)] == ["n0001", "n0003"]
    assert list(g.nodes(limit=0)) == list(g.nodes(type="neither")) == []


def test_iterators_keep_the_view_they_began_with(star: Graph) -> None:
    nodes, edges, everything = star.nodes(), star.edges("hub"), star.edges()
    first = next(nodes)
    star.delete_node("hub")
    star.put_node("aa")
    star.put_node("a", observations=["changed"])

    assert [node.name for node in (first, *nodes)] == ["a", "b", "c", "hub"]
    assert first.observations == ()
    assert len(list(edges)) == 5
    assert len(list(everything)) == 7
    assert [node.name for node in star.nodes()] == ["a", "aa", "b", "c"]


def test_a_snapshot_answers_as_of_its_commit(star: Graph) -> None:
    with star.snapshot() as before:
        star.put_edge("c", "NEW", "hub", valid_from=datetime(2020, 1, 1, tzinfo=UTC))
        star.put_node("c", type="changed")
        star.delete_node("a")

        assert (before.node_count, before.edge_count, before.sequence) == (4, 7, 11)
        assert before.neighbors("hub", "both") == ["c", "a", "a", "hub", "a", "b", "a"]
        assert before.node("c").type == ""
        assert list(before.nodes(type="changed")) == []
        assert before.neighbors("c", types="NEW") == []
        assert before.names(before.k_hop("hub", 1)[0]) == ["c", "a"]
    assert star.neighbors("hub", "both") == ["c", "hub", "b", "c"]
    assert (star.node_count, star.edge_count, star.sequence) == (3, 4, 14)
