"""Tables: envelopes, blocks, and both kinds of tables over a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from lithograph.errors import CorruptionError, TruncatedError
from lithograph.files import Files
from lithograph.formats.cursor import Cursor
from lithograph.formats.envelope import (
    PLAIN_FRAMES,
    RAW_SIZE_MAX,
    decode_head,
    encode_envelope,
)
from lithograph.formats.file_header import FileKind
from lithograph.formats.segment_footer import Section
from lithograph.formats.table_block import (
    OUT_OF_LINE,
    decode_heads,
    decode_ids,
    decode_presence,
    encode_block,
)
from lithograph.formats.table_directory import SPARSE_ROW
from lithograph.formats.varint import encode_varint
from lithograph.formats.varint_run import read_varints
from lithograph.ids import ID_END
from lithograph.segments.block_cache import BlockCache
from lithograph.segments.edge_reader import decode_whole
from lithograph.segments.filter_builder import FilterBuilder
from lithograph.segments.sealed_file import SealedFile
from lithograph.segments.sealed_writer import SealedWriter
from lithograph.segments.table_check import check_records
from lithograph.segments.table_reader import DenseTable, RecordTable, SparseTable
from lithograph.segments.table_writer import DenseWriter, Packing, SparseWriter, hash_id
from lithograph.tools.testing.simulated_disk import SimulatedDisk
from lithograph.tools.testing.strategies import node_ids

UUID = bytes(16)
NAME = "partitions/2026-11/00000007.seg"
IDENTITY = (FileKind.SEGMENT, 7)


# Varints -----------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 300), max_size=20), st.binary())
def test_a_run_of_varints_is_read_as_one_by_one(values: list[int], rest: bytes) -> None:
    data = b"".join(map(encode_varint, values)) + rest
    cursor = Cursor(data)

    assert read_varints(cursor, len(values)) == values
    assert cursor.offset == len(data) - len(rest)


@given(st.binary(max_size=30), st.integers(0, 12))
def test_a_run_of_varints_accepts_what_one_by_one_accepts(data: bytes, count: int) -> None:
    one, run = Cursor(data), Cursor(data)
    try:
        wanted = [one.varint(1000) for _ in range(count)]
    except CorruptionError:
        with pytest.raises(CorruptionError):
            read_varints(run, count, 1000)
        return

    assert read_varints(run, count, 1000) == wanted
    assert run.offset == one.offset


# Envelopes ---------------------------------------------------------------------------------------


def unpack(data: bytes) -> bytes:
    cursor = Cursor(data)
    codec, size = decode_head(cursor)
    assert size == len(data) - cursor.offset
    stored = data[cursor.offset :]
    return PLAIN_FRAMES.decompress(stored) if codec else stored


@given(st.binary(min_size=1, max_size=200), st.integers(1, 50), st.booleans())
def test_an_envelope_comes_back(part: bytes, times: int, compress: bool) -> None:
    data = part * times
    envelope = encode_envelope(data, PLAIN_FRAMES if compress else None)

    assert unpack(envelope) == data
    assert len(envelope) <= len(data) + 3
    assert compress or envelope[0] == 0


def test_an_envelope_is_compressed_only_where_that_saves() -> None:
    assert encode_envelope(b"a" * 1000, PLAIN_FRAMES)[0] == 1
    assert encode_envelope(bytes(range(200)), PLAIN_FRAMES)[0] == 0
    assert encode_envelope(b"a" * (RAW_SIZE_MAX + 1), PLAIN_FRAMES)[0] == 0


def _frames() -> Iterator[tuple[bytes, str]]:
    with_size = zstandard.ZstdCompressor()
    without = zstandard.ZstdCompressor(write_content_size=False)
    frame = with_size.compress(b"a" * 1000)
    yield b"", "not a zstandard frame"
    yield b"no frame at all", "not a zstandard frame"
    yield frame[:-1], "frame"
    yield frame + b"\0", "frame"
    yield frame + frame, "frame"
    yield without.compress(b"a" * 1000), "a frame of -1 bytes"
    yield with_size.compress(b""), "a frame of 0 bytes"
    yield with_size.compress(b"a" * (RAW_SIZE_MAX + 1)), "a frame of 4194305 bytes"
    # Bombs: a few bytes that claim 2**40, or that claim 1000 and hold 4 GiB of zeros.
    yield b"\x28\xb5\x2f\xfd\xe0" + (2**40).to_bytes(8, "little") + b"\x01\x00\x00", "a frame of"
    blocks = b"".join(
        (1 << 1 | last | (2**17 - 1) << 3).to_bytes(3, "little") + b"\0" for last in [0] * 99 + [1]
    )
    yield b"\x28\xb5\x2f\xfd\x60" + (1000 - 256).to_bytes(2, "little") + blocks, "frame"
    # A window of 2 GiB, and fewer contents than announced.
    yield b"\x28\xb5\x2f\xfd\x80\xa8" + (6).to_bytes(4, "little") + b"\x29\x00\x00hello", "frame"
    # A skippable frame.
    yield b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"junk", "frame"
    # One that wants a dictionary.
    yield b"\x28\xb5\x2f\xfd\x21\x07\x05\x29\x00\x00hello", "frame"


@pytest.mark.parametrize(("frame", "message"), list(_frames()))
def test_hostile_frames_are_corruption(frame: bytes, message: str) -> None:
    with pytest.raises(CorruptionError, match=message):
        PLAIN_FRAMES.decompress(frame)


def test_an_unknown_codec_is_corruption() -> None:
    with pytest.raises(CorruptionError, match="codec 5"):
        decode_head(Cursor(b"\x05\x00"))


# Blocks ------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 3)), min_size=1, max_size=9))
def test_a_dense_block_comes_back(given: list[tuple[bytes, int]]) -> None:
    records = [(record, flags if record else 0) for record, flags in given]
    data = encode_block(records)
    cursor = Cursor(data)
    heads = decode_heads(cursor, len(records), len(data), decode_presence(cursor, len(records)))

    found = [
        (data[heads.offsets[place] :][: heads.size(place)], heads.flags(place))
        for place in range(len(records))
    ]
    assert found == records


@given(st.lists(node_ids, min_size=1, max_size=9, unique=True))
def test_ids_of_a_sparse_block_come_back(ids: list[int]) -> None:
    ids.sort()
    data = encode_block([(b"r", 0)] * len(ids), ids)
    cursor = Cursor(data)

    assert decode_ids(cursor, ids[0], len(ids)) == ids
    assert decode_heads(cursor, len(ids), len(data)).offsets[-1] == len(data)


@pytest.mark.parametrize(
    ("data", "first_id", "message"),
    [
        (b"\0", 0, "a block of 0 ids"),
        (encode_varint(2**60), 0, "a block of"),
        (bytes([5, 0, 0, 0, 0]), 0, "a block of 5"),
        (bytes([3, 0]), 0, "expected"),
        (bytes([2, 0]), ID_END - 1, "out of range"),
        (bytes([2, *encode_varint(ID_END)]), 0, "not below"),
        (bytes([2, 0x80, 0]), 0, "longer than it needs"),
    ],
)
def test_hostile_ids_are_corruption(data: bytes, first_id: int, message: str) -> None:
    with pytest.raises(CorruptionError, match=message):
        decode_ids(Cursor(data), first_id, 4)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", TruncatedError, "expected"),
        (bytes([4, 4]), TruncatedError, "2 bytes, 0 are there"),
        (bytes([4, 4, 65]), TruncatedError, "2 bytes, 1 are there"),
        (bytes([4, 4, 65, 65, 65]), CorruptionError, "2 bytes, 3 are there"),
        (bytes([1, 4, 65]), CorruptionError, "an empty record is announced"),
        (bytes([0, 4, 65]), CorruptionError, "an empty record is announced"),
        (encode_varint(2**52) + bytes([0]), CorruptionError, "not below"),
        (encode_varint(2**49) + bytes([4]), TruncatedError, "are there"),
    ],
)
def test_hostile_heads_are_corruption(
    data: bytes, error: type[CorruptionError], message: str
) -> None:
    with pytest.raises(error, match=message):
        decode_heads(Cursor(data), 2, len(data))


# Tables over a file ------------------------------------------------------------------------------

PACKING = Packing(PLAIN_FRAMES, inline_size_max=20)
records_by_id = st.dictionaries(st.integers(0, 40), st.binary(min_size=1, max_size=60), max_size=25)


def _files() -> Files:
    files = SimulatedDisk().process(create=True)
    for directory in ("partitions", "partitions/2026-11"):
        files.make_directory(directory)
    return files


class _TableFile:
    """A file with one table in it, and what stands where."""

    def __init__(self) -> None:
        self.files = _files()
        self.out = SealedWriter(self.files, NAME, 7, UUID, FileKind.SEGMENT)
        self.start = self.out.offset

    def section(self, pieces: Iterable[bytes] = ()) -> Section:
        """Return the section from the last one's end to here, after `pieces`."""
        for piece in pieces:
            self.out.append(piece)
        section = Section(self.start, self.out.offset - self.start)
        self.start = self.out.pad_to(32)
        return section

    def open(self) -> SealedFile:
        ref = self.out.finish(b"")
        return SealedFile.open(self.files, NAME, ref, FileKind.SEGMENT, UUID, 0)


