"""lithograph: a graph, written in stone. An embedded graph store whose data is larger than RAM."""

from lithograph.errors import (
    ChecksumError,
    ClosedError,
    ConflictError,
    CorruptionError,
    FailedStateError,
    FormatVersionError,
    InvalidArgumentError,
    LithographError,
    LockedError,
    NodeNotFoundError,
    NotAStoreError,
    ReadOnlyError,
    StorageError,
    StoreExistsError,
    StoreNotFoundError,
    TruncatedError,
)
from lithograph.graph import Graph, open
from lithograph.graph.stats import Stats
from lithograph.maintenance.verify import Finding
from lithograph.read.records import Edge, Node
from lithograph.transaction.transaction import Transaction
from lithograph.view.changes import EdgeChange, NodeChange
from lithograph.view.snapshot import Snapshot

__all__ = [
    "ChecksumError",
    "ClosedError",
    "ConflictError",
    "CorruptionError",
    "Edge",
    "EdgeChange",
    "FailedStateError",
    "Finding",
    "FormatVersionError",
    "Graph",
    "InvalidArgumentError",
    "LithographError",
    "LockedError",
    "Node",
    "NodeChange",
    "NodeNotFoundError",
    "NotAStoreError",
    "ReadOnlyError",
    "Snapshot",
    "Stats",
    "StorageError",
    "StoreExistsError",
    "StoreNotFoundError",
    "Transaction",
    "TruncatedError",
    "open",
]
__version__ = "0.0.1"
