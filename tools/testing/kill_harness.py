"""Real SIGKILLs of committing processes at random moments, and what must be true afterwards.

Each round forks up to three children that open the store, commit, flush and merge in a thread,
close and open again, and acknowledge every commit on a pipe. They are killed at a random moment;
then the store is opened again. What must hold: every acknowledged commit is there, at most the
commits in flight are there besides, each of them whole; `verify` finds nothing; no file is left
that is not named; the next commit works.

Commit n puts the nodes "n:0" … "n:4" with a chain of edges through them, deletes those of
commit n - KEPT, and sets the property "last" of the node "head" to n.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import struct
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lithograph.environment import Environment
from lithograph.errors import ConflictError
from lithograph.files import OsFiles
from lithograph.graph.engine import Engine
from lithograph.graph.graph import Graph
from lithograph.maintenance.creation import prepare_locks
from lithograph.options import Options, Tuning
from lithograph.tools.testing.leftovers import leftovers

KEPT = 12
PARTS = 5
ROUNDS_PER_STORE = 20
_ACK = struct.Struct("<Q")
_TUNING = Tuning(wal_size_bytes_max=5000, memtable_size_bytes_max=20_000, close_wal_bytes_max=2000)


@dataclass
class Tally:
    """What a run came to; `lost` describes every violation."""

    kills: int = 0
    acknowledged: int = 0
    while_opening: int = 0
    lost: list[str] = field(default_factory=list)


@contextmanager
def opened(path: Path) -> Iterator[Graph]:
    """Open the store with so little memory that every few commits flush."""
    files = OsFiles.create_root(str(path))
    prepare_locks(files)
    engine = Engine(files, Environment(), Options(tuning=_TUNING))
    try:
        yield Graph(engine, writable=True)
    finally:
        engine.close()


def commit_next(graph: Graph) -> int:
    """Make the next commit, and return its number."""
    while True:
        try:
            with graph.transaction() as transaction:
                head = transaction.get_node("head")
                number = 1 if head is None else head.properties["last"] + 1
                transaction.put_node("head", properties={"last": number})
                for part in range(PARTS):
                    transaction.put_node(f"{number}:{part}", observations=["x" * 40])
                    if part:
                        transaction.put_edge(f"{number}:{part - 1}", "next", f"{number}:{part}")
                    transaction.delete_node(f"{number - KEPT}:{part}")
            assert transaction.sequence is not None
            return number
        except ConflictError:
            continue


def run_child(path: Path, pipe: int, seed: int) -> None:
    """Commit and acknowledge until killed."""
    chance = random.Random(seed)
    while True:
        with opened(path) as graph:
            os.write(pipe, _ACK.pack(0))
            for _ in range(chance.randrange(1, 12)):
                os.write(pipe, _ACK.pack(commit_next(graph)))
                if chance.random() < 0.1:
                    chance.choice((graph.checkpoint, graph.compact))()


def start_child(path: Path, seed: int) -> tuple[int, int]:
    """Fork a child; return its process id and the pipe on which it acknowledges."""
    source, sink = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(source)
            run_child(path, sink, seed)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(sink)
    return pid, source


def kill_child(pid: int, source: int) -> list[int]:
    """Kill a child; return the numbers it wrote: those of its commits, and 0 per opening."""
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, "the child failed by itself"
    data = b""
    while piece := os.read(source, 1 << 16):
        data += piece
    os.close(source)
    return [number for (number,) in _ACK.iter_unpack(data)]


def check(path: Path, acknowledged: int, in_flight: int) -> list[str]:
    """Return what is wrong with the store after a kill, and make one more commit."""
    wrong: list[str] = []
    with opened(path) as graph:
        wrong += leftovers(graph._engine.files)
        head = graph.get_node("head")
        last = 0 if head is None else head.properties["last"]
        if not acknowledged <= last <= acknowledged + in_flight:
            wrong.append(f"commit {acknowledged} was acknowledged, the store ends with {last}")
        if graph.sequence != last:
            wrong.append(f"sequence {graph.sequence}, but commit {last} is the last one there")
        kept = range(max(1, last - KEPT + 1), last + 1)
        names = {f"{number}:{part}" for number in kept for part in range(PARTS)}
        found = {node.name for node in graph.nodes()} - {"head"}
        if found != names:
            wrong.append(f"nodes missing {sorted(names - found)}, too many {sorted(found - names)}")
        chains = {(f"{n}:{p - 1}", f"{n}:{p}") for n in kept for p in range(1, PARTS)}
        edges = {(edge.source, edge.target) for edge in graph.edges()}
        if edges != chains:
            wrong.append(f"edges {sorted(edges ^ chains)} are missing or too many")
        backward = {(end, name) for name in found for end in graph.neighbors(name, "in")}
        if backward != edges or graph.edge_count != len(edges) or graph.node_count < len(found):
            wrong.append("the two directions or the counts disagree")
        wrong += [f"verify: {finding}" for finding in graph.verify(deep=True)]
        if not wrong and commit_next(graph) != last + 1:
            wrong.append("the next commit is not the next one")
    return wrong


def run(count: int, seed: int) -> Tally:
    """Kill `count` children, on a new store every few rounds."""
    chance = random.Random(seed)
    tally = Tally()
    while tally.kills < count and not tally.lost:
        path = Path(tempfile.mkdtemp(prefix="lithograph-kill-"))
        acknowledged = 0
        for _ in range(ROUNDS_PER_STORE):
            children = [
                start_child(path / "store", chance.getrandbits(32))
                for _ in range(chance.choice((1, 1, 2, 3)))
            ]
            written: list[int] = []
            for child in children:
                # Sometimes within an opening, mostly among the commits.
                time.sleep(chance.choice((0.008, 0.1, 0.4)) * chance.random())
                numbers = kill_child(*child)
                tally.kills += 1
                tally.while_opening += not numbers
                tally.acknowledged += sum(number > 0 for number in numbers)
                written += numbers
            acknowledged = max([acknowledged, *written])
            tally.lost += check(path / "store", acknowledged, len(children))
            acknowledged += _commits_found(path / "store", acknowledged)
            if tally.lost or tally.kills >= count:
                break
        if not tally.lost:
            shutil.rmtree(path)
    return tally


def _commits_found(path: Path, acknowledged: int) -> int:
    """Return how many commits the store holds beyond `acknowledged`: it must keep them now."""
    with opened(path) as graph:
        return graph.sequence - acknowledged


def main(count: int, seed: int) -> int:
    """Run, print one line of counts, and return the exit code."""
    tally = run(count, seed)
    for line in tally.lost:
        print(f"LOST: {line}")
    print(
        f"{tally.kills} kills, {tally.acknowledged} commits acknowledged, {len(tally.lost)} lost "
        f"(seed {seed}, {tally.while_opening} killed before they had opened)"
    )
    return 1 if tally.lost else 0
