"""Why `scan_records` is in the compiled kernel: a log of small commits, on both twins."""

from __future__ import annotations

import statistics
import time
from types import ModuleType

from lithograph.formats.node_patch import NodePatch
from lithograph.formats.operations import InsertNode
from lithograph.formats.wal_record import WalRecord
from lithograph.kernel import reference

RECORDS = 100_000
ROUNDS = 5


def _log() -> bytes:
    pieces, chain = [], 0
    for number in range(RECORDS):
        operation = InsertNode(number, f"entity:{number:010x}", NodePatch(observations=("one",)))
        record = WalRecord.of(
            [operation], chain=chain, epoch=1, sequence=number + 1, synced_upto=0, commit_time=0
        ).encode()
        chain = int.from_bytes(record[:8], "little")
        pieces.append(record)
    return b"".join(pieces)


def _seconds(twin: ModuleType, log: bytes) -> float:
    begun = time.perf_counter()
    offsets, end, _ = twin.scan_records(log, 0, 1, 1, 0)
    seconds = time.perf_counter() - begun
    assert (len(offsets), end) == (RECORDS, len(log))
    return seconds


def main() -> None:
    try:
        from lithograph.kernel import _compiled
    except ImportError:
        print("scan_records: no compiled kernel here (no C compiler at installation)")
        return
    log = _log()
    plain, compiled = [], []
    for _ in range(ROUNDS):
        plain.append(_seconds(reference, log))
        compiled.append(_seconds(_compiled, log))
    slow, fast = statistics.median(plain), statistics.median(compiled)
    print(f"\nscan_records, {RECORDS:,} records, {len(log) / 2**20:.0f} MiB, median of {ROUNDS}")
    print(f"  {'reference':38} {slow * 1e6 / RECORDS:8.3f} µs per record")
    print(f"  {'compiled':38} {fast * 1e6 / RECORDS:8.3f} µs per record   {fast / slow:.3f} x")


if __name__ == "__main__":
    main()
