"""Four questions for every format: golden bytes, round trip, every proper prefix, every bit.

The golden files are the bytes that released versions must be able to read; `--rewrite-golden` makes
them anew, which a change of SPEC.md must explain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lithograph.errors import CorruptionError, FormatVersionError, LithographError
from lithograph.formats.current import CurrentSlot
from lithograph.formats.file_header import FileHeader
from lithograph.formats.manifest import Manifest
from lithograph.formats.operations import decode_operations, encode_operation
from lithograph.formats.shared_map import COUNTER_OFFSET, SLOTS_OFFSET, SharedState
from lithograph.formats.wal_header import WalHeader
from lithograph.formats.wal_record import WalRecord
from lithograph.tools.testing import samples

GOLDEN = Path(__file__).parent / "golden" / "v0"


@dataclass(frozen=True)
class Format:
    """A sample and how it becomes bytes and comes back; `checked`: every bit is under a
    checksum."""

    name: str
    sample: Any
    encode: Callable[[], bytes]
    decode: Callable[[bytes], Any]
    checked: bool = True


def _shared_map(state: SharedState) -> bytes:
    data = bytearray(SLOTS_OFFSET)
    data[COUNTER_OFFSET : COUNTER_OFFSET + 8] = state.counter.to_bytes(8, "little")
    return bytes(data.ljust(state.offset, b"\0") + state.encode())


def _decode_operations(data: bytes) -> tuple[Any, ...]:
    return tuple(decode_operations(data, 0, len(data), len(samples.OPERATIONS)))


FORMATS = [
    Format("file_header", samples.FILE_HEADER, samples.FILE_HEADER.encode, FileHeader.decode),
    Format(
        "current_slot",
        samples.CURRENT_SLOT,
        samples.CURRENT_SLOT.encode,
        lambda data: CurrentSlot.decode(data, 0),
    ),
    Format(
        "manifest",
        samples.MANIFEST,
        lambda: samples.MANIFEST.encode(samples.STORE_UUID, samples.MANIFEST_NUMBER),
        lambda data: Manifest.decode(data, samples.STORE_UUID, samples.MANIFEST_NUMBER),
    ),
    Format(
        "wal_header",
        samples.WAL_HEADER,
        samples.WAL_HEADER.encode,
        lambda data: WalHeader.decode(data, samples.STORE_UUID, 7),
    ),
    Format(
        "wal_record",
        samples.WAL_RECORD,
        samples.WAL_RECORD.encode,
        lambda data: WalRecord.decode(data)[0],
    ),
    Format(
        "operations",
        samples.OPERATIONS,
        lambda: b"".join(map(encode_operation, samples.OPERATIONS)),
        _decode_operations,
        checked=False,
    ),
    Format(
        "shared_map",
        samples.SHARED_STATE,
        lambda: _shared_map(samples.SHARED_STATE),
        SharedState.decode,
        checked=False,
    ),
]
every_format = pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)


@every_format
def test_golden_bytes(form: Format, request: pytest.FixtureRequest) -> None:
    path = GOLDEN / f"{form.name}.hex"
    if request.config.getoption("--rewrite-golden"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(form.encode().hex(" ", 16).replace(" ", "\n") + "\n")
    golden = bytes.fromhex(path.read_text())

    assert form.encode() == golden
    assert form.decode(golden) == form.sample


@every_format
def test_any_proper_prefix_is_corruption(form: Format) -> None:
    data = form.encode()

    for size in range(len(data)):
        with pytest.raises(CorruptionError):
            form.decode(data[:size])


@every_format
def test_any_flipped_bit_is_noticed_or_another_value(form: Format) -> None:
    """Under a checksum nothing passes; without one (it is the record's) only typed errors do."""
    data = form.encode()
    for bit in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        if form.checked:
            with pytest.raises(CorruptionError):
                form.decode(bytes(damaged))
            continue
        try:
            found = form.decode(bytes(damaged))
        except LithographError:
            continue
        outside = form.name == "shared_map" and not _in_force(bit // 8)

        assert outside == (found == form.sample), f"bit {bit}"


def _in_force(offset: int) -> bool:
    """Whether a byte of the sample map is the counter or the slot it names; the rest is unused."""
    state = samples.SHARED_STATE
    in_counter = COUNTER_OFFSET <= offset < COUNTER_OFFSET + 8
    return in_counter or state.offset <= offset < state.offset + 128


def test_a_sound_header_of_another_version_is_not_corruption() -> None:
    import xxhash

    data = bytearray(samples.FILE_HEADER.encode())
    data[8] = 200
    data[56:64] = xxhash.xxh64_intdigest(bytes(data[:56])).to_bytes(8, "little")

    with pytest.raises(FormatVersionError, match="format version 200"):
        FileHeader.decode(bytes(data))


@pytest.mark.parametrize(
    ("uuid", "number", "message"),
    [(bytes(16), 7, "belongs to store"), (samples.STORE_UUID, 8, "file number 7, expected 8")],
)
def test_a_file_in_the_wrong_place_is_corruption(uuid: bytes, number: int, message: str) -> None:
    with pytest.raises(CorruptionError, match=message):
        WalHeader.decode(samples.WAL_HEADER.encode(), uuid, number)
