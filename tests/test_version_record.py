"""Version records of nodes and edges: what is written comes back, nothing else is accepted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithograph.errors import CorruptionError
from lithograph.formats.cursor import Cursor
from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.moment import MOMENT_MAX, MOMENT_MIN
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.optional_fields import NO_MOMENT
from lithograph.formats.properties import encode_properties
from lithograph.formats.varint import encode_varint, zigzag
from lithograph.formats.version_record import (
    EDGE_VERSIONS,
    NODE_VERSIONS,
    CommitSpan,
    Version,
    VersionCodec,
)
from lithograph.tools.testing.samples import MOMENT
from lithograph.tools.testing.strategies import edge_patches, node_patches

GOLDEN = Path(__file__).parent / "golden" / "v0"
FIRST, LAST = 1000, 5000


def time_of(sequence: int) -> int:
    assert FIRST <= sequence <= LAST
    return MOMENT + 1_000_003 * (sequence - FIRST)


SPAN = CommitSpan(FIRST, LAST, time_of)


def full(sequence: int, patch: Any, born_sequence: int) -> Version[Any]:
    return sequence, time_of(sequence), patch, True, time_of(born_sequence), born_sequence


def relative(sequence: int, patch: Any) -> Version[Any]:
    return sequence, time_of(sequence), patch, False, 0, 0


def tombstone(sequence: int) -> Version[Any]:
    return sequence, time_of(sequence), None, False, 0, 0


NODES: list[Version[NodePatch]] = [
    full(FIRST, NodePatch(), FIRST),
    full(
        LAST,
        NodePatch(
            type_code=7,
            created_at=MOMENT - 1,
            observations=("wrote the first program", "naïve", ""),
            properties=encode_properties({"born": 1815, "tags": ["math", None, 0.5]}),
        ),
        FIRST + 1,
    ),
    relative(
        FIRST + 300,
        NodePatch(
            created_at=NO_MOMENT,
            removed=("old",),
            appended=("new",),
            properties_set=encode_properties({"a": True}),
            properties_unset=("b",),
        ),
    ),
    tombstone(FIRST + 128),
]
EDGES: list[Version[EdgePatch]] = [
    full(FIRST + 1, EdgePatch(), FIRST + 1),
    full(FIRST + 2, EdgePatch(valid_from=-1, valid_to=MOMENT), FIRST),
    relative(LAST, EdgePatch(created_at=NO_MOMENT, properties=encode_properties({"w": 1.5}))),
    tombstone(FIRST),
]
CASES: list[tuple[VersionCodec[Any], list[Version[Any]], str]] = [
    (NODE_VERSIONS, NODES, "node_versions"),
    (EDGE_VERSIONS, EDGES, "edge_versions"),
]
every_codec = pytest.mark.parametrize(("codec", "versions", "name"), CASES)


def encode(codec: VersionCodec[Any], version: Version[Any]) -> bytes:
    out = bytearray()
    codec.append(out, version, FIRST)
    return bytes(out)


def decode(codec: VersionCodec[Any], data: bytes) -> Version[Any]:
    cursor = Cursor(data)
    version = codec.read(cursor, SPAN)
    cursor.finish("version")
    return version


sequences = st.integers(FIRST, LAST)


@st.composite
def versions_of(draw: st.DrawFn, patches: st.SearchStrategy[Any]) -> Version[Any]:
    sequence = draw(sequences)
    kind = draw(st.sampled_from("frt"))
    if kind == "t":
        return tombstone(sequence)
    if kind == "r":
        return relative(sequence, draw(patches))
    return full(sequence, draw(patches), draw(st.integers(FIRST, sequence)))


@given(versions_of(node_patches()))
def test_node_versions_come_back(version: Version[NodePatch]) -> None:
    assert decode(NODE_VERSIONS, encode(NODE_VERSIONS, version)) == version


@given(versions_of(edge_patches))
def test_edge_versions_come_back(version: Version[EdgePatch]) -> None:
    assert decode(EDGE_VERSIONS, encode(EDGE_VERSIONS, version)) == version


@given(st.lists(versions_of(edge_patches), min_size=1, max_size=5, unique_by=lambda v: v[0]))
def test_lists_of_versions_come_back(versions: list[Version[EdgePatch]]) -> None:
    versions.sort()
    out = bytearray()
    EDGE_VERSIONS.append_list(out, versions, FIRST)
    cursor = Cursor(bytes(out))

    assert EDGE_VERSIONS.read_list(cursor, SPAN) == versions
    cursor.finish("list")


@every_codec
def test_golden_bytes(
    codec: VersionCodec[Any],
    versions: list[Version[Any]],
    name: str,
    request: pytest.FixtureRequest,
) -> None:
    path = GOLDEN / f"{name}.hex"
    lines = "".join(encode(codec, version).hex() + "\n" for version in versions)
    if request.config.getoption("--rewrite-golden"):
        path.write_text(lines)

    assert lines == path.read_text()
    assert [decode(codec, bytes.fromhex(line)) for line in lines.split()] == versions


def test_a_plain_edge_takes_two_bytes() -> None:
    assert encode(EDGE_VERSIONS, EDGES[0]) == bytes([3, 1])


@every_codec
def test_any_proper_prefix_is_corruption(
    codec: VersionCodec[Any], versions: list[Version[Any]], name: str
) -> None:
    for version in versions:
        data = encode(codec, version)
        for size in range(len(data)):
            with pytest.raises(CorruptionError):
                decode(codec, data[:size])


@every_codec
def test_any_flipped_bit_is_corruption_or_another_version(
    codec: VersionCodec[Any], versions: list[Version[Any]], name: str
) -> None:
    for version in versions:
        data = encode(codec, version)
        for bit in range(len(data) * 8):
            damaged = bytearray(data)
            damaged[bit // 8] ^= 1 << bit % 8
            try:
                found = decode(codec, bytes(damaged))
            except CorruptionError:
                continue
            assert repr(found) != repr(version), f"bit {bit} of {version}"


def _node(*parts: int | bytes) -> bytes:
    return b"".join(part if isinstance(part, bytes) else bytes((part,)) for part in parts)


TYPE, CREATED, OBSERVATIONS, APPENDED, PROPERTIES = 1, 2, 4, 16, 32


@pytest.mark.parametrize(
    ("codec", "data", "message"),
    [
        (NODE_VERSIONS, _node(2, 0), "head 0x02"),
        (NODE_VERSIONS, _node(4, 0), "head 0x04"),
        (NODE_VERSIONS, _node(5, 0, 1, 0), "head 0x05"),
        (NODE_VERSIONS, _node(8, 0), "head 0x08"),
        (NODE_VERSIONS, _node(3 | 64, 0, 0), "head 0x43"),
        (EDGE_VERSIONS, _node(8, 0), "head 0x08"),
        (EDGE_VERSIONS, _node(3 | 128, 0), "head 0x83"),
        (NODE_VERSIONS, _node(0, encode_varint(LAST - FIRST + 1)), "not below"),
        (NODE_VERSIONS, _node(0, encode_varint(2**64 - 1)), "not below"),
        (NODE_VERSIONS, _node(0, 0x80, 0), "longer than it needs"),
        (NODE_VERSIONS, _node(0, b"\xff" * 11), "longer than 10"),
        (NODE_VERSIONS, _node(7, 0, 1, 1), "born by commit 1001"),
        (NODE_VERSIONS, _node(7, 0, 1, 2), "born by commit 1002"),
        (NODE_VERSIONS, _node(3, TYPE, 0, encode_varint(2**32)), "not below"),
        (NODE_VERSIONS, _node(3, CREATED, 0, encode_varint(2**64 - 1)), "outside the years"),
        (
            NODE_VERSIONS,
            _node(3, CREATED, 0, encode_varint(1 + (zigzag(MOMENT_MAX - MOMENT + 1) << 2))),
            "outside the years",
        ),
        (
            NODE_VERSIONS,
            _node(3, CREATED, 0, encode_varint(1 + (zigzag(MOMENT_MIN - MOMENT - 1) << 2))),
            "outside the years",
        ),
        (NODE_VERSIONS, _node(3, CREATED, 0, encode_varint(1 + 3)), "unit 3"),
        (NODE_VERSIONS, _node(3, CREATED, 0, encode_varint(1 + 1)), "largest unit"),
        (NODE_VERSIONS, _node(3, OBSERVATIONS, 0, encode_varint(2**60)), "texts are announced"),
        (NODE_VERSIONS, _node(3, OBSERVATIONS, 0, 1, encode_varint(2**60)), "announced"),
        (NODE_VERSIONS, _node(3, OBSERVATIONS, 0, 1, 2, b"\xc3("), "UTF-8"),
        (NODE_VERSIONS, _node(3, OBSERVATIONS, 0, 1, 3, b"\xed\xa0\x80"), "UTF-8"),
        (NODE_VERSIONS, _node(1, OBSERVATIONS | APPENDED, 0, 0, 1, 1, b"x"), "both"),
        (NODE_VERSIONS, _node(3, PROPERTIES, 0, encode_varint(2**62)), "announced"),
        (NODE_VERSIONS, _node(3, PROPERTIES, 0, 1, b"\x90"), "not a property map"),
        (NODE_VERSIONS, _node(3, PROPERTIES, 0, 5, b"\xdf\xff\xff\xff\xff"), "not a property map"),
        (NODE_VERSIONS, _node(3, PROPERTIES, 0, 200, 1, b"\x91" * 200), "not a property map"),
        (EDGE_VERSIONS, _node(3, 0, 0), "too many"),
    ],
)
def test_hostile_records_are_corruption(
    codec: VersionCodec[Any], data: bytes, message: str
) -> None:
    with pytest.raises(CorruptionError, match=message):
        decode(codec, data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes([0]), "0 versions"),
        (encode_varint(2**63), "9223372036854775808 versions"),
        (bytes([3, 0, 0, 0, 1]), "3 versions"),
        (bytes([2, 0, 1, 0, 1]), "ascend"),
        (bytes([2, 0, 1, 0, 0]), "ascend"),
    ],
)
def test_hostile_lists_of_versions_are_corruption(data: bytes, message: str) -> None:
    with pytest.raises(CorruptionError, match=message):
        NODE_VERSIONS.read_list(Cursor(data), SPAN)


def test_times_at_the_ends_of_the_calendar_come_back() -> None:
    patches: list[Callable[[], NodePatch]] = [
        lambda: NodePatch(created_at=MOMENT_MIN),
        lambda: NodePatch(created_at=MOMENT_MAX),
    ]
    for make in patches:
        version = full(FIRST, make(), FIRST)
        assert decode(NODE_VERSIONS, encode(NODE_VERSIONS, version)) == version
