"""Sealed files: written once, front to back, never changed (SPEC.md, section 12.1).

A data region, then the checksums of its blocks in pages, of these pages in pages, and so on up to
one page, then a footer: a body that depends on the kind of file, and the tail declared here. The
manifest keeps the file's size and the hash of its footer, so everything below is reached by
checksums from there: a stale, swapped or foreign file is noticed when it is opened, a damaged block
when it is first touched.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import xxhash

from lithograph.errors import ChecksumError, CorruptionError, TruncatedError
from lithograph.formats.file_header import HEADER_SIZE
from lithograph.formats.layout import Buffer, Field, Layout

BLOCK_SIZE: Final = 4096
CHECKSUM_SIZE: Final = 8
FAN_OUT: Final = BLOCK_SIZE // CHECKSUM_SIZE
"""Checksums in one page."""

FOOTER_TAIL: Final = Layout(
    "footer tail",
    Field("data_size", "Q", "bytes of the data region, the file header included"),
    Field("file_size", "Q", "bytes of the whole file"),
    Field("root", "Q", "XXH64 of the topmost page of checksums"),
    Field("reserved", "16s", "zero"),
    Field("checksum", "Q", "XXH64 of the footer's other bytes"),
)
TAIL_SIZE: Final = FOOTER_TAIL.size
assert TAIL_SIZE == 48  # On disk; SPEC.md, section 12.1.
FOOTER_HASH_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class SealedRef:
    """What a manifest knows of a sealed file.

    size : of the whole file, in bytes.   footer_hash : BLAKE2b-256 of its footer.
    """

    number: int
    size: int
    footer_hash: bytes


@dataclass(frozen=True, slots=True)
class SealedShape:
    """Where the parts of a sealed file stand.

    level_offsets : of the pages of checksums, lowest level first.
    level_counts : checksums in each level; the topmost fits one page.
    """

    data_size: int
    level_offsets: tuple[int, ...]
    level_counts: tuple[int, ...]
    footer_offset: int

    @classmethod
    def of(cls, data_size: int) -> SealedShape:
        """Return the shape of a file with a data region of `data_size` bytes."""
        offsets, counts = [], []
        count = -(-data_size // BLOCK_SIZE)
        offset = data_size
        while True:
            offsets.append(offset)
            counts.append(count)
            offset += count * CHECKSUM_SIZE
            if count <= FAN_OUT:
                return cls(data_size, tuple(offsets), tuple(counts), offset)
            count = -(-count // FAN_OUT)

    def page(self, level: int, index: int) -> tuple[int, int]:
        """Return offset and size of page `index` of a level."""
        start = index * BLOCK_SIZE
        size = min(BLOCK_SIZE, self.level_counts[level] * CHECKSUM_SIZE - start)
        return self.level_offsets[level] + start, size

    def block(self, index: int) -> tuple[int, int]:
        """Return offset and size of a block of the data region."""
        start = index * BLOCK_SIZE
        return start, min(BLOCK_SIZE, self.data_size - start)


def encode_footer(body: bytes, data_size: int, root: int) -> bytes:
    """Return the footer of a file; `root` is the checksum of its topmost page of checksums."""
    shape = SealedShape.of(data_size)
    file_size = shape.footer_offset + len(body) + TAIL_SIZE
    tail = FOOTER_TAIL.encode(data_size=data_size, file_size=file_size, root=root, checksum=0)
    checked = body + tail[:-CHECKSUM_SIZE]
    return checked + xxhash.xxh64_intdigest(checked).to_bytes(CHECKSUM_SIZE, "little")


def hash_footer(footer: bytes) -> bytes:
    """Return the hash by which a manifest knows the footer."""
    return hashlib.blake2b(footer, digest_size=FOOTER_HASH_SIZE).digest()


def decode_footer(footer: Buffer, file_size: int) -> tuple[bytes, SealedShape, int]:
    """Return the body of a footer, the file's shape, and the checksum of its topmost page.

    footer : the last bytes of a file of `file_size` bytes; offsets of errors count from its start.

    Raises
    ------
    CorruptionError, ChecksumError, TruncatedError
    """
    if len(footer) < TAIL_SIZE:
        raise TruncatedError(f"a footer takes {TAIL_SIZE} bytes at least, {len(footer)} are there")
    data = bytes(footer)
    tail_offset = len(data) - TAIL_SIZE
    stored = int.from_bytes(data[-CHECKSUM_SIZE:], "little")
    computed = xxhash.xxh64_intdigest(data[:-CHECKSUM_SIZE])
    if stored != computed:
        raise ChecksumError(f"footer: xxh64 {stored:#018x}, computed {computed:#018x}")
    tail = FOOTER_TAIL.decode(data, tail_offset)
    if tail["file_size"] != file_size:
        raise TruncatedError(
            f"the footer is that of a file of {tail['file_size']} bytes, {file_size} are there",
            offset=tail_offset,
        )
    if not HEADER_SIZE <= tail["data_size"] <= file_size:
        raise CorruptionError(
            f"a data region of {tail['data_size']} bytes in a file of {file_size}",
            offset=tail_offset,
        )
    shape = SealedShape.of(tail["data_size"])
    if shape.footer_offset + len(data) != file_size:
        raise CorruptionError(
            f"a data region of {shape.data_size} bytes does not make a file of {file_size}",
            offset=tail_offset,
        )
    return data[:tail_offset], shape, tail["root"]
