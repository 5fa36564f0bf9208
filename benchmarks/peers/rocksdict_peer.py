"""RocksDB through rocksdict: column families of names, nodes, and edges in both orders."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from rocksdict import (
    BlockBasedOptions,
    BottommostLevelCompaction,
    Cache,
    CompactOptions,
    DBCompressionType,
    Options,
    Rdict,
    ReadOptions,
    SliceTransform,
    WriteBatch,
    WriteOptions,
)
from workload import NodeRow

from peers.base import CannotError, EdgeRow, Fields, breadth_first
from peers.layout import EDGE, ID, ID_SIZE, TARGET_OFFSET, decode_node, encode_node, node_fields

_CACHE_SIZE: Final = 1 << 30
_TABLES: Final = ("names", "nodes", "out", "in", "types")


class RocksdictPeer:
    note = (
        "column families name -> id, id -> MessagePack, edges as sorted keys in both orders; raw "
        "mode, write batches, Bloom filters, 1 GiB block cache, LZ4 with Zstandard at the bottom, "
        "prefix scans; normal: write-ahead log not synced"
    )

    def version(self) -> str:
        return version("rocksdict")

    def open(self, path: Path, durability: str) -> None:
        cache = Cache(_CACHE_SIZE)
        options: dict[str, Any] = {
            name: _options(cache, is_edges=name in ("out", "in")) for name in _TABLES
        }
        self._db = Rdict(str(path), _options(cache, is_edges=False), options)
        self._tables: dict[str, Any] = {name: self._db.get_column_family(name) for name in _TABLES}
        self._handles: dict[str, Any] = {
            name: self._db.get_column_family_handle(name) for name in _TABLES
        }
        self._write = WriteOptions()
        self._write.sync = durability == "full"
        self._prefix_only = ReadOptions()
        self._prefix_only.set_prefix_same_as_start(True)
        self._ids: dict[str, int] = {}
        self._types: dict[str, int] = {
            name.decode(): ID.unpack(code)[0] for name, code in self._tables["types"].items()
        }
        last = next(iter(self._tables["nodes"].keys(backwards=True)), None)
        self._next_id = 0 if last is None else ID.unpack(last)[0] + 1
        self._get_id = self._tables["names"].get
        self._get_node = self._tables["nodes"].get
        self._out_keys = self._tables["out"].keys

    def close(self) -> None:
        self._db.flush_wal(True)
        for table in self._tables.values():
            table.close()
        self._db.close()
        # The lock on the directory goes with the last reference to a table or a handle.
        self.__dict__.clear()
        gc.collect()

    def begin_reads(self) -> None:
        """Nothing: reads need no transaction."""

    # Writing -----------------------------------------------------------------------------------

    def put_nodes(self, rows: Sequence[NodeRow]) -> None:
        batch = WriteBatch(raw_mode=True)
        for row in rows:
            self._ids[row.name] = self._put(batch, row)
        self._db.write(batch, self._write)

    def put_node(self, row: NodeRow) -> None:
        batch = WriteBatch(raw_mode=True)
        self._put(batch, row)
        self._db.write(batch, self._write)

    def _put(self, batch: WriteBatch, row: NodeRow) -> int:
        name = row.name.encode()
        value = self._get_id(name)
        if value is None:
            value = ID.pack(self._next_id)
            self._next_id += 1
            batch.put(name, value, self._handles["names"])
        batch.put(value, encode_node(row), self._handles["nodes"])
        return int.from_bytes(value, "big")

    def put_edges(self, edges: Sequence[EdgeRow]) -> None:
        ids = self._ids
        batch = WriteBatch(raw_mode=True)
        out, into = self._handles["out"], self._handles["in"]
        for source_name, type_name, target_name in edges:
            source, code, target = ids[source_name], self._type(batch, type_name), ids[target_name]
            batch.put(EDGE.pack(source, code, target), b"", out)
            batch.put(EDGE.pack(target, code, source), b"", into)
        self._db.write(batch, self._write)

    def _type(self, batch: WriteBatch, name: str) -> int:
        if name not in self._types:
            self._types[name] = len(self._types)
            batch.put(name.encode(), ID.pack(self._types[name]), self._handles["types"])
        return self._types[name]

    def compact(self) -> None:
        everything = CompactOptions()
        everything.set_bottommost_level_compaction(BottommostLevelCompaction.force())
        for table in self._tables.values():
            table.flush()
            table.compact_range(None, None, everything)

    # Reading -----------------------------------------------------------------------------------

    def counts(self) -> tuple[int, int]:
        nodes, out, into = (
            sum(1 for _ in self._tables[table].keys(read_opt=_whole()))
            for table in ("nodes", "out", "in")
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
        prefix = start.to_bytes(ID_SIZE, "big")
        keys = self._out_keys(False, prefix, self._prefix_only)
        return [int.from_bytes(key[TARGET_OFFSET:], "big") for key in keys]

    def k_hop(self, name: str) -> Sequence[Iterable[int]]:
        start = self.node_id(name)
        assert start is not None
        return breadth_first(self.neighbor_ids, start, 3)

    def node_ids(self, names: list[str]) -> Iterable[int]:
        values = self._get_id([name.encode() for name in names])
        return [-1 if value is None else int.from_bytes(value, "big") for value in values]

    def raw_keys(self, names: list[str]) -> list[Any]:
        return [self._get_id(name.encode()) for name in names]

    def raw_get(self, key: Any) -> object:
        return self._get_node(key)

    def commit_size(self) -> int:
        raise CannotError("only lithograph says")


def _options(cache: Cache, *, is_edges: bool) -> Options:
    table = BlockBasedOptions()
    table.set_block_cache(cache)
    table.set_bloom_filter(10, False)
    table.set_cache_index_and_filter_blocks(False)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    options.increase_parallelism(2)
    options.set_block_based_table_factory(table)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_bottommost_compression_type(DBCompressionType.zstd())
    options.set_keep_log_file_num(1)
    if is_edges:
        options.set_prefix_extractor(SliceTransform.create_fixed_prefix(ID_SIZE))
    return options


def _whole() -> ReadOptions:
    options = ReadOptions()
    options.set_total_order_seek(True)
    return options


PEER = RocksdictPeer
