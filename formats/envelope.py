"""Envelopes: bytes stored as they are, or as one zstandard frame (SPEC.md, section 12.3).

A codec byte, a varint size, and that many stored bytes. A frame says how large its contents are,
at most 4 MiB, and holds exactly that. Small blocks share what they have in common through the
file's dictionary, if it has one.
"""

from __future__ import annotations

import threading
from typing import Final

import zstandard

from lithograph.errors import CorruptionError
from lithograph.formats.cursor import Cursor
from lithograph.formats.varint import encode_varint

RAW: Final = 0
ZSTANDARD: Final = 1
WITH_DICTIONARY: Final = 2

RAW_SIZE_MAX: Final = 4 * 2**20
"""Larger contents are stored as they are."""

DICTIONARY_SIZE_MAX: Final = 2**20
"""Bytes; writers make much smaller ones."""

HEAD_SIZE_MAX: Final = 11
"""Bytes before the stored ones: the codec and a varint."""

_LEVEL: Final = 13


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
    def codec(self) -> int:
        """The codec of envelopes that hold these frames."""
        return ZSTANDARD if self._dictionary is None else WITH_DICTIONARY

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
            return bytes((frames.codec,)) + encode_varint(len(frame)) + frame
    return bytes((RAW,)) + encode_varint(len(data)) + data


def decode_head(cursor: Cursor) -> tuple[int, int]:
    """Return codec and stored size; `cursor` is then at the stored bytes.

    They may lie beyond the cursor's end: the caller has read the head alone.
    """
    start = cursor.offset
    codec = cursor.u8()
    if codec > WITH_DICTIONARY:
        raise CorruptionError(f"codec {codec} is unknown", offset=start)
    return codec, cursor.varint()
