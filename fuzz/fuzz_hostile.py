"""Files that somebody forged, checksums included: a typed error or a graph, never anything else."""

from __future__ import annotations

import logging
import random
import sys
import time
from dataclasses import replace

from lithograph.environment import Environment
from lithograph.errors import LithographError
from lithograph.formats.current import CurrentSlot
from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.file_names import manifest_name, wal_name
from lithograph.formats.manifest import Manifest, hash_manifest
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
    encode_operation,
)
from lithograph.formats.wal_header import WalHeader
from lithograph.formats.wal_record import WalRecord
from lithograph.graph.engine import open_engine
from lithograph.graph.graph import Graph
from lithograph.options import Options
from lithograph.tools.testing import samples
from lithograph.tools.testing.inodes import Image
from lithograph.tools.testing.simulated_disk import SimulatedDisk

_SECONDS_MAX = 5.0
"""No forged store of a few kilobytes may keep a reader busy for longer."""


def _mutated(data: bytes, rng: random.Random) -> bytes:
    """Return `data` with a few bytes changed, cut out, or doubled."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        if not changed:
            break
        position = rng.randrange(len(changed))
        match rng.randrange(5):
            case 0:
                changed[position] ^= 1 << rng.randrange(8)
            case 1:
                changed[position] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                changed[position : position + 4] = rng.choice(
                    (b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\0\0\0\0")
                )
            case 3:
                del changed[position : position + rng.randrange(1, 9)]
            case _:
                changed[position:position] = changed[position : position + rng.randrange(1, 9)]
    return bytes(changed)


def _plausible(rng: random.Random) -> list[Operation]:
    """Return operations on ids and types that exist, in combinations that no writer makes."""

    def some() -> int:
        return rng.randrange(3)

    operations: list[Operation] = [DefineType(0, "a"), DefineType(1, "b")]
    operations += [InsertNode(node_id, f"n{some()}", NodePatch()) for node_id in range(3)]
    for _ in range(rng.randrange(8)):
        edge = (some(), some(), some() % 2, rng.choice(("", "k")))
        adjacent = tuple(sorted({(some() % 2, some(), "") for _ in range(some())}))
        choices: tuple[Operation, ...] = (
            InsertEdge(*edge, EdgePatch(valid_from=5, valid_to=1)),
            UpdateEdge(*edge, EdgePatch(created_at=9)),
            DeleteEdge(*edge),
            UpdateNode(some(), NodePatch(appended=("x",), properties_unset=("y",))),
            DeleteNode(some(), f"n{some()}", adjacent, ()),
            DeleteNode(some(), "never", (), adjacent),
        )
        operations.append(rng.choice(choices))
    return operations


def _plausible_records(rng: random.Random, header: WalHeader) -> bytes:
    """Return sound records around operations that contradict each other."""
    operations = _plausible(rng)
    cut = rng.randrange(5, len(operations) + 1)
    out, chain, sequence = b"", header.chain, header.first_sequence
    for part in (operations[:cut], operations[cut:]):
        record = WalRecord.of(
            part,
            chain=chain,
            epoch=header.epoch,
            sequence=sequence,
            synced_upto=0,
            commit_time=sequence,
        ).encode()
        chain, sequence = int.from_bytes(record[:8], "little"), sequence + 1
        out += record
    return out


def _records(rng: random.Random, header: WalHeader) -> bytes:
    """Return chained records with sound checksums around payloads that nobody's writer made."""
    out = b""
    chain, sequence = header.chain, min(max(header.first_sequence, 1), 2**62)
    operations = list(samples.OPERATIONS)
    for _ in range(rng.randrange(1, 4)):
        rng.shuffle(operations)
        chosen = operations[: rng.randrange(1, 5)]
        payload = b"".join(map(encode_operation, chosen))
        if rng.random() < 0.7:
            payload = _mutated(payload, rng)
        count = len(chosen) if rng.random() < 0.8 else rng.randrange(2**32)
        time_us = rng.choice((0, samples.MOMENT, -(2**62), 2**62))
        record = WalRecord(chain, header.epoch, sequence, 0, time_us, count, payload).encode()
        chain = int.from_bytes(record[:8], "little")
        sequence += 1
        out += record
    return out


def forge(rng: random.Random) -> SimulatedDisk:
    """Return a disk with a store whose every checksum is right and whose contents are not."""
    number = rng.randrange
    manifest = Manifest(1, 1, 3)
    plausible = rng.random() < 0.6
    if not plausible and rng.random() < 0.5:
        manifest = replace(
            manifest,
            next_id=rng.choice((0, 7, 2**48, 2**63)),
            last_sequence=rng.choice((0, 41, 2**62)),
            node_count=rng.choice((0, 5)),
            types=rng.choice(((), ("Person", "knows"), ("a", "a"), ("x" * 70_000,))),
        )
    manifest_bytes = manifest.encode(samples.STORE_UUID, 2)
    if not plausible and rng.random() < 0.1:
        manifest_bytes = _mutated(manifest_bytes, rng)
    header = WalHeader(
        samples.STORE_UUID,
        1,
        samples.EPOCH,
        manifest.last_sequence + 1 if plausible or rng.random() < 0.9 else number(2**64),
        0 if plausible or rng.random() < 0.9 else number(2**64),
        0 if plausible or rng.random() < 0.9 else number(2**64),
        0,
    )
    records = _plausible_records if plausible else _records
    log = header.encode() + records(rng, header)
    if rng.random() < 0.2:
        log += samples.EPOCH.to_bytes(8, "little") * number(2000)
    slot = CurrentSlot(
        samples.STORE_UUID,
        2,
        1,
        2,
        hash_manifest(manifest_bytes),
        1,
        128 if plausible else rng.choice((0, 128, len(log), 2**64 - 1)),
    )
    current = slot.encode() + replace(slot, turn=rng.choice((1, 1, 3))).encode()
    manifests: Image = ((manifest_name(2).rpartition("/")[2], manifest_bytes),)
    logs: Image = ((wal_name(1).rpartition("/")[2], log),)
    store: Image = (("CURRENT", current), ("locks", ()), ("manifest", manifests), ("wal", logs))
    return SimulatedDisk(image=(("store", store),))


def _read_everything(graph: Graph) -> None:
    """Touch every field; whether it adds up is no question for a forged log."""
    for node in graph.nodes():
        repr(node)
        graph.degree(node.name, "both")
        graph.k_hop(node.name, 2, "both")
        list(graph.edges(node.name, "both"))
    repr(list(graph.edges()))


def main(count: int, seed: int) -> int:
    """Open `count` forged stores; return 0 when every one gave a typed error or a graph."""
    logging.getLogger("lithograph").setLevel(logging.CRITICAL)
    rng = random.Random(seed)
    opened = refused = 0
    for index in range(count):
        disk = forge(rng)
        begun = time.monotonic()
        try:
            engine = open_engine(disk.process(create=True), Environment(), Options(mode="w"))
            graph = Graph(engine, writable=True)
            graph.verify()
            _read_everything(graph)
            opened += 1
        except LithographError:
            refused += 1
        if time.monotonic() - begun > _SECONDS_MAX:
            print(f"VIOLATION store {index} of seed {seed} took too long", file=sys.stderr)
            return 1
    print(f"forged stores: {count:,}: {opened:,} opened, {refused:,} refused with a typed error")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
