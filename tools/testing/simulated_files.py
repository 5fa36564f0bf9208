"""The files of a store as one process of a simulated machine sees them.

Results and errors are those of `OsFiles`, except that any call on closed files is a StorageError.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from lithograph.errors import CorruptionError, StoreNotFoundError
from lithograph.files.protocol import File, FileMap, Files, Lock, cut_short, failed
from lithograph.formats.file_names import PARTITIONS_DIRECTORY, is_store_file
from lithograph.tools.testing.inodes import (
    DirectoryInode,
    FileInode,
    Inode,
    Truncate,
    Write,
    new_directory,
)
from lithograph.tools.testing.simulated_disk import STORE, SimulatedDisk
from lithograph.tools.testing.simulated_lock import SimulatedLock


class ProcessKilled(BaseException):
    """The simulated process is dead: nothing it calls takes effect."""


class SimulatedFiles:
    """The directory of a store, for one simulated process. Made by `SimulatedDisk.process`."""

    def __init__(self, disk: SimulatedDisk, pid: int, *, create: bool, store: str = STORE) -> None:
        self.disk = disk
        self.pid = pid
        self.store = store
        self.root = disk.root if store == STORE else f"{disk.root.rpartition('/')[0]}/{store}"
        self.is_killed = False
        # Never called: this machine has descriptors and maps without end.
        self.on_exhausted: Callable[[], bool] | None = None
        self.is_closed = False
        self._open: set[SimulatedFile | SimulatedLock] = set()
        if create:
            self.begin("mkdir", "")
            if store not in disk.parent.visible:
                disk.parent.change(store, DirectoryInode())
        try:
            self._root = _child_directory(disk.parent, store)
        except FileNotFoundError as error:
            raise StoreNotFoundError(
                f'there is no store at {self.root}; open it with mode="c" to create one'
            ) from error

    def kill(self) -> None:
        """Let the process die: its locks go, what it wrote stays, its calls raise ProcessKilled.

        Only closing and abandoning stay silent, which they can: there is nothing left to give back.
        """
        self.is_killed = True
        self._open.clear()
        for holds in self.disk.holds.values():
            holds[:] = [hold for hold in holds if hold.process is not self]

    def identity(self) -> tuple[int, int]:
        self.check_usable()
        return self.disk.device, int.from_bytes(self.store.encode())

    def path_of(self, name: str) -> str:
        return f"{self.root}/{name}" if name else self.root

    def free_bytes(self) -> int:
        self.check_usable()
        return self.disk.free_bytes

    def exists(self, name: str) -> bool:
        self.check_usable()
        try:
            self.inode_at(name)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise failed("look at", self.path_of(name), error) from error
        return True

    def entries(self, directory: str) -> list[str]:
        self.check_usable()
        try:
            return sorted(self._directory(directory).visible)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise failed("list", self.path_of(directory), error) from error

    def make_directory(self, name: str) -> None:
        assert name not in ("", ".."), name
        self.begin("mkdir", name)
        above, _, leaf = name.rpartition("/")
        try:
            directory = self._directory(above)
        except OSError as error:
            raise failed("create", self.path_of(name), error) from error
        if leaf not in directory.visible:
            directory.change(leaf, new_directory(leaf))

    def remove_directory(self, name: str) -> bool:
        above, _, leaf = name.rpartition("/")
        assert above == PARTITIONS_DIRECTORY, name
        self.begin("rmdir", name)
        try:
            directory = self._directory(above)
            if _child_directory(directory, leaf).visible:
                return False
        except FileNotFoundError:
            return False
        except OSError as error:
            raise failed("remove", self.path_of(name), error) from error
        directory.change(leaf, None)
        return True

    def sync_directory(self, name: str) -> None:
        self.begin("sync_directory", name)
        try:
            directory = self.disk.parent if name == ".." else self._directory(name)
        except OSError as error:
            raise failed("sync", self.path_of(name), error) from error
        if not self._is_sync_ignored("sync_directory", name):
            directory.sync()

    def create(self, name: str) -> File:
        self.begin("create", name)
        try:
            inode = self.new_file(name)
        except FileExistsError:
            raise
        except OSError as error:
            raise self._not_opened("open", name, error) from error
        return self._opened(SimulatedFile(self, name, inode, writable=True))

    def open(self, name: str, *, writable: bool = False) -> File:
        inode = self._existing_file("open", name, writable=writable)
        return self._opened(SimulatedFile(self, name, inode, writable=writable))

    def map(self, name: str) -> FileMap:
        inode = self._existing_file("map", name, writable=False)
        return SimulatedFileMap(self, self.path_of(name), inode)

    def watch(self, name: str) -> memoryview | None:
        return None

    def unlink(self, name: str) -> None:
        self.begin("unlink", name)
        try:
            if isinstance(self.inode_at(name), DirectoryInode):
                raise os_error(errno.EISDIR)
        except OSError as error:
            raise failed("remove", self.path_of(name), error) from error
        directory, leaf = self._locate(name)
        directory.change(leaf, None)

    def link(self, name: str, source: Files) -> bool:
        if not isinstance(source, SimulatedFiles) or source.disk is not self.disk:
            return False
        self.begin("link", name)
        inode = source._existing_file("link", name, writable=False)
        try:
            directory, leaf = self._locate(name)
        except OSError as error:
            raise failed("link", self.path_of(name), error) from error
        if leaf in directory.visible:
            raise os_error(errno.EEXIST)
        directory.change(leaf, inode)
        return True

    def lock(self, name: str, pid: int | None) -> Lock:
        self.check_usable()
        lock = SimulatedLock(self, self.disk.holds, name, pid)
        self._open.add(lock)
        return lock

    def close(self) -> None:
        for thing in list(self._open):
            thing.close()
        self.is_closed = True

    def abandon(self) -> None:
        """Close everything and leave the locks held, until the process is killed."""
        for thing in list(self._open):
            if isinstance(thing, SimulatedLock):
                thing.abandon()
            else:
                thing.close()
        self.is_closed = True

    def begin(self, kind: str, name: str) -> None:
        """Announce an operation that may change the disk, and note it."""
        self.check_usable()
        name = self._label(name)
        if self.disk.on_operation is not None:
            self.disk.on_operation(kind, name)
            self.check_usable()
        self.disk.log.append((kind, name))

    def check_usable(self) -> None:
        if self.is_killed:
            raise ProcessKilled(f"process {self.pid} was killed")
        if self.is_closed:
            raise failed("use", self.root, os_error(errno.EBADF))

    def forget(self, thing: SimulatedFile | SimulatedLock) -> None:
        self._open.discard(thing)

    def inode_at(self, name: str) -> Inode:
        """Return what stands at `name`; OSError passes."""
        directory, leaf = self._locate(name)
        inode = directory.visible.get(leaf)
        if inode is None:
            raise os_error(errno.ENOENT)
        return inode

    def new_file(self, name: str) -> FileInode:
        """Return a new file at `name`, where nothing may be yet; OSError passes."""
        directory, leaf = self._locate(name)
        if leaf in directory.visible:
            raise os_error(errno.EEXIST)
        inode = FileInode()
        directory.change(leaf, inode)
        return inode

    def sync_file(self, name: str, inode: FileInode) -> None:
        if not self._is_sync_ignored("sync", name):
            inode.sync()

    def _is_sync_ignored(self, kind: str, name: str) -> bool:
        if self.disk.ignores_sync is None:
            return False
        return self.disk.ignores_sync(kind, self._label(name))

    def _label(self, name: str) -> str:
        """Return a name for the log of the disk, where only files of the main store stand bare."""
        return name if self.store == STORE else f"{self.store}:{name}"

    def _opened(self, file: SimulatedFile) -> File:
        self._open.add(file)
        return file

    def _existing_file(self, action: str, name: str, *, writable: bool) -> FileInode:
        self.check_usable()
        try:
            inode = self.inode_at(name)
            if isinstance(inode, DirectoryInode):
                if writable:
                    raise os_error(errno.EISDIR)
                raise CorruptionError("not a regular file", path=self.path_of(name))
        except OSError as error:
            raise self._not_opened(action, name, error) from error
        return inode

    def _not_opened(self, action: str, name: str, error: OSError) -> Exception:
        if isinstance(error, FileNotFoundError):
            return CorruptionError(
                "the file is missing; restore it from a backup", path=self.path_of(name)
            )
        return failed(action, self.path_of(name), error)

    def _locate(self, name: str) -> tuple[DirectoryInode, str]:
        assert is_store_file(name), name
        directory, _, leaf = name.rpartition("/")
        return self._directory(directory), leaf

    def _directory(self, name: str) -> DirectoryInode:
        directory = self._root
        for part in name.split("/") if name else ():
            directory = _child_directory(directory, part)
        return directory


class SimulatedFile:
    """One open file of a simulated process."""

    def __init__(
        self, files: SimulatedFiles, name: str, inode: FileInode, *, writable: bool
    ) -> None:
        self.path = files.path_of(name)
        self._files = files
        self._name = name
        self._inode = inode
        self._is_writable = writable
        self._is_closed = False

    def read_at(self, offset: int, size: int) -> bytes:
        self._check_usable("read", offset, size)
        return bytes(self._inode.visible[offset : offset + size])

    def write_at(self, offset: int, data: bytes) -> None:
        self._begin("write", offset)
        if not self._is_writable:
            raise failed("write", self.path, os_error(errno.EBADF))
        if data:
            self._inode.change(Write(offset, bytes(data)))

    def size(self) -> int:
        self._check_usable("look at")
        return len(self._inode.visible)

    def truncate(self, size: int) -> None:
        self._begin("truncate", size)
        if not self._is_writable:
            raise failed("truncate", self.path, os_error(errno.EINVAL))
        self._inode.change(Truncate(size))

    def sync_data(self) -> None:
        self._begin("sync")
        self._files.sync_file(self._name, self._inode)

    def lose_unsynced(self) -> None:
        """Do what a sync that fails does: mark everything un-synced as clean without writing it."""
        self._begin("sync")
        self._inode.drop_unsynced()

    def close(self) -> None:
        self._is_closed = True
        self._files.forget(self)

    def _begin(self, kind: str, *numbers: int) -> None:
        self._check_usable(kind, *numbers)
        self._files.begin(kind, self._name)

    def _check_usable(self, action: str, *numbers: int) -> None:
        # Closing the store's files closed this one: its own error must tell, as on the machine.
        if not self._is_closed or self._files.is_killed:
            self._files.check_usable()
        if min(numbers, default=0) < 0:
            raise failed(action, self.path, os_error(errno.EINVAL))
        if self._is_closed:
            raise failed(action, self.path, os_error(errno.EBADF))


class SimulatedFileMap:
    """One mapped file of a simulated process."""

    def __init__(self, files: SimulatedFiles, path: str, inode: FileInode) -> None:
        self.path = path
        self._files = files
        self._inode = inode
        self._size = len(inode.visible)
        self._is_closed = False

    def size(self) -> int:
        self._check_usable("look at")
        return len(self._inode.visible) if self._size else 0

    def read(self, offset: int, size: int) -> bytes:
        assert offset >= 0
        assert size >= 0
        end = min(self.size(), self._size)
        if offset + size > end:
            raise cut_short(self.path, end, offset, size)
        return bytes(self._inode.visible[offset : offset + size])

    def view(self) -> memoryview | None:
        """Return a copy as of now: sealed files do not change."""
        self._check_usable("look at")
        return memoryview(bytes(self._inode.visible[: self._size])) if self._size else None

    def close(self) -> None:
        self._is_closed = True

    def _check_usable(self, action: str) -> None:
        if self._files.is_killed:
            self._files.check_usable()
        # Closing the store's files closes its maps.
        if self._is_closed or self._files.is_closed:
            raise failed(action, self.path, os_error(errno.EBADF))


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _child_directory(directory: DirectoryInode, name: str) -> DirectoryInode:
    child = directory.visible.get(name)
    if child is None:
        raise os_error(errno.ENOENT)
    if isinstance(child, FileInode):
        raise os_error(errno.ENOTDIR)
    return child
