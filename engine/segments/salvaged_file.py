"""Reading a sealed file that is damaged: what is sound in it, block by block (SPEC.md, 12.1).

A block is believed if its own checksum, in the lowest level of pages, is that of its bytes: neither
the pages above, nor the header, nor the file's place in the manifest need to be sound for that. A
footer with one damaged byte is put right by trying which one it was.
"""

from __future__ import annotations

from typing import Final

import xxhash

from lithograph.errors import ChecksumError, CorruptionError, TruncatedError
from lithograph.files import FileMap, Files
from lithograph.formats.file_header import HEADER_SIZE, FileHeader, FileKind
from lithograph.formats.sealed import (
    CHECKSUM_SIZE,
    TAIL_SIZE,
    SealedRef,
    decode_footer,
    hash_footer,
)
from lithograph.segments.sealed_file import SealedFile

_BODY_AND_TAIL_MAX: Final = 4096


class SalvagedFile(SealedFile):
    """A sealed file whose blocks are judged one by one.

    Attributes
    ----------
    ref : what a sound manifest would say of it.
    damage : what had to be overlooked or put right to open it.
    """

    ref: SealedRef
    damage: list[CorruptionError]

    @classmethod
    def salvage(
        cls,
        files: Files,
        name: str,
        number: int,
        kind: FileKind,
        store_uuid: bytes | None,
        body_size: int,
        known: SealedRef | None,
    ) -> SalvagedFile:
        """Map a file for what can be read of it.

        store_uuid : None takes a file of any store.
        known : what the manifest says of it, where there is one.

        Raises
        ------
        CorruptionError : it is missing, of another store, or its footer cannot be had.
        FormatVersionError, StorageError
        """
        mapped = files.map(name)
        try:
            damage = _check_header(mapped, number, kind, store_uuid)
            size = mapped.size()
            start = size - body_size - TAIL_SIZE
            if start < HEADER_SIZE:
                raise TruncatedError(f"a file of {size} bytes has no room for its footer", offset=0)
            footer = mapped.read(start, size - start)
            try:
                body, shape, root = decode_footer(footer, size)
            except CorruptionError as error:
                mended = _mended(footer)
                if mended is None:
                    raise error.located("", start) from None
                damage.append(error.located(mapped.path, start))
                footer = mended
                body, shape, root = decode_footer(footer, size)
            ref = SealedRef(number, size, hash_footer(footer))
            if known is not None and ref != known:
                raise ChecksumError("not the file that the manifest names", offset=start)
        except CorruptionError as error:
            mapped.close()
            raise error if error.path else error.located(mapped.path) from None
        except BaseException:
            mapped.close()
            raise
        found = cls(mapped, body, shape, root)
        found.ref, found.damage = ref, damage
        return found

    def view(self) -> None:
        """Return nothing: the kernel shall not read what is damaged."""

    def _checksum(self, level: int, index: int) -> int:
        start = self._shape.level_offsets[0] + index * CHECKSUM_SIZE
        return int.from_bytes(self._map.read(start, CHECKSUM_SIZE), "little")


def _check_header(
    mapped: FileMap, number: int, kind: FileKind, store_uuid: bytes | None
) -> list[CorruptionError]:
    """Return what is wrong with a header; raise where it is sound, and of something else."""
    try:
        header = FileHeader.decode(mapped.read(0, min(mapped.size(), HEADER_SIZE)))
    except CorruptionError as error:
        return [error.located(mapped.path)]
    header.expect(kind, store_uuid, number)
    return []


def _mended(footer: bytes) -> bytes | None:
    """Return the footer with the one byte put right that is damaged; None if more are.

    Cost: 255 checksums per byte of the footer, 0.1 s.
    """
    if len(footer) > _BODY_AND_TAIL_MAX:
        return None
    checked, stored = bytearray(footer[:-CHECKSUM_SIZE]), footer[-CHECKSUM_SIZE:]
    computed = xxhash.xxh64_digest(bytes(checked))[::-1]
    if sum(a != b for a, b in zip(computed, stored, strict=True)) == 1:
        return bytes(checked) + computed
    for place, byte in enumerate(checked):
        for value in range(256):
            checked[place] = value
            if value != byte and xxhash.xxh64_digest(checked)[::-1] == stored:
                return bytes(checked) + stored
        checked[place] = byte
    return None
