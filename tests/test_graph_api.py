"""The rules of DESIGN, section 8, for single writes and for records, one sentence each."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lithograph
from lithograph import Graph, InvalidArgumentError, NodeNotFoundError

LONG_AGO = datetime(1815, 12, 10, tzinfo=UTC)
NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def g(tmp_path: Path) -> Iterator[Graph]:
    with lithograph.open(tmp_path / "api.graph", durability="off") as graph:
        yield graph


@pytest.fixture
def star(g: Graph) -> Graph:
    """Edges of two types around "hub", made so that ids and types ascend in this order."""
    with g.transaction() as tx:
        for name in ("hub", "a", "b", "c"):
            tx.put_node(name)
        tx.put_edge("hub", "Z", "c")
        tx.put_edge("hub", "Z", "a", key="2")
        tx.put_edge("hub", "Z", "a", key="1")
        tx.put_edge("hub", "A", "a")
        tx.put_edge("hub", "A", "hub")
        tx.put_edge("b", "Z", "hub")
        tx.put_edge("a", "A", "hub")
    return g


# Nodes -----------------------------------------------------------------------------------------


def test_a_new_node_has_the_defaults_of_an_empty_one(g: Graph) -> None:
    before = datetime.now(UTC)
    g.put_node("Ada")
    ada = g.node("Ada")

    assert (ada.id, ada.name, ada.type, ada.observations, ada.properties) == (0, "Ada", "", (), {})
    assert before <= ada.created_at == ada.updated_at <= datetime.now(UTC)
    assert ada.created_at.tzinfo is UTC


def test_put_node_replaces_exactly_what_is_passed(g: Graph) -> None:
    g.put_node("Ada", type="Person", observations=["one", "two"], properties={"a": 1, "b": 2})
    g.put_node("Ada", properties={"b": 3})

    assert g.node("Ada").type == "Person"
    assert g.node("Ada").observations == ("one", "two")
    assert g.node("Ada").properties == {"b": 3}
    g.put_node("Ada", observations=["three"], type="Countess")
    assert g.node("Ada").observations == ("three",)
    assert (g.node("Ada").type, g.node("Ada").properties) == ("Countess", {"b": 3})


def test_none_clears_each_field_of_a_node(g: Graph) -> None:
    g.put_node("Ada")
    born = g.node("Ada").created_at
    g.put_node("Ada", type="P", observations=["x"], properties={"k": 1}, created_at=LONG_AGO)
    assert g.node("Ada").created_at == LONG_AGO
    g.put_node("Ada", type=None, observations=None, properties=None, created_at=None)

    ada = g.node("Ada")
    assert (ada.type, ada.observations, ada.properties, ada.created_at) == ("", (), {}, born)


def test_created_at_survives_updates_and_updated_at_does_not(g: Graph) -> None:
    g.put_node("set", created_at=LONG_AGO)
    g.put_node("default")
    first = g.node("default")
    for name in ("set", "default"):
        g.put_node(name, type="T")
        g.add_observations(name, ["x"])
        g.update_properties(name, {"k": 1})

    assert g.node("set").created_at == LONG_AGO
    assert g.node("default").created_at == first.created_at
    assert g.node("default").updated_at > first.updated_at


def test_times_of_users_keep_their_microseconds_in_any_zone(g: Graph) -> None:
    times = [datetime.min, datetime(1969, 12, 31, 23, 59, 59, 999_999), datetime.max]
    for time in times:
        g.put_node("n", created_at=time.replace(tzinfo=UTC))
        assert g.node("n").created_at == time.replace(tzinfo=UTC)
    east = datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=9)))
    g.put_node("n", created_at=east)
    assert g.node("n").created_at == east


def test_observations_are_appended_with_duplicates_and_removed_all_at_once(g: Graph) -> None:
    g.put_node("Ada", observations=["x"])

    assert g.add_observations("Ada", ["y", "x", "x"]) == ["y", "x", "x"]
    assert g.node("Ada").observations == ("x", "y", "x", "x")
    g.remove_observations("Ada", ["x", "never there"])
    assert g.node("Ada").observations == ("y",)


def test_unique_adds_only_what_is_new_and_returns_that(g: Graph) -> None:
    g.put_node("Ada", observations=["x"])

    assert g.add_observations("Ada", (t for t in ["x", "y", "y"]), unique=True) == ["y"]
    assert g.add_observations("Ada", ["x", "y"], unique=True) == []
    assert g.node("Ada").observations == ("x", "y")


def test_update_properties_sets_and_removes_single_keys(g: Graph) -> None:
    g.put_node("Ada", properties={"a": 1, "b": 2, "c": 3})
    g.update_properties("Ada", {"a": [1], "d": None}, remove=["b", "missing"])
    assert g.node("Ada").properties == {"a": [1], "c": 3, "d": None}

    g.update_properties("Ada", {"c": 4}, remove=["c"])
    assert g.node("Ada").properties == {"a": [1], "c": 4, "d": None}


def test_changes_of_a_missing_node_raise_and_write_nothing(g: Graph) -> None:
    for change in (
        lambda: g.add_observations("nobody", ["x"]),
        lambda: g.add_observations("nobody", ["x"], unique=True),
        lambda: g.remove_observations("nobody", ["x"]),
        lambda: g.update_properties("nobody", {"k": 1}),
    ):
        with pytest.raises(NodeNotFoundError, match="no node has the name 'nobody'") as caught:
            change()
        assert isinstance(caught.value, KeyError)
        assert caught.value.node == "nobody"
    assert (g.sequence, g.node_count) == (0, 0)


def test_each_write_is_a_commit_and_one_that_changes_nothing_is_none(g: Graph) -> None:
    g.put_node("Ada")
    g.put_edge("Ada", "T", "Ada")
    assert g.sequence == 2
    g.put_node("Ada")
    g.put_edge("Ada", "T", "Ada")
    g.add_observations("Ada", [])
    g.update_properties("Ada", {})
    g.delete_node("nobody")
    g.delete_edge("Ada", "U", "Ada")

    assert g.sequence == 2


def test_deletions_say_whether_there_was_something(g: Graph) -> None:
    g.put_edge("a", "T", "b", create_missing=True)

    assert g.delete_edge("a", "T", "b", key="other") is False
    assert g.delete_edge("a", "T", "b") is True
    assert g.delete_edge("a", "T", "b") is False
    assert g.delete_node("a") is True
    assert g.delete_node("a") is False


def test_deleting_a_node_deletes_its_edges_in_the_same_commit(star: Graph) -> None:
    before, sequence = star.snapshot(), star.sequence
    star.delete_node("hub")

    assert star.sequence == sequence + 1
    assert (star.node_count, star.edge_count, list(star.edges())) == (3, 0, [])
    assert star.neighbors("a", "both") == []
    assert (before.node_count, before.edge_count) == (4, 7)


def test_a_name_made_again_gets_a_new_id_and_no_edges(star: Graph) -> None:
    old = star.node_id("hub")
    star.delete_node("hub")
    star.put_node("hub")

    assert old == 0
    assert star.node_id("hub") == 4
    assert star.degree("hub", "both") == 0
    assert star.neighbor_ids(old).tolist() == []
    with pytest.raises(NodeNotFoundError):
        star.names([old])


# Edges -----------------------------------------------------------------------------------------


def test_an_edge_needs_its_ends_unless_it_may_create_them(g: Graph) -> None:
    g.put_node("a")
    with pytest.raises(NodeNotFoundError, match="'b'"):
        g.put_edge("a", "T", "b")
    with pytest.raises(NodeNotFoundError, match="'b'"):
        g.put_edge("b", "T", "a")
    assert (g.sequence, g.node_count) == (1, 1)

    g.put_edge("b", "T", "c", create_missing=True)
    assert (g.sequence, g.node_count, g.neighbors("b")) == (2, 3, ["c"])


def test_put_edge_replaces_exactly_what_is_passed_and_none_clears(g: Graph) -> None:
    g.put_edge("a", "T", "b", create_missing=True)
    born = next(g.edges("a")).created_at
    later = NOON + timedelta(hours=1)
    g.put_edge("a", "T", "b", properties={"k": 1}, valid_from=NOON, valid_to=later)
    g.put_edge("a", "T", "b", created_at=LONG_AGO)

    edge = g.get_edge("a", "T", "b")
    assert edge is not None
    assert (edge.properties, edge.valid_from, edge.valid_to) == ({"k": 1}, NOON, later)
    assert edge.created_at == LONG_AGO
    g.put_edge("a", "T", "b", properties=None, valid_from=None, valid_to=None, created_at=None)
    edge = g.get_edge("a", "T", "b")
    assert edge is not None
    assert (edge.properties, edge.valid_from, edge.valid_to) == ({}, None, None)
    assert (edge.created_at, g.edge_count) == (born, 1)


def test_an_edge_made_again_in_one_commit_has_nothing_of_the_old_one(g: Graph) -> None:
    g.put_edge("a", "T", "b", properties={"k": 1}, valid_to=NOON, create_missing=True)
    old = g.get_edge("a", "T", "b")
    with g.transaction() as tx:
        assert tx.delete_edge("a", "T", "b")
        tx.put_edge("a", "T", "b", created_at=None)

    new = g.get_edge("a", "T", "b")
    assert old is not None
    assert new is not None
    assert (new.properties, new.valid_to, g.edge_count) == ({}, None, 1)
    assert new.created_at > old.created_at


def test_keys_tell_parallel_edges_apart(g: Graph) -> None:
    for key in ("", "x", "x\0", "é"):
        g.put_edge("a", "T", "b", key=key, properties={"key": key}, create_missing=True)

    assert g.neighbors("a") == ["b"] * 4
    assert [e.key for e in g.edges("a")] == ["", "x", "x\0", "é"]
    assert g.get_edge("a", "T", "b", key="y") is None
    edge = g.get_edge("a", "T", "b", key="x")
    assert edge is not None
    assert edge.properties == {"key": "x"}


def test_valid_at_is_half_open(g: Graph) -> None:
    hour = timedelta(hours=1)
    for key, since, until in (
        ("ever", None, None),
        ("from", NOON, None),
        ("until", None, NOON),
        ("hour", NOON, NOON + hour),
        ("never", NOON, NOON),
    ):
        g.put_edge("a", "T", "b", key=key, valid_from=since, valid_to=until, create_missing=True)

    def keys(at: datetime) -> set[str]:
        return {edge.key for edge in g.edges("a", valid_at=at)}

    tick = timedelta(microseconds=1)
    assert keys(NOON - tick) == {"ever", "until"}
    assert keys(NOON) == {"ever", "from", "hour"}
    assert keys(NOON + hour - tick) == {"ever", "from", "hour"}
    assert keys(NOON + hour) == {"ever", "from"}
    assert {edge.key for edge in g.edges("a")} == {"ever", "from", "until", "hour", "never"}


def test_an_interval_that_ends_before_it_starts_is_refused(g: Graph) -> None:
    early = NOON - timedelta(microseconds=1)
    with pytest.raises(InvalidArgumentError, match="valid_to"):
        g.put_edge("a", "T", "b", valid_from=NOON, valid_to=early, create_missing=True)
    assert g.sequence == 0

    g.put_edge("a", "T", "b", valid_from=NOON, create_missing=True)
    with pytest.raises(InvalidArgumentError, match="valid_to"):
        g.put_edge("a", "T", "b", valid_to=early)
    edge = g.get_edge("a", "T", "b")
    assert edge is not None
    assert (edge.valid_from, edge.valid_to, g.sequence) == (NOON, None, 1)


# Records ---------------------------------------------------------------------------------------


def test_records_are_immutable_and_equal_by_their_fields(star: Graph) -> None:
    star.put_node("a", properties={"list": [1]})
    node, edge = star.node("a"), star.get_edge("hub", "A", "a")
    assert edge is not None

    for record in (node, edge):
        with pytest.raises(AttributeError):
            record.type = "other"
        with pytest.raises(AttributeError):
            del record.type
        with pytest.raises(TypeError):
            pickle.dumps(record)
        assert copy.deepcopy(record) == record
    node.properties["list"].append(2)
    assert node.properties == {"list": [1]}
    assert node == star.node("a")
    assert node != star.node("b")
    assert hash(edge) == hash(star.get_edge("hub", "A", "a"))
    assert (edge.source_id, edge.target_id) == (star.node_id("hub"), star.node_id("a"))
    assert "'a'" in repr(node)


def test_arrays_belong_to_the_caller(star: Graph) -> None:
    calls: list[Any] = [
        lambda: star.neighbor_ids(0),
        lambda: star.node_ids(["a", "nobody"]),
        lambda: star.k_hop("hub", 1)[0],
    ]
    for call in calls:
        array = call()
        kept = array.tolist()
        assert array.dtype == np.int64
        array[:] = 77
        assert call().tolist() == kept
