"""Blocks of commits and of plain edges: what is written comes back, nothing else is accepted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithograph.errors import CorruptionError
from lithograph.formats.commit_block import CommitState, decode_commits, encode_commits
from lithograph.formats.cursor import Cursor
from lithograph.formats.edge_block import (
    PLAIN,
    decode_mode,
    decode_plain,
    encode_plain,
    is_plain,
)
from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.moment import MOMENT_MAX
from lithograph.formats.varint import encode_varint, zigzag
from lithograph.formats.version_record import CommitSpan
from lithograph.ids import ID_END, SEQUENCE_END
from lithograph.tools.testing.samples import MOMENT
from lithograph.tools.testing.strategies import moments

GOLDEN = Path(__file__).parent / "golden" / "v0" / "commit_block.hex"
COMMITS = [
    CommitState(MOMENT, 0, 10),
    CommitState(MOMENT, 1, 9),
    CommitState(MOMENT + 1_000_000, 300, 0),
    CommitState(MOMENT + 1_000_001, 0, 2**40),
]

commits = st.builds(CommitState, moments, st.integers(0, ID_END), st.integers(0, SEQUENCE_END - 1))


@given(st.lists(commits, min_size=1, max_size=8))
def test_commits_come_back(block: list[CommitState]) -> None:
    block.sort(key=lambda commit: commit.time)

    assert decode_commits(Cursor(encode_commits(block)), block[0], len(block)) == block


def test_golden_bytes_of_commits(request: pytest.FixtureRequest) -> None:
    data = encode_commits(COMMITS)
    if request.config.getoption("--rewrite-golden"):
        GOLDEN.write_text(data.hex() + "\n")

    assert data == bytes.fromhex(GOLDEN.read_text())
    assert decode_commits(Cursor(data), COMMITS[0], len(COMMITS)) == COMMITS


def test_any_proper_prefix_of_commits_is_corruption() -> None:
    data = encode_commits(COMMITS)
    for size in range(len(data)):
        with pytest.raises(CorruptionError):
            decode_commits(Cursor(data[:size]), COMMITS[0], len(COMMITS))


def test_any_flipped_bit_of_commits_is_corruption_or_another_block() -> None:
    data = encode_commits(COMMITS)
    for bit in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            found = decode_commits(Cursor(bytes(damaged)), COMMITS[0], len(COMMITS))
        except CorruptionError:
            continue
        assert found != COMMITS


@pytest.mark.parametrize(
    ("first", "data", "message"),
    [
        (CommitState(MOMENT_MAX + 1, 0, 0), bytes(3), "outside the years"),
        (CommitState(MOMENT, ID_END + 1, 0), bytes(3), "alive"),
        (CommitState(MOMENT, 0, SEQUENCE_END), bytes(3), "alive"),
        (COMMITS[0], encode_varint(2**64 - 1) + bytes(2), "outside the years"),
        (COMMITS[0], bytes([0, zigzag(-1), 0]), "-1 nodes"),
        (COMMITS[0], bytes([0, 0, zigzag(-11)]), "-1 edges"),
        (COMMITS[0], b"\0" + encode_varint(zigzag(ID_END + 1)) + b"\0", "alive"),
        (COMMITS[0], bytes(4), "too many"),
    ],
)
def test_hostile_commits_are_corruption(first: CommitState, data: bytes, message: str) -> None:
    with pytest.raises(CorruptionError, match=message):
        decode_commits(Cursor(data), first, 2)


SPAN = CommitSpan(10, 1000, lambda sequence: MOMENT)


@given(st.lists(st.integers(10, 1000), min_size=1, max_size=8))
def test_plain_edges_come_back(sequences: list[int]) -> None:
    cursor = Cursor(encode_plain(sequences, 10))

    assert decode_mode(cursor) == PLAIN
    assert decode_plain(cursor, len(sequences), SPAN) == sequences


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x02\x01\x01", "mode 2"),
        (b"\x00\x01", "1 bytes are announced, 0 are left"),
        (b"\x00\x01\x01", "1 bytes are announced, 0 are left"),
        (b"\x00\x01\x00\x01", "too many"),
        (b"\x00\x01\x01\x02\x01", "too many"),
        (b"\x00" + encode_varint(991) + b"\x00", "not below"),
        (b"\x00" + encode_varint(990) + b"\x01\x02", "not below"),
        (b"\x00\x81\x00\x00", "longer than it needs"),
        (b"\x00\x01\x02\x04", "are not what they need"),
        (b"\x00\x01\x01\x03", "are not what they need"),
        (b"\x00\x01\x01\x06", "are not zero"),
        (b"\x00\x01\x41" + bytes(17), "65 bits"),
    ],
)
def test_hostile_plain_edges_are_corruption(data: bytes, message: str) -> None:
    with pytest.raises(CorruptionError, match=message):
        _two_plain(data)


def _two_plain(data: bytes) -> list[int]:
    cursor = Cursor(data)
    assert decode_mode(cursor) == PLAIN
    return decode_plain(cursor, 2, SPAN)


def test_only_inserts_without_fields_are_plain() -> None:
    assert is_plain((12, MOMENT, EdgePatch(), True, MOMENT, 12))
    for version in [
        (12, MOMENT, EdgePatch(), True, MOMENT, 11),
        (12, MOMENT, EdgePatch(valid_to=5), True, MOMENT, 12),
        (12, MOMENT, EdgePatch(), False, 0, 0),
        (12, MOMENT, None, False, 0, 0),
    ]:
        assert not is_plain(version)
