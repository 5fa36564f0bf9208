"""Notes that a writer keeps until its file is done, in memory as long as they are few.

A directory, a level of a tree or a list of hashes is written behind what it is about, and grows
with it. What does not fit memory goes to a file of the store that nothing names: should the process
die, the next one to be alone removes it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from lithograph.errors import StorageError
from lithograph.files import File, Files
from lithograph.formats.file_names import NAMES_DIRECTORY, file_number, spool_name

MEMORY_MAX: Final = 4 * 2**20
_CHUNK_SIZE: Final = 256 * 1024


class Spool:
    """Bytes appended once and read back in order, any number of times.

    memory_max : bytes kept in memory before they go to the file.
    """

    def __init__(self, files: Files, memory_max: int = MEMORY_MAX) -> None:
        self.size = 0
        self._files = files
        self._memory_max = memory_max
        self._buffer = bytearray()
        self._file: File | None = None
        self._name = ""
        self._stored = 0

    def append(self, data: bytes) -> None:
        self._buffer += data
        self.size += len(data)
        if len(self._buffer) > self._memory_max:
            self._store()

    def chunks(self) -> Iterator[bytes]:
        """Yield everything in order, in pieces of at most 256 KiB of the file, then the rest."""
        for start in range(0, self._stored, _CHUNK_SIZE):
            assert self._file is not None
            yield self._file.read_at(start, min(_CHUNK_SIZE, self._stored - start))
        yield bytes(self._buffer)

    def close(self) -> None:
        """Forget everything; closing twice is allowed."""
        self._buffer.clear()
        file, self._file = self._file, None
        self._stored = self.size = 0
        if file is not None:
            file.close()
            with contextlib.suppress(StorageError):
                self._files.unlink(self._name)

    def _store(self) -> None:
        if self._file is None:
            self._create()
        assert self._file is not None
        self._file.write_at(self._stored, bytes(self._buffer))
        self._stored += len(self._buffer)
        self._buffer.clear()

    def _create(self) -> None:
        self._files.make_directory(NAMES_DIRECTORY)
        number = 1 + max(
            (file_number(name, "spool") or 0 for name in self._files.entries(NAMES_DIRECTORY)),
            default=0,
        )
        while True:
            try:
                self._file = self._files.create(spool_name(number))
            except FileExistsError:
                number += 1
            else:
                self._name = spool_name(number)
                return
