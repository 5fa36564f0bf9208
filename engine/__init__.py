"""lithograph: a graph, written in stone. An embedded graph store whose data is larger than RAM.

Importing the package loads its errors only; whatever else is asked for is loaded when it is, so
that a command that only shows its help does not wait for the engine. A process that is about to
give up the right to read the installed files imports `lithograph.graph` first.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

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

if TYPE_CHECKING:
    from lithograph.graph import Graph, open
    from lithograph.graph.stats import Stats
    from lithograph.maintenance.backup import BackupResult
    from lithograph.maintenance.purge import Purged
    from lithograph.maintenance.verify import Finding
    from lithograph.read.records import Edge, Node
    from lithograph.transaction.transaction import Transaction
    from lithograph.view.changes import EdgeChange, NodeChange
    from lithograph.view.snapshot import Snapshot

__all__ = [
    "BackupResult",
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
    "Purged",
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

_HOMES: Final = {
    "BackupResult": "lithograph.maintenance.backup",
    "Edge": "lithograph.read.records",
    "EdgeChange": "lithograph.view.changes",
    "Finding": "lithograph.maintenance.verify",
    "Graph": "lithograph.graph",
    "Node": "lithograph.read.records",
    "NodeChange": "lithograph.view.changes",
    "Purged": "lithograph.maintenance.purge",
    "Snapshot": "lithograph.view.snapshot",
    "Stats": "lithograph.graph.stats",
    "Transaction": "lithograph.transaction.transaction",
    "open": "lithograph.graph",
}
"""The module of each public name that is loaded when it is first asked for."""


if not TYPE_CHECKING:  # A checker shall find the names that are missing.

    def __getattr__(name: str) -> Any:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(home), name)
        globals()[name] = value  # From now on the interpreter finds it by itself.
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
