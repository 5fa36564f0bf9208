"""Files and directories of a simulated disk: what is durable, and what happened since.

Bytes and entries change at once for everybody who looks (the page cache); the medium follows when
it is synced, or by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias, Union

from lithograph.formats.file_names import LOCKS_DIRECTORY, PINS_DIRECTORY

_PINS: Final = PINS_DIRECTORY.rpartition("/")[2]

Image: TypeAlias = tuple[tuple[str, Union["Image", bytes]], ...]
"""A directory tree: (name, bytes of a file or Image of a directory), in the order of the names."""


class Status(Enum):
    """How an operation stands with the medium."""

    PENDING = 0
    SYNCED = 1
    """Will be there after a power cut; kept in the list because an earlier one may not."""
    DROPPED = 2
    """Marked clean by a sync that failed: no later sync writes it."""


@dataclass(frozen=True, slots=True)
class Landing:
    """The part of one write that lands: these pieces of its data, and growth up to `size` of it."""

    size: int
    pieces: tuple[tuple[int, int], ...]


@dataclass(slots=True, eq=False)
class Write:
    offset: int
    data: bytes
    status: Status = Status.PENDING

    def apply(self, image: bytearray) -> None:
        if len(image) < self.offset:
            image.extend(bytes(self.offset - len(image)))
        image[self.offset : self.offset + len(self.data)] = self.data

    def apply_part(self, image: bytearray, landing: Landing) -> None:
        image.extend(bytes(max(0, self.offset + landing.size - len(image))))
        for start, end in landing.pieces:
            image[self.offset + start : self.offset + end] = self.data[start:end]


@dataclass(slots=True, eq=False)
class Truncate:
    size: int
    status: Status = Status.PENDING

    def apply(self, image: bytearray) -> None:
        del image[self.size :]
        image.extend(bytes(self.size - len(image)))


class FileInode:
    """The bytes of one file, whatever its name, if it still has one."""

    __slots__ = ("durable", "pending", "visible")

    def __init__(self, durable: bytes = b"") -> None:
        self.durable = durable
        # Shared with the durable image until the first change.
        self.visible: bytes | bytearray = durable
        self.pending: list[Write | Truncate] = []

    def change(self, operation: Write | Truncate) -> None:
        if isinstance(self.visible, bytes):
            self.visible = bytearray(self.visible)
        operation.apply(self.visible)
        self.pending.append(operation)

    def sync(self) -> None:
        for operation in self.pending:
            if operation.status is Status.PENDING:
                operation.status = Status.SYNCED
        if all(operation.status is Status.SYNCED for operation in self.pending):
            self.durable = bytes(self.visible)
            self.pending.clear()

    def drop_unsynced(self) -> None:
        """Fail to sync: everything un-synced counts as clean from now on."""
        for operation in self.pending:
            if operation.status is Status.PENDING:
                operation.status = Status.DROPPED


class DirectoryInode:
    """The entries of one directory. A pending operation is a name with its inode, or with None."""

    __slots__ = ("durable", "is_transient", "is_whole", "pending", "visible")

    def __init__(
        self,
        durable: Entries | None = None,
        *,
        is_whole: bool = False,
        is_transient: bool = False,
    ) -> None:
        self.durable: Entries = {} if durable is None else durable
        self.visible = dict(self.durable)
        self.pending: list[tuple[str, Inode | None]] = []
        # Lock files are empty and made anew when missing: for them, none or all must do.
        self.is_whole = is_whole
        # Pins are never synced, and nobody lives who pinned: they may as well always be lost.
        self.is_transient = is_transient

    def change(self, name: str, inode: Inode | None) -> None:
        set_entry(self.visible, name, inode)
        if not self.is_transient:
            self.pending.append((name, inode))

    def sync(self) -> None:
        self.durable = dict(self.visible)
        self.pending.clear()


Inode: TypeAlias = FileInode | DirectoryInode
Entries: TypeAlias = dict[str, Inode]


def new_directory(name: str, durable: Entries | None = None) -> DirectoryInode:
    return DirectoryInode(durable, is_whole=name == LOCKS_DIRECTORY, is_transient=name == _PINS)


def set_entry(entries: Entries, name: str, inode: Inode | None) -> None:
    if inode is None:
        entries.pop(name, None)
    else:
        entries[name] = inode


def image_of(
    directory: DirectoryInode,
    entries: Callable[[DirectoryInode], Entries],
    contents: Callable[[FileInode], bytes],
) -> Image:
    """Return the tree below a directory, with the entries and contents that the functions give."""
    found = entries(directory)
    image: list[tuple[str, Image | bytes]] = []
    for name in sorted(found):
        inode = found[name]
        if isinstance(inode, FileInode):
            image.append((name, contents(inode)))
        else:
            image.append((name, image_of(inode, entries, contents)))
    return tuple(image)


def inodes_of(image: Image) -> Entries:
    """Return new inodes on which everything is durable."""
    return {
        name: FileInode(below)
        if isinstance(below, bytes)
        else new_directory(name, inodes_of(below))
        for name, below in image
    }
