"""A peer in a process of its own, and the commands it obeys.

One process works at a time; the others wait. A library that brings its process down takes only its
own figures with it.
"""

from __future__ import annotations

import json
import multiprocessing
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar, Final

from measure import Measured, of_each, time_all, time_each, time_once
from workload import NodeRow, Workload

from peers.base import (
    DISK,
    BulkLoads,
    CannotError,
    Peer,
    make_peer,
    remove_store,
    size_bytes,
)
from peers.disk_peer import Appender
from peers.oracle import Oracle, Queries, WrongAnswerError

BATCH: Final = 10_000
"""Operations per transaction."""
COMMITS: Final = 500
DURABLE_COMMITS: Final = 20
OPENINGS: Final = 5


class PeerFailedError(Exception):
    """The peer's library is absent or broke; the text says which."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a worker works on.

    Attributes
    ----------
    directory : of the peer's stores; exists.
    limit_s : no multi-hop query begins in a round after this many seconds.
    """

    peer: str
    directory: Path
    oracle: Oracle
    queries: Queries
    limit_s: float

    @property
    def work(self) -> Workload:
        return self.oracle.work


class Worker:
    """The near end of a peer's process."""

    _near_ends: ClassVar[list[Connection]] = []

    def __init__(self, setting: Setting) -> None:
        # A fork shares the workload's arrays instead of making them again.
        context = multiprocessing.get_context("fork")
        self.name = setting.peer
        self._connection, far = context.Pipe()
        self._near_ends.append(self._connection)
        arguments = (far, setting, self._near_ends)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        far.close()

    def ask(self, command: str, *arguments: Any) -> Any:
        """Return the answer.

        Raises
        ------
        CannotError : the peer has no way to do this.
        PeerFailedError : the peer's library raised, or its process is gone.
        WrongAnswerError : an answer differs from that of the oracle.
        """
        try:
            self._connection.send((command, arguments))
            outcome, value = self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode
            raise PeerFailedError(f"its process died in {command!r}, exit code {code}") from None
        if outcome == "cannot":
            raise CannotError(value)
        if outcome == "wrong":
            raise WrongAnswerError(value)
        if outcome == "failed":
            raise PeerFailedError(f"in {command!r}: {value}")
        return value

    def stop(self) -> None:
        with suppress(OSError):  # It may be gone already.
            self._connection.send(("stop", ()))
        self._process.join(30)
        if self._process.is_alive():
            self._process.kill()
        self._near_ends.remove(self._connection)
        self._connection.close()


def _serve(connection: Connection, setting: Setting, near_ends: Sequence[Connection]) -> None:
    """Obey commands until there are no more, or nobody is left to give them."""
    for near in near_ends:  # A fork has them too, and would keep other workers waiting for ever.
        near.close()
    desk: Desk | None = None
    while True:
        try:
            command, arguments = connection.recv()
        except EOFError:
            return
        try:
            desk = desk or Desk(setting)
            value = getattr(desk, command)(*arguments)
        except CannotError as error:
            connection.send(("cannot", str(error)))
        except WrongAnswerError as error:
            connection.send(("wrong", str(error)))
        except Exception as error:
            detail = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(detail.filename).name}:{detail.lineno}"
            connection.send(("failed", f"{type(error).__name__}: {error} ({place})"))
        else:
            connection.send(("value", value))
        if command == "stop":
            return


