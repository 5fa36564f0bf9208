"""Rows into a store: many per commit, nothing written that is there already.

Promises:

1. A batch is at most `ROWS_MAX` rows and about `BYTES_MAX` bytes of the source, and one commit for
   its nodes and one for its edges; what an interrupted import leaves is whole commits.
2. A node that is there is merged with its row: a type replaces, observations that it does not have
   yet are appended, properties are set one by one. An edge that is there gets the fields that the
   row has. Loading the same rows again writes nothing.
3. Ends that do not exist are made, and counted.
"""

from __future__ import annotations

from typing import Any, Final

from lithograph import Edge, Graph, Node, Transaction
from lithograph.errors import ConflictError
from lithograph.formats.properties import encode_properties
from lithograph.tools.importers.rows import EdgeRow, NodeRow

ROWS_MAX: Final = 5_000
BYTES_MAX: Final = 4 * 2**20

EdgeName = tuple[str, str, str, str]


class Loader:
    """Takes rows one by one; `finish` writes what is left.

    Attributes
    ----------
    node_rows, edge_rows : rows taken.
    written : nodes and edges that were made or changed.
    missing_ends : nodes made because an edge named them.
    commits : transactions that wrote something.
    """

    def __init__(self, graph: Graph, rows_max: int = ROWS_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._graph = graph
        self._rows_max = rows_max
        self._bytes_max = bytes_max
        # In an empty store no edge is looked for that only this import can have made.
        self._was_empty = graph.edge_count == 0
        self._nodes: dict[str, NodeRow] = {}
        self._edges: dict[EdgeName, EdgeRow] = {}
        self._size = 0
        self.node_rows = 0
        self.edge_rows = 0
        self.written = 0
        self.missing_ends = 0
        self.commits = 0

    def add(self, row: NodeRow | EdgeRow) -> None:
        """Take a row; writes a batch when it is full."""
        if isinstance(row, NodeRow):
            self.node_rows += 1
            earlier = self._nodes.get(row.name)
            self._nodes[row.name] = row if earlier is None else _merged(earlier, row)
        else:
            self.edge_rows += 1
            name = (row.source, row.type, row.target, row.key)
            known = self._edges.get(name)
            self._edges[name] = row if known is None else _replaced(known, row)
        self._size += row.size
        if len(self._nodes) + len(self._edges) >= self._rows_max or self._size >= self._bytes_max:
            self.finish()

    def finish(self) -> None:
        """Write what was taken: nodes, then edges."""
        nodes, self._nodes = self._nodes, {}
        edges, self._edges = self._edges, {}
        self._size = 0
        if nodes:
            self._commit(lambda transaction: _put_nodes(transaction, nodes))
        if edges:
            names = list(dict.fromkeys(end for edge in edges for end in (edge[0], edge[2])))
            ids = self._graph.node_ids(names).tolist()
            absent = {name for name, node_id in zip(names, ids, strict=True) if node_id < 0}
            known = [
                edge
                for edge in edges
                if not self._was_empty and edge[0] not in absent and edge[2] not in absent
            ]
            self._commit(lambda transaction: _put_edges(transaction, edges, known))
            self.missing_ends += len(absent)

    def _commit(self, write: Any) -> None:
        """Write until no other commit comes between."""
        while True:
            try:
                with self._graph.transaction() as transaction:
                    written = write(transaction)
                break
            except ConflictError:
                continue
        self.written += written
        self.commits += transaction.sequence is not None


def _put_nodes(transaction: Transaction, rows: dict[str, NodeRow]) -> int:
    """Put what is new of the rows; return how many."""
    # All reads come first: a transaction reads what it has written only in a slower way.
    changes = [(name, _node_fields(transaction.get_node(name), row)) for name, row in rows.items()]
    written = 0
    for name, fields in changes:
        if fields is not None:
            transaction.put_node(name, **fields)
            written += 1
    return written


def _put_edges(
    transaction: Transaction, rows: dict[EdgeName, EdgeRow], known: list[EdgeName]
) -> int:
    found = {
        name: edge
        for name in known
        if (edge := transaction.get_edge(*name[:3], key=name[3])) is not None
    }
    written = 0
    for name, row in rows.items():
        edge = found.get(name)
        fields = _edge_fields(row) if edge is None else _edge_changes(edge, row)
        if edge is None or fields:
            source, type_name, target, key = name
            transaction.put_edge(source, type_name, target, key=key, create_missing=True, **fields)
            written += 1
    return written


def _node_fields(found: Node | None, row: NodeRow) -> dict[str, Any] | None:
    """Return what to put, or None where the node is as the row says."""
    fields: dict[str, Any] = {}
    if found is None:
        if row.type:
            fields["type"] = row.type
        if row.observations:
            fields["observations"] = row.observations
        if row.properties:
            fields["properties"] = row.properties
        if row.created_at is not None:
            fields["created_at"] = row.created_at
        return fields
    if row.type and row.type != found.type:
        fields["type"] = row.type
    if row.observations and (new := _new_texts(found.observations, row.observations)):
        fields["observations"] = found.observations + new
    if row.properties:
        before = found.properties
        after = before | row.properties
        # Compared as bytes: 1 is not True, and not 1.0.
        if encode_properties(after) != encode_properties(before):
            fields["properties"] = after
    if row.created_at is not None and row.created_at != found.created_at:
        fields["created_at"] = row.created_at
    return fields or None


def _edge_fields(row: EdgeRow) -> dict[str, Any]:
    fields = {
        "properties": row.properties,
        "valid_from": row.valid_from,
        "valid_to": row.valid_to,
        "created_at": row.created_at,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _edge_changes(found: Edge, row: EdgeRow) -> dict[str, Any]:
    fields = _edge_fields(row)
    if "properties" in fields and (
        encode_properties(fields["properties"]) == encode_properties(found.properties)
    ):
        del fields["properties"]
    return {
        name: value
        for name, value in fields.items()
        if name == "properties" or value != getattr(found, name)
    }


def _new_texts(known: tuple[str, ...], texts: tuple[str, ...]) -> tuple[str, ...]:
    there = frozenset(known)
    return tuple(text for text in dict.fromkeys(texts) if text not in there)


def _merged(first: NodeRow, second: NodeRow) -> NodeRow:
    """Return two rows of one node as one."""
    known = first.observations or ()
    properties = (first.properties or {}) | (second.properties or {})
    return NodeRow(
        second.line,
        first.name,
        second.type or first.type,
        known + _new_texts(known, second.observations or ()),
        properties or None,
        first.created_at if second.created_at is None else second.created_at,
        first.size + second.size,
    )


def _replaced(first: EdgeRow, second: EdgeRow) -> EdgeRow:
    """Return two rows of one edge as one: what the second says holds."""
    return EdgeRow(
        second.line,
        first.source,
        first.type,
        first.target,
        first.key,
        first.properties if second.properties is None else second.properties,
        first.valid_from if second.valid_from is None else second.valid_from,
        first.valid_to if second.valid_to is None else second.valid_to,
        first.created_at if second.created_at is None else second.created_at,
        first.size + second.size,
    )
