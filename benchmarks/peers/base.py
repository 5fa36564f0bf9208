"""What the harness asks of a peer: one store of one library, used as its competent user would."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
from workload import Ids, NodeRow

PEERS: Final = ("lithograph", "sqlite", "lmdb", "rocksdict", "overgraph", "ladybug", "duckdb")
DISK: Final = "disk"
"""The medium itself: append and sync, nothing else."""

EdgeRow = tuple[str, str, str]
"""Source, type and target, all of them names."""
Fields = tuple[str, str, tuple[str, ...], int]
"""Name, type, observations and created_at in µs of a node, to be compared."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class CannotError(Exception):
    """The peer has no way to do this row; the text says why."""


class Peer(Protocol):
    """An open store. Ids are the peer's own; names say what they mean.

    Attributes
    ----------
    note : how the library is used, in a line.
    """

    note: str

    def version(self) -> str: ...

    def open(self, path: Path, durability: str) -> None:
        """Open the store, made if there is none. `durability`: of a commit, "full" or "normal"."""

    def close(self) -> None: ...

    def begin_reads(self) -> None:
        """Take the view that the reads below use, where the library makes its user hold one."""

    # Writing -----------------------------------------------------------------------------------

    def put_nodes(self, rows: Sequence[NodeRow]) -> None:
        """Put nodes in one transaction, upserts by name."""

    def put_edges(self, edges: Sequence[EdgeRow]) -> None:
        """Put edges in one transaction; equal ones are one edge.

        Their ends were put by this process: the peer may keep a dict of names in memory meanwhile,
        as a loading script would.
        """

    def put_node(self, row: NodeRow) -> None:
        """Put one node as a commit of its own."""

    def compact(self) -> None:
        """Make the store as small as the library can."""

    # Reading -----------------------------------------------------------------------------------

    def counts(self) -> tuple[int, int]:
        """Return how many nodes and edges there are."""

    def node_id(self, name: str) -> int | None: ...

    def read_node(self, name: str) -> Any:
        """Return every field of a node as Python values, in the library's own way."""

    def fields(self, record: Any) -> Fields:
        """Return what `read_node` returned so that it can be compared."""

    def start(self, name: str) -> Any:
        """Return that by which the library finds the edges of a node fastest, mostly its id."""

    def neighbor_ids(self, start: Any) -> Iterable[int]:
        """Return the targets of out-edges, one per edge."""

    def k_hop(self, name: str) -> Sequence[Iterable[int]]:
        """Return the ids first reached after 1, 2 and 3 steps; the start is in none."""

    def node_ids(self, names: list[str]) -> Iterable[int]:
        """Return an id for each name, in their order, -1 where there is none."""

    def raw_keys(self, names: list[str]) -> list[Any]:
        """Return what `raw_get` takes. Raises CannotError where there are no raw bytes to get."""

    def raw_get(self, key: Any) -> object:
        """Return the bytes of a node, not decoded."""

    def commit_size(self) -> int:
        """Return the bytes that one durable commit of a node appends; asked of lithograph only."""


@runtime_checkable
class BulkLoads(Protocol):
    """A peer whose own way to load is so much faster than its transactions that nobody would take
    these for a whole graph. `begin_load` and `end_load` stand around the puts of all of it."""

    def begin_load(self) -> None:
        """Take what is put from now on as rows to load."""

    def end_load(self) -> None:
        """Load what is still waiting; puts are transactions again."""


class NoRawBytes:
    """Part of a peer that has no get of bytes by key."""

    def raw_keys(self, names: list[str]) -> list[Any]:
        raise CannotError("no get of bytes by key")

    def raw_get(self, key: Any) -> object:
        raise CannotError("no get of bytes by key")

    def commit_size(self) -> int:
        raise CannotError("only lithograph says")


def make_peer(name: str) -> Peer:
    """Return a closed peer. Raises ImportError if its library is not installed."""
    peer: Peer = import_module(f"peers.{name}_peer").PEER()
    return peer


def micros(moment: datetime) -> int:
    """Return µs since 1970, UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def breadth_first(
    neighbor_ids: Callable[[int], Iterable[int]], start: int, hops: int
) -> list[list[int]]:
    """Return the ids first reached after each number of steps, for libraries without traversals."""
    seen = {start}
    frontier, levels = [start], []
    for _ in range(hops):
        reached: set[int] = set()
        for node in frontier:
            reached.update(neighbor_ids(node))
        reached -= seen
        seen |= reached
        frontier = list(reached)
        levels.append(frontier)
    return levels


def ids_array(ids: Iterable[int]) -> Ids:
    """Return ids as an array of int64."""
    if isinstance(ids, np.ndarray):
        return ids.astype(np.int64)
    return np.fromiter(ids, np.int64)


def store_files(path: Path) -> list[Path]:
    """Return the files and directories of a store; some libraries put files beside its path."""
    return [found for found in path.parent.glob(f"{path.name}*") if found.suffix != ".json"]


def remove_store(path: Path) -> None:
    for found in store_files(path):
        if found.is_dir():
            shutil.rmtree(found)
        else:
            found.unlink()


def size_bytes(path: Path) -> int:
    """Return the bytes of all files of a store."""
    files = [file for found in store_files(path) for file in (found, *found.rglob("*"))]
    return sum(file.stat().st_size for file in files if file.is_file())
