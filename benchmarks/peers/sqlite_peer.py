"""SQLite through the standard library: tables of nodes and edges, the edges in two orders."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from workload import NodeRow

from peers.base import EdgeRow, Fields, NoRawBytes, micros

_SCHEMA: Final = """
create table if not exists type (id integer primary key, name text not null unique);
create table if not exists node (
  id integer primary key,
  name text not null unique,
  type text not null,
  one text not null,
  other text not null,
  created integer not null
);
create table if not exists edge (
  source integer not null,
  type integer not null,
  target integer not null,
  primary key (source, type, target)
) without rowid;
create table if not exists edge_in (
  target integer not null,
  type integer not null,
  source integer not null,
  primary key (target, type, source)
) without rowid;
"""
_PUT_NODE: Final = """
insert into node (name, type, one, other, created) values (?, ?, ?, ?, ?)
on conflict (name) do update set
  type = excluded.type, one = excluded.one, other = excluded.other, created = excluded.created
returning id
"""
_NODE_ID: Final = "select id from node where name = ?"
_READ_NODE: Final = "select id, name, type, one, other, created from node where name = ?"
_NEIGHBORS: Final = "select target from edge where source = ? order by type, target"
_K_HOP: Final = """
with recursive reached (id, hop) as (
  select id, 0 from node where name = ?
  union
  select edge.target, hop + 1 from reached join edge on edge.source = reached.id where hop < 3
)
select id, min(hop) as first from reached group by id having first > 0
"""
_NODE_IDS: Final = """
select coalesce(node.id, -1) from json_each(?) left join node on node.name = json_each.value
order by json_each.key
"""


class SqlitePeer(NoRawBytes):
    note = (
        "WAL, WITHOUT ROWID edges by source and by target, 1 GiB of cache and of mmap, "
        "prepared statements, reads in one open transaction, k_hop by a recursive query"
    )

    _db: sqlite3.Connection

    def version(self) -> str:
        return sqlite3.sqlite_version

    def open(self, path: Path, durability: str) -> None:
        path.mkdir(exist_ok=True)
        self._db = db = sqlite3.connect(
            path / "graph.sqlite", isolation_level=None, cached_statements=64
        )
        db.execute("pragma journal_mode = wal")
        db.execute(f"pragma synchronous = {durability}")
        db.execute("pragma cache_size = -1048576")
        db.execute("pragma mmap_size = 1073741824")
        db.executescript(_SCHEMA)
        self._ids: dict[str, int] = {}
        self._types: dict[str, int] = dict(db.execute("select name, id from type"))

    def close(self) -> None:
        self._db.close()

    def begin_reads(self) -> None:
        self._db.execute("begin")

    def put_nodes(self, rows: Sequence[NodeRow]) -> None:
        db = self._db
        db.execute("begin")
        for row in rows:
            (self._ids[row.name],) = db.execute(_PUT_NODE, _values(row)).fetchone()
        db.execute("commit")

    def put_edges(self, edges: Sequence[EdgeRow]) -> None:
        ids = self._ids
        self._db.execute("begin")
        rows = [
            (ids[source], self._type(type_name), ids[target]) for source, type_name, target in edges
        ]
        self._db.executemany("insert or ignore into edge values (?, ?, ?)", sorted(rows))
        rows = [(target, code, source) for source, code, target in rows]
        self._db.executemany("insert or ignore into edge_in values (?, ?, ?)", sorted(rows))
        self._db.execute("commit")

    def _type(self, name: str) -> int:
        if name not in self._types:
            cursor = self._db.execute("insert into type (name) values (?)", (name,))
            assert cursor.lastrowid is not None
            self._types[name] = cursor.lastrowid
        return self._types[name]

    def put_node(self, row: NodeRow) -> None:
        self._db.execute(_PUT_NODE, _values(row)).fetchall()

    def compact(self) -> None:
        self._db.execute("vacuum")
        self._db.execute("analyze")
        self._db.execute("pragma wal_checkpoint(truncate)")

    def counts(self) -> tuple[int, int]:
        (nodes,) = self._db.execute("select count(*) from node").fetchone()
        (edges,) = self._db.execute("select count(*) from edge").fetchone()
        (edges_in,) = self._db.execute("select count(*) from edge_in").fetchone()
        assert edges == edges_in
        return nodes, edges

    def node_id(self, name: str) -> int | None:
        row = self._db.execute(_NODE_ID, (name,)).fetchone()
        return None if row is None else row[0]

    def read_node(self, name: str) -> Any:
        return self._db.execute(_READ_NODE, (name,)).fetchone()

    def fields(self, record: Any) -> Fields:
        _, name, type_name, one, other, created = record
        return name, type_name, (one, other), created

    def start(self, name: str) -> Any:
        return self.node_id(name)

    def neighbor_ids(self, start: Any) -> Iterable[int]:
        return [target for (target,) in self._db.execute(_NEIGHBORS, (start,))]

    def k_hop(self, name: str) -> Sequence[Iterable[int]]:
        levels: list[list[int]] = [[], [], []]
        for node, hop in self._db.execute(_K_HOP, (name,)):
            levels[hop - 1].append(node)
        return levels

    def node_ids(self, names: list[str]) -> Iterable[int]:
        return [node for (node,) in self._db.execute(_NODE_IDS, (json.dumps(names),))]


def _values(row: NodeRow) -> tuple[str, str, str, str, int]:
    return row.name, row.type, *row.observations, micros(row.created_at)


PEER = SqlitePeer
