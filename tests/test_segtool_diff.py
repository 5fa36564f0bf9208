"""segtool diff, and the differences of two views."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lithograph
from lithograph import Graph, Snapshot
from lithograph.tools.graph_diff import GraphDiff
from lithograph.tools.segtool import main

WHEN = datetime(2026, 11, 21, tzinfo=UTC)


def people(graph: Graph) -> None:
    graph.put_node("Ada", type="Person", observations=["a"], properties={"born": 1815})
    graph.put_node("Bob\n")
    graph.put_edge("Ada", "knows", "Charles", create_missing=True)
    graph.put_edge("Ada", "knows", "Bob\n", key="k", properties={"since": 1})


def change(graph: Graph) -> None:
    graph.add_observations("Ada", ["b"])
    graph.update_properties("Ada", {"born": True})
    graph.delete_node("Charles")
    graph.put_edge("Ada", "knows", "Bob\n", key="k", properties={"since": 1.0}, valid_from=WHEN)
    graph.put_node("Zoe", type="Person")
    graph.put_edge("Zoe", "is", "Zoe")


CHANGED = [
    ("changed", "node", "Ada", "", "", "", "observations,properties"),
    ("changed", "edge", "Ada", "knows", "Bob\\n", "k", "properties,valid_from"),
    ("removed", "edge", "Ada", "knows", "Charles", "", ""),
    ("removed", "node", "Charles", "", "", "", ""),
    ("added", "node", "Zoe", "", "", "", ""),
    ("added", "edge", "Zoe", "is", "Zoe", "", ""),
]


@pytest.fixture
def stores(tmp_path: Path) -> tuple[str, str]:
    """Two stores: the first one's graph was changed, by other ids, to that of the second."""
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    with lithograph.open(first) as graph:
        people(graph)
    with lithograph.open(second) as graph:
        for name in ("Zoe", "Charles", "Bob\n"):
            graph.put_node(name)
            graph.delete_node(name)
        people(graph)
        change(graph)
    return first, second


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[tuple[str, ...]]]:
    code = main(["diff", *arguments])
    found = capsys.readouterr()
    assert found.err == ""
    return code, [tuple(line.split("\t")) for line in found.out.splitlines()]


def test_two_stores_differ_in_what_they_say(
    stores: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = stores

    assert rows(capsys, first, second) == (1, CHANGED)
    assert rows(capsys, first, first, "--as-of", "4") == (0, [])
    opposite = {"added": "removed", "removed": "added", "changed": "changed"}
    backward = [(opposite[kind], *rest) for kind, *rest in CHANGED]
    assert rows(capsys, second, first) == (1, backward)


def test_one_store_differs_from_its_past(
    stores: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    _, store = stores
    with lithograph.open(store, mode="r") as graph:
        now = graph.sequence

    then = str(now - 6)
    assert rows(capsys, "--store", store, "--as-of", then) == (1, CHANGED)
    assert rows(capsys, store, "--as-of", then, "--as-of", str(now)) == (1, CHANGED)
    assert rows(capsys, store, "--as-of", then, "--as-of", then) == (0, [])
    code, found = rows(capsys, store, "--as-of", then, "--times")
    assert (code, found) == (1, CHANGED)


def test_times_of_creation_are_compared_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("first", "second"):
        with lithograph.open(tmp_path / name) as graph:
            graph.put_node("Ada")
            graph.put_edge("Ada", "knows", "Ada")
    sides = [str(tmp_path / "first"), str(tmp_path / "second")]

    assert rows(capsys, *sides) == (0, [])
    assert rows(capsys, *sides, "--times") == (
        1,
        [
            ("changed", "node", "Ada", "", "", "", "created_at"),
            ("changed", "edge", "Ada", "knows", "Ada", "", "created_at"),
        ],
    )


def test_json_tells_the_same(stores: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", *stores, "--json"]) == 1
    whole = json.loads(capsys.readouterr().out)
    assert main(["diff", *stores, "--ndjson"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert whole == lines
    assert [(each["change"], each["kind"], each["name"]) for each in whole] == [
        (change, kind, name.replace("\\n", "\n")) for change, kind, name, *_ in CHANGED
    ]
    assert whole[1] == {
        "change": "changed",
        "kind": "edge",
        "name": "Ada",
        "type": "knows",
        "target": "Bob\n",
        "key": "k",
        "fields": ["properties", "valid_from"],
    }


def test_wrong_usage_is_told_in_one_line(
    stores: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    first, _ = stores
    for arguments, message in (
        ([first], "is compared with itself"),
        ([first, "--as-of", "1", "--as-of", "1", "--as-of", "1"], "more than twice"),
        ([first, "--as-of", "99"], "newest commit"),
        ([first, "--as-of", "yesterday"], "neither a time"),
    ):
        assert main(["diff", *arguments]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert err.count("\n") == 1


VALUES: Any = st.sampled_from([0, 0.0, False, None, "", "x", [], {"a": 1, "b": [2]}])
EDGES = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["n0", "n1", "n2"]), st.sampled_from("xy")),
    VALUES,
    max_size=6,
)
GRAPHS = st.dictionaries(
    st.sampled_from(["n0", "n1", "n2", "ü", "\U0001f600"]), st.tuples(VALUES, EDGES), max_size=4
)


def load(graph: Graph, content: dict[str, Any]) -> None:
    for name in ("n0", "n1", "n2", *content):
        graph.put_node(name)
    for name, (value, edges) in content.items():
        graph.put_node(name, properties={"value": value})
        for (kind, target, key), of_edge in edges.items():
            graph.put_edge(name, kind, target, key=key, properties={"value": of_edge})


def told(view: Snapshot) -> dict[tuple[str, ...], str]:
    """Return everything a view says, each thing under its place in the order."""
    found: dict[tuple[str, ...], str] = {}
    for node in view.nodes():
        found[(node.name,)] = repr(node.properties)
    for edge in view.edges():
        found[(edge.source, edge.type, edge.target, edge.key)] = repr(edge.properties)
    return found


@given(before=GRAPHS, after=GRAPHS, edge_chunk=st.integers(1, 4))
@settings(max_examples=30)
def test_differences_are_those_of_all_that_is_told(
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[str, Any],
    after: dict[str, Any],
    edge_chunk: int,
) -> None:
    above = tmp_path_factory.mktemp("diff")
    with lithograph.open(above / "a") as a, lithograph.open(above / "b") as b:
        load(a, before)
        load(b, dict(reversed(after.items())))
        with a.snapshot() as first, b.snapshot() as second:
            was, now = told(first), told(second)
            expected = [
                ("added" if key not in was else "removed" if key not in now else "changed", key)
                for key in sorted({*was, *now})
                if was.get(key) != now.get(key)
            ]
            found = [
                (
                    each.change,
                    (
                        each.name,
                        *(part for part in (each.type, each.target, each.key) if part is not None),
                    ),
                )
                for each in GraphDiff(first, second, edge_chunk=edge_chunk)
            ]

    assert found == expected
