"""Ladybug: one table of nodes with names as primary keys, one table of edges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import ladybug
import pyarrow as pa
from workload import NodeRow

from peers.base import CannotError, EdgeRow, Fields, NoRawBytes, micros

_BUFFER_POOL_SIZE: Final = 2 << 30
_COPY_ROWS: Final = 250_000
_SCHEMA: Final = (
    "CREATE NODE TABLE IF NOT EXISTS Node(name STRING PRIMARY KEY, id INT64, type STRING, "
    "one STRING, other STRING, created INT64)",
    "CREATE REL TABLE IF NOT EXISTS Edge(FROM Node TO Node, type STRING)",
)
_UPDATE_NODES: Final = (
    "UNWIND $rows AS r MATCH (n:Node {name: r.name}) "
    "SET n.type = r.type, n.one = r.one, n.other = r.other, n.created = r.created"
)
_CREATE_NODES: Final = (
    "UNWIND $rows AS r OPTIONAL MATCH (n:Node {name: r.name}) WITH r, n WHERE n IS NULL "
    "CREATE (:Node {name: r.name, id: r.id, type: r.type, one: r.one, other: r.other, "
    "created: r.created})"
)
_PUT_EDGES: Final = (
    "UNWIND $rows AS r MATCH (a:Node {name: r.source}) MATCH (b:Node {name: r.target}) "
    "MERGE (a)-[:Edge {type: r.type}]->(b)"
)
_PUT_NODE: Final = (
    "MERGE (n:Node {name: $name}) ON CREATE SET n.id = $id "
    "SET n.type = $type, n.one = $one, n.other = $other, n.created = $created"
)
_NODE_ID: Final = "MATCH (n:Node {name: $name}) RETURN n.id"
_READ_NODE: Final = (
    "MATCH (n:Node {name: $name}) RETURN n.id, n.name, n.type, n.one, n.other, n.created"
)
_NEIGHBORS: Final = "MATCH (:Node {name: $name})-[:Edge]->(n:Node) RETURN n.id"
_K_HOP: Final = (
    "MATCH (:Node {name: $name})-[e:Edge* SHORTEST 1..3]->(n:Node) RETURN n.id, length(e)"
)
_NODE_IDS: Final = "UNWIND $names AS name MATCH (n:Node {name: name}) RETURN name, n.id"


class LadybugPeer(NoRawBytes):
    note = (
        "names as primary keys, edges found from names; W is loaded by COPY of 250,000 rows, each "
        "edge once, as its transactions take more than ten times as long; other batches by UNWIND, "
        "an update and a creation (their MERGE reads the table for each), k_hop by SHORTEST 1..3"
    )

    def __init__(self) -> None:
        self._is_loading = False
        self._nodes: list[dict[str, Any]] = []
        self._edges: list[EdgeRow] = []
        self._known: set[EdgeRow] = set()

    def version(self) -> str:
        return version("ladybug")

    def open(self, path: Path, durability: str) -> None:
        self._durability = durability
        self._database = ladybug.Database(str(path), buffer_pool_size=_BUFFER_POOL_SIZE)
        self._db: Any = ladybug.Connection(self._database)
        for statement in _SCHEMA:
            self._db.execute(statement)
        ((self._next_id,),) = self._rows("MATCH (n:Node) RETURN count(*)")

    def close(self) -> None:
        self._db.close()
        self._database.close()

    def begin_reads(self) -> None:
        """Nothing: each query is a transaction, which costs little beside it."""

    def _rows(self, query: str, **parameters: Any) -> list[list[Any]]:
        with self._db.execute(query, parameters) as result:
            rows: list[list[Any]] = result.get_all()
        return rows

    # Loading -----------------------------------------------------------------------------------

    def begin_load(self) -> None:
        self._is_loading = True

    def end_load(self) -> None:
        self._copy_nodes()
        self._copy_edges()
        self._known.clear()
        self._is_loading = False

    def _copy_nodes(self) -> None:
        if self._nodes:
            self._db.execute("COPY Node FROM $rows", {"rows": pa.Table.from_pylist(self._nodes)})
            self._nodes.clear()

    def _copy_edges(self) -> None:
        if self._edges:
            sources, types, targets = zip(*self._edges, strict=True)
            rows = pa.table({"from": sources, "to": targets, "type": types})
            self._db.execute("COPY Edge FROM $rows", {"rows": rows})
            self._edges.clear()

    # Writing -----------------------------------------------------------------------------------

    def put_nodes(self, rows: Sequence[NodeRow]) -> None:
        values = [self._values(row) for row in rows]
        if self._is_loading:
            self._nodes += values
            if len(self._nodes) >= _COPY_ROWS:
                self._copy_nodes()
            return
        parameters = {"rows": values}
        self._db.execute("BEGIN TRANSACTION")
        self._db.execute(_UPDATE_NODES, parameters)
        self._db.execute(_CREATE_NODES, parameters)
        self._db.execute("COMMIT")

    def put_node(self, row: NodeRow) -> None:
        if self._durability == "normal":
            raise CannotError("every commit is synced; there is no other mode")
        self._db.execute(_PUT_NODE, self._values(row))

    def _values(self, row: NodeRow) -> dict[str, Any]:
        self._next_id += 1
        return {
            "name": row.name,
            "id": self._next_id - 1,
            "type": row.type,
            "one": row.observations[0],
            "other": row.observations[1],
            "created": micros(row.created_at),
        }

    def put_edges(self, edges: Sequence[EdgeRow]) -> None:
        if self._is_loading:
            # Their ends must be there.
            self._copy_nodes()
            fresh = [edge for edge in dict.fromkeys(edges) if edge not in self._known]
            self._known.update(fresh)
            self._edges += fresh
            if len(self._edges) >= _COPY_ROWS:
                self._copy_edges()
            return
        rows = [
            {"source": source, "type": type_name, "target": target}
            for source, type_name, target in edges
        ]
        self._db.execute(_PUT_EDGES, {"rows": rows})

    def compact(self) -> None:
        self._db.execute("CHECKPOINT")

    # Reading -----------------------------------------------------------------------------------

    def counts(self) -> tuple[int, int]:
        ((nodes,),) = self._rows("MATCH (n:Node) RETURN count(*)")
        ((edges,),) = self._rows("MATCH ()-[e:Edge]->() RETURN count(*)")
        return nodes, edges

    def node_id(self, name: str) -> int | None:
        rows = self._rows(_NODE_ID, name=name)
        return rows[0][0] if rows else None

    def read_node(self, name: str) -> Any:
        return self._rows(_READ_NODE, name=name)[0]

    def fields(self, record: Any) -> Fields:
        _, name, type_name, one, other, created = record
        return name, type_name, (one, other), created

    def start(self, name: str) -> Any:
        return name

    def neighbor_ids(self, start: Any) -> Iterable[int]:
        return [node for (node,) in self._rows(_NEIGHBORS, name=start)]

    def k_hop(self, name: str) -> Sequence[Iterable[int]]:
        levels: list[list[int]] = [[], [], []]
        for node, hop in self._rows(_K_HOP, name=name):
            levels[hop - 1].append(node)
        return levels

    def node_ids(self, names: list[str]) -> Iterable[int]:
        found = {name: node for name, node in self._rows(_NODE_IDS, names=names)}
        return [found.get(name, -1) for name in names]


PEER = LadybugPeer
