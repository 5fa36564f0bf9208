"""Putting a source graph into a store: many items per commit, nothing written twice.

Promises:

1. Importing the same thing again leaves the same graph and writes nothing.
2. A name known only from outside never replaces what an earlier import knows of it from inside.
3. What the store holds and the source does not is left alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

from lithograph import Graph, Transaction
from lithograph.tools.importers.python_source import SourceEdge, SourceGraph, SourceNode

ITEMS_PER_COMMIT: Final = 2_000

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What an import did.

    node_count, edge_count : items of the source.
    written_count : items that the store did not hold as they are.
    commit_count : transactions that wrote them.
    node_seconds, edge_seconds : time spent on nodes and on edges.
    """

    node_count: int
    edge_count: int
    written_count: int
    commit_count: int
    node_seconds: float
    edge_seconds: float

    @property
    def seconds(self) -> float:
        return self.node_seconds + self.edge_seconds


def load_source(
    graph: Graph,
    source: SourceGraph,
    report: Callable[[int, int | None], None] = lambda done, total: None,
    items_per_commit: int = ITEMS_PER_COMMIT,
) -> Loaded:
    """Put every node and edge of `source` into `graph`; return counts and times.

    report : called after each commit with how many items are done and how many there are.

    All nodes come before the first edge. A failure leaves the commits made so far; importing again
    completes them.

    Raises
    ------
    LockedError, StorageError, FailedStateError
    """
    total = len(source.nodes) + len(source.edges)
    done = written = commits = 0

    def put(
        items: Iterable[Item],
        known: Callable[[Graph, Item], bool],
        write: Callable[[Transaction, Item], None],
    ) -> float:
        nonlocal done, written, commits
        started = time.perf_counter()
        for batch in _batches(items, items_per_commit):
            missing = [item for item in batch if not known(graph, item)]
            if missing:
                with graph.transaction() as transaction:
                    for item in missing:
                        write(transaction, item)
                commits += 1
            written += len(missing)
            done += len(batch)
            report(done, total)
        return time.perf_counter() - started

    node_seconds = put(source.nodes, _holds_node, _write_node)
    edge_seconds = put(source.edges, _holds_edge, _write_edge)
    return Loaded(
        len(source.nodes), len(source.edges), written, commits, node_seconds, edge_seconds
    )


def _holds_node(graph: Graph, item: SourceNode) -> bool:
    found = graph.get_node(item.name)
    if found is None:
        return False
    # Another source may define what this one only uses.
    return "external" in item.properties or (found.type, found.properties) == (
        item.kind,
        item.properties,
    )


def _holds_edge(graph: Graph, item: SourceEdge) -> bool:
    found = graph.get_edge(item.source, item.type, item.target)
    properties: dict[str, Any] | None = None if found is None else found.properties
    return properties == item.properties


def _write_node(transaction: Transaction, item: SourceNode) -> None:
    transaction.put_node(item.name, type=item.kind, properties=item.properties)


def _write_edge(transaction: Transaction, item: SourceEdge) -> None:
    transaction.put_edge(item.source, item.type, item.target, properties=item.properties)


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
