"""Files that are written whole or not at all: to a temporary one beside them, then renamed."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

from lithograph.errors import StorageError


def write_whole(path: str, text: str) -> int:
    """Write a text file, UTF-8, in place of one that is there; return its size in bytes.

    Raises
    ------
    StorageError : it cannot be written; what was there is as it was.
    """
    data = text.encode()
    place = Path(path)
    temporary = place.parent / f".segtool-{secrets.token_hex(8)}.tmp"
    try:
        if place.is_dir():
            raise IsADirectoryError(0, "it is a directory")
        try:
            with temporary.open("xb") as file:
                file.write(data)
            temporary.replace(place)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}; name a file in a directory that can"
            " be written to"
        ) from error
    return len(data)
