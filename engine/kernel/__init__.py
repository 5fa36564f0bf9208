"""Hot loops: compiled where a C compiler was there at installation, plain Python otherwise.

LITHOGRAPH_KERNEL=auto|compiled|reference chooses; `backend` says which one is in use. A function
moves in here when a measurement says so:

* `scan_records`: 0.021 µs per record of a log of small commits against 0.36 µs on the reference
  (`benchmarks/wal_scan.py`); every opening, every catching up and every `verify()` does it.
* `quick` reads names and adjacency lists straight from maps. It answers or is unsure, never raises
  for what a file holds: its plain twin is the careful way, `segments`, which then answers or says
  what is wrong. None on the reference.
* `runs` builds runs of the name index and merges them, 0.7 and 0.2 µs per name against 5.6 and
  10.5 (`benchmarks/names.py`). Its plain twin is `segments`; None on the reference.
* `tables` moves names, end states of nodes and lists of edges from segment to segment: 0.2 µs per
  node and merge level against 25 (`benchmarks/merge_nodes.py`), 0.2 µs per edge against 49
  (`benchmarks/merge_lists.py`). What is not plain it hands back to its plain twin, `segments`,
  entry by entry. None on the reference.
* `survey` goes over whole files for the deep check: what it finds right is right, of the rest its
  plain twin, `segments.run_check` and `segments.segment_check`, says what it is: 0.1 µs per name of
  a run against 5. None on the reference.
* `memory` is the memtable, and what a transaction puts into it: 2.4 µs per node against 26. Its
  plain twins are `write.plain_memtable` and `transaction.intents`; None on the reference.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import ModuleType

from lithograph.formats.layout import Buffer
from lithograph.kernel import reference

xxh64: Callable[[Buffer], int] = reference.xxh64
scan_records: Callable[[Buffer, int, int, int, int], tuple[list[int], int, int]] = (
    reference.scan_records
)
encode_record: Callable[[int, int, int, int, int, int, bytes], bytes] = reference.encode_record
encode_slot: Callable[..., bytes] = reference.encode_slot
backend: str = "reference"
quick: ModuleType | None = None
tables: ModuleType | None = None
runs: ModuleType | None = None
memory: ModuleType | None = None
survey: ModuleType | None = None
UNSURE: object = object()

_choice = os.environ.get("LITHOGRAPH_KERNEL", "auto")
if _choice not in ("auto", "compiled", "reference"):
    raise ImportError(f"LITHOGRAPH_KERNEL={_choice!r}: use auto, compiled or reference")
if _choice != "reference":
    try:
        from lithograph.kernel import _compiled, _memory, _reads, _runs, _survey, _tables
    except ImportError:
        if _choice == "compiled":
            raise
    else:
        xxh64 = _compiled.xxh64
        scan_records = _compiled.scan_records
        encode_record = _compiled.encode_record
        encode_slot = _compiled.encode_slot
        quick, tables, runs, memory = _reads, _tables, _runs, _memory
        survey = _survey
        UNSURE = _reads.UNSURE
        backend = "compiled"
