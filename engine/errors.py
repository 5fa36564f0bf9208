"""Every exception lithograph raises.

* LithographError
  x InvalidArgumentError (also ValueError)        the caller asked for something no store can do
  x NodeNotFoundError (also KeyError)
  x StoreNotFoundError (also FileNotFoundError)
  x StoreExistsError (also FileExistsError)
  x NotAStoreError                                the path holds something else
  x ClosedError                                   the handle, view or transaction is over
  x ReadOnlyError
  x ConflictError                                 another commit changed what was read: retry
  x LockedError (also TimeoutError)               .pid of the holder, where it is known
  x FormatVersionError                            written by a version we do not know
  x StorageError                                  the machine failed; __cause__ is the OSError
    + FailedStateError                            an earlier StorageError; reopen to recover
  x CorruptionError                               the bytes contradict SPEC.md; .path, .offset
    + ChecksumError
    + TruncatedError

Bugs in lithograph itself are AssertionError, never one of these.
"""

from __future__ import annotations


class LithographError(Exception):
    """Base class: `except LithographError` catches everything below."""


class InvalidArgumentError(LithographError, ValueError):
    """An argument breaks a rule of the API; nothing was written."""


class NodeNotFoundError(LithographError, KeyError):
    """The name or id is not a node of this view.

    Attributes
    ----------
    node : the name or id that was asked for.
    """

    def __init__(self, node: str | int, hint: str = "") -> None:
        kind = "name" if isinstance(node, str) else "id"
        super().__init__(f"no node has the {kind} {node!r}{hint}")
        self.node = node

    def __str__(self) -> str:
        # KeyError would show the repr of the message.
        return str(self.args[0])


class StoreNotFoundError(LithographError, FileNotFoundError):
    """There is no store at the path, and the mode does not create one."""


class StoreExistsError(LithographError, FileExistsError):
    """mode="x" was asked for and the path already holds a store."""


class NotAStoreError(LithographError):
    """The path holds something that is not a lithograph store; it was left untouched."""


class ClosedError(LithographError):
    """The handle, view, iterator or transaction was closed, or belongs to a parent process."""


class ReadOnlyError(LithographError):
    """The handle was opened with mode="r" and cannot write."""


class ConflictError(LithographError):
    """Another commit changed something this transaction read; nothing was written, run it again."""


class LockedError(LithographError, TimeoutError):
    """Another process holds the lock for longer than `lock_timeout`.

    Attributes
    ----------
    pid : process id of the holder, or None where the system does not tell.
    """

    def __init__(self, message: str, *, pid: int | None = None) -> None:
        super().__init__(message)
        self.pid = pid


class FormatVersionError(LithographError):
    """The file is sound but was written by a format version this library does not know."""


class StorageError(LithographError):
    """The machine failed (full disk, I/O error, permission); `__cause__` is the OSError."""


class FailedStateError(StorageError):
    """An earlier write failed in a way that cannot be undone; close the store and open it again."""


class CorruptionError(LithographError):
    """Stored bytes contradict SPEC.md.

    Attributes
    ----------
    path : file the bytes came from, or "" when decoding from memory.
    offset : position of the first bad byte, in bytes from the start of the file.
    """

    def __init__(self, message: str, *, path: str = "", offset: int = 0) -> None:
        super().__init__(f"{path}@{offset}: {message}" if path else f"@{offset}: {message}")
        self.message = message
        self.path = path
        self.offset = offset

    def located(self, path: str, base: int = 0) -> CorruptionError:
        """Return the same error with the file's `path`, its offset moved by `base` bytes."""
        return type(self)(self.message, path=path, offset=self.offset + base)


class ChecksumError(CorruptionError):
    """A stored checksum differs from the one computed over the stored bytes."""


class TruncatedError(CorruptionError):
    """The bytes end before the structure they announce."""
