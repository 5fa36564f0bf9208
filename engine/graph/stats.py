"""Counts and sizes of an open store."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stats:
    """What `Graph.stats()` returns.

    Attributes
    ----------
    sequence, node_count, edge_count, type_count : of the newest commit.
    memtable_version_count : versions of nodes and edges held in memory.
    wal_file_count : log files of the store.
    wal_size_bytes, wal_synced_bytes : published and synced bytes of the newest one.
    kernel : "compiled" or "reference".
    """

    sequence: int
    node_count: int
    edge_count: int
    type_count: int
    memtable_version_count: int
    wal_file_count: int
    wal_size_bytes: int
    wal_synced_bytes: int
    kernel: str
