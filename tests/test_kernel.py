"""Compiled and plain twins: same results, same exceptions; XXH64 against the xxhash package."""

from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from lithograph import kernel
from lithograph.formats.wal_record import WalRecord
from lithograph.kernel import reference

TWINS: list[ModuleType] = [reference]
try:
    from lithograph.kernel import _compiled

    TWINS.append(_compiled)
except ImportError:  # pragma: no cover - a machine without a C compiler
    pass
every_twin = pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.__name__)


def _log(payloads: list[bytes], epoch: int, sequence: int, chain: int) -> tuple[bytes, list[int]]:
    data, offsets = b"", []
    for payload in payloads:
        record = WalRecord(chain, epoch, sequence, 0, 0, 0, payload).encode()
        offsets.append(len(data))
        data += record
        chain = int.from_bytes(record[:8], "little")
        sequence += 1
    return data, offsets


payload_lists = st.lists(st.binary(max_size=80), max_size=4)


@every_twin
@given(data=st.binary(max_size=200))
def test_xxh64_is_that_of_the_xxhash_package(twin: ModuleType, data: bytes) -> None:
    assert twin.xxh64(data) == xxhash.xxh64_intdigest(data)


@every_twin
@pytest.mark.parametrize("size", [0, 1, 3, 4, 7, 8, 31, 32, 33, 63, 64, 100, 4096, 100_003])
def test_xxh64_at_every_step_of_its_specification(twin: ModuleType, size: int) -> None:
    data = bytes(index * 7 % 256 for index in range(size))

    assert twin.xxh64(data) == xxhash.xxh64_intdigest(data)


@every_twin
@given(payloads=payload_lists, tail=st.binary(max_size=100))
def test_scan_finds_the_whole_chain(twin: ModuleType, payloads: list[bytes], tail: bytes) -> None:
    data, offsets = _log(payloads, epoch=5, sequence=9, chain=3)
    found, end, chain = twin.scan_records(data + tail, 0, 5, 9, 3)

    assert found == offsets
    assert end == len(data)
    assert chain == (int.from_bytes(data[offsets[-1] :][:8], "little") if offsets else 3)


@every_twin
@given(payloads=st.lists(st.binary(max_size=40), min_size=1, max_size=3), bit=st.integers(0))
def test_scan_stops_at_a_flipped_bit(twin: ModuleType, payloads: list[bytes], bit: int) -> None:
    data, offsets = _log(payloads, epoch=5, sequence=9, chain=3)
    bit %= len(data) * 8
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    found, end, _ = twin.scan_records(bytes(damaged), 0, 5, 9, 3)

    assert found == [offset for offset in offsets if offset < end]
    assert end == max(offset for offset in offsets if offset <= bit // 8)


@pytest.mark.skipif(len(TWINS) < 2, reason="the compiled kernel was not built: no C compiler")
@given(
    data=st.binary(max_size=300),
    offset=st.integers(-5, 310),
    epoch=st.integers(-1, 2**64),
    sequence=st.integers(-1, 2**64),
    chain=st.integers(-1, 2**64),
    payloads=payload_lists,
)
def test_the_twins_agree_on_anything(
    data: bytes, offset: int, epoch: int, sequence: int, chain: int, payloads: list[bytes]
) -> None:
    log, _ = _log(payloads, epoch % 2**64, max(1, min(sequence, 2**63 - 9)), chain % 2**64)
    for given_data in (data, log + data):
        results = []
        for twin in TWINS:
            try:
                results.append(twin.scan_records(given_data, offset, epoch, sequence, chain))
            except (ValueError, OverflowError) as error:
                results.append(type(error))

        assert results[0] == results[1]


def test_the_switch_chooses_the_kernel_or_says_what_it_takes() -> None:
    def backend(choice: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "import lithograph.kernel as k; print(k.backend)"],
            env={**os.environ, "LITHOGRAPH_KERNEL": choice},
            capture_output=True,
            text=True,
            check=False,
        )

    assert backend("reference").stdout.strip() == "reference"
    assert backend("auto").stdout.strip() == ("compiled" if len(TWINS) == 2 else "reference")
    assert (backend("compiled").returncode == 0) == (len(TWINS) == 2)
    assert "use auto, compiled or reference" in backend("fastest").stderr
    assert kernel.backend in ("compiled", "reference")


@pytest.mark.skipif(len(TWINS) < 2, reason="the compiled kernel was not built: no C compiler")
@given(
    numbers=st.lists(st.integers(0, 2**64 - 1), min_size=3, max_size=3),
    sequence=st.integers(1, 2**63 - 1),
    commit_time=st.integers(-(2**63), 2**63 - 1),
    count=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=300),
)
def test_records_of_the_log_are_encoded_alike(
    numbers: list[int], sequence: int, commit_time: int, count: int, payload: bytes
) -> None:
    chain, epoch, synced = numbers
    plain, quick = (
        twin.encode_record(chain, epoch, sequence, synced, commit_time, count, payload)
        for twin in TWINS
    )

    assert quick == plain


@pytest.mark.skipif(len(TWINS) < 2, reason="the compiled kernel was not built: no C compiler")
@given(
    st.lists(st.integers(-1, 2**64) | st.integers(0, 2**64 - 1), min_size=11, max_size=11),
    st.integers(-(2**63) - 1, 2**63),
)
def test_slots_of_shared_map_are_encoded_alike(numbers: list[int], time: int) -> None:
    results: list[object] = []
    for twin in TWINS:
        try:
            results.append(twin.encode_slot(*numbers[:8], time, *numbers[9:]))
        except OverflowError as error:
            results.append(type(error))

    assert results[0] == results[1]
