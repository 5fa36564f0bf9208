"""A file that appears when it is whole.

Promises:

1. It is written beside its place, under a name of its own, synced and renamed at the end: whatever
   ends the export, the file of that name is the old one or the new one.
2. What is no regular file, such as a pipe or /dev/null, is written to as it stands.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from lithograph.errors import LithographError, StorageError


@contextmanager
def output_file(path: str) -> Iterator[BinaryIO]:
    """Yield a file to write to; it stands at `path` when the block is left without an error.

    Raises
    ------
    StorageError : it cannot be made, written or renamed; what was at `path` is as it was.
    """
    place = Path(os.path.realpath(path))
    part = place.with_name(f"{place.name[:200]}.{os.getpid()}.part")
    try:
        if _is_special(place):
            with place.open("wb") as file:
                yield file
            return
        try:
            with part.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(place)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
    except (BrokenPipeError, LithographError):
        raise  # Some of ours are ValueErrors: what cannot be written has its own words.
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StorageError(f"cannot write {path}: {reason}") from error


def _is_special(path: Path) -> bool:
    try:
        return not stat.S_ISREG(path.stat().st_mode) and not path.is_dir()
    except FileNotFoundError:
        return False


def write_whole(path: str, text: str) -> int:
    """Write a text, UTF-8, as `output_file` does; return its size in bytes."""
    data = text.encode()
    with output_file(path) as file:
        file.write(data)
    return len(data)
