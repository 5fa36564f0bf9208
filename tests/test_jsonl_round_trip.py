"""A graph into lines of JSON and back, lines into a graph and back: nothing is lost on the way."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import lithograph
from lithograph.formats.moment import EPOCH
from lithograph.tools.importers.jsonl_keys import ENTITY_FIELDS, RELATION_FIELDS
from lithograph.tools.importers.jsonl_record import (
    Dialect,
    entity_line,
    line_kind,
    read_entity,
    read_relation,
    relation_line,
)
from lithograph.tools.importers.rows import EdgeRow, NodeRow
from lithograph.tools.importers.unix_times import end_from_json, end_to_json, from_json, to_json
from lithograph.tools.segtool import main
from lithograph.tools.testing.strategies import moments, names, property_maps, texts

times = moments.map(lambda moment: EPOCH + timedelta(microseconds=moment))
near_times = st.integers(0, 3 * 10**6).map(lambda number: EPOCH + timedelta(microseconds=number))
some_times = times | near_times

ODD_TIMES = [
    "2024-05-01T00:00:00.000000+00:00",
    "0001-01-01T00:00:00+23:59",
    "2024-02-30T00:00:00Z",
]
NO_TIMES = [
    "2024-01-01",
    "2024-01-01T00:00:00",
    "0001-01-01T00:00:00+01:00",
    "2024-13-01T00:00:00Z",
]

# Keys that are fields, keys that look like marked fields, keys that are neither.
keys = (
    st.sampled_from(sorted(ENTITY_FIELDS | RELATION_FIELDS))
    | st.sampled_from(["@name", "@@type", "@", "@validTo", "createdBy", "updatedAt", "data", "ts"])
    | texts
)
json_times = (
    st.integers(-10, 10)
    | st.floats(0, 2e9)
    | st.sampled_from(
        [None, True, "", "today", 1e300, 10**30, {"a": 1}, [1], "2024-05-01T00:00:00Z", *ODD_TIMES]
    )
)
values = json_times | st.sampled_from(["entity", "relation"]) | property_maps
properties = st.dictionaries(keys, values.filter(lambda value: value != 10**30), max_size=4)
dialects = st.sampled_from(["tagged", "plain"])

graphs = st.tuples(
    st.dictionaries(
        names,
        st.tuples(texts, st.lists(texts, max_size=3), properties, st.none() | some_times),
        max_size=4,
    ),
    st.dictionaries(
        st.tuples(st.integers(0, 9), texts, st.integers(0, 9), texts),
        st.tuples(properties, st.none() | some_times, st.none() | some_times, st.none() | times),
        max_size=4,
    ),
)


def made(graph: lithograph.Graph, drawn: tuple[dict[str, Any], dict[Any, Any]]) -> None:
    nodes, edges = drawn
    with graph.transaction() as tx:
        for name, (type_name, observations, properties, created_at) in nodes.items():
            tx.put_node(
                name,
                type=type_name,
                observations=observations,
                properties=properties,
                created_at=created_at,
            )
        for (source, type_name, target, key), (properties, first, last, created_at) in (
            edges.items() if nodes else ()
        ):
            if first is not None and last is not None and last < first:
                first, last = last, first
            ends = list(nodes)
            tx.put_edge(
                ends[source % len(ends)],
                type_name,
                ends[target % len(ends)],
                key=key,
                properties=properties,
                valid_from=first,
                valid_to=last,
                created_at=created_at,
            )


def contents(graph: lithograph.Graph, *, times: bool) -> tuple[Any, Any]:
    """Return everything a graph holds but ids; `times`: also times of creation."""
    nodes = [
        (node.name, node.type, node.observations, exact(node.properties))
        + ((node.created_at,) if times else ())
        for node in graph.nodes()
    ]
    edges = [
        ((edge.source, edge.type, edge.target, edge.key), exact(edge.properties))
        + (edge.valid_from, edge.valid_to)
        + ((edge.created_at,) if times else ())
        for edge in graph.edges()
    ]
    return nodes, sorted(edges, key=lambda edge: edge[0])


def exact(value: Any) -> str:
    """Return a text that tells 1 from True and from 1.0."""
    return json.dumps(value, sort_keys=True)


@settings(max_examples=30)
@given(graphs, dialects, st.booleans())
def test_a_graph_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: tuple[dict[str, Any], dict[Any, Any]],
    dialect: Literal["tagged", "plain"],
    times: bool,
) -> None:
    path = tmp_path_factory.mktemp("trip")
    with lithograph.open(path / "a", durability="off") as graph:
        made(graph, drawn)
        before = contents(graph, times=times)
    export = ["export", "jsonl", "--store", str(path / "a"), "--dialect", dialect]
    assert main([*export, "-o", str(path / "lines"), *(["--times"] if times else [])]) == 0
    assert main(["import", "jsonl", str(path / "lines"), "--store", str(path / "b")]) == 0

    with lithograph.open(path / "b") as graph:
        assert contents(graph, times=times) == before


entity_lines = st.builds(
    lambda fields, more: more | fields,
    st.fixed_dictionaries(
        {"name": names, "entityType": texts, "observations": st.lists(texts, max_size=3)},
        optional={"createdAt": json_times},
    ),
    st.dictionaries(
        st.sampled_from(["createdBy", "updatedBy", "updatedAt", "validFrom", "validTo", "key"])
        | texts.filter(lambda key: not key.startswith("@")),
        values.filter(lambda value: value != 10**30),
        max_size=4,
    ),
)
relation_lines = st.builds(
    lambda fields, more: more | fields,
    st.fixed_dictionaries(
        {"from": names, "to": names, "relationType": texts},
        optional={"createdAt": json_times, "validFrom": json_times, "validTo": json_times},
    ),
    st.dictionaries(
        st.sampled_from(["createdBy", "updatedBy", "updatedAt", "name", "entityType"])
        | texts.filter(lambda key: not key.startswith("@")),
        values.filter(lambda value: value != 10**30),
        max_size=4,
    ),
)


@given(entity_lines, dialects)
@example({"name": "a", "entityType": "", "observations": [], "createdAt": None}, "plain")
@example({"name": "a", "entityType": "", "observations": [], "createdAt": "today"}, "tagged")
def test_an_entity_line_comes_back(line: dict[str, Any], dialect: Dialect) -> None:
    line = with_tag(line, dialect, "entity")
    assert line_kind(line) == "entity"
    try:
        row = read_entity(line, 1, 0)
    except lithograph.InvalidArgumentError:
        assert "createdAt" in line  # What no property can hold.
        return
    with scratch(row) as graph:
        assert entity_line(graph.node(row.name), dialect, times=False) == line


@given(relation_lines, dialects)
def test_a_relation_line_comes_back(line: dict[str, Any], dialect: Dialect) -> None:
    line = with_tag(line, dialect, "relation")
    assert line_kind(line) == "relation"
    try:
        row = read_relation(line, 1, 0)
    except lithograph.InvalidArgumentError:
        assert set(line) & {"createdAt", "validFrom", "validTo"}
        return
    with scratch(row) as graph:
        edge = next(graph.edges(row.source))
        assert relation_line(edge, dialect, times=False) == line


def with_tag(line: dict[str, Any], dialect: Dialect, tag: str) -> dict[str, Any]:
    # Keys of the other dialect would make another line of it.
    line = {key: value for key, value in line.items() if key not in ("type", "eventType")}
    return {"type": tag} | line if dialect == "tagged" else line


class scratch:
    """A small graph that holds one row."""

    def __init__(self, row: NodeRow | EdgeRow) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self._graph = lithograph.open(self._directory.name + "/a", durability="off")
        given = {"properties": row.properties, "created_at": row.created_at}
        fields: dict[str, Any] = {name: value for name, value in given.items() if value}
        if isinstance(row, NodeRow):
            self._graph.put_node(row.name, type=row.type, observations=row.observations, **fields)
        else:
            self._graph.put_edge(
                row.source,
                row.type,
                row.target,
                key=row.key,
                create_missing=True,
                valid_from=row.valid_from,
                valid_to=row.valid_to,
                **fields,
            )

    def __enter__(self) -> lithograph.Graph:
        return self._graph

    def __exit__(self, *error: object) -> None:
        self._graph.close()
        self._directory.cleanup()


# Times --------------------------------------------------------------------------------------------


@settings(max_examples=500)
@given(some_times)
def test_a_time_comes_back_from_json(time: datetime) -> None:
    value = json.loads(json.dumps(to_json(time)))
    assert from_json(value) == time
    assert to_json(time) == value


@settings(max_examples=500)
@given(some_times.filter(lambda time: time > datetime.min.replace(tzinfo=UTC)))
def test_an_end_comes_back_from_json(end: datetime) -> None:
    value = json.loads(json.dumps(end_to_json(end)))
    assert end_from_json(value) == end


@pytest.mark.parametrize(
    ("last", "end"),
    [
        (59, "1970-01-01T00:01:00+00:00"),
        (59.0, "1970-01-01T00:01:00+00:00"),
        (59.5, "1970-01-01T00:00:59.500001+00:00"),
        ("1970-01-01T00:00:59Z", "1970-01-01T00:01:00+00:00"),
        ("1970-01-01T01:00:59+01:00", "1970-01-01T00:01:00+00:00"),
        ("1970-01-01T00:00:59.000000Z", "1970-01-01T00:00:59.000001+00:00"),
        (253402300799, None),
        (True, None),
        ("9999-12-31T23:59:59.999999Z", None),
        (None, None),
    ],
)
def test_an_inclusive_end_becomes_exclusive(last: Any, end: str | None) -> None:
    found = end_from_json(last)

    assert (None if found is None else found.isoformat()) == end


@pytest.mark.parametrize(
    "value",
    [None, True, "", "12", 1e300, -1e300, 10**18, float("nan"), float("inf"), [], {}, *NO_TIMES],
)
def test_what_is_no_time_is_none(value: Any) -> None:
    assert from_json(value) is None
    assert end_from_json(value) is None


def test_an_end_at_the_first_moment_of_all_comes_back() -> None:
    """The moment before it cannot be told; writing it ended in an OverflowError."""
    first = datetime.min.replace(tzinfo=UTC)
    for end in (first, first + timedelta(microseconds=1), first + timedelta(seconds=1)):
        assert end_from_json(end_to_json(end)) == end
