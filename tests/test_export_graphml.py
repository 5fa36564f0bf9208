"""GraphML there and back, and read by networkx."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

import lithograph
from lithograph import Graph
from lithograph.tools.segtool import main

TEXTS = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("\x00\x1b\r\n\t \u2028\ufffe<>&'\"]"),
    ),
    max_size=8,
)
NAMES = st.one_of(TEXTS.filter(bool), st.sampled_from(["a", "b", 'json:"a"', "]]>", " a "]))
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXTS,
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
MAPS = st.dictionaries(st.one_of(TEXTS, st.sampled_from(["type", "key"])), VALUES, max_size=3)
TIMES = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the arguments of some puts of nodes, and of edges between them."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    nodes = [
        {
            "name": name,
            "type": draw(TEXTS),
            "observations": draw(st.lists(TEXTS, max_size=2, unique=True)),
            "properties": draw(MAPS),
            "created_at": draw(TIMES),
        }
        for name in names
    ]
    edges = [
        {
            "source": draw(st.sampled_from(names)),
            "type": draw(TEXTS),
            "target": draw(st.sampled_from(names)),
            "key": draw(TEXTS),
            "properties": draw(MAPS),
            "valid_from": draw(st.none() | st.just(datetime(2020, 1, 1, tzinfo=UTC))),
            "valid_to": draw(st.none() | st.just(datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=UTC))),
            "created_at": draw(TIMES),
        }
        for _ in range(draw(st.integers(0, 3)))
    ]
    return nodes, edges


def contents(graph: Graph) -> tuple[Any, Any]:
    """Return all that a graph says but ids and the times of its commits."""
    nodes = [
        (node.name, node.type, node.observations, repr(node.properties), node.created_at)
        for node in graph.nodes()
    ]
    edges = [
        (
            (edge.source, edge.type, edge.target, edge.key),
            (repr(edge.properties), edge.valid_from, edge.valid_to, edge.created_at),
        )
        for edge in graph.edges()
    ]
    return sorted(nodes), sorted(edges)


def segtool(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@settings(max_examples=40)
@given(graphs())
def test_what_is_exported_comes_back_as_the_same_graph(
    drawn: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> None:
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        with lithograph.open(folder / "a", durability="off") as graph:
            with graph.transaction() as transaction:
                for node in drawn[0]:
                    transaction.put_node(**node)
                for edge in drawn[1]:
                    transaction.put_edge(**edge)
            expected = contents(graph)

        assert segtool("export", "graphml", "--store", folder / "a", "-o", folder / "x.xml") == 0
        assert segtool("import", "graphml", folder / "x.xml", "--store", folder / "b") == 0
        with lithograph.open(folder / "b") as graph:
            assert contents(graph) == expected
            sequence = graph.sequence
        assert segtool("import", "graphml", folder / "x.xml", "--store", folder / "b") == 0
        with lithograph.open(folder / "b") as graph:
            assert graph.sequence == sequence


def test_networkx_reads_what_is_exported(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "a") as graph, graph.transaction() as transaction:
        transaction.put_node("Ada <&> \"'", type="Person", properties={"born": 1815, "x": [1]})
        transaction.put_node("Charles", properties={"height": 1.75, "dead": True, "note": "a\r\n<"})
        transaction.put_edge("Ada <&> \"'", "knows", "Charles", properties={"since": 1833})
        transaction.put_edge("Ada <&> \"'", "likes", "Charles", key="k")
    segtool("export", "graphml", "--store", tmp_path / "a", "-o", tmp_path / "x.xml")
    read = nx.read_graphml(tmp_path / "x.xml")

    for _, data in read.nodes(data=True):
        datetime.fromisoformat(data.pop("created_at"))
    assert dict(read.nodes(data=True)) == {
        "Ada <&> \"'": {"type": "Person", "born": 1815, "x": "[1]"},
        "Charles": {"height": 1.75, "dead": True, "note": "a\r\n<"},
    }
    edges = [(source, target, data) for source, target, data in read.edges(data=True)]
    assert [
        {name: value for name, value in data.items() if name != "created_at"}
        for _, _, data in edges
    ] == [{"type": "knows", "since": 1833}, {"type": "likes", "key": "k"}]
