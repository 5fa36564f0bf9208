"""How the commits that are only in logs change the counts of a store."""

from __future__ import annotations

from dataclasses import dataclass

from lithograph.formats.wal_header import WAL_START


@dataclass(slots=True)
class LogCounts:
    """What the commits behind a manifest have changed.

    sequence : of the last commit.   end : of the newest log, in bytes.
    synced : bytes of it that a record in it promises.
    node_count, edge_count, type_count : what they added.
    version_count : of nodes and edges.
    """

    sequence: int
    end: int = WAL_START
    synced: int = WAL_START
    node_count: int = 0
    edge_count: int = 0
    type_count: int = 0
    version_count: int = 0
