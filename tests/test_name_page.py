"""Name pages: golden bytes, round trip, every prefix, and pages that lie."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithograph.errors import CorruptionError
from lithograph.formats.name_entry import (
    HEAD_SIZE_MAX,
    INLINE_SIZE_MAX,
    Chain,
    append_more,
    decode_more,
    encode_entry,
    encode_versions,
    is_newest_first,
    read_entry,
    shared_size,
    split_key,
)
from lithograph.formats.name_page import (
    OVERFLOW_CAPACITY,
    PAGE_HEAD,
    PAGE_SIZE,
    RESTART_INTERVAL,
    NamePage,
    PageBuilder,
    PageKind,
    decode_overflow,
    encode_overflow,
    overflow_page_count,
)
from lithograph.formats.varint import encode_varint
from lithograph.ids import ABSENT, ID_END, SEQUENCE_END

GOLDEN = Path(__file__).parent / "golden" / "v0"
FIRST = 100
LONG = b"l" * HEAD_SIZE_MAX
MANY = [(FIRST + number, number * 2**40 % ID_END) for number in range(90, 0, -1)]

Versions = Sequence[tuple[int, int]]


def _no_chain(chain: Chain) -> bytes:
    raise AssertionError(chain)


def _leaf(entries: Sequence[tuple[bytes, Versions]]) -> bytes:
    page = PageBuilder(0)
    for name, versions in entries:
        head, rest = split_key(name)
        multi, value, _, more = encode_versions(versions, FIRST)
        if more:
            value = append_more(value, Chain(3, len(more)))
        assert page.add(head, Chain(2, len(rest)) if rest else None, multi, value)
    return page.encode()


def _branch(fences: Sequence[bytes], level: int = 1) -> bytes:
    page = PageBuilder(level)
    for number, fence in enumerate(fences, 1):
        assert page.add(fence, None, False, encode_varint(number))
    return page.encode()


LEAF = [
    *((f"entity:{number:04x}".encode(), [(FIRST + number, number)]) for number in range(0, 300, 9)),
    ("entity:é".encode(), [(FIRST + 9, 2**48 - 1), (FIRST + 9, ABSENT), (FIRST, 7)]),
    (LONG + b"onger", [(FIRST, 8)]),
    (b"many", MANY),
]
LEAF.sort()
SAMPLES = {
    "name_leaf": _leaf(LEAF),
    "name_branch": _branch([b"", *(b"fence:%03d" % number for number in range(20))], 2),
    "name_overflow": next(encode_overflow(b"onger")),
}


def _decode(name: str, data: bytes) -> None:
    if name == "name_overflow":
        decode_overflow(data, 5)
    else:
        list(NamePage.decode(data, 0 if name == "name_leaf" else 2).entries())


@pytest.mark.parametrize("name", SAMPLES)
def test_golden_bytes(name: str, request: pytest.FixtureRequest) -> None:
    path = GOLDEN / f"{name}.hex"
    if request.config.getoption("--rewrite-golden"):
        path.write_text(SAMPLES[name].hex(" ", 16).replace(" ", "\n") + "\n")

    assert SAMPLES[name] == bytes.fromhex(path.read_text())


def test_a_leaf_says_what_was_put_in() -> None:
    page = NamePage.decode(SAMPLES["name_leaf"], 0)
    found = {entry.head: entry for entry in page.entries()}

    assert [entry.head for entry in page.entries()] == [name[:HEAD_SIZE_MAX] for name, _ in LEAF]
    assert found["entity:é".encode()].versions == [(9, 2**48 - 1), (9, ABSENT), (0, 7)]
    assert found[LONG].rest == Chain(2, 5)
    many = found[b"many"]
    inline = len(many.versions)
    assert 0 < inline < len(MANY) == inline + many.more_count
    assert many.more is not None
    assert many.more.page == 3


@pytest.mark.parametrize("name", SAMPLES)
def test_any_proper_prefix_is_corruption(name: str) -> None:
    for size in range(PAGE_SIZE):
        with pytest.raises(CorruptionError):
            _decode(name, SAMPLES[name][:size])


@pytest.mark.parametrize("name", SAMPLES)
def test_a_flipped_bit_is_corruption_or_another_value(name: str) -> None:
    """What counts is under checksums; without one a page may say other things, nothing worse."""
    noticed = 0
    for bit in range(PAGE_SIZE * 8):
        damaged = bytearray(SAMPLES[name])
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            _decode(name, bytes(damaged))
        except CorruptionError:
            noticed += 1

    assert noticed >= PAGE_SIZE * 8 - 8 * int.from_bytes(SAMPLES[name][4:6], "little")


@pytest.mark.parametrize("name", SAMPLES)
def test_a_byte_in_the_padding_is_corruption(name: str) -> None:
    used = int.from_bytes(SAMPLES[name][4:6], "little")
    restarts = int.from_bytes(SAMPLES[name][6:8], "little")
    for offset in range(16 + used, PAGE_SIZE - 2 * restarts):
        damaged = bytearray(SAMPLES[name])
        damaged[offset] = 1

        with pytest.raises(CorruptionError, match="padding is not zero"):
            _decode(name, bytes(damaged))


keys = st.lists(
    st.binary(min_size=1, max_size=12)
    | st.sampled_from([b"a" * 90, b"b" * 300]).flatmap(
        lambda prefix: st.binary(max_size=4).map(lambda end: prefix + end)
    ),
    unique=True,
    min_size=1,
    max_size=60,
).map(sorted)
version_lists = st.lists(
    st.tuples(st.integers(FIRST, SEQUENCE_END - 1), st.integers(ABSENT, ID_END - 1)),
    min_size=1,
    max_size=8,
    unique_by=lambda version: version[0],
).map(lambda versions: sorted(versions, reverse=True))


@given(keys, st.data())
def test_entries_survive_a_round_trip(wanted: list[bytes], data: st.DataObject) -> None:
    builder = PageBuilder(0)
    kept = []
    for name in wanted:
        versions = data.draw(version_lists)
        multi, value, more_count, _ = encode_versions(versions, FIRST)
        assert more_count == 0
        if not builder.add(name, None, multi, value):
            break
        kept.append((name, [(sequence - FIRST, node_id) for sequence, node_id in versions]))
    page = NamePage.decode(builder.encode(), 0)

    assert [(entry.head, list(entry.versions)) for entry in page.entries()] == kept
    for name, versions in kept:
        found = page.find((name, b""), _no_chain)
        assert found is not None
        assert list(found.versions) == versions


@given(keys, st.binary(max_size=4))
def test_a_search_finds_what_a_walk_finds(wanted: list[bytes], key: bytes) -> None:
    fences = [b"", *wanted]
    builder = PageBuilder(3)
    kept = [
        fence
        for number, fence in enumerate(fences, 1)
        if builder.add(fence, None, False, encode_varint(number))
    ]
    page = NamePage.decode(builder.encode(), 3)
    for probe in (key, b"", *kept, *(fence + b"\0" for fence in kept)):
        last = max(position for position, fence in enumerate(kept) if fence <= probe)

        assert page.find_last((probe, b""), _no_chain).head == kept[last]
        behind = [entry.head for entry in page.entries_from((probe, b""), _no_chain)]
        assert behind == kept[last:]


def test_a_full_page_refuses_and_stays_as_it_is() -> None:
    builder = PageBuilder(0)
    rng = random.Random(2)
    names = sorted(rng.randbytes(30) for _ in range(300))
    kept = [name for name in names if builder.add(name, None, False, b"\x01\x02")]
    data = builder.encode()

    assert len(data) == PAGE_SIZE
    assert 100 < len(kept) < 140
    assert [entry.head for entry in NamePage.decode(data, 0).entries()] == kept


def test_keys_that_begin_alike_are_told_apart_by_their_rests() -> None:
    rests = {Chain(page, 4): b"%04d" % page for page in range(2, 60, 3)}
    builder = PageBuilder(0)
    for chain in rests:
        assert builder.add(LONG, chain, False, encode_varint(chain.page) + b"\0")
    page = NamePage.decode(builder.encode(), 0)

    for chain, rest in rests.items():
        found = page.find((LONG, rest), rests.__getitem__)
        assert found is not None
        assert found.versions == ((0, chain.page),)
    for rest in (b"0000", b"0003", b"9999"):
        assert page.find((LONG, rest), rests.__getitem__) is None
    # Without a rest on one side nothing is loaded.
    assert page.find((LONG, b""), _no_chain) is None
    assert page.find((b"k", b""), _no_chain) is None


@given(st.binary(max_size=3 * OVERFLOW_CAPACITY))
def test_overflow_pages_carry_any_bytes(data: bytes) -> None:
    pages = list(encode_overflow(data))
    found = b""
    for page in pages:
        found += decode_overflow(page, len(data) - len(found))

    assert len(pages) == overflow_page_count(len(data))
    assert found == data


@given(
    st.lists(
        st.tuples(st.integers(0, 2**63 - 1), st.integers(ABSENT, ID_END - 1)),
        min_size=1,
        max_size=6,
    )
)
def test_versions_survive_a_round_trip(deltas: list[tuple[int, int]]) -> None:
    """In any order: what the encoding keeps is not what it checks."""
    deltas = deltas * 20
    shifted = [(delta, node_id) for delta, node_id in deltas]
    multi, value, more_count, more = encode_versions(shifted, 0)
    if more:
        assert len(value) <= INLINE_SIZE_MAX + 12
        value = append_more(value, Chain(1, len(more)))
    data = encode_entry(0, b"n", None, multi, value)
    entry = read_entry(data, 0, len(data), b"", in_leaf=True)

    assert entry.end == len(data)
    assert entry.more_count == more_count
    assert [*entry.versions, *decode_more(more, more_count)] == deltas
    for size in range(0, len(data), 3):
        with pytest.raises(CorruptionError):
            read_entry(data, 0, size, b"", in_leaf=True)
    for size in range(0, len(more), 3):
        with pytest.raises(CorruptionError):
            decode_more(more[:size], more_count)


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_shared_size_is_the_common_prefix(first: bytes, second: bytes) -> None:
    size = shared_size(first, second)

    assert first[:size] == second[:size]
    assert size == min(len(first), len(second)) or first[size] != second[size]


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ([(2, 1), (1, 0)], True),
        ([(2, 1), (2, ABSENT), (1, 0)], True),
        ([(2, ABSENT), (2, 1)], False),
        ([(2, 1), (2, 0)], False),
        ([(1, 1), (2, 0)], False),
    ],
)
def test_newest_comes_first(versions: Versions, expected: bool) -> None:
    assert is_newest_first(versions) == expected


def _page(
    entries: bytes,
    count: int,
    restarts: Sequence[int] = (16,),
    kind: int = PageKind.LEAF,
    level: int = 0,
) -> bytes:
    head = PAGE_HEAD.encode(
        kind=kind, level=level, entry_count=count, used=len(entries), restart_count=len(restarts)
    )
    places = b"".join(restart.to_bytes(2, "little") for restart in restarts)
    return (head + entries).ljust(PAGE_SIZE - len(places), b"\0")[
        : PAGE_SIZE - len(places)
    ] + places


A = encode_entry(0, b"a", None, False, b"\1\1")
B = encode_entry(0, b"b", None, False, b"\1\1")
VALUE = b"\1\1"
TOP = encode_varint(2**64 - 1)

HOSTILE = [
    (_page(A, 1, kind=PageKind.BRANCH), "page kind 2, expected 1"),
    (_page(A, 1, kind=9), "page kind 9"),
    (_page(A, 1, level=1), "page level 1, expected 0"),
    (_page(A, 0), "1 restarts for 0 entries"),
    (_page(b"", 0, ()), "0 restarts for 0 entries"),
    (_page(A, 17), "1 restarts for 17 entries"),
    (_page(A, 65535), "restarts for 65535 entries"),
    (_page(bytes(4079), 1), "reach into the restarts"),
    (_page(A, 1, (15,)), "restart 0 is at 15"),
    (_page(A + B, 2, (21,)), "restart 0 is at 21"),
    (_page(A * 16 + B, 17, (16, 4000)), "restart 1 is at 4000"),
    (_page(A + B, 1), "end elsewhere"),
    (_page(A, 2), "left"),
    (_page(B + A, 2), "do not ascend"),
    (_page(A + A, 2), "do not ascend"),
    (_page(b"\x11" + A[1:], 1), "shares 1 bytes with one of 0"),
    (_page(b"\x1f" + TOP + A[1:], 1), "shares"),
    (_page(A + b"\x12b" + VALUE, 2), "shares 2 bytes with one of 1"),
    (_page(b"\xe0" + TOP + b"a" + VALUE, 1), "bytes of a key in the page"),
    (_page(b"\xe0" + encode_varint(1011) + b"a" * 1025 + VALUE, 1), "1025 bytes of a key"),
    (_page(b"\xe0" + encode_varint(1010) + b"a" * 9, 1), "a key has 1024 bytes, 9 are left"),
    (_page(b"\0" + VALUE, 1), "a name is empty"),
    (_page(b"\xf0\0\1a" + VALUE, 1), "the flags of an entry are unknown"),
    (_page(b"\xf0\4\1a" + VALUE, 1), "the flags of an entry are unknown"),
    (_page(b"\xf0", 1), "the flags of an entry are unknown"),
    (_page(b"\xe0", 1), "0 are left"),
    (_page(b"\xf0\2\1a\x02\x05" + VALUE, 1), "goes on elsewhere after 1 bytes"),
    (_page(encode_entry(0, LONG, Chain(2, 0), False, VALUE), 1), "0 bytes in overflow"),
    (_page(encode_entry(0, LONG, Chain(2, 64_512), False, VALUE), 1), "64512 bytes in overflow"),
    (_page(b"\x10a" + encode_varint(2**48) + b"\1", 1), "not below"),
    (_page(b"\x10a\1" + encode_varint(2**63), 1), "not below"),
    (_page(b"\x10a\x81\0\1", 1), "longer than it needs"),
    (_page(b"\x10a" + b"\xff" * 11, 1), "longer than 10 bytes"),
    (_page(b"\xf0\1\1a\0\0", 1), "0 versions in"),
    (_page(b"\xf0\1\1a" + TOP + b"\1\1\0", 1), "versions in"),
    (_page(b"\xf0\1\1a\1\1" + encode_varint(2**48 + 1) + b"\0", 1), "not below"),
    (_page(b"\xf0\1\1a\1\1\1\1\2\0", 1), "0 bytes in overflow"),
]


@pytest.mark.parametrize(("data", "message"), HOSTILE, ids=range(len(HOSTILE)))
def test_a_leaf_that_lies_is_corruption(data: bytes, message: str) -> None:
    with pytest.raises(CorruptionError, match=message):
        list(NamePage.decode(data, 0).entries())


def test_a_restart_in_the_wrong_place_is_corruption() -> None:
    entries = [encode_entry(0, b"%02d" % number, None, False, VALUE) for number in range(18)]
    size = len(entries[0])
    sound = _page(b"".join(entries), 18, (16, 16 + 16 * size))
    wrong = _page(b"".join(entries), 18, (16, 16 + 15 * size))
    compressed = _page(
        b"".join(entries[:16]) + encode_entry(1, b"16", None, False, VALUE) + entries[17],
        18,
        (16, 16 + 16 * size),
    )

    assert len(list(NamePage.decode(sound, 0).entries())) == 18
    for data in (wrong, compressed):
        with pytest.raises(CorruptionError):
            list(NamePage.decode(data, 0).entries())
    with pytest.raises(CorruptionError, match="shares 1 bytes with one of 0"):
        NamePage.decode(compressed, 0).find((b"16", b""), _no_chain)


def test_a_branch_that_lies_is_corruption() -> None:
    first = encode_entry(0, b"a", None, False, b"\1")
    multi = encode_entry(0, b"", None, True, b"\1")
    for entries, message in ((first, "has a fence"), (multi, "has versions")):
        data = _page(entries, 1, kind=PageKind.BRANCH, level=1)
        with pytest.raises(CorruptionError, match=message):
            list(NamePage.decode(data, 1).entries())


@pytest.mark.parametrize(
    ("head", "left", "message"),
    [
        ({"used": 5, "entry_count": 1}, 5, "has entries"),
        ({"used": 5, "restart_count": 1}, 5, "has entries"),
        ({"used": 5}, 6, "carries 5 bytes, 6 are due"),
        ({"used": 65535}, 65535, "carries 65535 bytes, 4080 are due"),
        ({"used": 5, "level": 1}, 5, "page level 1"),
        ({"used": 5, "kind": 1}, 5, "page kind 1, expected 3"),
    ],
)
def test_an_overflow_page_that_lies_is_corruption(
    head: dict[str, int], left: int, message: str
) -> None:
    values = {"kind": 3, "level": 0, "entry_count": 0, "restart_count": 0} | head
    data = PAGE_HEAD.encode(**values).ljust(PAGE_SIZE, b"\0")

    with pytest.raises(CorruptionError, match=message):
        decode_overflow(data, left)


def test_reserved_bytes_are_checked() -> None:
    damaged = bytearray(SAMPLES["name_leaf"])
    damaged[9] = 1

    with pytest.raises(CorruptionError, match="reserved"):
        NamePage.decode(bytes(damaged), 0)


def test_a_page_can_hold_the_largest_entry() -> None:
    """The longest head, both chains, every version of the largest size."""
    versions = [(SEQUENCE_END - 1 - number, ID_END - 1) for number in range(200)]
    multi, value, more_count, more = encode_versions(versions, 0)
    builder = PageBuilder(0)

    assert more_count
    assert builder.add(LONG, Chain(2**52, 64_511), multi, append_more(value, Chain(2**52, 2**63)))
    assert len(builder.encode()) == PAGE_SIZE
    assert RESTART_INTERVAL == 16
    assert len(more) > INLINE_SIZE_MAX
