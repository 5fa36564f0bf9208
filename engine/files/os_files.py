"""The directory of a store on this machine.

Every component of a path is opened without following links, so nothing outside the store is ever
reached; special files are refused before they can block.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import stat
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from lithograph.errors import CorruptionError, NotAStoreError, StoreNotFoundError
from lithograph.files.os_directory import OsDirectory
from lithograph.files.os_file import OsFile, sync
from lithograph.files.os_lock import OsLock
from lithograph.files.os_map import OsFileMap
from lithograph.files.protocol import File, FileMap, Files, Lock, failed
from lithograph.formats.file_names import PARTITIONS_DIRECTORY, is_store_file

_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_WRITE: Final = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_CANNOT_LINK: Final = (
    errno.EXDEV,
    errno.EPERM,
    errno.EACCES,
    errno.EMLINK,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
)

T = TypeVar("T")


def leads_into(path: str, directory: str) -> bool:
    """Return whether a path is that of a directory, or below it, links followed."""
    return Path(path).resolve().is_relative_to(Path(directory).resolve())


class OsFiles:
    """The directory of a store on this machine.

    The few directories that every store has stay open once they were used. Those below `partitions`
    come, go and may be thousands: they are opened for each call (3 µs), so that they take no
    descriptors, and one that was removed and made again by another process is found.
    """

    def __init__(self, path: str) -> None:
        """Open the directory.

        Raises
        ------
        StoreNotFoundError : nothing is at `path`.  NotAStoreError : it is not a directory.
        """
        self.root = path
        self.on_exhausted: Callable[[], bool] | None = None
        try:
            self._root: OsDirectory | None = OsDirectory.open(path)
        except FileNotFoundError as error:
            raise StoreNotFoundError(
                f'there is no store at {path}; open it with mode="c" to create one'
            ) from error
        except NotADirectoryError as error:
            raise NotAStoreError(f"{path} is not a directory; a store is one") from error
        except OSError as error:
            raise failed("open", path, error) from error
        # Who may look into the store's directory may look at what is made in it, and nobody else.
        mode = stat.S_IMODE(os.fstat(self._root.fd).st_mode)
        self._directory_mode, self._file_mode = 0o700 | mode & 0o777, 0o600 | mode & 0o666
        self._directories: dict[str, OsDirectory] = {}
        self._open: set[OsFile | OsLock] = set()
        # Weakly: whoever lets go of a map without closing it has given it back.
        self._maps: set[weakref.ref[OsFileMap]] = set()

    @classmethod
    def create_root(cls, path: str) -> OsFiles:
        """Make the store's directory if nothing is there, and open it."""
        try:
            # Only the directory itself: a mistyped parent should not come into being.
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, 0o700)  # noqa: PTH102
        except OSError as error:
            raise failed("create", path, error) from error
        return cls(path)

    def identity(self) -> tuple[int, int]:
        found = os.fstat(self._directory("").fd)
        return found.st_dev, found.st_ino

    def path_of(self, name: str) -> str:
        return str(Path(self.root, name))

    def free_bytes(self) -> int:
        try:
            found = os.fstatvfs(self._directory("").fd)
        except OSError as error:
            raise failed("look at", self.root, error) from error
        return found.f_bavail * found.f_frsize

    def exists(self, name: str) -> bool:
        try:
            directory, leaf = self._locate(name)
            os.stat(leaf, dir_fd=directory.fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise failed("look at", self.path_of(name), error) from error
        return True

    def entries(self, directory: str) -> list[str]:
        try:
            opened = self._directory(directory)
            return sorted(self._attempt(lambda: os.listdir(opened.fd)))  # noqa: PTH208
        except FileNotFoundError:
            return []
        except OSError as error:
            raise failed("list", self.path_of(directory), error) from error

    def make_directory(self, name: str) -> None:
        above, _, leaf = name.rpartition("/")
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(leaf, self._directory_mode, dir_fd=self._directory(above).fd)
        except OSError as error:
            raise failed("create", self.path_of(name), error) from error

    def remove_directory(self, name: str) -> bool:
        above, _, leaf = name.rpartition("/")
        assert above == PARTITIONS_DIRECTORY, name  # The others are kept open.
        try:
            os.rmdir(leaf, dir_fd=self._directory(above).fd)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST):
                return False
            raise failed("remove", self.path_of(name), error) from error
        return True

    def sync_directory(self, name: str) -> None:
        try:
            if name == "..":
                # The parent of the path as given: ".." would be another one behind a link.
                directory = OsDirectory.open(str(Path(self.root).absolute().parent))
            else:
                directory = self._directory(name)
            sync(directory.fd)
        except OSError as error:
            # Some network file systems cannot sync a directory and have nothing to sync.
            if error.errno != errno.EINVAL:
                raise failed("sync", self.path_of(name), error) from error

    def create(self, name: str) -> File:
        return self._file(name, _WRITE | os.O_CREAT | os.O_EXCL)

    def open(self, name: str, *, writable: bool = False) -> File:
        return self._file(name, _WRITE if writable else _READ)

    def map(self, name: str) -> FileMap:
        try:
            fd = self._open_fd(name, _READ)
            try:
                mapped = self._attempt(lambda: OsFileMap(self.path_of(name), fd))
            finally:
                os.close(fd)
        except OSError as error:
            raise self._not_opened("map", name, error) from error
        self._maps.add(weakref.ref(mapped, self._maps.discard))
        return mapped

    def watch(self, name: str) -> memoryview | None:
        try:
            fd = self._open_fd(name, _READ)
            try:
                size = os.fstat(fd).st_size
                return memoryview(mmap.mmap(fd, size, prot=mmap.PROT_READ)) if size else None
            finally:
                os.close(fd)
        except (OSError, ValueError):
            # Whoever reads the file itself will be told.
            return None

    def unlink(self, name: str) -> None:
        try:
            directory, leaf = self._locate(name)
            os.unlink(leaf, dir_fd=directory.fd)
        except OSError as error:
            raise failed("remove", self.path_of(name), error) from error

    def link(self, name: str, source: Files) -> bool:
        if not isinstance(source, OsFiles):
            return False
        try:
            theirs, leaf = source._locate(name)
            ours, _ = self._locate(name)
            os.link(leaf, leaf, src_dir_fd=theirs.fd, dst_dir_fd=ours.fd, follow_symlinks=False)
            found = os.stat(leaf, dir_fd=ours.fd, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno in _CANNOT_LINK:
                return False
            raise source._not_opened("link", name, error) from error
        if not stat.S_ISREG(found.st_mode):
            self.unlink(name)
            raise CorruptionError("not a regular file", path=source.path_of(name))
        return True

    def lock(self, name: str, pid: int | None) -> Lock:
        lock = OsLock(self, name, pid)
        self._open.add(lock)
        return lock

    def close(self) -> None:
        for thing in list(self._open):
            thing.close()
        self._close_rest()

    def abandon(self) -> None:
        for thing in list(self._open):
            thing.abandon()
        self._close_rest()

    def _close_rest(self) -> None:
        for reference in list(self._maps):
            mapped = reference()
            if mapped is not None:
                mapped.close()
        # Calls that come too late are refused; those under way keep the directories they use.
        self._root, self._directories = None, {}

    def forget(self, thing: OsFile | OsLock) -> None:
        self._open.discard(thing)

    def open_for_lock(self, name: str, *, writable: bool) -> int:
        """Return a descriptor of a lock file; OSError passes. It is made only where it may be."""
        return self._open_fd(name, _WRITE | os.O_CREAT if writable else _READ)

    def look_at(self, directory: str, leaf: str) -> os.stat_result | None:
        """Return what the system says of the file now there, or None if there is none."""
        # Every commit comes here: a directory that is open is taken as it is, and not `_locate`,
        # for a lock's name was looked at when it was made.
        opened = self._directories.get(directory) or self._directory(directory)
        try:
            return os.stat(leaf, dir_fd=opened.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _file(self, name: str, flags: int) -> File:
        try:
            file = OsFile(self, self.path_of(name), self._open_fd(name, flags))
        except FileExistsError:
            raise
        except OSError as error:
            raise self._not_opened("open", name, error) from error
        self._open.add(file)
        return file

    def _not_opened(self, action: str, name: str, error: OSError) -> Exception:
        if isinstance(error, FileNotFoundError):
            return CorruptionError(
                "the file is missing; restore it from a backup", path=self.path_of(name)
            )
        return failed(action, self.path_of(name), error)

    def _open_fd(self, name: str, flags: int) -> int:
        """Open a regular file below the store; OSError passes, anything odd is CorruptionError."""
        directory, leaf = self._locate(name)
        try:
            fd = self._attempt(lambda: os.open(leaf, flags, self._file_mode, dir_fd=directory.fd))
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):
                raise CorruptionError(
                    "not a regular file: the store holds no links", path=self.path_of(name)
                ) from error
            raise
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise CorruptionError("not a regular file", path=self.path_of(name))
        return fd

    def _attempt(self, call: Callable[[], T]) -> T:
        """Return what `call` returns; where the machine is exhausted, make room and call again."""
        try:
            return call()
        except OSError as error:
            if error.errno not in _EXHAUSTED or self.on_exhausted is None:
                raise
            if not self.on_exhausted():
                raise
        return call()

    def _locate(self, name: str) -> tuple[OsDirectory, str]:
        assert is_store_file(name), name
        directory, _, leaf = name.rpartition("/")
        return self._directory(directory), leaf

    def _directory(self, name: str) -> OsDirectory:
        """Return an open directory; OSError passes."""
        root = self._root
        if root is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if not name:
            return root
        kept = self._directories.get(name)
        if kept is not None:
            return kept
        above, _, leaf = name.rpartition("/")
        parent = self._directory(above)
        directory = self._attempt(lambda: parent.below(leaf))
        if above == PARTITIONS_DIRECTORY:
            return directory
        # Two threads may both get here; the first one's descriptor is kept.
        return self._directories.setdefault(name, directory)
