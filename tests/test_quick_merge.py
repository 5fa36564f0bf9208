"""Runs merged and listed by the kernel: byte for byte what the plain way makes of them, or the same
error."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithograph import kernel
from lithograph.errors import CorruptionError
from lithograph.formats.file_header import FileKind
from lithograph.formats.file_names import run_name
from lithograph.formats.name_entry import Chain, encode_entry
from lithograph.formats.name_page import PAGE_SIZE, PageBuilder
from lithograph.formats.name_run import RunFooter
from lithograph.formats.varint import encode_varint
from lithograph.ids import ABSENT, ID_END
from lithograph.segments import filter_builder, run_reader, run_writer
from lithograph.segments.run_merge import STEP, merge_runs
from lithograph.segments.run_reader import RunReader
from lithograph.segments.run_writer import RunWriter
from lithograph.segments.sealed_writer import SealedWriter
from lithograph.tools.testing.run_samples import (
    FIRST,
    LAST,
    UUID,
    Names,
    few_names,
    long_names,
    names_with_chains,
    raw_names,
    run_files,
    run_of,
    tall_names,
    write_run,
)

if kernel.runs is None:
    pytest.skip("the reference kernel has only the plain way", allow_module_level=True)

from lithograph.kernel._runs import RunMerge, TreeBuilder

EXHAUSTIVE = "LITHOGRAPH_FUZZ" in os.environ
SPAN = LAST - FIRST + 1
Outcome = tuple[list[int], bytes | tuple[type, str, str, int | None]]


def _merged(readers: Sequence[RunReader], floor: int, oldest: bool) -> Outcome:
    """Return names merged at each yield, and the bytes of the run, or the error."""
    files = run_files()
    writer = RunWriter(files, 1, UUID, readers[-1].first_sequence, readers[0].last_sequence)
    counts: list[int] = []
    try:
        for _ in merge_runs(readers, writer, floor=floor, oldest=oldest):
            counts.append(writer.entry_count)
        writer.finish()
    except CorruptionError as error:
        writer.abandon()
        assert files.entries("names") == []
        return counts, (type(error), error.message, error.path, error.offset)
    file = files.open(run_name(1))
    return counts, file.read_at(0, file.size())


def check_merge(readers: Sequence[RunReader], floor: int = 0, oldest: bool = False) -> Outcome:
    """Merge both ways; return what both come to."""
    quick = _merged(readers, floor, oldest)
    with (
        mock.patch.object(run_writer, "runs", None),
        mock.patch.object(filter_builder, "runs", None),
    ):
        plain = _merged(readers, floor, oldest)

    assert quick == plain
    return quick


Listed = tuple[list[bytes], tuple[type, str, str, int | None] | None]


def _listed(reader: RunReader, start: bytes) -> Listed:
    """Return the names from `start` on, up to the error if there is one."""
    names: list[bytes] = []
    try:
        for name in reader.names(start):
            names.append(name)
    except CorruptionError as error:
        return names, (type(error), error.message, error.path, error.offset)
    return names, None


def check_names(reader: RunReader, start: bytes = b"") -> None:
    """List names both ways."""
    quick = _listed(reader, start)
    with mock.patch.object(run_reader, "runs", None):
        assert _listed(reader, start) == quick


def _runs_of(*newest_first: Names) -> list[RunReader]:
    """Return runs that follow each other; names are as of a run from FIRST to LAST."""
    readers: list[RunReader] = []
    for number, names in enumerate(reversed(newest_first)):
        files, shift = run_files(), number * SPAN
        later = {name: [(made + shift, id_) for made, id_ in names[name]] for name in names}
        info = write_run(files, later, 1, FIRST + shift, LAST + shift)
        readers.insert(0, RunReader.open(files, info.ref, UUID))
    return readers


def _many(seed: int) -> Names:
    rng = random.Random(seed)
    names = names_with_chains() if seed % 2 else few_names()
    for number in range(5000):
        name = b"entity:%04x" % rng.getrandbits(16)
        names[name] = [(FIRST + number, rng.choice([number, number, ABSENT, ID_END - 1]))]
        if number % 7 == 0:
            names[name] = [(LAST, ABSENT), (LAST - 5, 9), (LAST - 5, ABSENT), (FIRST, 0)]
    return names


@pytest.mark.parametrize("floor", [0, FIRST + 4000, LAST, LAST + SPAN, LAST + 2 * SPAN, 2**62])
@pytest.mark.parametrize("oldest", [False, True])
def test_a_merge_is_the_plain_one(floor: int, oldest: bool) -> None:
    counts, data = check_merge(_runs_of(_many(1), _many(2), _many(3)), floor, oldest)

    assert isinstance(data, bytes)
    assert len(counts) > 30


@pytest.mark.parametrize(
    "runs",
    [
        [{}],
        [{}, {}],
        [few_names()],
        [tall_names(), {}],
        [{}, tall_names(), tall_names()],
        [names_with_chains()] * 3,
        [{b"n%d" % number: [(FIRST, 1)] for number in range(256)}],
        [{b"n%d" % number: [(FIRST, 1)] for number in range(512)}, few_names()],
        [few_names()] * 20,
    ],
)
def test_few_or_equal_runs_are_merged_as_plainly(runs: list[Names]) -> None:
    assert isinstance(check_merge(_runs_of(*runs))[1], bytes)


names_of_a_run = st.dictionaries(
    raw_names | long_names | st.sampled_from([b"a", b"b", b"c", b"e" * 1500]),
    st.lists(
        st.tuples(st.integers(FIRST, LAST), st.integers(ABSENT, 200)),
        min_size=1,
        max_size=4,
        unique_by=lambda version: version[0],
    ).map(lambda versions: sorted(versions, reverse=True)),
    max_size=20,
)


@given(st.lists(names_of_a_run, min_size=1, max_size=4), st.integers(0, 5 * SPAN), st.booleans())
def test_any_merge_is_the_plain_one(runs: list[Names], floor: int, oldest: bool) -> None:
    check_merge(_runs_of(*runs), floor, oldest)


def test_leaves_of_long_names_take_turns_with_leaves_of_short_ones() -> None:
    names: Names = {}
    for number in range(40):
        for other in range(300):
            names[b"%03d" % (2 * number) + b"%06d" % other] = [(FIRST + other, other)]
        names[b"%03d" % (2 * number + 1) + b"l" * 3000] = [(FIRST, number)]
    others = {name + b"!": versions for name, versions in names.items()}

    assert isinstance(check_merge(_runs_of(names, others, names))[1], bytes)


def test_a_damaged_block_is_told_when_its_turn_comes() -> None:
    for places in ([5], [5, 20], [20, 5], [1], [20, 21, 22], [22, 21, 20]):
        readers = []
        for rank, place in enumerate(places):
            names = {b"n%06d" % (3 * n + rank): [(FIRST + n % 99, n)] for n in range(20_000)}
            files = run_files()
            first = FIRST + (len(places) - rank) * 100
            shifted = {name: [(made + first - FIRST, 1)] for name, [(made, _)] in names.items()}
            ref = write_run(files, shifted, 1, first, first + 99).ref
            files.open(run_name(1), writable=True).write_at(place * PAGE_SIZE + 99, b"\xff\xfe")
            readers.append(RunReader.open(files, ref, UUID))
        _, error = check_merge(readers)

        assert isinstance(error, tuple)
        assert error[3] in {place * PAGE_SIZE for place in places}


def _resealed(pages: bytes, footer: RunFooter, bits: bytes) -> RunReader:
    """Return a run of these pages, page 0 left out, under right checksums."""
    files = run_files()
    writer = SealedWriter(files, run_name(1), 1, UUID, FileKind.RUN)
    writer.pad_to(PAGE_SIZE)
    writer.append(pages)
    writer.append(bits)
    return RunReader.open(files, writer.finish(footer.encode()), UUID)


def _mutated(rng: random.Random, data: bytes) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 8])):
        offset = rng.randrange(len(damaged))
        if rng.random() < 0.5:
            offset = offset // PAGE_SIZE * PAGE_SIZE + rng.choice([*range(60), *range(-40, 0)])
        damaged[offset % len(damaged)] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
    return bytes(damaged)


def _with_pairs() -> Names:
    names = few_names()
    for number in range(300):
        names[b"pairs:%d" % number] = [(LAST - 1, number), (FIRST + 1 + number, ABSENT), (FIRST, 1)]
    return names


@pytest.mark.parametrize("make", [few_names, names_with_chains, tall_names, _with_pairs])
def test_any_bytes_under_right_checksums_merge_as_plainly(make: Callable[[], Names]) -> None:
    healthy, other = run_of(make()), _runs_of(make(), {})[0]
    footer, file = healthy.footer, healthy.file
    data = file.read(PAGE_SIZE, footer.filter_offset - PAGE_SIZE)
    bits = file.read(footer.filter_offset, footer.filter_size)
    rng, names = random.Random(len(data)), sorted(healthy.names())
    errors = 0
    for _ in range(3000 if EXHAUSTIVE else 30):
        damaged = _resealed(_mutated(rng, data), footer, bits)
        _, found = check_merge([other, damaged], oldest=rng.random() < 0.5)
        check_names(damaged)
        check_names(damaged, rng.choice(names))
        errors += not isinstance(found, bytes)
    assert errors


def _leaf_of(*entries: bytes, **head: int) -> bytes:
    """A leaf of entries that no builder would make."""
    body = b"".join(entries)
    used, count = head.get("used", len(body)), head.get("count", len(entries))
    page = bytes([head.get("kind", 1), head.get("level", 0)]) + count.to_bytes(2, "little")
    page += used.to_bytes(2, "little") + b"\1\0" + bytes(8) + body
    return page.ljust(PAGE_SIZE - 2, b"\0") + head.get("restart", 16).to_bytes(2, "little")


def _name(name: bytes, value: bytes = b"\7\0", shared: int = 0) -> bytes:
    return encode_entry(shared, name, None, False, value)


def _pairs(name: bytes, *fields: int, count: int, older: int = 0) -> bytes:
    value = b"".join(map(encode_varint, (count, *fields, older)))
    return encode_entry(0, name, None, True, value)


def _leaf_of_two_groups(last: bytes, move: int = 0, first: int = 16) -> bytes:
    """A leaf of 17 entries; its second restart is moved by some bytes."""
    entries = [_name(b"%02d" % number) for number in range(16)]
    page = bytearray(_leaf_of(*entries, last))
    page[6] = 2
    restart = 16 + sum(map(len, entries)) + move
    page[-4:] = first.to_bytes(2, "little") + restart.to_bytes(2, "little")
    return bytes(page)


TOP = encode_varint(2**64 - 1)


@pytest.mark.parametrize(
    ("page", "is_fine"),
    [
        (_leaf_of(_name(b"a"), _name(b"b")), True),
        (_leaf_of(_name(b"b"), _name(b"a")), False),
        (_leaf_of(_name(b"a"), _name(b"a")), False),
        (_leaf_of(_name(b"aa"), _name(b"aa", shared=1)), False),
        (_leaf_of(_name(b"aa"), _name(b"a", shared=1)), False),
        (_leaf_of(_name(b"")), False),
        (_leaf_of(_name(b"ab", shared=1)), False),
        (_leaf_of(_name(b"a"), _name(b"aab", shared=2)), False),
        (_leaf_of(_name(b"a" * 1024), _name(b"b")), True),
        (_leaf_of(b"\xe0" + encode_varint(1025 - 14) + b"a" * 1025 + b"\7\0"), False),
        (_leaf_of(b"\xf0\0\1a\7\0"), False),
        (_leaf_of(b"\xf0\4\1a\7\0"), False),
        (_leaf_of(b"\xe0" + TOP + b"a\7\0"), False),
        (_leaf_of(b"\x1f" + TOP + b"a\7\0"), False),
        (_leaf_of(_name(b"a"), used=5), False),
        (_leaf_of(_name(b"a"), used=3), False),
        (_leaf_of(_name(b"a"), used=65_535), False),
        (_leaf_of(_name(b"a"), count=0), False),
        (_leaf_of(_name(b"a"), count=2), False),
        (_leaf_of(_name(b"a"), _name(b"b"), count=1), False),
        (_leaf_of(_name(b"a"), kind=2), False),
        (_leaf_of(_name(b"a"), kind=3), False),
        (_leaf_of(_name(b"a"), level=1), False),
        (_leaf_of(_name(b"a"), restart=0), False),
        (_leaf_of(_name(b"a"), restart=17), False),
        (_leaf_of(_name(b"a"), restart=65_535), False),
        (_leaf_of(_name(b"a", encode_varint(ID_END - 1) + encode_varint(SPAN - 1))), True),
        (_leaf_of(_name(b"a", encode_varint(ID_END) + b"\0")), False),
        (_leaf_of(_name(b"a", b"\0" + encode_varint(SPAN))), False),
        (_leaf_of(_name(b"a", TOP + b"\0")), False),
        (_leaf_of(_name(b"a", b"\x80\0\0")), False),
        (_leaf_of(_name(b"a", b"\xff" * 10 + b"\1\0")), False),
        (_leaf_of(_pairs(b"a", 9, 2, 9, 0, count=2)), True),
        (_leaf_of(_pairs(b"a", 9, ID_END, 8, 0, count=2)), True),
        (_leaf_of(_pairs(b"a", 9, ID_END + 1, count=1)), False),
        (_leaf_of(_pairs(b"a", SPAN, 1, count=1)), False),
        (_leaf_of(_pairs(b"a", count=0)), False),
        (_leaf_of(_pairs(b"a", 9, 1, count=2)), False),
        (_leaf_of(_pairs(b"a", 9, 1, count=2**63)), False),
        (_leaf_of(_pairs(b"a", 9, 1, count=2**64 - 1)), False),
        (_leaf_of(_pairs(b"a", 8, 1, 9, 1, count=2)), False),
        (_leaf_of(_pairs(b"a", 9, 0, 9, 1, count=2)), False),
        (_leaf_of(_pairs(b"a", 9, 0, 9, 0, count=2)), False),
        (_leaf_of(_pairs(b"a", 9, 1, 9, 1, count=2)), False),
        (_leaf_of(_pairs(b"a", 9, 1, count=1, older=1)), False),
        (_leaf_of(encode_entry(0, b"a" * 1024, Chain(1, 4), False, b"\7\0")), False),
        (_leaf_of(encode_entry(0, b"a" * 1024, Chain(9, 4), False, b"\7\0")), False),
        (_leaf_of(*(_name(b"%02d" % number) for number in range(16))), True),
        (_leaf_of(*(_name(b"%02d" % number) for number in range(17))), False),
        (_leaf_of_two_groups(_name(b"16")), True),
        (_leaf_of_two_groups(_name(b"17", shared=1)), False),
        (_leaf_of_two_groups(_name(b"15")), False),
        (_leaf_of_two_groups(_name(b"16"), move=1), False),
        (_leaf_of_two_groups(_name(b"16"), move=-5), False),
        (_leaf_of_two_groups(_name(b"16"), move=5), False),
        (_leaf_of_two_groups(_name(b"16"), first=21), False),
    ],
)
def test_a_leaf_that_lies_is_told_as_plainly(page: bytes, is_fine: bool) -> None:
    footer = RunFooter(FIRST, LAST, 1, 1, 1, 2, 2 * PAGE_SIZE, 32, 1)
    reader = _resealed(page, footer, bytes(32))
    _, found = check_merge([reader])
    check_names(reader)

    assert isinstance(found, bytes) == is_fine


def test_leaves_that_do_not_ascend_are_told_as_plainly() -> None:
    def leaf(*names: bytes) -> bytes:
        page = PageBuilder(0)
        for name in names:
            page.add(name, None, False, b"\1\1")
        return page.encode()

    branch = PageBuilder(1)
    for number, fence in enumerate((b"", b"c", b"d"), 1):
        branch.add(fence, None, False, encode_varint(number))
    footer = RunFooter(FIRST, LAST, 9, 9, 4, 5, 5 * PAGE_SIZE, 32, 2)
    for last, is_fine in (
        ((b"d", b"e"), True),
        ((b"c", b"d"), False),
        ((b"b", b"d"), False),
        ((b"c\0",), True),
    ):
        pages = leaf(b"a", b"b") + leaf(b"bb", b"c") + leaf(*last) + branch.encode()
        reader = _resealed(pages, footer, bytes(32))
        _, found = check_merge([reader])
        check_names(reader)

        assert isinstance(found, bytes) == is_fine


def test_a_damaged_leaf_behind_a_whole_step_is_told_before_the_yield() -> None:
    page, branch = PageBuilder(0), PageBuilder(1)
    for number in range(STEP):
        assert page.add(b"%03d" % number, None, False, b"\1\1")
    for number, fence in enumerate((b"", b"5"), 1):
        branch.add(fence, None, False, encode_varint(number))
    footer = RunFooter(FIRST, LAST, 9, 9, 3, 4, 4 * PAGE_SIZE, 32, 2)
    for last, counts in ((_leaf_of(_name(b"0")), []), (_leaf_of(_name(b"5")), [STEP])):
        reader = _resealed(page.encode() + last + branch.encode(), footer, bytes(32))

        assert check_merge([reader])[0] == counts


def test_the_kernel_is_fed_only_when_it_asks() -> None:
    merge = RunMerge(TreeBuilder(1, 99, 1), [1], [99], 0, False)
    for page in (b"", bytes(PAGE_SIZE), _leaf_of(_name(b"b"))[:-1], _leaf_of(_name(b"b")) + b"\0"):
        assert not merge.feed(0, page)
    assert merge.step(9) == (0, 0)
    assert merge.feed(0, _leaf_of(_name(b"b")))
    for use in (
        lambda: merge.feed(0, b""),
        lambda: merge.feed(1, b""),
        lambda: merge.put(0, b"c", [(9, 9)]),
        lambda: merge.end(0),
        lambda: merge.last_name(0),
    ):
        with pytest.raises(ValueError, match="needs no food"):
            use()

    assert merge.step(9) == (1, 0)
    assert merge.last_name(0) == b"b"
    with pytest.raises(ValueError, match="without versions"):
        merge.put(0, b"c", [])
    merge.put(0, b"c", [(9, 9)])
    assert merge.step(0) == (0, -1)
    assert merge.step(9) == (1, 0)
    merge.put(0, b"c", [(9, 9)])
    with pytest.raises(AssertionError, match="out of order"):
        merge.step(9)


def test_nothing_is_merged_from_no_runs() -> None:
    merge = RunMerge(TreeBuilder(1, 99, 1), [], [], 0, False)

    assert merge.step(9) == (0, -1)
    with pytest.raises(OverflowError):
        RunMerge(TreeBuilder(1, 99, 1), [9], [8], 0, False)
