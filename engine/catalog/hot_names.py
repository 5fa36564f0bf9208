"""The names that were looked up last, and what their runs said: bounded, least recently used out.

A run never changes, so an answer stays right as long as its file number does. What a name means in
a view of now takes 50 to 100 µs in the pages of a run on the plain kernel, and 1 µs here; a load
that writes edges between known nodes looks every name up twice.
"""

from __future__ import annotations

import threading
from typing import Final

from cachetools import LRUCache

ENTRY_BYTES: Final = 400
"""About what one entry takes besides its name."""


class HotNames:
    """(run, name) -> what a view newer than the run finds in it, for any number of threads."""

    def __init__(self, size_max_bytes: int) -> None:
        """Keep at most about so many bytes; with 0, nothing."""
        self._kept: LRUCache[tuple[int, str], int] = LRUCache(size_max_bytes // ENTRY_BYTES)
        self._lock = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """About how much is kept now."""
        return len(self._kept) * ENTRY_BYTES

    def get(self, run: int, name: str) -> int | None:
        """Return the id, or ABSENT, that the run says; None if it is not kept."""
        with self._lock:
            return self._kept.get((run, name))

    def put(self, run: int, name: str, node_id: int) -> None:
        """Keep what the run says of a name; not of a very long one."""
        if self._kept.maxsize and len(name) <= ENTRY_BYTES:
            with self._lock:
                self._kept[run, name] = node_id
