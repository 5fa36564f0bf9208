"""Durable commits against the bare medium, and nodes per second in transactions; ratios in one run.

Rounds alternate, so that what else the machine does meets both sides. Run with
LITHOGRAPH_KERNEL=reference to see the plain kernel.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import lithograph
from lithograph import kernel

ROUNDS = 12
COMMITS = 100
TRANSACTIONS = 40
NODES = 1_000


def _median_us(work: Callable[[int], object], first: int) -> list[float]:
    times = []
    for number in range(first, first + COMMITS):
        begun = time.perf_counter_ns()
        work(number)
        times.append((time.perf_counter_ns() - begun) / 1000)
    return times


def durable_commits(folder: Path) -> None:
    """One node per commit, durability full, against appending and syncing the same bytes."""
    graph = lithograph.open(folder / "full.graph")
    before = graph.stats().wal_size_bytes
    graph.put_node("entity:0000000000", type="Entity", observations=["one", "two"])
    record = os.urandom(graph.stats().wal_size_bytes - before)
    raw = os.open(folder / "raw", os.O_RDWR | os.O_CREAT)
    sqlite = sqlite3.connect(folder / "full.sqlite", isolation_level=None)
    sqlite.execute("pragma journal_mode=wal")
    sqlite.execute("pragma synchronous=full")
    sqlite.execute("create table node (name text primary key, type text, one text, two text)")

    def commit(number: int) -> None:
        graph.put_node(f"entity:{number:010x}", type="Entity", observations=["one", "two"])

    def append(number: int) -> None:
        os.pwrite(raw, record, number * len(record))
        os.fdatasync(raw)

    def insert(number: int) -> None:
        row = (f"entity:{number:010x}", "Entity", "one", "two")
        sqlite.execute("insert into node values (?, ?, ?, ?)", row)

    times: dict[str, list[float]] = {"raw": [], "lithograph": [], "sqlite": []}
    for number in range(1, 1 + ROUNDS * COMMITS, COMMITS):
        times["raw"] += _median_us(append, number)
        times["lithograph"] += _median_us(commit, number)
        times["sqlite"] += _median_us(insert, number)
    graph.close()
    raw_us = statistics.median(times["raw"])
    print(f"\ndurable commit of one node, {len(record)} bytes, p50 of {ROUNDS * COMMITS}")
    for what, label in (
        ("raw", "append + fdatasync of the same bytes"),
        ("lithograph", "lithograph, durability full"),
        ("sqlite", "SQLite, WAL, synchronous=full"),
    ):
        p50 = statistics.median(times[what])
        print(f"  {label:38} {p50:8.0f} µs   {p50 / raw_us:5.2f} x raw")


def transactions(folder: Path) -> None:
    """1,000 nodes per transaction, durability full, against SQLite doing the same."""
    graph = lithograph.open(folder / "bulk.graph")
    sqlite = sqlite3.connect(folder / "bulk.sqlite", isolation_level=None)
    sqlite.execute("pragma journal_mode=wal")
    sqlite.execute("pragma synchronous=full")
    sqlite.execute("create table node (name text primary key, type text, one text, two text)")
    ours, theirs = [], []
    for transaction in range(TRANSACTIONS):
        names = [f"entity:{transaction * NODES + i:010x}" for i in range(NODES)]
        begun = time.perf_counter()
        with graph.transaction() as tx:
            for name in names:
                tx.put_node(name, type="Entity", observations=["one", "two"])
        ours.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        sqlite.execute("begin")
        for name in names:
            sqlite.execute("insert into node values (?, 'Entity', 'one', 'two')", (name,))
        sqlite.execute("commit")
        theirs.append(time.perf_counter() - begun)
    graph.close()
    mine, sqlites = NODES / statistics.median(ours), NODES / statistics.median(theirs)
    print(f"\nput_node, {NODES:,} per transaction, durability full, median of {TRANSACTIONS}")
    print(f"  {'lithograph':38} {mine:8,.0f} nodes/s")
    print(f"  {'SQLite, a row each':38} {sqlites:8,.0f} rows/s   {mine / sqlites:5.2f} x")


def own_commits(folder: Path) -> None:
    """One node per commit, durability normal, against SQLite with synchronous=normal."""
    graph = lithograph.open(folder / "normal.graph", durability="normal")
    sqlite = sqlite3.connect(folder / "normal.sqlite", isolation_level=None)
    sqlite.execute("pragma journal_mode=wal")
    sqlite.execute("pragma synchronous=normal")
    sqlite.execute("create table node (name text primary key, type text, one text, two text)")

    def commit(number: int) -> None:
        graph.put_node(f"entity:{number:010x}", type="Entity", observations=["one", "two"])

    def insert(number: int) -> None:
        row = (f"entity:{number:010x}", "Entity", "one", "two")
        sqlite.execute("insert into node values (?, ?, ?, ?)", row)

    ours, theirs = [], []
    for number in range(1, 1 + 40 * COMMITS, COMMITS):
        ours += _median_us(commit, number)
        theirs += _median_us(insert, number)
    graph.close()
    mine, sqlites = statistics.median(ours), statistics.median(theirs)
    print(f"\nput_node, its own commit, durability normal, p50 of {len(ours):,}")
    print(f"  {'lithograph':38} {mine:8.1f} µs   {1e6 / mine:8,.0f}/s")
    print(f"  {'SQLite, synchronous=normal':38} {sqlites:8.1f} µs   {mine / sqlites:5.2f} x of it")


def main() -> None:
    print(f"kernel: {kernel.backend}, sqlite {sqlite3.sqlite_version}")
    with tempfile.TemporaryDirectory(dir=".") as folder:
        durable_commits(Path(folder))
        transactions(Path(folder))
        own_commits(Path(folder))


if __name__ == "__main__":
    main()
