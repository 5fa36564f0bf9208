"""Runs under right checksums, made by somebody who means harm: reported or served, never worse."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from lithograph.errors import CorruptionError
from lithograph.formats.file_header import HEADER_SIZE, FileKind
from lithograph.formats.file_names import run_name
from lithograph.formats.name_entry import Chain, encode_entry
from lithograph.formats.name_page import PAGE_SIZE, PageBuilder, encode_overflow
from lithograph.formats.name_run import RUN_FOOTER, RunFooter
from lithograph.formats.split_block_filter import FILTER_BLOCK_SIZE, add_digest
from lithograph.formats.varint import encode_varint
from lithograph.ids import ABSENT
from lithograph.kernel import xxh64
from lithograph.segments.run_reader import RunLayer, RunReader
from lithograph.segments.run_writer import RunWriter
from lithograph.segments.sealed_writer import SealedWriter
from lithograph.tools.testing.simulated_disk import SimulatedDisk
from lithograph.tools.testing.simulated_files import SimulatedFiles

EXHAUSTIVE = "LITHOGRAPH_FUZZ" in os.environ
UUID = bytes(range(16, 32))
FIRST, LAST = 100, 10_000

Versions = list[tuple[int, int]]
Names = dict[bytes, Versions]


def _files() -> SimulatedFiles:
    files = SimulatedDisk().process(create=True)
    files.make_directory("names")
    return files


def _seal(pages: Sequence[bytes], bits: bytes, footer: RunFooter) -> RunReader:
    """Write a file with right checksums around any pages from page 1 on."""
    files = _files()
    writer = SealedWriter(files, run_name(1), 1, UUID, FileKind.RUN)
    writer.pad_to(PAGE_SIZE)
    for page in pages:
        writer.append(page.ljust(PAGE_SIZE, b"\0"))
    writer.append(bits)
    return RunReader.open(files, writer.finish(footer.encode()), UUID)


def _leaf(*names: bytes, ids: int = 0) -> bytes:
    page = PageBuilder(0)
    for name in names:
        assert page.add(name, None, False, encode_varint(ids) + b"\1")
    return page.encode()


def _branch(*children: tuple[bytes, int], level: int = 1) -> bytes:
    page = PageBuilder(level)
    for fence, child in children:
        assert page.add(fence, None, False, encode_varint(child))
    return page.encode()


def _crafted(
    *pages: bytes, root: int, height: int, names: Sequence[bytes] = (), versions: int | None = None
) -> RunReader:
    bits = bytearray(FILTER_BLOCK_SIZE)
    for name in (b"a", b"b", b"c", b"d", b"m", b"n", *names):
        add_digest(bits, xxh64(name))
    count = 1 + len(pages)
    entry_count = sum(int.from_bytes(p[2:4], "little") for p in pages if p[0] == 1)
    footer = RunFooter(
        FIRST,
        LAST,
        entry_count=entry_count,
        version_count=entry_count if versions is None else versions,
        root=root,
        page_count=count,
        filter_offset=count * PAGE_SIZE,
        filter_size=FILTER_BLOCK_SIZE,
        height=height,
    )
    return _seal(pages, bytes(bits), footer)


def _raw_leaf(*entries: bytes) -> bytes:
    """A leaf of entries that no builder would make."""
    body = b"".join(entries)
    head = bytes([1, 0]) + len(entries).to_bytes(2, "little") + len(body).to_bytes(2, "little")
    return (head + b"\1\0" + bytes(8) + body).ljust(PAGE_SIZE - 2, b"\0") + b"\x10\0"


AB, MN = _leaf(b"a", b"b"), _leaf(b"m", b"n")
LONG = b"l" * 1024
TOP = 2**64 - 1

HOSTILE: list[tuple[str, str, RunReader]] = [
    (
        "a cycle",
        "used twice",
        _crafted(AB, _branch((b"", 1), (b"m", 2), level=1), root=2, height=2),
    ),
    (
        "the root is its own child",
        "used twice",
        _crafted(_branch((b"", 1), level=1), AB, root=1, height=2),
    ),
    (
        "a child that is not there",
        "child 7, the run has 3",
        _crafted(AB, _branch((b"", 1), (b"m", 7)), root=2, height=2),
    ),
    (
        "a child at page 0",
        "child 0, the run has 3",
        _crafted(AB, _branch((b"", 0), (b"b", 1)), root=2, height=2),
    ),
    (
        "a child at 2**64 - 1",
        "child 18446744073709551615",
        _crafted(AB, _branch((b"", 1), (b"m", TOP)), root=2, height=2),
    ),
    ("a leaf too early", "page kind 1, expected 2", _crafted(AB, MN, root=1, height=2)),
    (
        "a branch too late",
        "page kind 2, expected 1",
        _crafted(AB, MN, _branch((b"", 1), (b"m", 2)), root=3, height=1),
    ),
    (
        "a level left out",
        "page kind 1, expected 2",
        _crafted(AB, MN, _branch((b"", 1), (b"m", 2), level=2), root=3, height=3),
    ),
    (
        "a child twice",
        "used twice",
        _crafted(AB, MN, _branch((b"", 1), (b"m", 1)), root=3, height=2),
    ),
    (
        "leaves in the wrong order",
        "outside its fences",
        _crafted(MN, AB, _branch((b"", 1), (b"m", 2)), root=3, height=2),
    ),
    (
        "names below their fence",
        "outside its fences",
        _crafted(AB, MN, _branch((b"", 1), (b"n", 2)), root=3, height=2),
    ),
    (
        "names above their fence",
        "outside its fences",
        _crafted(AB, MN, _branch((b"", 1), (b"b", 2)), root=3, height=2),
    ),
    (
        "fences in the wrong order",
        "a fence is out of place",
        _crafted(
            AB,
            _branch(*((b"f%02d" % n if n else b"", 1) for n in [*range(16), 3])),
            root=2,
            height=2,
        ),
    ),
    ("a page that is not used", "the page is not used", _crafted(AB, MN, root=1, height=1)),
    ("too many names counted", "the footer counts 3", _crafted(AB, root=1, height=1, versions=3)),
    (
        "a name not in the filter",
        "not in the filter",
        _crafted(_leaf(b"a", b"missing"), root=1, height=1),
    ),
    (
        "a name that is not UTF-8",
        "not valid UTF-8",
        _crafted(_leaf(b"a\xff"), root=1, height=1, names=[b"a\xff"]),
    ),
    (
        "an overflow page out of the file",
        "overflow pages 9 to 10",
        _crafted(_raw_leaf(encode_entry(0, LONG, Chain(9, 4), False, b"\1\1")), root=1, height=1),
    ),
    (
        "an overflow page at the leaf itself",
        "used twice",
        _crafted(_raw_leaf(encode_entry(0, LONG, Chain(1, 4), False, b"\1\1")), root=1, height=1),
    ),
    (
        "an overflow page at page 0",
        "overflow pages 0 to 1",
        _crafted(_raw_leaf(encode_entry(0, LONG, Chain(0, 4), False, b"\1\1")), root=1, height=1),
    ),
    (
        "one overflow page for two names",
        "used twice",
        _crafted(
            _raw_leaf(
                encode_entry(0, b"k" * 1024, Chain(2, 4), False, b"\1\1"),
                encode_entry(0, LONG, Chain(2, 4), False, b"\1\1"),
            ),
            next(encode_overflow(b"rest")),
            root=1,
            height=1,
            names=[b"k" * 1024 + b"rest", LONG + b"rest"],
        ),
    ),
    (
        "rests in the wrong order",
        "names do not ascend",
        _crafted(
            _raw_leaf(
                encode_entry(0, LONG, Chain(2, 1), False, b"\1\1"),
                encode_entry(1024, LONG, Chain(3, 1), False, b"\1\1"),
            ),
            next(encode_overflow(b"b")),
            next(encode_overflow(b"a")),
            root=1,
            height=1,
            names=[LONG + b"a", LONG + b"b"],
        ),
    ),
    (
        "versions of 2**60 bytes",
        "the run has 3",
        _crafted(
            _raw_leaf(b"\xf0\1\1a\1\1\1" + encode_varint(2**40) + b"\2" + encode_varint(2**60)),
            next(encode_overflow(b"\1\1")),
            root=1,
            height=1,
        ),
    ),
    (
        "more versions than bytes",
        "1099511627776 versions are announced in 2",
        _crafted(
            _raw_leaf(b"\xf0\1\1a\1\1\1" + encode_varint(2**40) + b"\2\2"),
            next(encode_overflow(b"\1\1")),
            root=1,
            height=1,
        ),
    ),
    (
        "fewer versions than bytes",
        "2 bytes too many",
        _crafted(
            _raw_leaf(b"\xf0\1\1a\1\3\1\1\2\4"),
            next(encode_overflow(b"\2\1\1\1")),
            root=1,
            height=1,
        ),
    ),
    (
        "a sequence behind the run's last",
        "sequence 10001, the run ends",
        _crafted(_raw_leaf(b"\x10a\1" + encode_varint(LAST - FIRST + 1)), root=1, height=1),
    ),
    (
        "oldest first",
        "not newest first",
        _crafted(_raw_leaf(b"\xf0\1\1a\2\1\1\2\1\0"), root=1, height=1, versions=2),
    ),
    (
        "twice alive",
        "not newest first",
        _crafted(_raw_leaf(b"\xf0\1\1a\2\1\2\1\1\0"), root=1, height=1, versions=2),
    ),
    (
        "a tree lower than said",
        "page kind 1, expected 2",
        _crafted(AB, _branch((b"", 1), level=31), root=2, height=32),
    ),
]


@pytest.mark.parametrize(
    ("message", "reader"),
    [(message, reader) for _, message, reader in HOSTILE],
    ids=[what.replace(" ", "-") for what, _, _ in HOSTILE],
)
def test_a_sealed_file_that_lies_is_corruption(message: str, reader: RunReader) -> None:
    findings = list(reader.check())

    assert any(message in error.message for error in findings)
    assert all(error.path == reader.path for error in findings)
    assert all(0 <= error.offset <= reader.ref.size for error in findings)
    for name in (b"a", b"b", b"m", b"n", LONG + b"rest"):
        _harmless(reader.find, name)
        _harmless(reader.find_at, name, FIRST + 5)
    _harmless(reader.scan)
    _harmless(RunLayer(reader).names_after, "", False, 99)


def test_a_scan_stops_where_names_do_not_ascend() -> None:
    reader = _crafted(MN, AB, _branch((b"", 1), (b"m", 2)), root=3, height=2)
    scan = reader.scan()

    assert [next(scan)[0], next(scan)[0]] == [b"m", b"n"]
    with pytest.raises(CorruptionError, match="names do not ascend") as caught:
        next(scan)
    assert caught.value.offset == 2 * PAGE_SIZE + 16


def test_a_name_that_is_not_utf8_is_corruption_in_a_listing() -> None:
    reader = _crafted(_leaf(b"a\xff"), root=1, height=1)

    with pytest.raises(CorruptionError, match="not valid UTF-8"):
        RunLayer(reader).names_after("", False, 9)


def _harmless(read: Callable[..., Any], *arguments: Any) -> None:
    """A reader may serve what a hostile file describes, or report it; nothing else."""
    try:
        found = read(*arguments)
        if isinstance(found, Iterator):
            assert sum(1 for _ in found) < 100_000
    except CorruptionError as error:
        assert error.path  # noqa: PT017


def test_a_byte_behind_the_header_is_corruption() -> None:
    files = _files()
    writer = SealedWriter(files, run_name(1), 1, UUID, FileKind.RUN)
    writer.append(b"\1")
    writer.pad_to(PAGE_SIZE)
    writer.append(bytes(FILTER_BLOCK_SIZE))
    footer = RunFooter(1, 1, 0, 0, 0, 1, PAGE_SIZE, FILTER_BLOCK_SIZE, 0)
    reader = RunReader.open(files, writer.finish(footer.encode()), UUID)

    [finding] = reader.check()
    assert finding.offset == HEADER_SIZE
    assert list(reader.scan()) == []


def test_an_empty_run_reads_no_page_whatever_its_filter_says() -> None:
    footer = RunFooter(1, 1, 0, 0, 0, 1, PAGE_SIZE, FILTER_BLOCK_SIZE, 0)
    reader = _seal([], b"\xff" * FILTER_BLOCK_SIZE, footer)

    assert reader.find(b"a") == []
    assert RunLayer(reader).names_after("", False, 9) == []
    assert list(reader.check()) == []


def test_a_footer_that_lies_is_corruption_with_its_offset() -> None:
    footer = RunFooter(1, 1, 0, 0, 0, 1, PAGE_SIZE, FILTER_BLOCK_SIZE, 1)

    with pytest.raises(CorruptionError, match="height is 1") as caught:
        _seal([], bytes(FILTER_BLOCK_SIZE), footer)
    assert caught.value.path.endswith("00000001.run")
    assert caught.value.offset > PAGE_SIZE + RUN_FOOTER.offset_of["height"]


def _mutated(rng: random.Random, data: bytes) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 8])):
        offset = rng.randrange(PAGE_SIZE, len(damaged))
        if rng.random() < 0.5:
            offset = offset // PAGE_SIZE * PAGE_SIZE + rng.randrange(40)
        damaged[offset % len(damaged)] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
    return bytes(damaged)


def _few() -> Names:
    names: Names = {f"entity:{n:04x}".encode(): [(FIRST + n, n)] for n in range(40)}
    names["entity:é".encode()] = [(150, 9), (150, ABSENT), (120, 8)]
    return names


def _with_chains() -> Names:
    """Long names that begin alike, and more versions than their leaf has room for."""
    names = _few()
    for number in range(5):
        names[b"x" * 2000 + b"%d" % number] = [(FIRST + number, number)]
        names[b"versions:%d" % number] = [(sequence, sequence) for sequence in range(999, 300, -1)]
    return names


def _tall() -> Names:
    """Long fences, so that branches are full of few children."""
    versions = [(sequence, sequence) for sequence in range(400, 100, -1)]
    return {b"%d" % (n // 4) * 1000 + b"%02d" % n: versions[:120] for n in range(10, 40)}


@pytest.mark.parametrize("make", [_few, _with_chains, _tall])
def test_any_bytes_under_right_checksums_do_no_harm(make: Callable[[], Names]) -> None:
    """Pages are changed at random and sealed again: every answer is one, or a CorruptionError.

    Where the check finds nothing, a search finds exactly what a scan tells.
    """
    files, names = _files(), make()
    writer = RunWriter(files, 1, UUID, FIRST, LAST)
    for name in sorted(names):
        writer.add(name, names[name])
    ref = writer.finish().ref
    reader = RunReader.open(files, ref, UUID)
    footer = reader._pages.footer
    data = reader._pages.file.read(0, footer.filter_offset)
    bits = reader._pages.file.read(footer.filter_offset, footer.filter_size)
    rng = random.Random(len(names))
    probes = rng.sample(sorted(names), 4)
    silent = 0
    for _ in range(3000 if EXHAUSTIVE else 150):
        damaged = _mutated(rng, data)
        pages = [damaged[i : i + PAGE_SIZE] for i in range(PAGE_SIZE, len(damaged), PAGE_SIZE)]
        reader = _seal(pages, bits, footer)
        for name in probes:
            _harmless(reader.find, name)
            _harmless(reader.names, name)
        if any(reader.check()):
            _harmless(reader.scan)
            continue
        silent += 1
        for name, versions in reader.scan():
            assert reader.find(name) == versions
    assert 0 < silent < 150 or EXHAUSTIVE
