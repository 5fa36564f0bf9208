"""Dictionaries of compressed node blocks: made when they pay, never trusted when they are read."""

from __future__ import annotations

import random

import pytest

from lithograph.errors import CorruptionError
from lithograph.formats.envelope import (
    DICTIONARY_SIZE_MAX,
    PLAIN_FRAMES,
    WITH_DICTIONARY,
    Frames,
    encode_envelope,
)
from lithograph.formats.file_header import HEADER_SIZE, FileKind
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.segment_footer import Section
from lithograph.segments.block_cache import BlockCache
from lithograph.segments.dictionary import StoredDictionary, train_dictionary
from lithograph.segments.sealed_file import SealedFile
from lithograph.segments.sealed_writer import SealedWriter
from lithograph.segments.segment_check import check_segment
from lithograph.segments.segment_reader import SegmentReader
from lithograph.segments.segment_writer import write_segment
from lithograph.segments.version import NodeVersion
from lithograph.tools.testing.samples import MOMENT
from lithograph.tools.testing.simulated_disk import SimulatedDisk
from lithograph.tools.testing.slices import RawSlice

UUID = bytes(16)
NAME = "partitions/2026-11/00000007.seg"


def _blocks(records: list[bytes]) -> list[bytes]:
    return [b"".join(records[start : start + 32]) for start in range(0, len(records), 32)]


def _records(count: int) -> list[bytes]:
    """Return texts out of 500 words, each word too rare for a block to repeat it."""
    source = random.Random(1)
    words = ["".join(source.choices("abcdefghij", k=7)) for _ in range(500)]
    return [" ".join(source.choices(words, k=8)).encode() for _ in range(count)]


def test_a_dictionary_makes_small_blocks_smaller() -> None:
    records = _records(6000)
    frames = Frames(train_dictionary(_blocks(records)))
    block = b"".join(records[:32])
    envelope = encode_envelope(block, frames)

    assert envelope[0] == WITH_DICTIONARY
    assert len(envelope) < 0.8 * len(encode_envelope(block, PLAIN_FRAMES))
    assert frames.decompress(frames.compress(block)) == block


def test_training_again_gives_the_same_dictionary() -> None:
    blocks = _blocks(_records(6000))

    assert train_dictionary(blocks) == train_dictionary(iter(blocks))


@pytest.mark.parametrize(
    "records",
    [
        [],
        _records(100),
        [random.Random(number).randbytes(64) for number in range(6000)],
    ],
    ids=["none", "few", "random"],
)
def test_no_dictionary_where_it_would_not_pay(records: list[bytes]) -> None:
    assert train_dictionary(_blocks(records)) == b""


def test_a_frame_with_another_dictionary_is_not_read_as_what_it_was() -> None:
    records = _records(12_000)
    one = Frames(train_dictionary(_blocks(records[:6000])))
    other = Frames(train_dictionary(_blocks(records[6000:])))
    block = b"".join(records[:32])
    for reader in (other, PLAIN_FRAMES):
        try:
            found = reader.decompress(one.compress(block))
        except CorruptionError:
            continue
        assert found != block


@pytest.mark.parametrize(
    "dictionary", [b"x", b"junk" * 100, b"\x37\xa4\x30\xec" + bytes(4), b"\x37\xa4\x30\xec" * 100]
)
def test_what_is_no_dictionary_is_corruption(dictionary: bytes) -> None:
    with pytest.raises(CorruptionError):
        Frames(dictionary).decompress(PLAIN_FRAMES.compress(b"a" * 50))


def test_a_dictionary_that_is_too_large_or_missing_is_corruption() -> None:
    files = SimulatedDisk().process(create=True)
    files.make_directory("partitions")
    files.make_directory("partitions/2026-11")
    writer = SealedWriter(files, NAME, 7, UUID, FileKind.SEGMENT)
    writer.append(bytes(DICTIONARY_SIZE_MAX + 1))
    file = SealedFile.open(files, NAME, writer.finish(b""), FileKind.SEGMENT, UUID, 0)

    with pytest.raises(CorruptionError, match="1048577 bytes"):
        StoredDictionary(file, Section(HEADER_SIZE, DICTIONARY_SIZE_MAX + 1))
    with pytest.raises(CorruptionError, match="the file has none"):
        StoredDictionary(file, Section(HEADER_SIZE, 0)).frames()


def test_a_segment_with_a_dictionary_comes_back_and_damage_to_it_does_not() -> None:
    records = _records(6000)
    slice_ = RawSlice(10, 0, len(records), [MOMENT], [len(records)], [0])
    slice_.raw_nodes = {
        node_id: [
            NodeVersion(10, MOMENT, NodePatch(observations=(text.decode(),)), True, MOMENT, 10)
        ]
        for node_id, text in enumerate(records)
    }
    files = SimulatedDisk().process(create=True)
    files.make_directory("partitions")
    files.make_directory("partitions/2026-11")
    steps = write_segment(files, 7, "2026-11", UUID, slice_, compress=True)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            written = stop.value
            break
    segment = SegmentReader.open(files, "2026-11", written.segment, UUID, BlockCache(0))
    section = written.footer.sections["dictionary"]
    nodes = [(node_id, end) for node_id, end, _ in slice_.nodes()]

    assert section.size > 0
    assert list(segment.all_nodes()) == nodes
    assert list(check_segment(segment)) == []

    data = segment.file.read(0, segment.file.data_size)
    for offset in range(section.offset, section.offset + 400, 9):
        damaged = bytearray(data)
        damaged[offset] ^= 1 << offset % 8
        files.unlink(NAME)
        writer = SealedWriter(files, NAME, 7, UUID, FileKind.SEGMENT)
        writer.append(bytes(damaged[HEADER_SIZE:]))
        ref = writer.finish(segment.file.body)
        broken = SegmentReader.open(files, "2026-11", ref, UUID, BlockCache(0))
        for node_id in range(0, 6000, 600):
            try:
                broken.node_version(node_id)
            except CorruptionError as error:
                assert error.path  # noqa: PT017