def _check(table: RecordTable, ids: range, records: dict[int, bytes]) -> None:
    for node_id in range(-1, 45):
        found = table.find(node_id)
        data = table.record(*found).decode(bytes) if found is not None else None
        assert data == records.get(node_id)
    assert {node_id: data.decode(bytes) for node_id, data in table.all_records()} == records
    assert list(check_records(table, ids)) == []


@given(records_by_id, st.integers(1, 5), st.integers(0, 10**6))
def test_a_dense_table_comes_back(
    records: dict[int, bytes], block_count: int, cache_size: int
) -> None:
    file = _TableFile()
    writer = DenseWriter(file.files, file.out, block_count, 0, PACKING)
    for node_id, record in sorted(records.items()):
        writer.add(node_id, record)
    writer.finish(41)
    assert writer.record_count == len(records)
    blocks, directory = file.section(), file.section(writer.directory())
    table = DenseTable(
        file.open(), IDENTITY, blocks, directory, range(41), block_count, BlockCache(cache_size)
    )

    _check(table, range(41), records)


@given(records_by_id, st.integers(1, 5))
def test_a_sparse_table_comes_back(records: dict[int, bytes], block_count: int) -> None:
    file = _TableFile()
    writer = SparseWriter(file.files, file.out, block_count, PACKING)
    for node_id, record in sorted(records.items()):
        writer.add(node_id, record)
    writer.finish()
    blocks, directory = file.section(), file.section(writer.directory())
    filter_ = file.section(writer.filter())
    table = SparseTable(
        file.open(), IDENTITY, blocks, directory, filter_, block_count, BlockCache(10**6)
    )

    _check(table, range(41), records)
    for start in range(42):
        first = next((block for block in table.blocks(start)), None)
        assert (
            first is None
            or first.ids[0] <= start
            or first.ids == next(block.ids for block in table.blocks())
        )


