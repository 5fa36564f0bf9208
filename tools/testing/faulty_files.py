"""Files that fail on purpose: calls of any `Files` raise the machine's errors when a plan says so.

Over a `SimulatedFiles`, a sync that fails also loses what was un-synced, as kernels do: it stays
readable, counts as clean, and no later sync makes it durable.
"""

from __future__ import annotations

import errno
import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from lithograph.files.protocol import File, FileMap, Files, Lock, failed
from lithograph.tools.testing.simulated_files import SimulatedFile, os_error

_ACTIONS: Final = {
    "create": "open",
    "open": "open",
    "map": "map",
    "read": "read",
    "write": "write",
    "truncate": "truncate",
    "sync": "sync",
    "sync_directory": "sync",
    "mkdir": "create",
    "rmdir": "remove",
    "link": "link",
    "unlink": "remove",
    "lock": "lock",
    "list": "list",
    "look": "look at",
}
KINDS: Final = frozenset(_ACTIONS)


@dataclass(frozen=True, slots=True, eq=False)
class Fault:
    """One way for calls to fail.

    kinds : which calls count, out of KINDS.
    names : a regular expression; calls on files whose whole name matches count.
    index : which of those calls fails, from 0 and from when the plan was made.
    is_sticky : whether all later ones do, too.
    error : an errno, which becomes a StorageError as in `OsFiles`, or an exception to raise.
    landed : bytes of a write that are written before it fails.
    """

    kinds: Collection[str]
    error: int | type[BaseException] = errno.EIO
    names: str = ".*"
    index: int = 0
    is_sticky: bool = False
    landed: int = 0

    def __post_init__(self) -> None:
        assert KINDS.issuperset(self.kinds), self.kinds


class FaultPlan:
    """The faults of a run; one plan may be shared by the files of several processes.

    Attributes
    ----------
    faults : may be changed at any time: `clear()` is a disk that works again.
    calls : (kind, name) of every call so far; a run without faults tells where they can go.
    failed : those that met a fault.
    """

    def __init__(self, *faults: Fault) -> None:
        self.faults = list(faults)
        self.calls: list[tuple[str, str]] = []
        self.failed: list[tuple[str, str]] = []
        self._counts: Counter[Fault] = Counter()

    def fault_of(self, kind: str, name: str) -> Fault | None:
        """Count one call, and return the fault it meets."""
        self.calls.append((kind, name))
        met = None
        for fault in self.faults:
            if kind in fault.kinds and re.fullmatch(fault.names, name):
                index = self._counts[fault]
                self._counts[fault] += 1
                if index == fault.index or (fault.is_sticky and index > fault.index):
                    met = met or fault
        if met is not None:
            self.failed.append((kind, name))
        return met

    def check(self, kind: str, name: str, path: str) -> None:
        """Count one call, and raise what it meets."""
        fault = self.fault_of(kind, name)
        if fault is not None:
            raise error_of(fault, kind, path)


def error_of(fault: Fault, kind: str, path: str) -> BaseException:
    if isinstance(fault.error, int):
        return failed(_ACTIONS[kind], path, os_error(fault.error))
    return fault.error()


