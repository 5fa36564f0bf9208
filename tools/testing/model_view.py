"""The graph at one commit, on plain dictionaries, with the reads of DESIGN, section 8.

Slow, small, obviously right. Times are µs since 1970 UTC. Arguments are trusted: only errors that
depend on the graph are raised.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lithograph.errors import NodeNotFoundError

EdgeName = tuple[str, str, str, str]
"""(source, type, target, key)"""

Types = Iterable[str] | None
UNBORN = -1
"""The id of a node before its transaction commits."""


@dataclass
class ModelNode:
    """`created_at` is what the user set, or None; `made` is False where a change found no node."""

    name: str
    id: int = UNBORN
    type: str = ""
    observations: list[str] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    created_at: int | None = None
    born: int = 0
    updated_at: int = 0
    changed_by: int = 0
    made: bool = False


@dataclass
class ModelEdge:
    """`changed_by`, here and above, is the sequence of the newest commit that changed it."""

    name: EdgeName
    properties: dict[str, Any] = field(default_factory=dict)
    created_at: int | None = None
    born: int = 0
    valid_from: int | None = None
    valid_to: int | None = None
    changed_by: int = 0

    def holds(self, moment: int) -> bool:
        since, until = self.valid_from, self.valid_to
        return (since is None or since <= moment) and (until is None or moment < until)


@dataclass
class ModelChange:
    """A node or an edge that a commit changed; `state` is None where it was deleted.

    subject : the name of the node or of the edge.
    """

    sequence: int
    time: int
    subject: str | EdgeName
    state: ModelNode | ModelEdge | None


class ModelView:
    """The graph at one commit, with the reads that graphs and snapshots share.

    types : type names in the order of their first use; within a commit, those of nodes come first.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, ModelNode] = {}
        self.edges: dict[EdgeName, ModelEdge] = {}
        self.types: list[str] = []
        self.next_id = 0
        self.sequence = 0
        self.time = 0

    def snapshot(self) -> ModelView:
        """Return a copy that later commits do not touch."""
        view = ModelView()
        view.nodes, view.edges = copy.deepcopy(self.nodes), copy.deepcopy(self.edges)
        view.types = list(self.types)
        view.next_id, view.sequence, view.time = self.next_id, self.sequence, self.time
        return view

    def node(self, name: str) -> ModelNode:
        if name not in self.nodes:
            raise NodeNotFoundError(name)
        return self.nodes[name]

    def names_in_order(self, prefix: str = "", after: str | None = None) -> list[str]:
        """Return the names that start with `prefix` and are behind `after`, by their bytes."""
        names = sorted(self.nodes, key=str.encode)
        return [
            name
            for name in names
            if name.startswith(prefix) and (after is None or name.encode() > after.encode())
        ]

    def edges_of(
        self, name: str | None, direction: str = "out", types: Types = None
    ) -> list[ModelEdge]:
        """Return the edges at a node, out before in, a self loop once; without a name, all."""
        wanted = [
            edge for edge in self.edges.values() if types is None or edge.name[1] in list(types)
        ]
        if name is None:
            return sorted(wanted, key=lambda edge: (self._id(edge.name[0]), self._place(edge, 2)))
        self.node(name)
        outgoing = [edge for edge in wanted if edge.name[0] == name]
        incoming = [edge for edge in wanted if edge.name[2] == name]
        if direction == "both":
            incoming = [edge for edge in incoming if edge.name[0] != name]
        found = []
        if direction != "in":
            found += sorted(outgoing, key=lambda edge: self._place(edge, 2))
        if direction != "out":
            found += sorted(incoming, key=lambda edge: self._place(edge, 0))
        return found

    def neighbors(self, name: str, direction: str = "out", types: Types = None) -> list[str]:
        """Return the other end of each edge of `edges_of`, in its order."""
        return [
            source if target == name else target
            for source, _, target, _ in (e.name for e in self.edges_of(name, direction, types))
        ]

    def k_hop(
        self, name: str, hops: int, direction: str = "out", types: Types = None
    ) -> list[list[int]]:
        """Return, per hop, the ids first reached by it, ascending."""
        self.node(name)
        seen, layer, layers = {name}, {name}, []
        for _ in range(hops):
            layer = {far for near in layer for far in self.neighbors(near, direction, types)} - seen
            seen |= layer
            layers.append(sorted(map(self._id, layer)))
        return layers

    def _id(self, name: str) -> int:
        return self.nodes[name].id

    def _place(self, edge: ModelEdge, end: int) -> tuple[int, int, str]:
        """Return the place of an edge in a list, seen from the node whose neighbor is `end`."""
        return self.types.index(edge.name[1]), self._id(edge.name[end]), edge.name[3]

    def changes_from(self, before: ModelView) -> list[ModelChange]:
        """Return what this commit changed of the one before: nodes by id, then edges in order."""
        changed: list[tuple[Any, str | EdgeName, ModelNode | ModelEdge | None]] = []
        for node in self.nodes.values():
            if node.changed_by == self.sequence:
                changed.append(((0, node.id), node.name, node))
        known = {node.id for node in self.nodes.values()}
        for node in before.nodes.values():
            if node.id not in known:
                changed.append(((0, node.id), node.name, None))
        for edge in self.edges.values():
            if edge.changed_by == self.sequence:
                changed.append(((1, *self._key(edge)), edge.name, edge))
        alive = {self._key(edge) for edge in self.edges.values()}
        for edge in before.edges.values():
            # Type codes never change, so the older view's are right.
            key = before._key(edge)
            if key not in alive:
                changed.append(((1, *key), edge.name, None))
        changed.sort(key=lambda item: item[0])
        return [
            ModelChange(self.sequence, self.time, subject, state) for _, subject, state in changed
        ]

    def _key(self, edge: ModelEdge) -> tuple[int, tuple[int, int, str]]:
        """Return what tells an edge from all others, older ones of its name too."""
        return self._id(edge.name[0]), self._place(edge, 2)

    # Changes, made at `time` by commit `sequence` ------------------------------------------------

    def touch(self, name: str) -> ModelNode:
        """Return the node of that name, marked as changed; made anew if there is none."""
        node = self.nodes.setdefault(name, ModelNode(name, born=self.time))
        node.changed_by, node.updated_at = self.sequence, self.time
        return node

    def put_node(self, name: str, fields: Mapping[str, Any]) -> None:
        if fields or name not in self.nodes:
            self.touch(name)
        node = self.nodes[name]
        node.made = True
        for key, value in fields.items():
            empty: Any = {"type": "", "observations": [], "properties": {}}.get(key)
            setattr(node, key, copy.deepcopy(empty if value is None else value))

    def put_edge(self, name: EdgeName, fields: Mapping[str, Any]) -> None:
        if fields or name not in self.edges:
            edge = self.edges.setdefault(name, ModelEdge(name, born=self.time))
            edge.changed_by = self.sequence
        for key, value in fields.items():
            changed = {} if key == "properties" and value is None else copy.deepcopy(value)
            setattr(self.edges[name], key, changed)

    def delete_node(self, name: str) -> None:
        self.nodes.pop(name, None)
        for edge in [edge for edge in self.edges if name in (edge[0], edge[2])]:
            del self.edges[edge]
