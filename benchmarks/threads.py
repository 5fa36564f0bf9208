"""Two traversals at once: in two threads of one process, and, as the bound, in two processes.

Each round does the same k_hop from the same hubs, first one half after the other, then both at
once; so a ratio of 2 is two cores used. What two processes reach is what the machine gives.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from workload import Workload

import lithograph
from lithograph import Graph, kernel

_BATCH: Final = 10_000
_HOPS: Final = 3
_HUBS: Final = 40
"""Nodes with the most edges, out of a sample; both halves get their share of large ones."""
_READY: Final = "ready"


def _make(path: Path, count: int) -> None:
    """Write work W with `count` nodes, and merge it into one segment."""
    work = Workload(count)
    with lithograph.open(path, durability="off") as graph:
        for start in range(0, count, _BATCH):
            with graph.transaction() as tx:
                for index in range(start, min(start + _BATCH, count)):
                    row = work.node(index)
                    tx.put_node(row.name, type=row.type, observations=row.observations)
        for start in range(0, work.edge_count, _BATCH):
            with graph.transaction() as tx:
                for source, kind, target in work.edges(start, min(start + _BATCH, work.edge_count)):
                    tx.put_edge(source, kind, target)
        graph.compact()


def _hubs(graph: Graph) -> list[str]:
    names = [node.name for node in graph.nodes(limit=20_000)]
    return sorted(names, key=graph.degree, reverse=True)[:_HUBS]


def _walk(graph: Graph, names: Sequence[str]) -> None:
    for name in names:
        graph.k_hop(name, _HOPS)


def _in_threads(graph: Graph, halves: Sequence[Sequence[str]]) -> float:
    threads = [threading.Thread(target=_walk, args=(graph, half)) for half in halves]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begun


class _Walkers:
    """Processes that have the store open, and walk one half each when they are told to."""

    def __init__(self, path: Path, halves: Sequence[Sequence[str]]) -> None:
        self._processes = [
            subprocess.Popen(
                [sys.executable, __file__, "--walk", str(path), *half],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for half in halves
        ]
        self._wait(self._processes)

    def walk(self, *, at_once: bool) -> float:
        """Return the seconds until all have walked, one after the other or all at once."""
        begun = time.perf_counter()
        if at_once:
            self._tell(self._processes)
            self._wait(self._processes)
        else:
            for process in self._processes:
                self._tell([process])
                self._wait([process])
        return time.perf_counter() - begun

    def close(self) -> None:
        for process in self._processes:
            process.communicate()

    @staticmethod
    def _tell(processes: Sequence[subprocess.Popen[str]]) -> None:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()

    @staticmethod
    def _wait(processes: Sequence[subprocess.Popen[str]]) -> None:
        for process in processes:
            assert process.stdout is not None
            if process.stdout.readline().strip() != _READY:
                raise SystemExit("a process that should walk has ended")


def _serve(path: str, names: Sequence[str]) -> None:
    """Be one of the walkers: walk once for each line that comes in."""
    with lithograph.open(path, mode="r") as graph:
        _walk(graph, names)
        print(_READY, flush=True)
        for _ in sys.stdin:
            _walk(graph, names)
            print(_READY, flush=True)


def _ratio(what: str, alone: Callable[[], float], both: Callable[[], float], rounds: int) -> None:
    times = [(alone(), both()) for _ in range(rounds)]
    one = statistics.median(time for time, _ in times)
    two = statistics.median(time for _, time in times)
    print(f"  {what:24} {one * 1e3:9.1f} ms {two * 1e3:9.1f} ms   {one / two:5.2f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--walk", nargs="+", metavar="PATH", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.walk:
        _serve(arguments.walk[0], arguments.walk[1:])
        return
    print(f"kernel: {kernel.backend}, {os.cpu_count()} cores, {arguments.nodes:,} nodes of work W")
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder) / "threads.graph"
        _make(path, arguments.nodes)
        with lithograph.open(path, mode="r") as graph:
            hubs = _hubs(graph)
            halves = (hubs[::2], hubs[1::2])
            _walk(graph, hubs)
            print(f"k_hop {_HOPS} from {len(hubs)} hubs: in turn, at once, and their ratio")
            walkers = _Walkers(path, halves)
            try:
                _ratio(
                    "two threads",
                    lambda: _in_threads(graph, (hubs,)),
                    lambda: _in_threads(graph, halves),
                    arguments.rounds,
                )
                _ratio(
                    "two processes",
                    lambda: walkers.walk(at_once=False),
                    lambda: walkers.walk(at_once=True),
                    arguments.rounds,
                )
            finally:
                walkers.close()


if __name__ == "__main__":
    main()
