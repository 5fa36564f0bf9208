"""From intents to operations: read before writing (DESIGN, section 4).

Under the commit lock, against the newest state. Every operation comes out resolved (ids; insert,
update or delete), so that counts are exact and replay needs no look-ups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lithograph.errors import ConflictError, InvalidArgumentError
from lithograph.formats.edge_patch import UNCHANGED_EDGE, EdgePatch
from lithograph.formats.node_patch import UNCHANGED
from lithograph.formats.operations import (
    DefineType,
    DeleteEdge,
    DeleteNode,
    InsertEdge,
    InsertNode,
    Operation,
    UpdateEdge,
    UpdateNode,
)
from lithograph.formats.optional_fields import NO_MOMENT
from lithograph.formats.properties import EMPTY
from lithograph.read.fold import EdgeState, find_edge, find_name
from lithograph.read.neighbors import live_edges
from lithograph.segments.layer import Direction, Layers
from lithograph.transaction.intents import EdgeIntent, EdgeName, Intents, NodeIntent


class Resolver:
    """Resolves the intents of one transaction.

    layers, sequence : the newest state, including what the same group commits before.
    next_id, type_count : the next new node's id and the next new type's code.
    time : the commit time.
    found : ids of names, None for absent ones, that are known already.
    """

    def __init__(
        self,
        layers: Layers,
        sequence: int,
        type_code: Callable[[str], int | None],
        next_id: int,
        type_count: int,
        time: int,
        found: Mapping[str, int | None],
    ) -> None:
        self._layers = layers
        self._sequence = sequence
        self._type_code = type_code
        self._next_id = next_id
        self._type_count = type_count
        self._time = time
        self._new_types: dict[str, int] = {}
        self._found = dict(found)
        # Invariant: ids of nodes that this transaction makes; no edge of theirs is anywhere yet.
        self._born: set[int] = set()

    def resolve(self, intents: Intents) -> list[Operation]:
        """Return the operations, types first, then nodes that end, nodes, edges.

        Raises
        ------
        ConflictError : a node that the transaction relied on is gone.
        InvalidArgumentError : an edge would end before it starts.
        """
        operations: list[Operation] = []
        gone: set[int] = set()
        for name in intents.replaced_nodes():
            node_id = self._find(name)
            if node_id is not None:
                operations.append(self._delete_node(node_id, name, gone))
                gone.add(node_id)
        for name, intent in intents.nodes.items():
            self._node(name, intent, operations)
        for edge_name, edge_intent in intents.edges.items():
            self._edge(edge_name, edge_intent, operations)
        types = [DefineType(code, name) for name, code in self._new_types.items()]
        return [*types, *operations]

    def _find(self, name: str) -> int | None:
        """Return the id a name has now, or gets in this transaction."""
        if name not in self._found:
            self._found[name] = find_name(self._layers, name, self._sequence)
        return self._found[name]

    def _code(self, type_name: str) -> int:
        code = self._type_code(type_name)
        if code is None:
            code = self._new_types.get(type_name)
        if code is None:
            code = self._new_types[type_name] = self._type_count + len(self._new_types)
        return code

    def _delete_node(self, node_id: int, name: str, gone: set[int]) -> DeleteNode:
        outgoing = live_edges(self._layers, node_id, Direction.OUT, None, self._sequence)
        incoming = live_edges(self._layers, node_id, Direction.IN, None, self._sequence)
        # An edge between two nodes that both end belongs to the first one's operation.
        self._found[name] = None
        return DeleteNode(
            node_id,
            name,
            tuple([edge for edge in outgoing if edge[1] not in gone]),
            tuple([edge for edge in incoming if edge[1] not in gone]),
        )

    def _node(self, name: str, intent: NodeIntent, operations: list[Operation]) -> None:
        node_id = self._find(name)
        patch = intent.patch
        if not intent.put and patch == UNCHANGED and intent.type_name is None:
            return  # Only deleted.
        if intent.type_name is not None and (intent.type_name or node_id is not None):
            patch = patch._replace(type_code=self._code(intent.type_name))
        if node_id is not None:
            if patch != UNCHANGED:
                operations.append(UpdateNode(node_id, patch))
        elif intent.put:
            node_id = self._next_id
            self._next_id += 1
            self._found[name] = node_id
            self._born.add(node_id)
            operations.append(InsertNode(node_id, name, patch.as_full()))
        else:
            raise ConflictError(
                f"another commit deleted {name!r}, which this transaction changes; run it again"
            )

    def _edge(self, name: EdgeName, intent: EdgeIntent, operations: list[Operation]) -> None:
        source_name, type_name, target_name, key = name
        source, target = self._find(source_name), self._find(target_name)
        if not intent.put:
            code = self._type_code(type_name)
            if (
                source is not None
                and target is not None
                and code is not None
                and find_edge(self._layers, source, (code, target, key), self._sequence)
            ):
                operations.append(DeleteEdge(source, target, code, key))
            return
        if source is None or target is None:
            gone = source_name if source is None else target_name
            raise ConflictError(
                f"another commit deleted {gone!r}, an end of an edge of this transaction; "
                "run it again"
            )
        code = self._code(type_name)
        state = None
        if source not in self._born and target not in self._born:
            state = find_edge(self._layers, source, (code, target, key), self._sequence)
        patch = intent.patch
        if state is None:
            _check_interval(name, patch)
            operations.append(InsertEdge(source, target, code, key, patch))
            return
        if intent.delete:
            # Ended and made again in one commit: nothing of the old one is left.
            patch = EdgePatch(NO_MOMENT, NO_MOMENT, NO_MOMENT, EMPTY).then(patch)
            if patch.created_at == NO_MOMENT:
                patch = patch._replace(created_at=self._time)
        if patch != UNCHANGED_EDGE:
            _check_interval(name, _as_patch(state).then(patch))
            operations.append(UpdateEdge(source, target, code, key, patch))


def _as_patch(state: EdgeState) -> EdgePatch:
    return EdgePatch(state.created_at, state.valid_from, state.valid_to, state.properties)


def _check_interval(name: EdgeName, patch: EdgePatch) -> None:
    if patch.ends_before_it_starts():
        raise InvalidArgumentError(
            f"the edge {name[0]!r} -[{name[1]}]-> {name[2]!r} would end before it starts: "
            "valid_to must not be earlier than valid_from"
        )
