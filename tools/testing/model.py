"""The public API of DESIGN, section 8, on plain dictionaries: what the engine is compared with.

A transaction keeps the calls that were made, every read inside it does them all again on a copy of
what it began with, and the commit does them on the newest state.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from lithograph.errors import ConflictError, InvalidArgumentError
from lithograph.tools.testing.model_view import (
    UNBORN,
    EdgeName,
    ModelChange,
    ModelEdge,
    ModelNode,
    ModelView,
)

Write = Callable[[ModelView], object]


class ModelTransaction:
    """The calls of one transaction, and what it read of the view it began with."""

    def __init__(self, graph: ModelGraph) -> None:
        self._graph = graph
        self.view = graph.snapshot()
        self.writes: list[Write] = []
        self.names_read: set[str] = set()
        self.nodes_read: set[str] = set()
        self.edges_read: set[EdgeName] = set()
        # Names of nodes and edges in the order of their first mention by a write.
        self.nodes_written: list[str] = []
        self.edges_written: list[EdgeName] = []
        # What it decided itself (nodes it put or deleted, edges it deleted) it does not read.
        self._decided: set[str] = set()
        self._deleted: set[str] = set()
        self._deleted_edges: set[EdgeName] = set()

    def now(self) -> ModelView:
        """Return what the transaction sees: its view plus its own writes."""
        state = self.view.snapshot()
        state.sequence, state.time = UNBORN, self._graph.clock()
        for write in self.writes:
            write(state)
        return state

    # Reads -------------------------------------------------------------------------------------

    def get_node(self, name: str) -> ModelNode | None:
        if name not in self._deleted:
            self.names_read.add(name)
            self.nodes_read.add(name)
        return self.now().nodes.get(name)

    def contains(self, name: str) -> bool:
        if name not in self._decided:
            self.names_read.add(name)
        return name in self.now().nodes

    def get_edge(self, edge: EdgeName) -> ModelEdge | None:
        if edge not in self._deleted_edges and not self._deleted & {edge[0], edge[2]}:
            self.edges_read.add(edge)
        return self.now().edges.get(edge)

    # Writes ------------------------------------------------------------------------------------

    def put_node(self, name: str, fields: Mapping[str, Any]) -> None:
        self._write_node(name, lambda state: state.put_node(name, fields))
        self._decided.add(name)

    def add_observations(self, name: str, added: list[str], unique: bool = False) -> list[str]:
        node = self.now().node(name)
        if unique:
            self.get_node(name)
            added = [text for text in dict.fromkeys(added) if text not in node.observations]
        if added:
            self._write_node(name, lambda state: state.touch(name).observations.extend(added))
        return added

    def remove_observations(self, name: str, removed: list[str]) -> None:
        self.now().node(name)

        def write(state: ModelView) -> None:
            node = state.touch(name)
            node.observations = [text for text in node.observations if text not in removed]

        if removed:
            self._write_node(name, write)

    def update_properties(
        self, name: str, changes: Mapping[str, Any], remove: list[str] | None = None
    ) -> None:
        self.now().node(name)
        gone = remove or []

        def write(state: ModelView) -> None:
            node = state.touch(name)
            kept = {key: value for key, value in node.properties.items() if key not in gone}
            node.properties = {**kept, **copy.deepcopy(dict(changes))}

        if changes or gone:
            self._write_node(name, write)

    def delete_node(self, name: str) -> bool:
        there = self.contains(name)
        if there:
            self._write_node(name, lambda state: state.delete_node(name))
            self._decided.add(name)
            self._deleted.add(name)
        return there

    def put_edge(
        self, edge: EdgeName, fields: Mapping[str, Any], create_missing: bool = False
    ) -> None:
        _check_interval(fields.get("valid_from"), fields.get("valid_to"))
        for end in (edge[0], edge[2]):
            if create_missing:
                self.put_node(end, {})
            else:
                self.now().node(end)
        self._write_edge(edge, lambda state: state.put_edge(edge, fields))

    def delete_edge(self, edge: EdgeName) -> bool:
        there = self.get_edge(edge) is not None
        if there:
            self._write_edge(edge, lambda state: state.edges.pop(edge, None))
            self._deleted_edges.add(edge)
        return there

    def _write_node(self, name: str, write: Write) -> None:
        self.writes.append(write)
        if name not in self.nodes_written:
            self.nodes_written.append(name)

    def _write_edge(self, edge: EdgeName, write: Write) -> None:
        self.writes.append(write)
        if edge not in self.edges_written:
            self.edges_written.append(edge)

    def commit(self, at: int | None = None) -> int | None:
        return self._graph.commit(self, at)


class ModelGraph(ModelView):
    """The newest state; `clock` returns µs since 1970 UTC.

    past : the graph as of every commit, by sequence.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__()
        self.clock = clock
        self.past = [ModelView()]

    def sequence_at(self, time: int) -> int:
        """Return the newest commit that is not after `time`, 0 if all are."""
        return sum(view.time <= time for view in self.past[1:])

    def changes(self, first: int, end: int) -> list[ModelChange]:
        """Return what the commits first <= commit < end changed, in order."""
        return [
            change
            for before, after in pairwise(self.past[first - 1 : end])
            for change in after.changes_from(before)
        ]

    def history(self, name: str, newest: int, floor: int = 0) -> list[ModelChange]:
        """Return what became of a name from the floor to the commit `newest`."""
        found = [change for change in self.changes(1, newest + 1) if change.subject == name]
        kept = [change for change in found if change.sequence > floor]
        there = self.past[floor].nodes.get(name)
        if there is not None:
            # The floor begins with what it says of a node, at the commit that said so.
            kept[:0] = [change for change in found if change.sequence == there.changed_by][-1:]
        return kept

    def transaction(self) -> ModelTransaction:
        return ModelTransaction(self)

    def commit(self, transaction: ModelTransaction, at: int | None) -> int | None:
        """Do what the transaction did; return the new sequence, or None if that changes nothing.

        Raises
        ------
        ConflictError, InvalidArgumentError : the graph is as it was.
        """
        if not transaction.writes:
            return None
        self._check_reads(transaction)
        after = self.snapshot()
        after.sequence += 1
        after.time = self._commit_time(at)
        for write in transaction.writes:
            write(after)
        _check(after, transaction)
        for name in transaction.nodes_written:
            node = after.nodes.get(name)
            if node is not None and node.id == UNBORN:
                node.id = after.next_id
                after.next_id += 1
        used = [after.nodes[name].type for name in transaction.nodes_written if name in after.nodes]
        used += [edge[1] for edge in transaction.edges_written if edge in after.edges]
        after.types += [name for name in dict.fromkeys(used) if name and name not in after.types]
        if (after.nodes, after.edges) == (self.nodes, self.edges):
            return None
        self.past.append(after)
        vars(self).update(vars(after))
        return self.sequence

    def _check_reads(self, transaction: ModelTransaction) -> None:
        """Raise ConflictError where a commit after the transaction's view changed what it read."""
        then = transaction.view
        for name in transaction.names_read:
            before, after = then.nodes.get(name), self.nodes.get(name)
            if (before and before.id) != (after and after.id):
                raise ConflictError(name)
        for name in transaction.nodes_read & self.nodes.keys():
            if self.nodes[name].changed_by > then.sequence:
                raise ConflictError(name)
        for edge in transaction.edges_read:
            newest = self.edges.get(edge)
            if (edge in then.edges) != (newest is not None):
                raise ConflictError(str(edge))
            if newest is not None and newest.changed_by > then.sequence:
                raise ConflictError(str(edge))

    def _commit_time(self, at: int | None) -> int:
        if at is None:
            return max(self.clock(), self.time + 1)
        if not self.time <= at <= self.clock():
            raise InvalidArgumentError("at")
        return at


def _check(after: ModelView, transaction: ModelTransaction) -> None:
    """Raise what a commit raises that would leave `after`."""
    if not all(node.made for node in after.nodes.values()):
        raise ConflictError("a node that the transaction changes is gone")
    for name in transaction.edges_written:
        edge = after.edges.get(name)
        if edge is None:
            continue
        if name[0] not in after.nodes or name[2] not in after.nodes:
            raise ConflictError("an end of an edge that the transaction puts is gone")
        _check_interval(edge.valid_from, edge.valid_to)


def _check_interval(start: int | None, end: int | None) -> None:
    if start is not None and end is not None and end < start:
        raise InvalidArgumentError("valid_to")
