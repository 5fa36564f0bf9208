"""The kernel's memtable says and writes what the plain one does."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithograph import kernel
from lithograph.errors import CorruptionError
from lithograph.formats.edge_patch import UNCHANGED_EDGE
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.operations import (
    InsertEdge,
    InsertNode,
    Operation,
    UpdateNode,
    encode_operation,
)
from lithograph.kernel import encode_record
from lithograph.segments.layer import Direction
from lithograph.tools.testing import segment_samples
from lithograph.tools.testing.commit_samples import MOMENT, CommitSamples
from lithograph.write.commit import Commit
from lithograph.write.folded_node import FOLD_FROM
from lithograph.write.memtable import Memtable
from lithograph.write.memtable_slice import MemtableSlice
from lithograph.write.plain_memtable import PlainMemtable
from lithograph.write.quick_memtable_slice import memtable_slice

if kernel.memory is None:
    pytest.skip("the kernel is the reference", allow_module_level=True)

from lithograph.write.quick_memtable import QuickMemtable


def _pair(samples: CommitSamples) -> tuple[PlainMemtable, QuickMemtable]:
    """Return both memtables, empty, above the same old layers."""
    state: dict[str, Any] = {
        "sequence": samples.first_sequence - 1,
        "commit_time": MOMENT,
        "next_id": samples.first_id,
        "node_count": samples.first_id,
        "edge_count": samples.first_id**2,
        "types": ["t0"],
    }
    return PlainMemtable(**state), QuickMemtable(**state)


def _filled(seed: int, count: int) -> tuple[PlainMemtable, QuickMemtable]:
    samples = CommitSamples(seed)
    plain, quick = _pair(samples)
    for commit in samples.commits(count):
        plain.apply(commit)
        quick.apply(commit)
    return plain, quick


def _said(memtable: Memtable, sequence: int) -> list[Any]:
    """Return everything that a view at a commit can ask."""
    names = [name for name, _ in memtable.all_names()]
    ids = range(memtable.next_id + 2)
    found: list[Any] = [
        [memtable.find_name(name, sequence) for name in (*names, "nobody", "\ud800")],
        [memtable.name_of(node_id) for node_id in ids],
        [memtable.node_versions(node_id, sequence) for node_id in ids],
        [memtable.out_edges(node_id, sequence) for node_id in ids],
    ]
    for direction in Direction:
        found += [memtable.adjacency(node_id, direction, sequence) for node_id in ids]
        found += [memtable.degree(node_id, direction, sequence) for node_id in ids]
    for node_id in ids:
        for adjacent, _ in memtable.adjacency(node_id, Direction.OUT, sequence):
            found.append(memtable.edge_versions(node_id, adjacent, sequence))
    return found


def _held(memtable: Memtable) -> list[Any]:
    """Return everything in the memtable, whenever it came."""
    commits = memtable.commits
    rows = range(commits.first_sequence - 1, commits.last_sequence + 1)
    return [
        list(memtable.all_names()),
        [memtable.versions_of_name(name) for name, _ in memtable.all_names()],
        [(node_id, name, list(versions)) for node_id, name, versions in memtable.all_nodes()],
        [memtable.all_node_versions(node_id) for node_id in range(memtable.next_id)],
        [list(memtable.all_lists(direction)) for direction in Direction],
        memtable.names_after("", False, 1000),
        memtable.names_after("n4", True, 2),
        memtable.sources(1, 3),
        sorted(memtable.changes(commits.first_sequence, commits.last_sequence)),
        [
            (
                commits.time(row),
                commits.node_count(row),
                commits.edge_count(row),
                commits.next_id_at(row),
            )
            for row in rows
        ],
        [commits.sequence_at(commits.time(row) + step) for row in rows for step in (-1, 0, 1)],
        (memtable.version_count, memtable.next_id, memtable.type_count, memtable.types.names),
        memtable._check(),
    ]


@given(st.integers(0, 2**32), st.integers(0, 40))
def test_both_memtables_say_the_same(seed: int, count: int) -> None:
    plain, quick = _filled(seed, count)

    assert _held(quick) == _held(plain)
    commits = plain.commits
    for sequence in range(commits.first_sequence - 1, commits.last_sequence + 1):
        assert _said(quick, sequence) == _said(plain, sequence)


@given(st.integers(0, 2**32), st.integers(1, 12))
def test_a_commit_is_applied_from_its_record_too(seed: int, count: int) -> None:
    samples = CommitSamples(seed)
    plain, quick = _pair(samples)
    expected, _ = _filled(seed, count)
    for commit in samples.commits(count):
        record = encode_record(
            1, 2, commit.sequence, 3, commit.time, commit.operation_count, commit.payload
        )
        for memtable in (plain, quick):
            memtable.apply_record(record)
        with pytest.raises(ValueError, match="whole record"):
            quick.core.apply_record(record[:-8], quick.types)

    assert _held(quick) == _held(plain) == _held(expected)


@given(st.integers(0, 2**32), st.integers(1, 30))
def test_a_commit_applied_again_changes_nothing(seed: int, count: int) -> None:
    samples = CommitSamples(seed)
    _, quick = _pair(samples)
    commits = list(samples.commits(count))
    for commit in commits:
        quick.apply(commit)
    before = _held(quick)
    for commit in commits:
        quick.apply(commit)

    assert _held(quick) == before


@given(st.integers(0, 2**32), st.integers(1, 30), st.data())
def test_both_memtables_become_the_same_segment(seed: int, count: int, data: st.DataObject) -> None:
    plain, quick = _filled(seed, count)
    commits = plain.commits
    if plain.is_empty:
        return
    first = data.draw(st.integers(commits.first_sequence, commits.last_sequence))
    last = data.draw(st.integers(first, commits.last_sequence))

    written = [
        segment_samples.write(slice_)
        for slice_ in (MemtableSlice(plain, first, last), memtable_slice(quick, first, last))
    ]
    assert segment_samples.whole_files(written[1]) == segment_samples.whole_files(written[0])


def test_a_hub_is_listed_in_order_however_it_grows() -> None:
    samples = CommitSamples(0)
    plain, quick = _pair(samples)
    plain.types.define(1, "t1")
    quick.types.define(1, "t1")
    for number in range(600):
        node = InsertNode(3 + number, f"n{number}", NodePatch())
        other = number * 7919 % (number + 1) + 3
        edges = [InsertEdge(3, other, code, "", UNCHANGED_EDGE) for code in (1, 0)]
        operations: list[Operation] = [node, *edges] if number % 3 else [node]
        payload = b"".join(map(encode_operation, operations))
        commit = Commit(11 + number, MOMENT, payload, len(operations), operations)
        plain.apply(commit)
        quick.apply(commit)
        if number % 50 == 0:
            for direction in Direction:
                found = quick.adjacency(3, direction, 2**62)
                assert found == plain.adjacency(3, direction, 2**62)
    assert _held(quick) == _held(plain)


@given(st.integers(0, 2**32), st.integers(1, 20))
def test_what_is_said_to_be_sound_the_plain_way_takes(seed: int, count: int) -> None:
    samples = CommitSamples(seed)
    _, quick = _pair(samples)
    for commit in samples.commits(count):
        payload = commit.payload
        if quick.is_sound(payload, commit.operation_count):
            bare = commit._replace(decoded=None)
            assert [encode_operation(op) for op in bare.operations()] == [
                encode_operation(op) for op in commit.operations()
            ]
        for place in range(0, len(payload), 3):
            damaged = bytearray(payload)
            damaged[place] ^= 1 << seed % 8
            if quick.is_sound(bytes(damaged), commit.operation_count):
                # No CorruptionError: the plain way takes it too.
                Commit(1, MOMENT, bytes(damaged), commit.operation_count).operations()
        quick.apply(commit)


@given(st.integers(0, 2**32), st.binary(max_size=200))
def test_bytes_that_are_no_operations_are_refused_or_harmless(seed: int, noise: bytes) -> None:
    samples = CommitSamples(seed)
    _, quick = _pair(samples)
    payload = b"".join(commit.payload for commit in samples.commits(3))
    for place in range(0, len(payload), 7):
        damaged = payload[:place] + noise + payload[place + len(noise) :]
        try:
            quick.apply(Commit(samples.first_sequence, MOMENT, damaged, 9))
        except (CorruptionError, UnicodeDecodeError, AssertionError, IndexError):
            continue


def test_a_node_that_many_commits_change_is_folded_for_readers() -> None:
    samples = CommitSamples(0)
    plain, quick = _pair(samples)
    first = InsertNode(3, "n", NodePatch(observations=("0",)))
    for number in range(40):
        operation = first if not number else UpdateNode(3, NodePatch(appended=(str(number),)))
        payload = encode_operation(operation)
        for memtable in (plain, quick):
            memtable.apply(Commit(11 + number, MOMENT + number, payload, 1, [operation]))
        for sequence in (11, 15, 11 + number):
            assert quick.node_versions(3, sequence) == plain.node_versions(3, sequence)
    assert len(quick.node_versions(3, 50)) <= FOLD_FROM


def test_readers_without_the_lock_see_whole_commits_while_it_grows() -> None:
    """A traversal in one thread, commits in another: every list is a prefix of what was put."""
    quick_kernel = kernel.quick
    assert quick_kernel is not None
    samples = CommitSamples(0, old_nodes=0)
    _, quick = _pair(samples)
    store = quick_kernel.QuickStore([], [])
    stop = threading.Event()
    broken: list[str] = []

    def read() -> None:
        while not stop.is_set():
            sequence = quick.commits.last_sequence
            view = quick_kernel.QuickView(store, (quick.core,), sequence)
            count = sequence - samples.first_sequence + 1
            found = view.neighbors(0, 0, None).tolist() if count > 0 else []
            if found != sorted(range(count))[: len(found)] or len(found) != max(count, 0):
                broken.append(f"{len(found)} of {count}")

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(3000):
        operations: list[Operation] = [
            InsertNode(number, f"n{number}", NodePatch()),
            InsertEdge(0, number, 0, "", UNCHANGED_EDGE),
        ]
        payload = b"".join(map(encode_operation, operations))
        quick.apply(Commit(samples.first_sequence + number, MOMENT, payload, 2))
    stop.set()
    for thread in threads:
        thread.join()
    assert not broken
