"""`make bench`: work W in lithograph and beside its peers, in one run; ratios mean more than times.

Each peer has a process and a directory of its own, and one of them works at a time. All are loaded,
compacted and asked everything before anything is timed, and their answers compared with those that
follow from the workload; a difference ends the run. Then rounds alternate: the first round of every
peer, the second of every peer. What is shown is the median of the rounds. Garbage is not collected
meanwhile, and the cost of reading the clock is taken off single calls.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from measure import ROW_OF, ROWS, Measured, Row, Summary, summarize
from peers.base import DISK, PEERS, CannotError
from peers.oracle import Oracle, WrongAnswerError
from peers.worker import PeerFailedError, Setting, Worker
from report import write_report
from workload import Workload

REPORT: Final = Path(__file__).parent / "report"
GROWTH_SIZES: Final = (100_000, 1_000_000, 10_000_000)
GROWTH_ROWS: Final = ("load", "bytes", "node_id", "read_node", "neighbor_ids", "open")


@dataclass(slots=True)
class Results:
    """Every row of every peer at one size.

    Attributes
    ----------
    edge_count : of distinct edges.
    start_count : of multi-hop queries in each round.
    versions, notes : of the libraries, and how they are used.
    failures : why a peer is not compared, by its name.
    kept : peers whose stores an earlier run loaded and compacted.
    cells : by row and peer, a summary, or why there is none.
    """

    node_count: int
    edge_count: int
    start_count: int
    rounds: int
    versions: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    cells: dict[tuple[str, str], Summary | str] = field(default_factory=dict)

    def drop(self, peer: str, reason: str) -> None:
        """Note why a peer is not compared, and show none of its figures."""
        self.failures[peer] = reason
        self.cells = {cell: found for cell, found in self.cells.items() if cell[1] != peer}


def main() -> None:
    options = _options()
    say(f"benchmark of {', '.join(options.peers)}; W with {options.nodes:,} nodes")
    with directory(options.keep) as folder:
        keys = [row.key for row in ROWS]
        try:
            results = measure(options.nodes, keys, options, folder)
            options.peers = options.growth_peers
            growth = [
                measure(size, GROWTH_ROWS, options, folder)
                for size in (options.growth_sizes if options.growth else ())
            ]
        except WrongAnswerError as error:
            sys.exit(f"error: {error}")
    write_report(results, growth, options.report)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=1_000_000, help="W is 1,000,000")
    parser.add_argument("--peers", default=",".join(PEERS), help="lithograph is always there")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--limit", type=float, default=180.0, help="seconds per round for the multi-hop starts"
    )
    parser.add_argument("--keep", type=Path, help="where loaded stores stay for the next run")
    parser.add_argument("--growth", action="store_true", help="measure how figures grow with W")
    parser.add_argument(
        "--growth-peers", default="lithograph", help="others load for hours at the largest size"
    )
    parser.add_argument("--growth-sizes", default=",".join(map(str, GROWTH_SIZES)))
    parser.add_argument("--report", type=Path, default=REPORT, help="where the report goes")
    options = parser.parse_args()
    asked = options.peers.split(",")
    if unknown := set(asked) - set(PEERS):
        parser.error(f"no peer {', '.join(sorted(unknown))}; there are {', '.join(PEERS)}")
    options.peers = ["lithograph", *(peer for peer in asked if peer != "lithograph")]
    options.growth_peers = options.growth_peers.split(",")
    options.growth_sizes = [int(size) for size in options.growth_sizes.split(",")]
    return options


@contextmanager
def directory(keep: Path | None) -> Iterator[Path]:
    """Yield where the stores go: a directory that stays, or one that does not."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(dir=".", prefix="bench-") as folder:
        yield Path(folder)


def measure(
    node_count: int, keys: Sequence[str], options: argparse.Namespace, folder: Path
) -> Results:
    """Load, check and measure every peer at one size.

    Raises
    ------
    WrongAnswerError : a peer's answer differs from the oracle's.
    """
    work = Workload(node_count)
    oracle = Oracle(work)
    start_count = len(oracle.queries().starts)
    results = Results(node_count, oracle.edge_count, start_count, options.rounds)
    say(f"\n{node_count:,} nodes, {work.edge_count:,} edges, {oracle.edge_count:,} distinct")
    workers: list[Worker] = []
    try:
        for peer in options.peers:
            workers += _prepared(_setting(peer, folder, oracle, options), results)
        say("all answers are right, and so the same")
        if "durable" in keys:
            workers += _disk(_setting(DISK, folder, oracle, options), workers, results)
        for key in keys:
            if ROW_OF[key].rounds:
                _alternate(ROW_OF[key], workers, options.rounds, results)
    finally:
        for worker in workers:
            worker.stop()
    return results


def _setting(peer: str, folder: Path, oracle: Oracle, options: argparse.Namespace) -> Setting:
    own = folder / peer
    own.mkdir(exist_ok=True)
    return Setting(peer, own, oracle, oracle.queries(), options.limit)


def _prepared(setting: Setting, results: Results) -> list[Worker]:
    """Return the worker of a peer that is loaded and answers as it should; none if it failed."""
    peer, worker = setting.peer, Worker(setting)
    say(f"{peer}:", end="")
    try:
        results.versions[peer], results.notes[peer] = worker.ask("describe")
        say(f" {results.versions[peer]}, load,", end="")
        figures, was_kept = worker.ask("prepare")
        for key, value in figures.items():
            results.cells[key, peer] = summarize([Measured(value)])
        if was_kept:
            results.kept.append(peer)
        say(" queries,", end="")
        worker.ask("open")
        worker.ask("check")
    except PeerFailedError as error:
        say(f" NOT COMPARED, {error}")
        results.drop(peer, str(error))
        worker.stop()
        return []
    except WrongAnswerError as error:
        worker.stop()
        raise WrongAnswerError(f"{peer} {results.versions[peer]} answers wrong: {error}") from None
    say(" right")
    return [worker]


def _disk(setting: Setting, workers: Sequence[Worker], results: Results) -> list[Worker]:
    """Return the worker that appends as many bytes as a commit of lithograph does."""
    ours = next((worker for worker in workers if worker.name == "lithograph"), None)
    if ours is None:
        return []
    worker = Worker(setting)
    try:
        worker.ask("set_commit_size", ours.ask("commit_size"))
    except (CannotError, PeerFailedError) as error:
        results.failures[DISK] = str(error)
        worker.stop()
        return []
    return [worker]


def _alternate(row: Row, workers: Sequence[Worker], rounds: int, results: Results) -> None:
    """Measure one row: round by round, in each of them every peer."""
    found: dict[str, list[Measured]] = {}
    say(f"  {row.title}")
    for _ in range(rounds * row.turns):
        for worker in workers:
            cell = row.key, worker.name
            if cell in results.cells or (worker.name == DISK and row.key != "durable"):
                continue
            try:
                found.setdefault(worker.name, []).append(worker.ask("row", row.key))
            except (CannotError, PeerFailedError) as error:
                results.cells[cell] = str(error)
    for peer, measured in found.items():
        if measured:
            results.cells.setdefault((row.key, peer), summarize(measured))


def say(text: str, end: str = "\n") -> None:
    print(text, end=end, flush=True)


if __name__ == "__main__":
    main()