def test_a_record_out_of_line_is_not_in_the_block() -> None:
    file = _TableFile()
    writer = DenseWriter(file.files, file.out, 4, 0, Packing(None, 20))
    writer.add(0, b"x" * 21)
    writer.add(1, b"y" * 20)
    writer.finish(2)
    blocks, directory = file.section(), file.section(writer.directory())
    table = DenseTable(file.open(), IDENTITY, blocks, directory, range(2), 4, BlockCache(10**6))
    block = table.block(0)

    assert [block.heads.flags(place) for place in (0, 1)] == [OUT_OF_LINE, 0]
    assert block.part(0).decode(bytes) == bytes([0, 23])
    assert table.record(block, 0).decode(bytes) == b"x" * 21


def test_blocks_that_were_unpacked_are_kept_in_the_cache() -> None:
    file = _TableFile()
    writer = DenseWriter(file.files, file.out, 4, 0, Packing(PLAIN_FRAMES, 1000))
    for node_id in range(8):
        writer.add(node_id, bytes([node_id]) * 500)
    writer.finish(8)
    blocks, directory = file.section(), file.section(writer.directory())
    cache = BlockCache(10**6)
    sealed = file.open()
    for identity in (IDENTITY, (FileKind.HISTORY, 7), (FileKind.SEGMENT, 8)):
        table = DenseTable(sealed, identity, blocks, directory, range(8), 4, cache)
        for node_id in (0, 5, 1, 4):
            found = table.find(node_id)
            assert found is not None
            assert table.record(*found).decode(bytes) == bytes([node_id]) * 500

    assert (cache.miss_count, cache.hit_count) == (6, 6)


# Tables that lie ---------------------------------------------------------------------------------


def _sparse(bodies: list[bytes], rows: list[tuple[int, int]], *, ids: list[int]) -> SparseTable:
    """Return a table of these blocks, with these rows; its filter knows `ids`."""
    file = _TableFile()
    filter_ = FilterBuilder(file.files)
    for node_id in ids:
        filter_.add(hash_id(node_id))
    blocks = file.section(encode_envelope(body, None) for body in bodies)
    directory = file.section(SPARSE_ROW.pack(*row) for row in rows)
    known = file.section(filter_.chunks())
    return SparseTable(file.open(), IDENTITY, blocks, directory, known, 4, BlockCache(10**6))


BODY = encode_block([(b"r", 0), (b"s", 0)], [3, 5])
SIZE = len(encode_envelope(BODY, None))


