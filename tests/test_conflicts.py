"""Which commits conflict (DESIGN, section 8): what was read by name must not have changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import lithograph
from lithograph import ClosedError, ConflictError, Graph, Transaction
from lithograph.tools.testing.threads import in_thread

LONG_AGO = datetime(1815, 12, 10, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "transactions.graph"


@pytest.fixture
def g(path: Path) -> Iterator[Graph]:
    with lithograph.open(path, durability="off") as graph:
        graph.put_node("Ada", type="Person", observations=["x"], properties={"k": 1})
        graph.put_node("Bob")
        graph.put_edge("Ada", "knows", "Bob", properties={"k": 1})
        yield graph


@pytest.fixture
def other(path: Path, g: Graph) -> Iterator[Graph]:
    """A second handle on the same store, as another thread or part of the program would have."""
    with lithograph.open(path, durability="off") as graph:
        yield graph


Use = Callable[[Transaction], object]
Change = Callable[[Graph], object]


def replace_node(g: Graph) -> None:
    g.delete_node("Ada")
    g.put_node("Ada")


def replace_edge(g: Graph) -> None:
    g.delete_edge("Ada", "knows", "Bob")
    g.put_edge("Ada", "knows", "Bob")


READ_NODE: list[Use] = [
    lambda tx: tx.get_node("Ada"),
    lambda tx: tx.node("Ada"),
    lambda tx: tx.add_observations("Ada", ["y"], unique=True),
]
READ_EDGE: list[Use] = [
    lambda tx: tx.get_edge("Ada", "knows", "Bob"),
    lambda tx: tx.delete_edge("Ada", "knows", "Bob"),
]
CHANGE_NODE: list[Change] = [
    lambda g: g.put_node("Ada", type="Other"),
    lambda g: g.add_observations("Ada", ["z"]),
    lambda g: g.update_properties("Ada", {"k": 2}),
]
REPLACE_NODE: list[Change] = [
    lambda g: g.delete_node("Ada"),
    replace_node,
]
CHANGE_EDGE: list[Change] = [
    lambda g: g.put_edge("Ada", "knows", "Bob", properties={}),
    lambda g: g.delete_edge("Ada", "knows", "Bob"),
    replace_edge,
    lambda g: g.delete_node("Bob"),
]


def pairs(uses: list[Use], changes: list[Change]) -> list[Any]:
    return [
        pytest.param(use, change, id=f"{number}-{index}")
        for number, use in enumerate(uses)
        for index, change in enumerate(changes)
    ]


def assert_conflict(g: Graph, other: Graph, use: Use, change: Change, threaded: bool) -> None:
    tx = g.transaction()
    use(tx)
    tx.put_node("written")
    if threaded:
        assert not isinstance(in_thread(lambda: change(g)), Exception)
    else:
        change(other)
    sequence = other.sequence
    with pytest.raises(ConflictError, match="run"):
        tx.commit()

    assert other.sequence == sequence
    assert "written" not in other
    with pytest.raises(ClosedError):
        tx.commit()


@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize(("use", "change"), pairs(READ_NODE, CHANGE_NODE + REPLACE_NODE))
def test_a_node_read_and_then_changed_is_a_conflict(
    g: Graph, other: Graph, use: Use, change: Change, threaded: bool
) -> None:
    assert_conflict(g, other, use, change, threaded)


@pytest.mark.parametrize(("use", "change"), pairs(READ_EDGE, CHANGE_EDGE))
def test_an_edge_read_and_then_changed_is_a_conflict(
    g: Graph, other: Graph, use: Use, change: Change
) -> None:
    assert_conflict(g, other, use, change, threaded=False)


@pytest.mark.parametrize("change", REPLACE_NODE, ids=["deleted", "replaced"])
def test_a_name_looked_for_and_then_deleted_is_a_conflict(
    g: Graph, other: Graph, change: Change
) -> None:
    assert_conflict(g, other, lambda tx: "Ada" in tx, change, threaded=False)
    other.put_node("Ada")
    assert_conflict(g, other, lambda tx: tx.delete_node("Ada"), change, threaded=False)


def test_what_was_found_missing_and_then_made_is_a_conflict(g: Graph, other: Graph) -> None:
    def make(graph: Graph) -> None:
        graph.put_edge("Ada", "T", "new", create_missing=True)

    for use in (
        lambda tx: tx.get_node("new"),
        lambda tx: "new" in tx,
        lambda tx: tx.delete_node("new"),
        lambda tx: tx.get_edge("Ada", "T", "new"),
        lambda tx: tx.delete_edge("Ada", "T", "new"),
    ):
        assert_conflict(g, other, use, make, threaded=False)
        other.delete_node("new")


def test_what_a_transaction_changes_must_still_be_there(g: Graph, other: Graph) -> None:
    changes: list[Use] = [
        lambda tx: tx.add_observations("Bob", ["x"]),
        lambda tx: tx.remove_observations("Bob", ["x"]),
        lambda tx: tx.update_properties("Bob", {"k": 1}),
        lambda tx: tx.put_edge("Ada", "T", "Bob"),
        lambda tx: tx.put_edge("Bob", "T", "Ada"),
    ]
    for change in changes:
        assert_conflict(g, other, change, lambda graph: graph.delete_node("Bob"), threaded=False)
        other.put_node("Bob")


def test_of_two_blind_writes_the_later_commit_wins(g: Graph, other: Graph) -> None:
    first, second = g.transaction(), other.transaction()
    first.put_node("Ada", type="first", properties={"first": 1})
    second.put_node("Ada", type="second")
    first.put_edge("Ada", "knows", "Bob", properties={"first": 1})
    second.put_edge("Ada", "knows", "Bob", valid_from=LONG_AGO)
    second.add_observations("Ada", ["second"])
    second.commit()
    first.commit()

    ada, edge = g.node("Ada"), g.get_edge("Ada", "knows", "Bob")
    assert (ada.type, ada.properties, ada.observations) == ("first", {"first": 1}, ("x", "second"))
    assert edge is not None
    assert (edge.properties, edge.valid_from) == ({"first": 1}, LONG_AGO)


def test_changes_elsewhere_are_no_conflict(g: Graph, other: Graph) -> None:
    with g.transaction() as tx:
        tx.node("Ada")
        tx.get_edge("Ada", "knows", "Bob")
        assert "Bob" in tx
        assert "absent" not in tx
        tx.put_node("written")
        other.put_node("Bob", type="changed")
        other.put_edge("Ada", "T", "Bob")
        other.put_edge("Bob", "knows", "Ada")
        other.put_node("absent")
        other.delete_node("absent")
    assert tx.sequence == g.sequence == 9


def test_a_transaction_that_only_read_never_conflicts(g: Graph, other: Graph) -> None:
    with g.transaction() as tx:
        tx.node("Ada")
        other.put_node("Ada", type="changed")
        assert tx.node("Ada").type == "Person"
