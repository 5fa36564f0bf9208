"""Envelopes: bytes as they are, as one zstandard frame, or by columns (SPEC.md, section 12.3).

A codec byte, a varint size, and that many stored bytes. A frame says how large its contents are,
at most 4 MiB, and holds exactly that. Columns are the integers of a block, and a frame of its
texts. Small blocks share what they have in common through the file's dictionary, if it has one.
"""

from __future__ import annotations

import struct
import threading
from typing import Any, Final

import zstandard

from lithograph.errors import CorruptionError
from lithograph.formats.cursor import Cursor
from lithograph.formats.varint import encode_varint

RAW: Final = 0
ZSTANDARD: Final = 1
WITH_DICTIONARY: Final = 2
COLUMNS: Final = 3
COLUMNS_WITH_DICTIONARY: Final = 4

RAW_SIZE_MAX: Final = 4 * 2**20
"""Larger contents are stored as they are."""

DICTIONARY_SIZE_MAX: Final = 2**20
"""Bytes; writers make much smaller ones."""

HEAD_SIZE_MAX: Final = 11
"""Bytes before the stored ones: the codec and a varint."""

_LEVEL: Final = 15
_U64_PAIR: Final = struct.Struct("<QQ")


class Frames:
    """Makes and opens frames, all of them with the same dictionary or without one.

    For any number of threads: the contexts of the library are not shared between them.
    """

    def __init__(self, dictionary: bytes = b"") -> None:
        """Use a dictionary in zstandard's format; it is not looked at before the first frame."""
        self._local = threading.local()
        self._dictionary = None
        if dictionary:
            self._dictionary = zstandard.ZstdCompressionDict(
                dictionary, dict_type=zstandard.DICT_TYPE_FULLDICT
            )

    @property
    def has_dictionary(self) -> bool:
        return self._dictionary is not None

    def compress(self, data: bytes) -> bytes:
        """Return a frame that says its size; the dictionary is not named in it."""
        compressor = getattr(self._local, "compressor", None)
        if compressor is None:
            compressor = self._local.compressor = zstandard.ZstdCompressor(
                level=_LEVEL,
                dict_data=self._dictionary,
                write_content_size=True,
                write_checksum=False,
                write_dict_id=False,
            )
        frame: bytes = compressor.compress(data)
        return frame

    def decompress(self, frame: bytes) -> bytes:
        """Return the contents of a frame.

        Raises
        ------
        CorruptionError : not exactly one frame of the size that it declares, or of more than 4 MiB;
            nothing larger is ever allocated.
        """
        try:
            size = zstandard.frame_content_size(frame)
            if not 0 < size <= RAW_SIZE_MAX:
                raise CorruptionError(f"a frame of {size} bytes, 1 to {RAW_SIZE_MAX} are allowed")
            data: bytes = self._decompressor().decompress(
                frame, max_output_size=size, allow_extra_data=False
            )
        except zstandard.ZstdError as error:
            raise CorruptionError(f"not a zstandard frame: {error}") from None
        if len(data) != size:
            raise CorruptionError(f"a frame announces {size} bytes and holds {len(data)}")
        return data

    def decompress_all(self, data: bytes, frames: bytes, sizes: bytes) -> bytes:
        """Return the contents of many frames, one behind the other.

        frames : where each stands in `data`, offset and size, eight bytes each.
        sizes : of their contents, eight bytes each: every frame was found to say so, and to have
            nothing behind it.

        Raises
        ------
        CorruptionError : one of them does not hold that.

        Cost: 6 µs per frame of W, 0.8 less than one by one.
        """
        try:
            if "multi_decompress_to_buffer" in zstandard.backend_features:
                found: Any = self._decompressor().multi_decompress_to_buffer(
                    zstandard.BufferWithSegments(data, frames), decompressed_sizes=sizes
                )
                return b"".join(found[index] for index in range(len(found)))
            places = _U64_PAIR.iter_unpack(frames)
            return b"".join(self.decompress(data[at : at + size]) for at, size in places)
        except zstandard.ZstdError as error:
            raise CorruptionError(f"not a zstandard frame: {error}") from None

    def _decompressor(self) -> zstandard.ZstdDecompressor:
        found: zstandard.ZstdDecompressor | None = getattr(self._local, "decompressor", None)
        if found is None:
            found = self._local.decompressor = zstandard.ZstdDecompressor(
                dict_data=self._dictionary, max_window_size=RAW_SIZE_MAX
            )
        return found


PLAIN_FRAMES: Final = Frames()
"""Those without a dictionary."""


def encode_envelope(data: bytes, frames: Frames | None) -> bytes:
    """Return the envelope of `data`; a frame only if `frames` are given and it is smaller."""
    if frames is not None and 0 < len(data) <= RAW_SIZE_MAX:
        frame = frames.compress(data)
        if len(frame) < len(data):
            return _enveloped(WITH_DICTIONARY if frames.has_dictionary else ZSTANDARD, frame)
    return _enveloped(RAW, data)


def encode_columns_envelope(columns: bytes, texts: bytes, frames: Frames) -> bytes | None:
    """Return the envelope of a block by columns; None if its texts are too long for a frame."""
    if len(texts) > RAW_SIZE_MAX:
        return None
    codec = COLUMNS_WITH_DICTIONARY if frames.has_dictionary else COLUMNS
    frame = frames.compress(texts) if texts else b""
    return _enveloped(codec, encode_varint(len(columns)) + columns + frame)


def split_columns(stored: bytes, frames: Frames) -> tuple[Cursor, bytes]:
    """Return the columns and the texts of an envelope by columns.

    Raises
    ------
    CorruptionError : as `Frames.decompress`.
    """
    cursor = Cursor(stored)
    size = cursor.varint()
    start = cursor.take(size)
    frame = stored[cursor.offset :]
    return Cursor(stored, start, cursor.offset), frames.decompress(frame) if frame else b""


def decode_head(cursor: Cursor) -> tuple[int, int]:
    """Return codec and stored size; `cursor` is then at the stored bytes.

    They may lie beyond the cursor's end: the caller has read the head alone.
    """
    start = cursor.offset
    codec = cursor.u8()
    if codec > COLUMNS_WITH_DICTIONARY:
        raise CorruptionError(f"codec {codec} is unknown", offset=start)
    return codec, cursor.varint()


def _enveloped(codec: int, data: bytes) -> bytes:
    return bytes((codec,)) + encode_varint(len(data)) + data
