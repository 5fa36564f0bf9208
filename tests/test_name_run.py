"""Runs of the name index: written, read, merged, damaged, and made by somebody who means harm."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithograph.errors import ChecksumError, CorruptionError, TruncatedError
from lithograph.formats.file_names import run_name
from lithograph.formats.name_page import PAGE_SIZE, NamePage
from lithograph.formats.name_run import RunFooter
from lithograph.formats.sealed import SealedRef
from lithograph.ids import ABSENT
from lithograph.segments import spool
from lithograph.segments.run_reader import RunLayer, RunReader
from lithograph.segments.run_writer import RunWriter
from lithograph.segments.spool import Spool
from lithograph.tools.testing.run_samples import (
    FIRST,
    LAST,
    SAMPLES,
    UUID,
    Names,
    Versions,
    few_names,
    name_maps,
    names_with_chains,
    raw_names,
    run_files,
    run_of,
    tall_names,
    write_run,
)
from lithograph.tools.testing.simulated_files import SimulatedFiles

EXHAUSTIVE = "LITHOGRAPH_FUZZ" in os.environ
GOLDEN = Path(__file__).parent / "golden" / "v0" / "name_run.hex"
every_sample = pytest.mark.parametrize("sample", SAMPLES)


@every_sample
def test_a_run_says_what_was_put_in(sample: str) -> None:
    names = SAMPLES[sample]()
    reader = run_of(names)

    assert list(reader.scan()) == sorted(names.items())
    for name, versions in names.items():
        assert reader.find(name) == versions
    for name in (b"", b"a", b"entity:", b"entity:0000x", b"x" * 2000, b"y" * 65_534, b"\xff"):
        assert reader.find(name) == []
    assert reader.entry_count == len(names)
    assert reader.version_count == sum(map(len, names.values()))
    assert list(reader.check()) == []


def test_long_fences_make_a_tall_tree() -> None:
    reader = run_of(tall_names())

    assert reader._height >= 4


@every_sample
def test_a_scan_begins_anywhere(sample: str) -> None:
    names = SAMPLES[sample]()
    reader = run_of(names)
    ordered = sorted(names)
    starts = [b"", b"\xff", *ordered[:: max(1, len(ordered) // 10)]]
    for start in [*starts, *(start + b"\0" for start in starts), *(start[:-1] for start in starts)]:
        from_start = [name for name in ordered if name >= start]

        assert list(reader.names(start)) == from_start
        assert list(reader.names(start, after=True)) == [n for n in from_start if n != start]


@given(name_maps, st.lists(raw_names, max_size=5))
def test_any_names_survive_a_round_trip(names: Names, others: list[bytes]) -> None:
    reader = run_of(names)

    assert list(reader.scan()) == sorted(names.items())
    for name in [*names, *others]:
        assert reader.find(name) == names.get(name, [])
    assert list(reader.check()) == []


def test_a_layer_answers_as_of_a_sequence() -> None:
    layer = RunLayer(run_of(names_with_chains()))

    assert [layer.find_name("entity:é", s) for s in (99, 119, 120, 149, 150, LAST)] == [
        None,
        None,
        8,
        8,
        9,
        9,
    ]
    assert layer.find_name("gone", LAST - 1) is None
    assert layer.find_name("gone", LAST) == ABSENT
    assert layer.find_name("entity:", LAST) is None
    assert layer.find_name("\ud800", LAST) is None
    # 303 is the oldest of the versions, far down in overflow pages.
    assert [layer.find_name("versions:1", s) for s in (302, 303, 305, 306, 9999)] == [
        None,
        303,
        303,
        306,
        9999,
    ]


def test_a_layer_lists_names_by_pages() -> None:
    names = names_with_chains()
    layer = RunLayer(run_of(names))
    found: list[str] = []
    page = layer.names_after("", False, 7)
    while page:
        assert len(page) <= 7
        found += page
        page = layer.names_after(found[-1], True, 7)

    assert [name.encode() for name in found] == sorted(names)
    assert layer.names_after("gone", False, 1) == ["gone"]
    assert layer.names_after("\ud800", False, 1) == []
    assert layer.names_after("gone", False, 0) == []


def test_an_absent_name_reads_the_filter_and_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = run_of({b"n%d" % number: [(FIRST, number)] for number in range(5000)})
    touched: list[int] = []
    real = reader._pages.page

    def noted(number: int, level: int) -> NamePage:
        touched.append(number)
        return real(number, level)

    monkeypatch.setattr(reader._pages, "page", noted)
    for number in range(5000):
        assert reader.find(b"m%d" % number) == []

    assert len(touched) // 2 < 60


def test_memory_for_names_goes_to_spools(monkeypatch: pytest.MonkeyPatch) -> None:
    """And comes back in pieces that end anywhere between two notes."""
    monkeypatch.setattr(Spool.__init__, "__defaults__", (256,))
    monkeypatch.setattr(spool, "_CHUNK_SIZE", 1000)
    files = run_files()
    reader = RunReader.open(files, write_run(files, tall_names()).ref, UUID)

    assert list(reader.scan()) == sorted(tall_names().items())
    assert list(reader.check()) == []
    assert files.entries("names") == ["00000001.run"]


def test_an_abandoned_run_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Spool.__init__, "__defaults__", (8,))
    files = run_files()
    writer = RunWriter(files, 1, UUID, FIRST, LAST)
    with pytest.raises(FileExistsError):
        RunWriter(files, 1, UUID, FIRST, LAST)
    for name, versions in sorted(tall_names().items()):
        writer.add(name, versions)
    assert "00000001.spool" in files.entries("names")
    writer.abandon()

    assert files.entries("names") == []


@pytest.mark.parametrize(
    ("name", "versions"),
    [
        (b"", [(FIRST, 1)]),
        (b"a", [(FIRST, 1)]),
        (b"c" * 65_536, [(FIRST, 1)]),
        (b"c", [(FIRST - 1, 1)]),
        (b"c", [(LAST + 1, 1)]),
        (b"c", [(FIRST, 1), (FIRST + 1, 1)]),
    ],
)
def test_a_writer_refuses_what_breaks_the_rules(name: bytes, versions: Versions) -> None:
    writer = RunWriter(run_files(), 1, UUID, FIRST, LAST)
    writer.add(b"b", [(FIRST, 0)])

    with pytest.raises(AssertionError):
        writer.add(name, versions)


def test_a_ref_is_what_the_manifest_keeps() -> None:
    files = run_files()
    info = write_run(files, few_names(), 7)

    assert info.ref == SealedRef(7, len(_bytes_of(files, 7)), info.ref.footer_hash)
    assert (info.entry_count, info.version_count) == (42, 44)
    assert (info.first_sequence, info.last_sequence) == (FIRST, LAST)


def _bytes_of(files: SimulatedFiles, number: int = 1) -> bytes:
    file = files.open(run_name(number))
    return file.read_at(0, file.size())


def _put(files: SimulatedFiles, data: bytes, number: int = 1) -> None:
    file = files.open(run_name(number), writable=True)
    file.truncate(len(data))
    file.write_at(0, data)


def test_golden_bytes(request: pytest.FixtureRequest) -> None:
    files = run_files()
    ref = write_run(files, few_names()).ref
    data = _bytes_of(files)
    if request.config.getoption("--rewrite-golden"):
        GOLDEN.write_text(data.hex(" ", 16).replace(" ", "\n") + "\n")

    assert data == bytes.fromhex(GOLDEN.read_text())
    assert dict(RunReader.open(files, ref, UUID).scan()) == few_names()


def test_any_flipped_bit_of_a_run_is_noticed() -> None:
    files = run_files()
    ref = write_run(files, few_names()).ref
    data = _bytes_of(files)
    file = files.open(run_name(1), writable=True)
    rng = random.Random(9)
    opened = 0
    for offset, byte in enumerate(data):
        for bit in range(8) if EXHAUSTIVE else (rng.randrange(8),):
            file.write_at(offset, bytes([byte ^ 1 << bit]))
            try:
                reader = RunReader.open(files, ref, UUID)
            except CorruptionError as error:
                blamed = [error]
            else:
                opened += 1
                blamed = list(reader.check())

            assert {error.path for error in blamed} == {files.path_of(run_name(1))}
            file.write_at(offset, bytes([byte]))
    assert opened > len(data) // 2


def test_a_damaged_page_is_an_error_wherever_it_is_touched() -> None:
    files = run_files()
    names = tall_names()
    ref = write_run(files, names).ref
    file = files.open(run_name(1), writable=True)
    file.write_at(PAGE_SIZE + 99, b"\xff")
    reader = RunReader.open(files, ref, UUID)

    with pytest.raises(ChecksumError) as caught:
        list(reader.scan())
    assert caught.value.offset == PAGE_SIZE
    with pytest.raises(ChecksumError):
        reader.find(min(names))
    assert reader.find(max(names)) == names[max(names)]
    # What stands in a damaged block is not known, so the check says nothing of it.
    assert [(type(error), error.offset) for error in reader.check()] == [(ChecksumError, PAGE_SIZE)]


def test_any_other_size_is_corruption() -> None:
    files = run_files()
    ref = write_run(files, few_names()).ref
    data = _bytes_of(files)
    for size in [*range(0, len(data), 97), len(data) - 1]:
        _put(files, data[:size])
        with pytest.raises(TruncatedError):
            RunReader.open(files, ref, UUID)
        with pytest.raises(CorruptionError):
            RunReader.open(files, replace(ref, size=size), UUID)
    _put(files, data + b"\0")
    with pytest.raises(CorruptionError):
        RunReader.open(files, ref, UUID)


def test_a_foreign_or_stale_run_is_corruption() -> None:
    files = run_files()
    ref, other = write_run(files, few_names()).ref, write_run(files, {b"n": [(FIRST, 0)]}, 2).ref
    with pytest.raises(CorruptionError, match="belongs to store"):
        RunReader.open(files, ref, bytes(16))
    _put(files, _bytes_of(files, 2))
    with pytest.raises(CorruptionError):
        RunReader.open(files, replace(other, number=1), UUID)
    files.unlink(run_name(1))
    with pytest.raises(CorruptionError, match="missing"):
        RunReader.open(files, ref, UUID)


FOOTER = RunFooter(FIRST, LAST, 9, 10, 4, 5, 5 * PAGE_SIZE, 64, 2)
DATA_SIZE = 5 * PAGE_SIZE + 64


def test_a_footer_survives_a_round_trip() -> None:
    data = FOOTER.encode()

    assert RunFooter.decode(data, DATA_SIZE) == FOOTER
    for size in range(len(data)):
        with pytest.raises(TruncatedError):
            RunFooter.decode(data[:size], DATA_SIZE)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("first_sequence", 0),
        ("first_sequence", LAST + 1),
        ("last_sequence", 2**63),
        ("entry_count", 11),
        ("entry_count", 0),
        ("version_count", 2**40),
        ("root", 0),
        ("root", 5),
        ("page_count", 1),
        ("page_count", 4),
        ("page_count", 2**50),
        ("filter_offset", 4 * PAGE_SIZE),
        ("filter_offset", 5 * PAGE_SIZE + 32),
        ("filter_size", 0),
        ("filter_size", 32),
        ("filter_size", 96),
        ("filter_size", 2**63),
        ("height", 0),
        ("height", 33),
    ],
)
def test_a_footer_that_lies_is_corruption(field: str, value: int) -> None:
    with pytest.raises(CorruptionError):
        RunFooter.decode(replace(FOOTER, **{field: value}).encode(), DATA_SIZE)


def test_a_filter_ends_with_the_data_region() -> None:
    for size in (DATA_SIZE - 1, DATA_SIZE + 1, DATA_SIZE + 32):
        with pytest.raises(CorruptionError, match="the data region ends at"):
            RunFooter.decode(FOOTER.encode(), size)
