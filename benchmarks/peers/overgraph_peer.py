"""OverGraph: names are keys below one label, types and texts are properties."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from overgraph import OverGraph
from workload import NodeRow

from peers.base import EdgeRow, Fields, NoRawBytes, micros

_LABEL: Final = "Entity"
_SYNC_MODES: Final = {"full": "immediate", "normal": "group_commit"}


class OvergraphPeer(NoRawBytes):
    note = (
        "one node label, names as keys, edge types as edge labels, edge_uniqueness; a transaction "
        "is a batch_upsert; k_hop by traverse; normal: group_commit"
    )

    def version(self) -> str:
        return version("overgraph")

    def open(self, path: Path, durability: str) -> None:
        mode = _SYNC_MODES[durability]
        self._db = OverGraph.open(str(path), wal_sync_mode=mode, edge_uniqueness=True)
        self._ids: dict[str, int] = {}
        self._by_key = self._db.get_node_by_key
        self._neighbors = self._db.neighbors

    def close(self) -> None:
        self._db.close()

    def begin_reads(self) -> None:
        """Nothing: reads need no transaction."""

    def put_nodes(self, rows: Sequence[NodeRow]) -> None:
        nodes = [{"labels": [_LABEL], "key": row.name, "props": _props(row)} for row in rows]
        ids = self._db.batch_upsert_nodes(nodes)
        self._ids.update(zip([row.name for row in rows], ids, strict=True))

    def put_edges(self, edges: Sequence[EdgeRow]) -> None:
        ids = self._ids
        self._db.batch_upsert_edges(
            [
                {"from_id": ids[source], "to_id": ids[target], "label": type_name}
                for source, type_name, target in edges
            ]
        )

    def put_node(self, row: NodeRow) -> None:
        self._db.upsert_node(_LABEL, row.name, props=_props(row))

    def compact(self) -> None:
        self._db.flush()
        self._db.compact()

    def counts(self) -> tuple[int, int]:
        labels = [info.label for info in self._db.list_edge_labels()]
        edges = sum(self._db.count_edges_by_label(label) for label in labels)
        return self._db.count_nodes_by_labels(_LABEL), edges

    def node_id(self, name: str) -> int | None:
        node = self._by_key(_LABEL, name)
        return None if node is None else node.id

    def read_node(self, name: str) -> Any:
        node = self._by_key(_LABEL, name)
        assert node is not None
        return node.id, node.key, node.props, node.created_at, node.updated_at

    def fields(self, record: Any) -> Fields:
        _, name, props, _, _ = record
        return name, props["type"], (props["one"], props["other"]), props["created"]

    def start(self, name: str) -> Any:
        return self.node_id(name)

    def neighbor_ids(self, start: Any) -> Iterable[int]:
        return [entry.node_id for entry in self._neighbors(start)]

    def k_hop(self, name: str) -> Sequence[Iterable[int]]:
        start = self.node_id(name)
        assert start is not None
        levels: list[list[int]] = [[], [], []]
        for hit in self._db.traverse(start, 3).items:
            levels[hit.depth - 1].append(hit.node_id)
        return levels

    def node_ids(self, names: list[str]) -> Iterable[int]:
        nodes = self._db.get_nodes_by_keys([{"labels": [_LABEL], "key": name} for name in names])
        return [-1 if node is None else node.id for node in nodes]


def _props(row: NodeRow) -> dict[str, Any]:
    one, other = row.observations
    return {"type": row.type, "one": one, "other": other, "created": micros(row.created_at)}


PEER = OvergraphPeer
