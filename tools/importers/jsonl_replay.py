"""Events into a store, one commit each, at their own times.

Promises:

1. An event whose id the store has seen, in whatever version, is not replayed.
2. The past is as the log tells it: `as_of` a time shows what the events up to then left, where the
   log is in order and no other commit is in the way.
3. Who deleted something, and when, is in the version before: a deletion is two commits.
"""

from __future__ import annotations

import array
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import numpy as np
from xxhash import xxh64_intdigest

from lithograph import Edge, Graph, Node, Transaction
from lithograph.errors import InvalidArgumentError
from lithograph.tools.importers.jsonl_event import ID_PROPERTY, Event, id_text
from lithograph.tools.importers.replay import Replay, newest_time
from lithograph.tools.importers.rows import EdgeRow, NodeRow
from lithograph.view.changes import EdgeChange, NodeChange


class EventReplay:
    """Replays events.

    Attributes
    ----------
    known : events that the store had seen.   commits, moved : see `Replay`.
    missing_ends : nodes made because a relation names them.
    """

    def __init__(self, graph: Graph, events: Iterable[Event]) -> None:
        """Look which of the events the store has seen. Cost: its changes since the first event."""
        self._graph = graph
        self._replay = Replay(graph)
        self._seen = _seen_events(graph, events)
        self.known = 0
        self.moved = 0
        self.missing_ends = 0

    @property
    def commits(self) -> int:
        return self._replay.commits

    def run(self, events: Iterable[Event]) -> None:
        """Replay the events in the order they come."""
        for event in events:
            if self._is_known(event):
                self.known += 1
                continue
            before = self._replay.moved
            if isinstance(event.row, NodeRow):
                self._node(event, event.row)
            else:
                self._edge(event, event.row)
            self.moved += self._replay.moved != before

    def _is_known(self, event: Event) -> bool:
        if not len(self._seen):
            return False
        digest = np.uint64(_digest(event.id))
        position = int(np.searchsorted(self._seen, digest))
        if position == len(self._seen) or self._seen[position] != digest:
            return False
        # A deletion that was interrupted between its two commits is not done yet.
        return event.action != "delete" or not self._is_marked(event)

    def _is_marked(self, event: Event) -> bool:
        """Return whether what the event deletes is there, with the event's own mark on it."""
        row, graph = event.row, self._graph
        if isinstance(row, NodeRow):
            node = graph.get_node(row.name)
            return node is not None and _has_mark(node, event)
        edges = (
            graph.get_edge(row.source, row.type, row.target, key=key)
            for key in self._keys(event, row)
        )
        return any(edge is not None and _has_mark(edge, event) for edge in edges)

    def _node(self, event: Event, row: NodeRow) -> None:
        name = row.name

        def mark(transaction: Transaction) -> None:
            _change_node(transaction, event, row)

        if event.action != "delete":
            self._replay.commit(event.time, mark)
        elif name in self._graph:
            self._replay.commit(event.time, mark)
            self._replay.commit(event.time, lambda transaction: _delete_node(transaction, name))

    def _edge(self, event: Event, row: EdgeRow) -> None:
        keys = self._keys(event, row)
        if event.action == "delete":
            if keys:
                self._put_edges(event, row, keys)
                self._replay.commit(
                    event.time, lambda transaction: _delete_edges(transaction, row, keys)
                )
            return
        ends = {row.source, row.target}
        self.missing_ends += sum(end not in self._graph for end in ends)
        self._put_edges(event, row, keys or [row.key])

    def _put_edges(self, event: Event, row: EdgeRow, keys: list[str]) -> None:
        self._replay.commit(
            event.time, lambda transaction: _change_edges(transaction, event, row, keys)
        )

    def _keys(self, event: Event, row: EdgeRow) -> list[str]:
        """Return the keys of the edges that an event is about: of those that are there.

        One that says neither key nor validFrom is about the edge without a key, and where there is
        none, unless it makes one, about all of its type between the two.
        """
        graph = self._graph
        if row.source not in graph or row.target not in graph:
            return []
        if graph.get_edge(row.source, row.type, row.target, key=row.key) is not None:
            return [row.key]
        if event.action == "create" or event.given & {"key", "validFrom"}:
            return []
        edges = graph.edges(row.source, types=row.type)
        return [edge.key for edge in edges if edge.target == row.target]


def _has_mark(record: Node | Edge, event: Event) -> bool:
    properties = record.properties
    return ID_PROPERTY in properties and id_text(properties[ID_PROPERTY]) == event.id


def _change_node(transaction: Transaction, event: Event, row: NodeRow) -> None:
    """Put what an event says of a node; of one that is deleted, only by which event and whom."""
    found = transaction.get_node(row.name)
    fields: dict[str, Any] = {"properties": row.properties or {}}
    said = row.observations or ()
    if found is None:
        texts: tuple[str, ...] = () if event.action == "remove" else said
    else:
        fields["properties"] = found.properties | fields["properties"]
        texts = found.observations
        if event.action == "remove":
            texts = tuple(text for text in texts if text not in said)
        elif event.action == "update":
            texts = said if "observations" in event.given else texts
        elif event.action != "delete":
            texts += tuple(text for text in dict.fromkeys(said) if text not in texts)
    if event.action in ("create", "update") and "entityType" in event.given:
        fields["type"] = row.type
    if row.created_at is not None:
        fields["created_at"] = row.created_at
    transaction.put_node(row.name, observations=texts, **fields)


def _delete_node(transaction: Transaction, name: str) -> None:
    transaction.delete_node(name)


def _change_edges(transaction: Transaction, event: Event, row: EdgeRow, keys: list[str]) -> None:
    given = {"valid_from": row.valid_from, "valid_to": row.valid_to, "created_at": row.created_at}
    fields: dict[str, Any] = {name: time for name, time in given.items() if time is not None}
    known = {key: transaction.get_edge(row.source, row.type, row.target, key=key) for key in keys}
    for key, found in known.items():
        before = {} if found is None else found.properties
        transaction.put_edge(
            row.source,
            row.type,
            row.target,
            key=key,
            create_missing=True,
            properties=before | (row.properties or {}),
            **({} if event.action == "delete" else fields),
        )


def _delete_edges(transaction: Transaction, row: EdgeRow, keys: list[str]) -> None:
    for key in keys:
        transaction.delete_edge(row.source, row.type, row.target, key=key)


def _seen_events(graph: Graph, events: Iterable[Event]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return the digests of the ids of events that were replayed, ascending.

    An event has left a version at its own time or later, so only those versions are looked at.
    """
    if not graph.sequence:
        return np.zeros(0, np.uint64)
    first = min(event.time for event in events)
    found = array.array("Q")
    if first <= newest_time(graph):
        for change in _changes(graph, first):
            record = change.node if isinstance(change, NodeChange) else change.edge
            if record is not None and ID_PROPERTY in (properties := record.properties):
                found.append(_digest(id_text(properties[ID_PROPERTY])))
    return np.unique(np.array(found, np.uint64))


def _changes(graph: Graph, first: datetime) -> Iterable[NodeChange | EdgeChange]:
    try:
        return graph.changes(since=first)
    except InvalidArgumentError:
        return graph.changes()  # Older versions are gone.


def _digest(text: str) -> int:
    return int(xxh64_intdigest(text.encode("utf-8", "surrogatepass")))
