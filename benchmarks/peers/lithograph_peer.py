"""lithograph: every call on the graph itself, so each read sees the newest commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from workload import NodeRow

import lithograph
from lithograph import Graph, kernel
from peers.base import EdgeRow, Fields, NoRawBytes, micros

HOPS = 3


class LithographPeer(NoRawBytes):
    note = f"kernel: {kernel.backend}; default options; ids as numpy arrays"

    _graph: Graph

    def version(self) -> str:
        return lithograph.__version__

    def open(self, path: Path, durability: str) -> None:
        self._graph = graph = lithograph.open(path, durability=durability)
        self.node_id = graph.node_id
        self.neighbor_ids = graph.neighbor_ids
        self.node_ids = graph.node_ids

    def close(self) -> None:
        self._graph.close()

    def begin_reads(self) -> None:
        """Nothing: reads need no transaction."""

    def put_nodes(self, rows: Sequence[NodeRow]) -> None:
        with self._graph.transaction() as tx:
            for row in rows:
                tx.put_node(
                    row.name,
                    type=row.type,
                    observations=row.observations,
                    created_at=row.created_at,
                )

    def put_edges(self, edges: Sequence[EdgeRow]) -> None:
        with self._graph.transaction() as tx:
            for source, type_name, target in edges:
                tx.put_edge(source, type_name, target)

    def put_node(self, row: NodeRow) -> None:
        self._graph.put_node(
            row.name, type=row.type, observations=row.observations, created_at=row.created_at
        )

    def compact(self) -> None:
        self._graph.compact()

    def counts(self) -> tuple[int, int]:
        return self._graph.node_count, self._graph.edge_count

    def read_node(self, name: str) -> Any:
        node = self._graph.get_node(name)
        assert node is not None
        return (
            node.id,
            node.name,
            node.type,
            node.observations,
            node.properties,
            node.created_at,
            node.updated_at,
        )

    def fields(self, record: Any) -> Fields:
        _, name, type_name, observations, _, created_at, _ = record
        return name, type_name, observations, micros(created_at)

    def start(self, name: str) -> Any:
        return self._graph.node_id(name)

    def k_hop(self, name: str) -> Sequence[Iterable[int]]:
        return self._graph.k_hop(name, HOPS)

    def commit_size(self) -> int:
        before = self._graph.stats().wal_size_bytes
        self._graph.put_node("entity:0000000000", type="Type00", observations=["one", "other"])
        return self._graph.stats().wal_size_bytes - before


PEER = LithographPeer
