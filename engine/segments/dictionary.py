"""Dictionaries: what the small blocks of one table have in common (SPEC.md, section 12.3).

A block of a few dozen nodes is too short for a compressor to learn the words of a store from. The
texts of W (eight words, 50 bytes per node) take 20.3 bytes per node without a dictionary, 13.6 with
one of 64 KiB, 12.9 with one of 128 KiB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import zstandard

from lithograph.errors import CorruptionError
from lithograph.formats.block_columns import Record
from lithograph.formats.envelope import DICTIONARY_SIZE_MAX, PLAIN_FRAMES, Frames
from lithograph.formats.segment_footer import Section
from lithograph.segments.columns import encode_columns
from lithograph.segments.sealed_file import SealedFile

SAMPLE_SIZE: Final = 4 * 2**20
"""Bytes of blocks that a dictionary is made from: the first ones of the table."""

SAMPLE_SIZE_MIN: Final = 256 * 1024
"""Bytes; what is smaller has no room for a dictionary."""

_SIZE: Final = 128 * 1024
_SAMPLES_PER_TEST: Final = 8


def train_dictionary(
    texts: Iterable[bytes], sample_size: int = SAMPLE_SIZE, sample_size_min: int = SAMPLE_SIZE_MIN
) -> bytes:
    """Return a dictionary for the texts of blocks; b"" if it would not pay for itself.

    Cost: about 0.2 s for 4 MiB of texts. The same texts give the same dictionary.
    """
    blocks = []
    for text in texts:
        blocks.append(text)
        sample_size -= len(text)
        if sample_size <= 0:
            break
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


def texts_of_nodes(
    records: Iterable[bytes], block_count: int, inline_size_max: int
) -> Iterator[bytes]:
    """Yield the texts of each block of versions, without records that would not stand in it."""
    block: list[Record] = []
    for record in records:
        if len(record) <= inline_size_max:
            block.append((record, 0))
        if len(block) == block_count:
            columns = encode_columns(block, None, versions=True)
            if columns is not None and columns[1]:
                yield columns[1]
            block = []


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
