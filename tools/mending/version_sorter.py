"""Salvaged versions in the order of their commits, in bounded memory: an external merge sort."""

from __future__ import annotations

import heapq
import struct
import tempfile
from collections.abc import Iterator
from operator import itemgetter
from typing import IO, Final

import msgspec

from lithograph.maintenance.salvage_version import SalvagedVersion

COUNT_MAX: Final = 50_000
"""Versions that are held before they are sorted and written out: about 1 KiB of memory each."""

_FIELDS: Final = SalvagedVersion._fields
_order = itemgetter(*map(_FIELDS.index, ("sequence", "step", "node_id")))
_SIZE: Final = struct.Struct("<I")
_READ_SIZE: Final = 64 * 1024


class VersionSorter:
    """Takes versions in any order; gives them back by commit, and in each by what they do.

    count_max : versions held in memory; tests shrink it.
    """

    def __init__(self, count_max: int = COUNT_MAX) -> None:
        self._count_max = count_max
        self._held: list[SalvagedVersion] = []
        self._file: IO[bytes] | None = None
        self._ends = [0]
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(SalvagedVersion)

    def add(self, version: SalvagedVersion) -> None:
        self._held.append(version)
        if len(self._held) >= self._count_max:
            self._write_out()

    def sorted(self) -> Iterator[SalvagedVersion]:
        """Yield all versions; nothing may be added from then on."""
        self._held.sort(key=_order)
        chunks = [
            self._chunk(start, end) for start, end in zip(self._ends, self._ends[1:], strict=False)
        ]
        return heapq.merge(*chunks, self._held, key=_order)

    def close(self) -> None:
        """Forget everything."""
        self._held = []
        if self._file is not None:
            self._file.close()

    def _write_out(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._held.sort(key=_order)
        self._file.seek(self._ends[-1])
        for version in self._held:
            data = self._encoder.encode(version)
            self._file.write(_SIZE.pack(len(data)) + data)
        self._ends.append(self._file.tell())
        self._held = []

    def _chunk(self, start: int, end: int) -> Iterator[SalvagedVersion]:
        """Yield the versions that stand at [start, end) of the file."""
        assert self._file is not None
        data, place = b"", 0
        while True:
            if len(data) - place < _SIZE.size or (
                len(data) - place < _SIZE.size + _SIZE.unpack_from(data, place)[0]
            ):
                if start == end:
                    return
                self._file.seek(start)
                more = self._file.read(min(_READ_SIZE, end - start))
                start += len(more)
                data, place = data[place:] + more, 0
                continue
            (size,) = _SIZE.unpack_from(data, place)
            place += _SIZE.size
            yield self._decoder.decode(data[place : place + size])
            place += size