class Desk:
    """The far end: a peer's loaded store, one to write to for each durability, and the commands."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._store = setting.directory / f"{setting.work.node_count}.store"
        self._peer = make_peer(setting.peer) if setting.peer != DISK else None
        self._scratch: dict[str, Peer] = {}
        self._starts: list[str] = []
        self._put_count = setting.work.node_count
        self._appended = setting.directory / "appended"
        self._appender: Appender | None = None
        self._is_open = False

    @property
    def peer(self) -> Peer:
        assert self._peer is not None
        return self._peer

    def describe(self) -> tuple[str, str]:
        """Return the version and how the library is used."""
        return self.peer.version(), self.peer.note

    def stop(self) -> None:
        if self._is_open:
            self.peer.close()
        for durability, scratch in self._scratch.items():
            scratch.close()
            remove_store(self._setting.directory / durability)
        if self._appender:
            self._appender.close()
            self._appended.unlink()

    # The loaded store --------------------------------------------------------------------------

    def prepare(self) -> tuple[dict[str, float], bool]:
        """Load and compact the store, or take the one that an earlier run kept.

        Returns
        -------
        Seconds as "load" and "compact", and "bytes"; and whether an earlier run measured them.
        """
        note = self._store.with_suffix(".json")
        version = self.peer.version()
        if note.exists():
            kept: dict[str, Any] = json.loads(note.read_text())
            if kept.pop("version") == version:
                return kept, True
        remove_store(self._store)
        found = {"load": self._load(), "compact": self._compact()}
        found["bytes"] = float(size_bytes(self._store))
        note.write_text(json.dumps({"version": version, **found}))
        return found, False

    def _load(self) -> float:
        """Return the seconds of the transactions and of closing; making rows does not count."""
        work, seconds = self._setting.work, 0.0
        self.peer.open(self._store, "normal")
        if isinstance(self.peer, BulkLoads):
            self.peer.begin_load()
        for start in range(0, work.node_count, BATCH):
            end = min(start + BATCH, work.node_count)
            rows = [work.node(number) for number in range(start, end)]
            seconds += _seconds(lambda rows=rows: self.peer.put_nodes(rows))  # type: ignore[misc]
        for start in range(0, work.edge_count, BATCH):
            edges = list(work.edges(start, min(start + BATCH, work.edge_count)))
            seconds += _seconds(lambda edges=edges: self.peer.put_edges(edges))  # type: ignore[misc]
        if isinstance(self.peer, BulkLoads):
            seconds += _seconds(self.peer.end_load)
        return seconds + _seconds(self.peer.close)

    def _compact(self) -> float:
        self.peer.open(self._store, "normal")
        seconds = _seconds(self.peer.compact)
        self.peer.close()
        return seconds

    def open(self) -> None:
        self.peer.open(self._store, "normal")
        self._is_open = True
        self.peer.begin_reads()

    def check(self) -> None:
        """Raises WrongAnswerError unless every answer is that of the workload."""
        end = time.monotonic() + self._setting.limit_s
        count = self._setting.oracle.check(self.peer, lambda: time.monotonic() < end)
        self._starts = self._setting.queries.starts[:count]

    # Rows --------------------------------------------------------------------------------------

    def row(self, key: str) -> Measured:
        measured: Measured = getattr(self, f"_row_{key}")()
        return measured

    def _row_node_id(self) -> Measured:
        times = time_each(self.peer.node_id, self._setting.queries.look_ups)
        return of_each(times, median=True)

    def _row_read_node(self) -> Measured:
        times = time_each(self.peer.read_node, self._setting.queries.look_ups)
        return of_each(times, median=True)

    def _row_raw_get(self) -> Measured:
        keys = self.peer.raw_keys(self._setting.queries.look_ups)
        return of_each(time_each(self.peer.raw_get, keys), median=True)

    def _row_neighbor_ids(self) -> Measured:
        starts = [self.peer.start(name) for name in self._setting.queries.sources]
        mean = time_all(self.peer.neighbor_ids, starts)
        times = time_each(self.peer.neighbor_ids, starts)
        return replace(of_each(times, median=False), value=mean)

    def _row_k_hop(self) -> Measured:
        times = time_each(self.peer.k_hop, self._starts, self._setting.limit_s)
        return replace(of_each(times, median=False), each=tuple(times.tolist()))

    def _row_node_ids(self) -> Measured:
        names = self._setting.queries.batch
        return Measured(time_once(lambda: self.peer.node_ids(names)) / len(names))

    def _row_put_nodes(self) -> Measured:
        rows, scratch = self._new_rows(BATCH), self._scratch_of("normal")
        return Measured(time_once(lambda: scratch.put_nodes(rows)) / len(rows))

    def _row_put_node(self) -> Measured:
        times = time_each(self._scratch_of("normal").put_node, self._new_rows(COMMITS))
        return of_each(times, median=False)

    def _row_durable(self) -> Measured:
        append = self._appender.append if self._appender else self._scratch_of("full").put_node
        return of_each(time_each(append, self._new_rows(DURABLE_COMMITS)), median=True)

    def _row_open(self) -> Measured:
        name = self._setting.queries.look_ups[0]
        times = []
        for _ in range(OPENINGS):
            self.peer.close()
            times.append(time_once(self._open_and_look_up(name)))
        return Measured(sorted(times)[OPENINGS // 2])

    def _open_and_look_up(self, name: str) -> Callable[[], object]:
        def opening() -> None:
            self.open()
            self.peer.node_id(name)

        return opening

    # Stores to write to ------------------------------------------------------------------------

    def commit_size(self) -> int:
        return self._scratch_of("full").commit_size()

    def set_commit_size(self, size_bytes: int) -> None:
        self._appender = Appender(self._appended, size_bytes)

    def _scratch_of(self, durability: str) -> Peer:
        if durability not in self._scratch:
            path = self._setting.directory / durability
            remove_store(path)
            scratch = make_peer(self._setting.peer)
            scratch.open(path, durability)
            self._scratch[durability] = scratch
        return self._scratch[durability]

    def _new_rows(self, count: int) -> list[NodeRow]:
        """Return rows of nodes that no store has."""
        work, first = self._setting.work, self._put_count
        self._put_count += count
        return [
            replace(work.node(number % work.node_count), name=work.name(number))
            for number in range(first, first + count)
        ]


def _seconds(call: Callable[[], object]) -> float:
    return time_once(call) / 1e9