class FaultyFiles:
    """Any `Files`, with the faults of a plan. `close` and `abandon` never fail."""

    def __init__(self, files: Files, plan: FaultPlan) -> None:
        self.files = files
        self.plan = plan

    @property
    def root(self) -> str:
        return self.files.root

    @property
    def on_exhausted(self) -> Callable[[], bool] | None:
        return self.files.on_exhausted

    @on_exhausted.setter
    def on_exhausted(self, hook: Callable[[], bool] | None) -> None:
        self.files.on_exhausted = hook

    def identity(self) -> tuple[int, int]:
        return self.files.identity()

    def path_of(self, name: str) -> str:
        return self.files.path_of(name)

    def free_bytes(self) -> int:
        self._check("look", "")
        return self.files.free_bytes()

    def exists(self, name: str) -> bool:
        self._check("look", name)
        return self.files.exists(name)

    def entries(self, directory: str) -> list[str]:
        self._check("list", directory)
        return self.files.entries(directory)

    def make_directory(self, name: str) -> None:
        self._check("mkdir", name)
        self.files.make_directory(name)

    def remove_directory(self, name: str) -> bool:
        self._check("rmdir", name)
        return self.files.remove_directory(name)

    def sync_directory(self, name: str) -> None:
        fault = self.plan.fault_of("sync_directory", name)
        if fault is None:
            self.files.sync_directory(name)
        elif fault.error != errno.EINVAL:  # "Cannot sync this" passes for success in OsFiles.
            raise error_of(fault, "sync_directory", self.path_of(name))

    def create(self, name: str) -> File:
        self._check("create", name)
        return FaultyFile(self.files.create(name), name, self.plan)

    def open(self, name: str, *, writable: bool = False) -> File:
        self._check("open", name)
        return FaultyFile(self.files.open(name, writable=writable), name, self.plan)

    def map(self, name: str) -> FileMap:
        self._check("map", name)
        return FaultyFileMap(self.files.map(name), name, self.plan)

    def watch(self, name: str) -> memoryview | None:
        return None

    def unlink(self, name: str) -> None:
        self._check("unlink", name)
        self.files.unlink(name)

    def link(self, name: str, source: Files) -> bool:
        self._check("link", name)
        return self.files.link(name, source.files if isinstance(source, FaultyFiles) else source)

    def lock(self, name: str, pid: int | None) -> Lock:
        return FaultyLock(self.files.lock(name, pid), name, self.path_of(name), self.plan)

    def close(self) -> None:
        self.files.close()

    def abandon(self) -> None:
        self.files.abandon()

    def _check(self, kind: str, name: str) -> None:
        self.plan.check(kind, name, self.path_of(name))


class FaultyFile:
    """Any `File`, with the faults of a plan."""

    def __init__(self, file: File, name: str, plan: FaultPlan) -> None:
        self.path = file.path
        self._file = file
        self._name = name
        self._plan = plan

    def read_at(self, offset: int, size: int) -> bytes:
        self._check("read")
        return self._file.read_at(offset, size)

    def write_at(self, offset: int, data: bytes) -> None:
        fault = self._plan.fault_of("write", self._name)
        if fault is None:
            self._file.write_at(offset, data)
            return
        if fault.landed > 0:
            self._file.write_at(offset, data[: fault.landed])
        raise error_of(fault, "write", self.path)

    def size(self) -> int:
        self._check("look")
        return self._file.size()

    def truncate(self, size: int) -> None:
        self._check("truncate")
        self._file.truncate(size)

    def sync_data(self) -> None:
        fault = self._plan.fault_of("sync", self._name)
        if fault is None:
            self._file.sync_data()
            return
        if isinstance(fault.error, int) and isinstance(self._file, SimulatedFile):
            self._file.lose_unsynced()
        raise error_of(fault, "sync", self.path)

    def close(self) -> None:
        self._file.close()

    def _check(self, kind: str) -> None:
        self._plan.check(kind, self._name, self.path)


class FaultyFileMap:
    """Any `FileMap`, with the faults of a plan: those of the kinds "read" and "look"."""

    def __init__(self, mapped: FileMap, name: str, plan: FaultPlan) -> None:
        self.path = mapped.path
        self._map = mapped
        self._name = name
        self._plan = plan

    def size(self) -> int:
        self._plan.check("look", self._name, self.path)
        return self._map.size()

    def read(self, offset: int, size: int) -> bytes:
        self._plan.check("read", self._name, self.path)
        return self._map.read(offset, size)

    def view(self) -> memoryview | None:
        return None

    def close(self) -> None:
        self._map.close()


class FaultyLock:
    """Any `Lock`, with the faults of a plan."""

    def __init__(self, lock: Lock, name: str, path: str, plan: FaultPlan) -> None:
        self._lock = lock
        self._name = name
        self._path = path
        self._plan = plan

    def try_acquire(self, *, exclusive: bool) -> bool:
        self._plan.check("lock", self._name, self._path)
        return self._lock.try_acquire(exclusive=exclusive)

    def acquire(self, *, exclusive: bool, timeout_s: float) -> None:
        self._plan.check("lock", self._name, self._path)
        self._lock.acquire(exclusive=exclusive, timeout_s=timeout_s)

    def release(self) -> None:
        self._lock.release()

    def close(self) -> None:
        self._lock.close()
