"""Writing a sealed file: front to back, in bounded memory (SPEC.md, section 12.1)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Final

from lithograph.errors import StorageError
from lithograph.files import Files
from lithograph.formats.file_header import FileHeader, FileKind
from lithograph.formats.sealed import (
    BLOCK_SIZE,
    CHECKSUM_SIZE,
    FAN_OUT,
    SealedRef,
    encode_footer,
    hash_footer,
)
from lithograph.kernel import xxh64
from lithograph.segments.spool import Spool

_BUFFER_SIZE: Final = 256 * 1024


class SealedWriter:
    """One sealed file on its way; it does not count before a manifest names it.

    Attributes
    ----------
    offset : bytes of the data region so far, the file header included.
    """

    def __init__(
        self, files: Files, name: str, number: int, store_uuid: bytes, kind: FileKind
    ) -> None:
        """Create the file; FileExistsError if there is one of that name."""
        self.offset = 0
        self._files = files
        self._name = name
        self._number = number
        self._file = files.create(name)
        self._buffer = bytearray()
        self._checksums = Spool(files)
        self._written = 0
        self.append(FileHeader(kind, store_uuid, number).encode())

    def append(self, data: bytes) -> int:
        """Add bytes to the data region; return the offset at which they stand."""
        start = self.offset
        self.offset = start + len(data)
        self._buffer += data
        if len(self._buffer) >= _BUFFER_SIZE:
            self._flush(len(self._buffer) // BLOCK_SIZE * BLOCK_SIZE)
        return start

    def extend(self, pieces: Iterable[bytes]) -> int:
        """Add bytes piece by piece; return the offset at which the first stands."""
        start = self.offset
        for piece in pieces:
            self.append(piece)
        return start

    def pad_to(self, multiple: int) -> int:
        """Add zeros up to the next multiple; return the offset reached."""
        self.append(bytes(-self.offset % multiple))
        return self.offset

    def finish(self, body: bytes) -> SealedRef:
        """Add the checksums and the footer, sync the file; its directory is the caller's."""
        data_size = self.offset
        self._flush(len(self._buffer))
        root = self._write_checksums()
        footer = encode_footer(body, data_size, root)
        self._file.write_at(self._written, footer)
        self._file.sync_data()
        self._file.close()
        self._checksums.close()
        return SealedRef(self._number, self._written + len(footer), hash_footer(footer))

    def abandon(self) -> None:
        """Remove the file, as far as the machine lets us; nothing names it."""
        self._file.close()
        self._checksums.close()
        with contextlib.suppress(StorageError):
            self._files.unlink(self._name)

    def _flush(self, size: int) -> None:
        """Write the first `size` bytes of the buffer: whole blocks, or the last ones."""
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        sums = bytearray()
        for start in range(0, size, BLOCK_SIZE):
            sums += xxh64(data[start : start + BLOCK_SIZE]).to_bytes(CHECKSUM_SIZE, "little")
        self._file.write_at(self._written, data)
        self._written += size
        self._checksums.append(bytes(sums))

    def _write_checksums(self) -> int:
        """Write the pages of checksums, level upon level; return that of the topmost page."""
        level = self._checksums
        while True:
            upper = Spool(self._files)
            for page in _pages(level.chunks()):
                self._file.write_at(self._written, page)
                self._written += len(page)
                upper.append(xxh64(page).to_bytes(CHECKSUM_SIZE, "little"))
            level.close()
            level = upper
            if upper.size == CHECKSUM_SIZE:
                root = int.from_bytes(b"".join(upper.chunks()), "little")
                upper.close()
                return root


def _pages(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut a stream of bytes into pages; the last one may be short."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        whole = len(rest) // BLOCK_SIZE * BLOCK_SIZE
        for start in range(0, whole, BLOCK_SIZE):
            yield rest[start : start + BLOCK_SIZE]
        rest = rest[whole:]
    if rest:
        yield rest


assert FAN_OUT * CHECKSUM_SIZE == BLOCK_SIZE
