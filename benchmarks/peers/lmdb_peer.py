"""LMDB: sub-databases of names, nodes, and edges in both orders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import lmdb
from workload import NodeRow

from peers.base import CannotError, EdgeRow, Fields, breadth_first
from peers.layout import EDGE, ID, TARGET_OFFSET, decode_node, encode_node, node_fields

_MAP_SIZE: Final = 1 << 40
_TABLES: Final = ("names", "nodes", "out", "in", "types")


class LmdbPeer:
    note = (
        "sub-databases name -> id, id -> MessagePack, edges as sorted keys in both orders; read "
        "transactions and a cursor held open; normal: sync=False, a weaker promise than the others'"
    )

    def version(self) -> str:
        return f"{lmdb.__version__} (LMDB {'.'.join(map(str, lmdb.version()))})"

    def open(self, path: Path, durability: str) -> None:
        self._path = path
        self._env: Any = lmdb.open(
            str(path), map_size=_MAP_SIZE, max_dbs=len(_TABLES), sync=durability == "full"
        )
        self._tables: dict[str, Any] = {name: self._env.open_db(name.encode()) for name in _TABLES}
        self._ids: dict[str, int] = {}
        self._reads: list[Any] = []
        with self._env.begin() as txn:
            self._next_id = txn.stat(self._tables["nodes"])["entries"]
            cursor = txn.cursor(self._tables["types"])
            self._types: dict[str, int] = {
                name.decode(): ID.unpack(code)[0] for name, code in cursor
            }

    def close(self) -> None:
        for read in self._reads:
            read.abort()
        self._env.sync(True)
        self._env.close()

    def begin_reads(self) -> None:
        begin, tables = self._env.begin, self._tables
        self._reads = [begin(tables["names"]), begin(tables["nodes"], buffers=True), begin()]
        self._get_id = self._reads[0].get
        self._get_node = self._reads[1].get
        self._out = self._reads[2].cursor(tables["out"])

    # Writing -----------------------------------------------------------------------------------

    def put_nodes(self, rows: Sequence[NodeRow]) -> None:
        with self._env.begin(write=True) as txn:
            for row in rows:
                self._ids[row.name] = self._put(txn, row)

    def put_node(self, row: NodeRow) -> None:
        with self._env.begin(write=True) as txn:
            self._put(txn, row)

    def _put(self, txn: Any, row: NodeRow) -> int:
        node: int = self._next_id
        name = row.name.encode()
        if txn.put(name, ID.pack(node), overwrite=False, db=self._tables["names"]):
            self._next_id += 1
        else:
            node = int.from_bytes(txn.get(name, db=self._tables["names"]), "big")
        txn.put(ID.pack(node), encode_node(row), db=self._tables["nodes"])
        return node

    def put_edges(self, edges: Sequence[EdgeRow]) -> None:
        ids = self._ids
        with self._env.begin(write=True) as txn:
            rows = [
                (ids[source], self._type(txn, name), ids[target]) for source, name, target in edges
            ]
            keys = [(EDGE.pack(*row), b"") for row in rows]
            txn.cursor(self._tables["out"]).putmulti(keys)
            keys = [(EDGE.pack(target, code, source), b"") for source, code, target in rows]
            txn.cursor(self._tables["in"]).putmulti(keys)

    def _type(self, txn: Any, name: str) -> int:
        if name not in self._types:
            self._types[name] = len(self._types)
            txn.put(name.encode(), ID.pack(self._types[name]), db=self._tables["types"])
        return self._types[name]

    def compact(self) -> None:
        copy = self._path.with_name(self._path.name + ".copy")
        copy.mkdir()
        self._env.copy(str(copy), compact=True)
        self._env.close()
        (copy / "data.mdb").replace(self._path / "data.mdb")
        copy.rmdir()
        self.open(self._path, "normal")

    # Reading -----------------------------------------------------------------------------------

    def counts(self) -> tuple[int, int]:
        with self._env.begin() as txn:
            nodes, out, into = (
                txn.stat(self._tables[table])["entries"] for table in ("nodes", "out", "in")
            )
        assert out == into
        return nodes, out

    def node_id(self, name: str) -> int | None:
        value = self._get_id(name.encode())
        return None if value is None else int.from_bytes(value, "big")

    def read_node(self, name: str) -> Any:
        return decode_node(self._get_node(self._get_id(name.encode())))

    def fields(self, record: Any) -> Fields:
        return node_fields(record)

    def start(self, name: str) -> Any:
        return self.node_id(name)

    def neighbor_ids(self, start: Any) -> Iterable[int]:
        prefix = start.to_bytes(8, "big")
        cursor, found = self._out, []
        if cursor.set_range(prefix):
            for key in cursor.iternext(True, False):
                if not key.startswith(prefix):
                    break
                found.append(int.from_bytes(key[TARGET_OFFSET:], "big"))
        return found

    def k_hop(self, name: str) -> Sequence[Iterable[int]]:
        start = self.node_id(name)
        assert start is not None
        return breadth_first(self.neighbor_ids, start, 3)

    def node_ids(self, names: list[str]) -> Iterable[int]:
        get = self._get_id
        absent = b"\xff" * 8
        return [int.from_bytes(get(name.encode(), absent), "big", signed=True) for name in names]

    def raw_keys(self, names: list[str]) -> list[Any]:
        return [self._get_id(name.encode()) for name in names]

    def raw_get(self, key: Any) -> object:
        return self._get_node(key)

    def commit_size(self) -> int:
        raise CannotError("only lithograph says")


PEER = LmdbPeer
