"""DuckDB: a table of nodes, and one of edges in each order, sorted when compacted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
from workload import NodeRow

from peers.base import CannotError, EdgeRow, Fields, NoRawBytes, ids_array, micros

_FILE: Final = "graph.duckdb"
_SCHEMA: Final = """
create table if not exists type (id smallint, name varchar);
create table if not exists node (
  id bigint not null, name varchar primary key, type varchar, one varchar, other varchar,
  created bigint
);
create table if not exists edge (source bigint not null, type smallint, target bigint not null);
create table if not exists edge_in (target bigint not null, type smallint, source bigint not null);
"""
_PUT_NODES: Final = """
insert into node select id, name, type, one, other, created from batch
on conflict (name) do update set
  type = excluded.type, one = excluded.one, other = excluded.other, created = excluded.created
returning name, id
"""
_PUT_NODE: Final = """
insert into node values (?, ?, ?, ?, ?, ?)
on conflict (name) do update set
  type = excluded.type, one = excluded.one, other = excluded.other, created = excluded.created
"""
_PUT_EDGES: Final = """
create or replace temp table fresh as
select distinct source, type, target from batch
anti join edge using (source, type, target)
"""
_READ_NODE: Final = "select id, name, type, one, other, created from node where name = ?"
_K_HOP: Final = """
with recursive reached (id, hop) as (
  select id, 0 from node where name = ?
  union
  select edge.target, hop + 1 from reached join edge on edge.source = reached.id where hop < 3
)
select id, min(hop) as first from reached group by id having first > 0
"""
_NODE_IDS: Final = """
select coalesce(node.id, -1) as id from batch left join node using (name) order by position
"""
_COMPACT: Final = (
    "insert into small.type from type",
    "insert into small.node select * from node order by id",
    "insert into small.edge select * from edge order by source, type, target",
    "insert into small.edge_in select * from edge_in order by target, type, source",
)


class DuckdbPeer(NoRawBytes):
    note = (
        "batches as numpy columns; edges in two tables, sorted by source and by target when "
        "compacted (zone maps, no indexes), k_hop by a "
        "recursive query"
    )

    def version(self) -> str:
        return version("duckdb")

    def open(self, path: Path, durability: str) -> None:
        path.mkdir(exist_ok=True)
        self._path, self._durability = path, durability
        self._db: Any = duckdb.connect(str(path / _FILE))
        self._db.execute(_SCHEMA)
        self._ids: dict[str, int] = {}
        self._types: dict[str, int] = dict(map(tuple, self._rows("select name, id from type")))
        ((self._next_id,),) = self._rows("select coalesce(max(id) + 1, 0) from node")

    def close(self) -> None:
        self._db.close()

    def begin_reads(self) -> None:
        """Nothing: each query is a transaction, which costs little beside it."""

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return all rows: a connection does nothing else before a result is read to its end."""
        rows: list[tuple[Any, ...]] = self._db.execute(query, values).fetchall()
        return rows

    # Writing -----------------------------------------------------------------------------------

    def put_nodes(self, rows: Sequence[NodeRow]) -> None:
        columns = zip(*(_values(row) for row in rows), strict=True)
        names = ("name", "type", "one", "other", "created")
        first, self._next_id = self._next_id, self._next_id + len(rows)
        batch: dict[str, Any] = {"id": np.arange(first, self._next_id)}
        for name, column in zip(names, columns, strict=True):
            batch[name] = np.array(column, np.int64 if name == "created" else object)
        self._db.register("batch", batch)
        self._ids.update(map(tuple, self._rows(_PUT_NODES)))

    def put_node(self, row: NodeRow) -> None:
        if self._durability == "normal":
            raise CannotError("every commit is synced; there is no other mode")
        self._db.execute(_PUT_NODE, (self._next_id, *_values(row)))
        self._next_id += 1

    def put_edges(self, edges: Sequence[EdgeRow]) -> None:
        db, ids = self._db, self._ids
        db.execute("begin")
        sources, names, targets = zip(*edges, strict=True)
        columns = {
            "source": ids_array(ids[name] for name in sources),
            "type": ids_array(self._type(name) for name in names),
            "target": ids_array(ids[name] for name in targets),
        }
        db.register("batch", columns)
        db.execute(_PUT_EDGES)
        db.execute("insert into edge select source, type, target from fresh")
        db.execute("insert into edge_in select target, type, source from fresh")
        db.execute("commit")

    def _type(self, name: str) -> int:
        if name not in self._types:
            self._types[name] = len(self._types)
            self._db.execute("insert into type values (?, ?)", (self._types[name], name))
        return self._types[name]

    def compact(self) -> None:
        small = self._path / "small.duckdb"
        with duckdb.connect(str(small)) as db:
            db.execute(_SCHEMA)
        self._db.execute(f"attach '{small}' as small")
        for statement in _COMPACT:
            self._db.execute(statement)
        self._db.execute("checkpoint small")
        self._db.execute("detach small")
        self._db.close()
        small.replace(self._path / _FILE)
        self.open(self._path, self._durability)

    # Reading -----------------------------------------------------------------------------------

    def counts(self) -> tuple[int, int]:
        tables = ("node", "edge", "edge_in")
        nodes, edges, edges_in = (
            self._rows(f"select count(*) from {table}")[0][0] for table in tables
        )
        assert edges == edges_in
        return nodes, edges

    def node_id(self, name: str) -> int | None:
        rows = self._rows("select id from node where name = ?", name)
        return rows[0][0] if rows else None

    def read_node(self, name: str) -> Any:
        return self._rows(_READ_NODE, name)[0]

    def fields(self, record: Any) -> Fields:
        _, name, type_name, one, other, created = record
        return name, type_name, (one, other), created

    def start(self, name: str) -> Any:
        return self.node_id(name)

    def neighbor_ids(self, start: Any) -> Iterable[int]:
        query = "select target from edge where source = ?"
        targets: Iterable[int] = self._db.execute(query, (start,)).fetchnumpy()["target"]
        return targets

    def k_hop(self, name: str) -> Sequence[Iterable[int]]:
        found = self._db.execute(_K_HOP, (name,)).fetchnumpy()
        return [found["id"][found["first"] == hop] for hop in (1, 2, 3)]

    def node_ids(self, names: list[str]) -> Iterable[int]:
        columns = {"position": np.arange(len(names)), "name": np.array(names, object)}
        self._db.register("batch", columns)
        ids: Iterable[int] = self._db.execute(_NODE_IDS).fetchnumpy()["id"]
        return ids


def _values(row: NodeRow) -> tuple[str, str, str, str, int]:
    return row.name, row.type, *row.observations, micros(row.created_at)


PEER = DuckdbPeer
