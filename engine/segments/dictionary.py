"""Dictionaries: what the small blocks of one table have in common (SPEC.md, section 12.3).

A block of a few dozen nodes is too short for a compressor to learn the words of a store from. Over
200,000 nodes with two texts of 25 characters out of 2,000 words, blocks of 32 take 49.0 bytes per
node without a dictionary and 32.4 with one of 64 KiB.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import zstandard

from lithograph.errors import CorruptionError
from lithograph.formats.envelope import DICTIONARY_SIZE_MAX, PLAIN_FRAMES, Frames
from lithograph.formats.segment_footer import Section
from lithograph.formats.table_block import encode_block
from lithograph.segments.sealed_file import SealedFile

SAMPLE_SIZE: Final = 4 * 2**20
"""Bytes of blocks that a dictionary is made from: the first ones of the table."""

SAMPLE_SIZE_MIN: Final = 256 * 1024
"""Bytes; what is smaller has no room for a dictionary."""

_SIZE: Final = 64 * 1024
_SAMPLES_PER_TEST: Final = 8


def train_dictionary(
    records: Iterable[bytes],
    block_count: int,
    inline_size_max: int,
    sample_size: int = SAMPLE_SIZE,
    sample_size_min: int = SAMPLE_SIZE_MIN,
) -> bytes:
    """Return a dictionary for blocks of these records; b"" if it would not pay for itself.

    Cost: about 0.2 s for 4 MiB of blocks. The same blocks give the same dictionary.
    """
    blocks = _blocks(records, block_count, inline_size_max, sample_size)
    size = sum(map(len, blocks))
    tests = blocks[::_SAMPLES_PER_TEST]
    samples: list[bytes | bytearray | memoryview] = [
        block for index, block in enumerate(blocks) if index % _SAMPLES_PER_TEST
    ]
    if size < sample_size_min:
        return b""
    try:
        trained = zstandard.train_dictionary(min(_SIZE, size // 16), samples)
    except zstandard.ZstdError:
        # The library finds nothing that the samples have in common.
        return b""
    dictionary: bytes = trained.as_bytes()
    frames = Frames(dictionary)
    saved = sum(len(PLAIN_FRAMES.compress(block)) - len(frames.compress(block)) for block in tests)
    return dictionary if saved * _SAMPLES_PER_TEST > 2 * len(dictionary) else b""


def _blocks(
    records: Iterable[bytes], block_count: int, inline_size_max: int, sample_size: int
) -> list[bytes]:
    """Return the first blocks of records that would stand in them."""
    blocks: list[bytes] = []
    block: list[tuple[bytes, int]] = []
    for record in records:
        if len(record) <= inline_size_max:
            block.append((record, 0))
        if len(block) == block_count:
            blocks.append(encode_block(block))
            sample_size -= len(blocks[-1])
            block = []
            if sample_size <= 0:
                break
    return blocks


class StoredDictionary:
    """The dictionary in a section of a file, read when the first frame asks for it."""

    def __init__(self, file: SealedFile, section: Section) -> None:
        self._file = file
        self._section = section
        self._frames: Frames | None = None
        if section.size > DICTIONARY_SIZE_MAX:
            raise CorruptionError(
                f"a dictionary of {section.size} bytes, {DICTIONARY_SIZE_MAX} are allowed",
                path=file.path,
                offset=section.offset,
            )

    def frames(self) -> Frames:
        """Return what opens frames with it; CorruptionError if the file has none."""
        if self._frames is None:
            if not self._section.size:
                raise CorruptionError("a frame asks for a dictionary, the file has none")
            self._frames = Frames(self._file.read(*self._section))
        return self._frames
