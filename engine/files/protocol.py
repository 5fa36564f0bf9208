"""What the engine may ask of a store's directory, whatever stands behind it.

Paths are relative to the store's directory and were made by `formats.file_names`. The machine's
errors become StorageError, whose `__cause__` is the OSError. A file that is missing or is not a
regular file becomes CorruptionError: names of files come from the store itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lithograph.errors import StorageError, TruncatedError


class File(Protocol):
    """One open file of the store. Offsets and sizes are in bytes."""

    @property
    def path(self) -> str:
        """Where the file is, for messages."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` on; fewer only where the file ends."""

    def write_at(self, offset: int, data: bytes) -> None:
        """Write all of `data`, or raise StorageError; then any part of it may have been written."""

    def size(self) -> int:
        """Return the size of the file."""

    def truncate(self, size: int) -> None:
        """Cut the file to `size`."""

    def sync_data(self) -> None:
        """Return when the contents and the size are on the medium."""

    def close(self) -> None:
        """Give the file back; closing twice is allowed."""


class FileMap(Protocol):
    """A sealed file, mapped to be read. Offsets and sizes are in bytes.

    It gives its memory and its descriptor back when it is closed, or when the last reference to it
    goes: whoever holds one can read on, whatever else is done to the file's name.
    """

    @property
    def path(self) -> str:
        """Where the file is, for messages."""

    def size(self) -> int:
        """Return the size of the file now; 0 for ever if it was empty when it was mapped."""

    def read(self, offset: int, size: int) -> bytes:
        """Return a copy of `size` bytes from `offset` on.

        Raises
        ------
        TruncatedError : the file has become too short for them.  StorageError : it was closed.
        """

    def view(self) -> memoryview | None:
        """Return the whole file where it is mapped, None where a copy is all there is.

        A page of it that cannot be had kills whoever touches it outside of the kernel's guard.
        """

    def close(self) -> None:
        """Give the file back, also under a thread that reads; closing twice is allowed.

        What `view` returned lasts as long as somebody holds it.
        """


class Lock(Protocol):
    """An advisory lock on a file of the store; dies with its process, whatever kills it."""

    def try_acquire(self, *, exclusive: bool) -> bool:
        """Take the lock, or change the one held, if nobody is in the way; return whether it is.

        A change that fails gives up what was held.
        """

    def acquire(self, *, exclusive: bool, timeout_s: float) -> None:
        """Take the lock; raise LockedError with the holder's pid when `timeout_s` has passed."""

    def release(self) -> None:
        """Let go; without effect when the lock is not held."""

    def close(self) -> None:
        """Let go and give the file back."""


class Files(Protocol):
    """The directory of one store.

    Directories are named by their path, with "" for the store's own: "wal", "partitions/2026-11".

    Attributes
    ----------
    on_exhausted : called when the machine is out of descriptors or maps, to close what is idle;
        where it returns True, what could not be opened is tried once more.
    """

    on_exhausted: Callable[[], bool] | None

    @property
    def root(self) -> str:
        """Where the store is, for messages."""

    def identity(self) -> tuple[int, int]:
        """Return numbers that name the store's directory whatever path led to it."""

    def path_of(self, name: str) -> str:
        """Return the path of a file, for messages."""

    def free_bytes(self) -> int:
        """Return how many bytes the medium of the store's directory has room for now."""

    def exists(self, name: str) -> bool:
        """Return whether there is an entry of that name, of whatever kind."""

    def entries(self, directory: str) -> list[str]:
        """Return a directory's entries, sorted; [] if it is missing."""

    def make_directory(self, name: str) -> None:
        """Make a directory if it is missing; not durable before `sync_directory` of its parent."""

    def remove_directory(self, name: str) -> bool:
        """Remove a partition's directory and return True; False if it is missing or not empty."""

    def sync_directory(self, name: str) -> None:
        """Return when the directory's entries are on the medium; ".." is the store's parent."""

    def create(self, name: str) -> File:
        """Make a file that must not exist yet; raise FileExistsError if it does."""

    def open(self, name: str, *, writable: bool = False) -> File:
        """Open a file that must exist."""

    def map(self, name: str) -> FileMap:
        """Map a file that must exist, is sealed and was synced."""

    def watch(self, name: str) -> memoryview | None:
        """Map a file that is written to meanwhile; None where that cannot be, or says nothing.

        As with `FileMap.view`, only the kernel may look, under its guard.
        """

    def unlink(self, name: str) -> None:
        """Remove a file."""

    def link(self, name: str, source: Files) -> bool:
        """Let a sealed, synced file of another store stand here too, under the same name.

        Returns False where it has to be copied: another medium, or one without hard links. The
        file is one file from then on, with two entries; this one is not durable before
        `sync_directory`. Raise FileExistsError if the name is taken.
        """

    def lock(self, name: str, pid: int | None) -> Lock:
        """Return the lock that file `name` stands for, made if it is missing; not yet held.

        pid : an exclusive holder leaves it in the file, for messages; with None it writes nothing.
        """

    def close(self) -> None:
        """Give back everything still open, locks included."""

    def abandon(self) -> None:
        """After a fork, in the child: close everything without letting go of the parent's locks."""


def cut_short(path: str, size: int, offset: int, wanted: int) -> TruncatedError:
    return TruncatedError(
        f"bytes {offset} to {offset + wanted} are wanted, the file ends at {size}; "
        "restore it from a backup",
        path=path,
        offset=size,
    )


def failed(action: str, path: str, error: OSError) -> StorageError:
    failure = StorageError(f"cannot {action} {path}: {error.strerror or error}")
    failure.__cause__ = error
    return failure
