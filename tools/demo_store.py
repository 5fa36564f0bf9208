"""The directory of the demo: a store of its own, made anew each time, never anybody else's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import lithograph
from lithograph.errors import InvalidArgumentError, LithographError, StoreNotFoundError
from lithograph.formats.file_names import (
    DIRECTORIES,
    NAMES_DIRECTORY,
    PARTITIONS_DIRECTORY,
    PINS_DIRECTORY,
    is_partition,
    is_store_file,
)

MARKER: Final = "lithograph demo"
"""Name and type of the node that says: the demo made this store, and may remove it."""


_DIRECTORIES: Final = (*DIRECTORIES, PINS_DIRECTORY, NAMES_DIRECTORY, PARTITIONS_DIRECTORY)


class NotOursError(LithographError):
    """Something is in the way that the demo did not make; it was left untouched."""


def open_fresh(path: str) -> lithograph.Graph:
    """Return an empty store at `path` but for the marker; what an earlier demo left is removed.

    Raises
    ------
    NotOursError, LockedError, StorageError
    """
    if Path(path).exists() or Path(path).is_symlink():
        _remove_earlier(path)
    graph = lithograph.open(path, mode="c")
    graph.put_node(MARKER, type=MARKER)
    return graph


def _remove_earlier(path: str) -> None:
    directory = Path(path)
    if directory.is_symlink() or not directory.is_dir():
        raise NotOursError(f"{path} is not a directory; pass --store with another one")
    try:
        with lithograph.open(path, mode="r") as graph:
            marker = graph.get_node(MARKER)
            ours = marker is not None and marker.type == MARKER
            empty = graph.sequence == 0
    except StoreNotFoundError:
        return  # An empty directory, or a creation cut short.
    except (LithographError, InvalidArgumentError) as error:
        raise NotOursError(
            f"what is in {path} cannot be opened ({error}); "
            "remove it yourself, or pass --store with another directory"
        ) from error
    if empty:
        return
    if not ours:
        raise NotOursError(
            f"{path} holds a store that the demo did not make; pass --store with another directory"
        )
    strangers = _strangers(directory)
    if strangers:
        raise NotOursError(
            f"{path} holds {strangers[0]}, which is none of the store's files; move it away first"
        )
    # Nobody else has it open, or this raises LockedError.
    lithograph.open(path, mode="w", exclusive=True, lock_timeout=1.0).close()
    shutil.rmtree(directory)


def _strangers(directory: Path) -> list[str]:
    """Return the paths below `directory` that no store makes."""
    return [
        name
        for entry in sorted(directory.rglob("*"))
        if not _is_ours(entry, name := entry.relative_to(directory).as_posix())
    ]


def _is_ours(entry: Path, name: str) -> bool:
    if entry.is_symlink() or not entry.is_dir():
        return is_store_file(name) and entry.is_file()
    parent, _, last = name.rpartition("/")
    return name in _DIRECTORIES or (parent == PARTITIONS_DIRECTORY and is_partition(last))