def test_a_table_made_by_hand_is_sound() -> None:
    table = _sparse([BODY, BODY], [(3, 0), (13, SIZE)], ids=[3, 5, 13, 15])

    assert list(check_records(table, range(16))) == []
    assert [node_id for node_id, _ in table.all_records()] == [3, 5, 13, 15]


@pytest.mark.parametrize(
    ("bodies", "rows", "message"),
    [
        ([BODY], [(ID_END, 0)], "out of range"),
        ([BODY], [(2**64 - 1, 0)], "out of range"),
        ([BODY], [(3, SIZE)], "stands at"),
        ([BODY], [(3, 2**64 - 1)], "stands at"),
        ([BODY, BODY], [(3, SIZE), (13, 0)], "stands at"),
        ([BODY, BODY], [(3, 0), (13, 0)], "stands at"),
        ([BODY, BODY], [(3, 0), (13, SIZE - 1)], "an envelope of"),
        ([encode_block([(b"r", 0), (b"", 0)], [3, 5])], [(3, 0)], "empty record"),
        ([encode_block([(b"rr", 2), (b"s", 0)], [3, 5])], [(3, 0)], "record flags 2"),
        ([encode_block([(b"rr", 1), (b"s", 0)], [3, 5])], [(3, 0)], "stands at|envelope"),
        ([encode_block([(bytes([0, 3]), 1), (b"s", 0)], [3, 5])], [(3, 0)], "envelope of"),
        (
            [b"xyz", encode_block([(bytes([0, 6]), 1), (b"s", 0)], [3, 5])],
            [(3, 5)],
            "an envelope of 5 bytes where 6 are",
        ),
        ([encode_block([(bytes([0]), 1), (b"s", 0)], [3, 5])], [(3, 0)], "announced"),
        ([encode_block([(bytes([0, 0, 0]), 1), (b"s", 0)], [3, 5])], [(3, 0)], "too many"),
    ],
)
def test_hostile_sparse_tables_are_corruption(
    bodies: list[bytes], rows: list[tuple[int, int]], message: str
) -> None:
    table = _sparse(bodies, rows, ids=[3, 5])

    with pytest.raises(CorruptionError, match=message) as caught:
        dict((node_id, stored.decode(bytes)) for node_id, stored in table.all_records())
    assert caught.value.path


@pytest.mark.parametrize(
    ("bodies", "rows", "ids", "message"),
    [
        ([BODY, BODY], [(3, 0), (4, SIZE)], [3, 4, 5, 6], "not in their place"),
        ([BODY, BODY], [(3, 0), (3, SIZE)], [3, 5], "not in their place"),
        ([BODY], [(15, 0)], [15, 17], "not in their place"),
        ([BODY], [(3, 0)], [3], "does not know id 5"),
        ([b"gap", BODY], [(3, 5)], [3, 5], "block 0 is at 5"),
        ([BODY, b"rest"], [(3, 0)], [3, 5], f"blocks to {SIZE} in a section"),
        ([BODY], [(3, SIZE)], [3, 5], "stands at"),
    ],
)
def test_the_check_of_a_table_finds_what_no_look_up_would(
    bodies: list[bytes], rows: list[tuple[int, int]], ids: list[int], message: str
) -> None:
    found = list(check_records(_sparse(bodies, rows, ids=ids), range(16)))

    assert len(found) == 1
    assert message in str(found[0])


def test_sections_that_cannot_be_those_of_a_table_are_corruption() -> None:
    file = _TableFile()
    writer = DenseWriter(file.files, file.out, 4, 0, PACKING)
    writer.add(4, b"r")
    writer.finish(5)
    blocks, directory = file.section(), file.section(writer.directory())
    sealed = file.open()
    cache = BlockCache(0)
    for end_id in (0, 4, 9, 2**48):
        with pytest.raises(CorruptionError, match="blocks for"):
            DenseTable(sealed, IDENTITY, blocks, directory, range(end_id), 4, cache)
    for wrong in (Section(directory.offset, 15), Section(directory.offset, 0)):
        with pytest.raises(CorruptionError):
            DenseTable(sealed, IDENTITY, blocks, wrong, range(5), 4, cache)
        with pytest.raises(CorruptionError):
            SparseTable(sealed, IDENTITY, blocks, wrong, blocks, 4, cache)
    for filter_size in (0, 31, 33):
        with pytest.raises(CorruptionError, match="a filter of"):
            SparseTable(
                sealed, IDENTITY, blocks, directory, Section(blocks.offset, filter_size), 4, cache
            )


def test_a_record_with_bytes_too_many_is_corruption() -> None:
    assert decode_whole(b"\x05", Cursor.u8) == 5
    with pytest.raises(CorruptionError, match="too many"):
        decode_whole(b"\x05\x05", Cursor.u8)
