"""Names of the files of a store (SPEC.md, section 2).

Every name that the engine opens is made here or was matched here: nothing read from disk is ever
used as a path, so no file can lead outside the store.
"""

from __future__ import annotations

import re
from typing import Final

CURRENT: Final = "CURRENT"
SHARED_MAP: Final = "shared.map"
MANIFEST_DIRECTORY: Final = "manifest"
WAL_DIRECTORY: Final = "wal"
NAMES_DIRECTORY: Final = "names"
PARTITIONS_DIRECTORY: Final = "partitions"
LOCKS_DIRECTORY: Final = "locks"
LOCK_OPEN: Final = "locks/open"
LOCK_COMMIT: Final = "locks/commit"
LOCK_PUBLISH: Final = "locks/publish"

DIRECTORIES: Final = (LOCKS_DIRECTORY, MANIFEST_DIRECTORY, WAL_DIRECTORY)
"""Made when a store is created; `names` and `partitions` when they are first needed."""

ENTRIES: Final = frozenset(
    (CURRENT, SHARED_MAP, *DIRECTORIES, NAMES_DIRECTORY, PARTITIONS_DIRECTORY)
)
"""Everything that may stand in a store's directory."""

FILE_NUMBER_END: Final = 10**16

_NUMBERED: Final = re.compile(r"([0-9]{8,16})\.(manifest|wal|run|seg|his)")
_KNOWN: Final = re.compile(
    r"CURRENT|shared\.map|locks/(?:open|commit|publish)"
    r"|manifest/[0-9]{8,16}\.manifest|wal/[0-9]{8,16}\.wal"
)


def manifest_name(number: int) -> str:
    """Return the path of a manifest, relative to the store.

    >>> manifest_name(42)
    'manifest/00000042.manifest'
    """
    assert 0 < number < FILE_NUMBER_END
    return f"{MANIFEST_DIRECTORY}/{number:08}.manifest"


def wal_name(number: int) -> str:
    """Return the path of a write-ahead log, relative to the store.

    >>> wal_name(7)
    'wal/00000007.wal'
    """
    assert 0 < number < FILE_NUMBER_END
    return f"{WAL_DIRECTORY}/{number:08}.wal"


def file_number(entry: str, kind: str) -> int | None:
    """Return the number in a directory entry of the given kind, or None for any other entry.

    >>> file_number("00000007.wal", "wal"), file_number("notes.txt", "wal")
    (7, None)
    """
    match = _NUMBERED.fullmatch(entry)
    if match is None or match[2] != kind or f"{int(match[1]):08}" != match[1]:
        return None
    return int(match[1]) or None


def is_store_file(name: str) -> bool:
    """Return whether `name` is a path the engine may open, relative to the store."""
    return _KNOWN.fullmatch(name) is not None
