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
LOCK_FLUSH: Final = "locks/flush"
LOCK_COMPACT: Final = "locks/compact"
PINS_DIRECTORY: Final = "locks/pins"

DIRECTORIES: Final = (LOCKS_DIRECTORY, MANIFEST_DIRECTORY, WAL_DIRECTORY)
"""Made when a store is created; `names` and `partitions` when they are first needed."""

ENTRIES: Final = frozenset(
    (CURRENT, SHARED_MAP, *DIRECTORIES, NAMES_DIRECTORY, PARTITIONS_DIRECTORY)
)
"""Everything that may stand in a store's directory."""

FILE_NUMBER_END: Final = 10**16

PARTITION_PATTERN: Final = (
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-[0-3][0-9]"  # A day,
    r"|[0-9]{4}-(?:0[1-9]|1[0-2])"  # a month,
    r"|[0-9]{4}-Q[1-4]"  # a quarter,
    r"|[0-9]{4}"  # a year,
    r"|[0-9]{4}-to-[0-9]{4}"  # several years, both included.
)
_PARTITION: Final = re.compile(PARTITION_PATTERN)
_NUMBERED: Final = re.compile(r"([0-9]{8,16})\.(manifest|wal|run|seg|his|spool)")
_PIN: Final = re.compile(r"[0-9a-f]{16}\.pin")
_KNOWN: Final = re.compile(
    r"CURRENT|shared\.map|locks/(?:open|commit|publish|flush|compact)"
    r"|locks/pins/[0-9a-f]{16}\.pin"
    r"|manifest/[0-9]{8,16}\.manifest|wal/[0-9]{8,16}\.wal"
    r"|names/[0-9]{8,16}\.(?:run|spool)"
    rf"|partitions/(?:{PARTITION_PATTERN})/[0-9]{{8,16}}\.(?:seg|his)"
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


def run_name(number: int) -> str:
    """Return the path of a run of the name index, relative to the store.

    >>> run_name(12)
    'names/00000012.run'
    """
    assert 0 < number < FILE_NUMBER_END
    return f"{NAMES_DIRECTORY}/{number:08}.run"


def spool_name(number: int) -> str:
    """Return the path of a file that a writer keeps its notes in until it is done."""
    assert 0 < number < FILE_NUMBER_END
    return f"{NAMES_DIRECTORY}/{number:08}.spool"


def segment_name(partition: str, number: int) -> str:
    """Return the path of a segment, relative to the store.

    >>> segment_name("2026-11", 31)
    'partitions/2026-11/00000031.seg'
    """
    assert is_partition(partition)
    assert 0 < number < FILE_NUMBER_END
    return f"{PARTITIONS_DIRECTORY}/{partition}/{number:08}.seg"


def history_name(partition: str, number: int) -> str:
    """Return the path of the history beside a segment, relative to the store."""
    assert is_partition(partition)
    assert 0 < number < FILE_NUMBER_END
    return f"{PARTITIONS_DIRECTORY}/{partition}/{number:08}.his"


def pin_name(identity: int) -> str:
    """Return the path of a process's pin; `identity` is a random u64."""
    return f"{PINS_DIRECTORY}/{identity:016x}.pin"


def is_partition(entry: str) -> bool:
    """Return whether a directory entry is the name of a partition (SPEC.md, section 2)."""
    return _PARTITION.fullmatch(entry) is not None


def is_pin(entry: str) -> bool:
    """Return whether a directory entry is the name of a pin."""
    return _PIN.fullmatch(entry) is not None


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
