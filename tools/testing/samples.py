"""One value of every format, with every optional part, for golden bytes and damage tests."""

from __future__ import annotations

from typing import Final

from lithograph.formats.current import CurrentSlot
from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.file_header import FileHeader, FileKind
from lithograph.formats.manifest import Manifest, hash_manifest
from lithograph.formats.manifest_entries import RunEntry, SegmentEntry
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.operations import (
    DefineType,
    DeleteEdge,
    DeleteNode,
    InsertEdge,
    InsertNode,
    Operation,
    UpdateEdge,
    UpdateNode,
)
from lithograph.formats.optional_fields import NO_MOMENT
from lithograph.formats.properties import encode_properties
from lithograph.formats.sealed import SealedRef
from lithograph.formats.shared_map import SharedState
from lithograph.formats.wal_header import WAL_START, WalHeader
from lithograph.formats.wal_record import WalRecord
from lithograph.graph.graph import Graph


def write_sample(graph: Graph) -> None:
    """Write every kind of operation to a graph, over two log files."""
    for number in range(3):
        with graph.transaction() as tx:
            tx.put_node(f"n{number}", type="T", observations=["é"], properties={"n": number})
            tx.put_edge(f"n{number}", "to", f"n{number // 2}", key="k" if number else "")
        if number == 1:
            graph.checkpoint()
    graph.add_observations("n0", ["more"])
    graph.delete_node("n1")


STORE_UUID: Final = bytes(range(16, 32))
EPOCH: Final = 0x0123_4567_89AB_CDEF
MOMENT: Final = 1_795_219_200_000_000  # 2026-11-21 00:00 UTC

OPERATIONS: Final[tuple[Operation, ...]] = (
    DefineType(0, "Person"),
    DefineType(1, "knows"),
    DeleteNode(0, "Bob", ((1, 2, ""), (1, 2, "k"), (1, 300, "")), ((0, 1, ""),)),
    InsertNode(
        7,
        "Ada",
        NodePatch(
            type_code=0,
            created_at=MOMENT,
            observations=("wrote the first program", "naïve"),
            properties=encode_properties({"born": 1815, "tags": ["math", None, 0.5]}),
        ),
    ),
    InsertNode(8, "Charles", NodePatch()),
    UpdateNode(
        3,
        NodePatch(
            type_code=1,
            created_at=NO_MOMENT,
            removed=("old",),
            appended=("new", "newer"),
            properties_set=encode_properties({"a": True}),
            properties_unset=("b",),
        ),
    ),
    InsertEdge(7, 8, 1, "", EdgePatch(valid_from=-1, valid_to=MOMENT)),
    UpdateEdge(3, 8, 1, "k", EdgePatch(created_at=MOMENT, properties=b"\x80")),
    DeleteEdge(8, 3, 1, "k"),
)

FILE_HEADER: Final = FileHeader(FileKind.WAL, STORE_UUID, 7)
MANIFEST: Final = Manifest(
    generation=3,
    first_wal_number=5,
    next_file_number=23,
    next_id=9,
    last_sequence=41,
    last_commit_time=MOMENT,
    node_count=8,
    edge_count=12,
    types=("Person", "knows"),
    runs=(RunEntry(SealedRef(21, 12_480, bytes(range(32))), 1, 40, 10),),
    segments=(
        SegmentEntry(
            SealedRef(19, 9_000, bytes(range(32, 64))),
            SealedRef(19, 5_000, bytes(range(64, 96))),
            partition="2026-Q3",
            first_sequence=1,
            last_sequence=30,
            first_time=MOMENT - 10**13,
            last_time=MOMENT - 9 * 10**12,
            first_id=0,
            end_id=7,
            entry_count=17,
            version_count=4,
            sealed=True,
        ),
        SegmentEntry(
            SealedRef(20, 8_000, bytes(range(96, 128))),
            None,
            partition="2026-11",
            first_sequence=31,
            last_sequence=41,
            first_time=MOMENT - 10**6,
            last_time=MOMENT,
            first_id=7,
            end_id=9,
            entry_count=6,
            superseding_count=1,
        ),
    ),
    floor_sequence=3,
    floor_time=MOMENT - 10**13 + 1,
)
MANIFEST_NUMBER: Final = 22
CURRENT_SLOT: Final = CurrentSlot(
    STORE_UUID,
    turn=6,
    generation=3,
    manifest_number=MANIFEST_NUMBER,
    manifest_hash=hash_manifest(MANIFEST.encode(STORE_UUID, MANIFEST_NUMBER)),
    wal_number=7,
    wal_synced=WAL_START,
)
WAL_HEADER: Final = WalHeader(
    STORE_UUID,
    file_number=7,
    epoch=EPOCH,
    first_sequence=42,
    previous_number=5,
    previous_end=4096,
    chain=0xFEDC_BA98_7654_3210,
)
WAL_RECORD: Final = WalRecord.of(
    OPERATIONS,
    chain=WAL_HEADER.chain,
    epoch=EPOCH,
    sequence=42,
    synced_upto=WAL_START,
    commit_time=MOMENT,
)
SHARED_STATE: Final = SharedState(
    counter=11,
    session=99,
    generation=3,
    wal_number=7,
    wal_end=1024,
    wal_synced=512,
    chain=0x1234,
    last_sequence=42,
    last_commit_time=MOMENT,
    flags=1,
    next_file_number=23,
)
