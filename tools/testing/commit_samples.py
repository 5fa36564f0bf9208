"""Random commits, resolved as a transaction would resolve them: every operation can be."""

from __future__ import annotations

import random
from collections.abc import Iterator

from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.operations import (
    AdjacentEdge,
    DefineType,
    DeleteEdge,
    DeleteNode,
    InsertEdge,
    InsertNode,
    Operation,
    UpdateEdge,
    UpdateNode,
    encode_operation,
)
from lithograph.formats.optional_fields import NO_MOMENT
from lithograph.formats.properties import EMPTY, encode_properties
from lithograph.write.commit import Commit

MOMENT = 1_700_000_000_000_000
_TEXTS = ("", "a", "says hello", "ü", "日本", "x" * 300)


class CommitSamples:
    """A graph that changes at random, and the commits that change it.

    old_nodes : nodes 0 to this are in older layers, alive; edges between them may be.
    """

    def __init__(self, seed: int, old_nodes: int = 3) -> None:
        self._random = random.Random(seed)
        self._sequence = 10
        self._time = MOMENT
        self._next_id = old_nodes
        self._types = ["t0"]
        self._names: dict[int, str] = {node_id: f"old{node_id}" for node_id in range(old_nodes)}
        self._edges: set[tuple[int, AdjacentEdge]] = {
            (source, (0, target, "")) for source in range(old_nodes) for target in range(old_nodes)
        }
        self.first_sequence = self._sequence + 1
        self.first_id = old_nodes

    def commits(self, count: int) -> Iterator[Commit]:
        """Yield commits, in order."""
        for _ in range(count):
            operations = self._operations()
            if not operations:
                continue
            self._sequence += 1
            self._time += self._random.choice((0, 1, 999, 1_000_000))
            payload = b"".join(map(encode_operation, operations))
            yield Commit(self._sequence, self._time, payload, len(operations), operations)

    def _operations(self) -> list[Operation]:
        choose = self._random
        found: list[Operation] = []
        touched: set[int] = set()
        touched_edges: set[tuple[int, AdjacentEdge]] = set()
        if choose.random() < 0.3:
            name = f"t{len(self._types)}"
            found.append(DefineType(len(self._types), name))
            self._types.append(name)
        for _ in range(choose.randrange(1, 6)):
            kind = choose.random()
            if kind < 0.1 and self._names:
                node_id = choose.choice(sorted(self._names))
                ended = {edge for edge in self._edges if node_id in (edge[0], edge[1][1])}
                if node_id not in touched and not ended & touched_edges:
                    found.append(self._delete_node(node_id))
                    touched.add(node_id)
                    touched_edges |= ended
            elif kind < 0.4 or not self._names:
                found.append(self._insert_node())
                touched.add(self._next_id - 1)
            elif kind < 0.55:
                node_id = choose.choice(sorted(self._names))
                if node_id not in touched:
                    touched.add(node_id)
                    found.append(UpdateNode(node_id, self._node_patch(relative=True)))
            else:
                edge = self._edge(touched_edges)
                if edge is not None:
                    found.append(edge)
        return found

    def _insert_node(self) -> InsertNode:
        free = [name for name in ("Ada", "日本", "old1") if name not in self._names.values()]
        name = self._random.choice([f"n{self._next_id}", *free])
        node_id = self._next_id
        self._next_id += 1
        self._names[node_id] = name
        return InsertNode(node_id, name, self._node_patch(relative=False).as_full())

    def _delete_node(self, node_id: int) -> DeleteNode:
        outgoing = sorted(edge for source, edge in self._edges if source == node_id)
        incoming = sorted(
            (code, source, key) for source, (code, target, key) in self._edges if target == node_id
        )
        self._edges = {
            (source, edge) for source, edge in self._edges if node_id not in (source, edge[1])
        }
        return DeleteNode(node_id, self._names.pop(node_id), tuple(outgoing), tuple(incoming))

    def _edge(self, touched: set[tuple[int, AdjacentEdge]]) -> Operation | None:
        choose = self._random
        source, target = choose.choices(sorted(self._names), k=2)
        code = choose.randrange(len(self._types))
        key = choose.choice(("", "", "k", "ü"))
        edge = (source, (code, target, key))
        if edge in touched:
            return None
        touched.add(edge)
        if edge not in self._edges:
            self._edges.add(edge)
            return InsertEdge(source, target, code, key, self._edge_patch())
        if choose.random() < 0.5:
            self._edges.discard(edge)
            return DeleteEdge(source, target, code, key)
        return UpdateEdge(source, target, code, key, self._edge_patch())

    def _node_patch(self, *, relative: bool) -> NodePatch:
        choose = self._random
        patch = NodePatch(
            choose.choice((None, choose.randrange(len(self._types)))),
            choose.choice(self._moments()),
        )
        if choose.random() < 0.5:
            patch = patch._replace(observations=self._texts())
        elif relative and choose.random() < 0.7:
            patch = patch._replace(removed=self._texts() or None, appended=self._texts() or None)
        if choose.random() < 0.3:
            patch = patch._replace(properties=self._map())
        elif relative and choose.random() < 0.5:
            patch = patch._replace(properties_set=self._map(), properties_unset=("gone",))
        return patch

    def _edge_patch(self) -> EdgePatch:
        choose = self._random
        if choose.random() < 0.5:
            return EdgePatch()
        start = choose.choice((None, NO_MOMENT, MOMENT - 1_000_000))
        end = choose.choice((None, NO_MOMENT, MOMENT + 1_000))
        properties = choose.choice((None, self._map()))
        return EdgePatch(choose.choice(self._moments()), start, end, properties)

    def _texts(self) -> tuple[str, ...]:
        return tuple(self._random.choices(_TEXTS, k=self._random.randrange(4)))

    def _moments(self) -> tuple[int | None, ...]:
        return (None, NO_MOMENT, MOMENT, MOMENT + 1, MOMENT - 1_500_000, -5_000_000_000)

    def _map(self) -> bytes:
        if self._random.random() < 0.3:
            return EMPTY
        return encode_properties({"number": self._random.randrange(300), "text": "ü"})
