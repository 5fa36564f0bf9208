"""Runs written by the kernel: byte for byte what the plain way writes."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithograph import kernel
from lithograph.formats.file_names import run_name
from lithograph.formats.name_page import PAGE_SIZE
from lithograph.formats.split_block_filter import FILTER_BLOCK_SIZE, add_digest
from lithograph.ids import ABSENT, ID_END
from lithograph.segments import filter_builder, run_tree, run_writer
from lithograph.segments.run_writer import RunWriter
from lithograph.segments.spool import Spool
from lithograph.tools.testing.run_samples import (
    FIRST,
    LAST,
    SAMPLES,
    UUID,
    Names,
    Versions,
    long_names,
    name_maps,
    raw_names,
    run_files,
    version_lists,
    write_run,
)
from lithograph.tools.testing.simulated_files import SimulatedFiles

if kernel.runs is None:
    pytest.skip("the reference kernel has only the plain way", allow_module_level=True)

from lithograph.kernel._runs import NameList, TreeBuilder, set_bits


@contextlib.contextmanager
def plainly() -> Iterator[None]:
    """Write runs as the reference kernel does."""
    with (
        mock.patch.object(run_writer, "runs", None),
        mock.patch.object(filter_builder, "runs", None),
    ):
        yield


def _bytes_of(files: SimulatedFiles, number: int = 1) -> bytes:
    file = files.open(run_name(number))
    return file.read_at(0, file.size())


def _written(names: Names) -> bytes:
    files = run_files()
    write_run(files, names)
    return _bytes_of(files)


def _plainly_written(names: Names) -> bytes:
    with plainly():
        return _written(names)


def _many_names() -> Names:
    """Enough for three levels, with names and versions of every size among them."""
    rng = random.Random(11)
    names: Names = {}
    for number in range(30_000):
        names[b"entity:%010x" % rng.getrandbits(40)] = [(FIRST + number % 9000, number)]
    for size in (1, 14, 15, 16, 29, 30, 31, 140, 1023, 1024, 1025, 1038, 5103, 5104, 5105, 65_535):
        for letter in (b"a", b"f", b"\xc3\xa9"):
            names[(letter * size)[:size]] = [(FIRST, size), (FIRST, ABSENT)][: 1 + size % 2]
    for count in (2, 127, 128, 129, 200, 255, 256, 257, 3000):
        names[b"entity:" + b"%d" % count] = [
            (LAST - place, rng.choice([ABSENT, 0, 126, 127, 128, ID_END - 1]))
            for place in range(count)
        ]
    return names


@pytest.mark.parametrize("make", [*SAMPLES.values(), _many_names])
def test_a_run_is_the_plain_one(make: object) -> None:
    assert callable(make)
    names: Names = make()

    assert _written(names) == _plainly_written(names)


@given(name_maps)
def test_any_run_is_the_plain_one(names: Names) -> None:
    assert _written(names) == _plainly_written(names)


@given(st.dictionaries(raw_names | long_names, version_lists, max_size=30))
def test_names_in_bulk_are_names_one_by_one(names: Names) -> None:
    oldest_first = {name.decode(): versions[::-1] for name, versions in names.items()}
    for way in (contextlib.nullcontext, plainly):
        files = run_files()
        with way():
            writer = RunWriter(files, 1, UUID, FIRST, LAST)
            ordered = sorted(oldest_first)
            writer.add_many(ordered[:7], oldest_first)
            writer.add_many(ordered[7:], oldest_first)
            info = writer.finish()

        assert _bytes_of(files) == _plainly_written(names)
        assert (info.entry_count, info.version_count) == (
            len(names),
            sum(map(len, names.values())),
        )


def test_what_waits_goes_to_spools_and_comes_back_anywhere_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = _many_names()
    expected = _plainly_written(names)
    monkeypatch.setattr(Spool.__init__, "__defaults__", (256,))
    monkeypatch.setattr("lithograph.segments.spool._CHUNK_SIZE", 1000)
    monkeypatch.setattr(run_tree, "_TAKE_SIZE", PAGE_SIZE)

    assert _written(names) == expected


@pytest.mark.parametrize(
    ("name", "versions"),
    [
        (b"", [(FIRST, 1)]),
        (b"b", [(FIRST, 1)]),
        (b"a", [(FIRST, 1)]),
        (b"c" * 65_536, [(FIRST, 1)]),
        (b"c", []),
        (b"c", [(FIRST - 1, 1)]),
        (b"c", [(LAST + 1, 1)]),
        (b"c", [(FIRST, 1), (FIRST + 1, 1)]),
        (b"c", [(FIRST, 1), (FIRST, 1)]),
        (b"c", [(FIRST, ABSENT), (FIRST, ABSENT)]),
        (b"c", [(FIRST, ABSENT), (FIRST, 1)]),
        (b"c", [(FIRST, -2)]),
        (b"c", [(FIRST, ID_END)]),
    ],
)
def test_the_builder_refuses_what_breaks_the_rules(name: bytes, versions: Versions) -> None:
    builder = TreeBuilder(FIRST, LAST, 1)
    builder.add(b"b", [(FIRST, 0)])
    with pytest.raises(AssertionError, match="out of order"):
        builder.add(name, versions)

    builder.add(b"c", [(FIRST, 0)])
    assert (builder.entry_count, builder.version_count) == (2, 2)


def test_a_list_of_names_refuses_what_is_none() -> None:
    good = {"a": [(FIRST, 1)]}
    for names, versions, error in (
        (["\ud800"], {"\ud800": [(FIRST, 1)]}, UnicodeEncodeError),
        ([b"a"], good, TypeError),
        (["b"], good, KeyError),
        (["a"], {"a": [(-1, 1)]}, OverflowError),
        (["a"], {"a": [(2**64, 1)]}, OverflowError),
        (["a"], {"a": [(1, 2**63)]}, OverflowError),
        (["a"], {"a": [(1, 2, 3)]}, ValueError),
        (["a"], {"a": [7]}, TypeError),
    ):
        with pytest.raises(error):
            NameList(names, versions)  # type: ignore[arg-type]


def test_a_source_is_read_once_and_outlives_its_list() -> None:
    names = [f"name {number}" for number in range(1000)]
    source = NameList(names, {name: [(FIRST, 1)] for name in names}).source()
    names.sort()
    builder = TreeBuilder(FIRST, LAST, 1)

    source = NameList(names, {name: [(FIRST, 1)] for name in names}).source()
    assert [builder.add_from(source, 300) for _ in range(5)] == [300, 300, 300, 100, 0]
    assert builder.entry_count == 1000


def test_only_a_capsule_of_names_is_a_source() -> None:
    import datetime

    builder = TreeBuilder(FIRST, LAST, 1)
    for other in (None, [], object(), datetime.datetime_CAPI):
        with pytest.raises(ValueError, match="PyCapsule_GetPointer"):
            builder.add_from(other, 1)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=50), st.integers(1, 9))
def test_bits_are_set_as_one_by_one(digests: list[int], count: int) -> None:
    plain = bytearray(count * FILTER_BLOCK_SIZE)
    for digest in digests:
        add_digest(plain, digest)
    bits = bytearray(count * FILTER_BLOCK_SIZE)
    set_bits(bits, b"".join(digest.to_bytes(8, "little") for digest in digests), 0, count)

    assert bits == plain


def test_bits_outside_are_refused() -> None:
    top = (2**64 - 1).to_bytes(8, "little")
    for room, digests, first, count in (
        (64, top, 0, 3),
        (64, bytes(8), 1, 3),
        (0, bytes(8), 0, 1),
        (31, bytes(8), 0, 1),
        (64, bytes(7), 0, 2),
        (64, bytes(8), 0, 2**33),
        (64, top, 2**62, 2),
    ):
        bits = bytearray(room)
        with pytest.raises(ValueError, match="hash"):
            set_bits(bits, digests, first, count)
        assert bits == bytes(room)
