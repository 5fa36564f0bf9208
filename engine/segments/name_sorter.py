"""Names in order, out of any order, in bounded memory: an external merge sort.

Sorted chunks wait in spools. Where too many of them wait, they become one larger spool first, so
that the number of open files stays bounded too.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from lithograph.files import Files
from lithograph.ids import ABSENT
from lithograph.segments.spool import Spool

CHUNK_SIZE_MAX: Final = 32 * 2**20
"""Bytes of memory that names take before they are sorted and spooled."""

FAN_IN: Final = 16
"""Spools of one level that become one of the next."""

SPOOL_MEMORY_MAX: Final = 64 * 1024
"""Bytes of a spool that stay in memory."""

_NOTE: Final = struct.Struct("<IQQ")
_ENTRY_SIZE: Final = 200
"""Bytes of memory that an entry takes besides its name; measured, 170."""

# (name, minus the sequence, minus the id): sorted so, versions are newest first, and of two by one
# commit the live one stands before the deletion.
_Key = tuple[bytes, int, int]


class NameSorter:
    """Takes versions of names in any order; gives them back by name, each newest first."""

    def __init__(
        self,
        files: Files,
        chunk_size_max: int = CHUNK_SIZE_MAX,
        fan_in: int = FAN_IN,
        spool_memory_max: int = SPOOL_MEMORY_MAX,
    ) -> None:
        self._files = files
        self._spool_memory_max = spool_memory_max
        self._chunk_size_max = chunk_size_max
        self._fan_in = fan_in
        self._chunk: list[_Key] = []
        self._chunk_size = 0
        # Spools by level; one of level n holds fan_in ** n chunks.
        self._levels: list[list[Spool]] = []

    def add(self, name: bytes, sequence: int, node_id: int) -> None:
        """Add a version: a commit gave the name to a node, or (ABSENT) took it from one.

        Cost: O(log n) comparisons, and one write and one read of the entry for each level.
        """
        self._chunk.append((name, -sequence, -node_id))
        self._chunk_size += _ENTRY_SIZE + len(name)
        if self._chunk_size >= self._chunk_size_max:
            self._spool_chunk()

    def sorted(self) -> Iterator[tuple[bytes, list[tuple[int, int]]]]:
        """Yield each name, ascending, with (sequence, id or ABSENT), newest first.

        Nothing may be added from then on.
        """
        self._chunk.sort()
        spools = [spool for level in self._levels for spool in level]
        streams: list[Iterable[_Key]] = [_entries(spool) for spool in spools]
        for name, same in groupby(heapq.merge(*streams, self._chunk), key=_name_of):
            yield name, [(-sequence, -node_id) for _, sequence, node_id in same]

    def close(self) -> None:
        """Forget everything, and remove the spools."""
        self._chunk = []
        levels, self._levels = self._levels, []
        for level in levels:
            _close_all(level)

    def _spool_chunk(self) -> None:
        self._chunk.sort()
        self._put(0, self._chunk)
        self._chunk, self._chunk_size = [], 0

    def _put(self, level: int, entries: Iterable[_Key]) -> None:
        """Spool sorted entries to a level; where it is full, move it up as one spool."""
        if level == len(self._levels):
            self._levels.append([])
        spool = Spool(self._files, self._spool_memory_max)
        # In its place before it is filled: `close` finds it whatever happens.
        self._levels[level].append(spool)
        for name, sequence, node_id in entries:
            spool.append(_NOTE.pack(len(name), -sequence, -node_id - ABSENT) + name)
        full = self._levels[level]
        if len(full) >= self._fan_in:
            self._put(level + 1, heapq.merge(*map(_entries, full)))
            self._levels[level] = []
            _close_all(full)


def _entries(spool: Spool) -> Iterator[_Key]:
    """Yield what a spool holds, in order."""
    data = b""
    for piece in spool.chunks():
        data += piece
        start = 0
        while len(data) - start >= _NOTE.size:
            size, sequence, node_number = _NOTE.unpack_from(data, start)
            end = start + _NOTE.size + size
            if end > len(data):
                break
            yield data[start + _NOTE.size : end], -sequence, -node_number - ABSENT
            start = end
        data = data[start:]
    assert not data


def _name_of(key: _Key) -> bytes:
    return key[0]


def _close_all(spools: Sequence[Spool]) -> None:
    for spool in spools:
        spool.close()
