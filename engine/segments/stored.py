"""Bytes of a sealed file on their way to a decoder: where they stand, for messages.

What stands in a compressed block is found, when it is wrong, at the block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lithograph.errors import CorruptionError
from lithograph.segments.sealed_file import SealedFile

T = TypeVar("T")


class Stored:
    """A run of bytes of a file, or of what a frame in it unpacked to.

    Attributes
    ----------
    size : in bytes.
    """

    __slots__ = ("_data", "_file", "_offset", "size")

    def __init__(self, file: SealedFile, offset: int, size: int, data: bytes | None = None) -> None:
        """Stand for bytes at `offset` of the file, or for `data` that was unpacked from there."""
        self.size = size
        self._file = file
        self._offset = offset
        self._data = data

    def read(self, offset: int, size: int) -> bytes:
        """Return a part; CorruptionError if it does not lie inside."""
        if not 0 <= offset <= offset + size <= self.size:
            raise CorruptionError(
                f"bytes {offset} to {offset + size} are wanted, {self.size} are there",
                path=self._file.path,
                offset=self._offset,
            )
        if self._data is not None:
            return self._data[offset : offset + size]
        return self._file.read(self._offset + offset, size)

    def part(self, offset: int, size: int) -> Stored:
        """Return a part, not read yet."""
        if self._data is not None:
            return Stored(self._file, self._offset, size, self.read(offset, size))
        return Stored(self._file, self._offset + offset, size)

    def decode(self, decoder: Callable[[bytes], T]) -> T:
        """Return what `decoder` makes of all the bytes; its errors name the file."""
        data = self.read(0, self.size)
        try:
            return decoder(data)
        except CorruptionError as error:
            raise self.located(error) from None

    def located(self, error: CorruptionError) -> CorruptionError:
        """Return an error about these bytes with the file's path and offset."""
        if error.path:
            return error
        if self._data is None:
            return error.located(self._file.path, self._offset)
        return type(error)(error.message, path=self._file.path, offset=self._offset)
