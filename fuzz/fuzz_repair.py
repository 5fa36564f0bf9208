"""Repair of stores that are damaged at random: what comes back is sound, and was there before.

`python fuzz/fuzz_repair.py COUNT [SEED]` flips, cuts, zeroes, swaps and deletes in every kind of
file; prints how many stores came back whole, how many in part, and how many not at all.
"""

from __future__ import annotations

import logging
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from lithograph import Edge, Graph, Node
from lithograph.environment import Environment
from lithograph.errors import LithographError
from lithograph.files import OsFiles
from lithograph.graph.engine import open_engine
from lithograph.maintenance.salvage import Salvage
from lithograph.options import Options, Tuning
from lithograph.tools.mending.rewrite import Rewrite

_KINDS = ("flip", "zero", "cut", "delete", "noise", "swap")
_SIZES = (1, 8, 512, 4096)


@dataclass
class Sound:
    """A store, and everything that any commit of it said."""

    path: Path
    names: set[str]
    pieces: dict[str, set[str]]
    edges: set[tuple[object, ...]]


def _open(path: Path, history: timedelta | None = None) -> Graph:
    tuning = Tuning(background=False, compaction=False, close_wal_bytes_max=2**30)
    options = Options(durability="normal", history=history, tuning=tuning)
    return Graph(open_engine(OsFiles.create_root(str(path)), Environment(), options), writable=True)


def _pieces(node: Node) -> set[str]:
    return {node.type, *node.observations, *map(repr, node.properties.items())}


def _edge(edge: Edge) -> tuple[object, ...]:
    name = (edge.source, edge.type, edge.target, edge.key)
    return (*name, repr(edge.properties), edge.created_at, edge.valid_from, edge.valid_to)


def make(path: Path, rng: random.Random, history: timedelta | None, *, compact: bool) -> Sound:
    """Write a store of segments, histories, runs and a log; study it."""
    graph = _open(path, history)
    for commit in range(16):
        with graph.transaction() as tx:
            for number in range(commit * 12, commit * 12 + 12):
                text = "".join(rng.choices("abcdefgh ", k=60))
                tx.put_node(f"node {number}", type=f"T{number % 3}", observations=[text])
            there = [name for n in range(commit * 12 + 12) if (name := f"node {n}") in tx]
            for number in range(24):
                source, target = rng.choices(there, k=2)
                tx.put_edge(source, f"to {number % 4}", target, properties={"n": number})
            tx.add_observations(rng.choice(there), [f"seen by {commit}"])
            tx.delete_node(rng.choice(there))
        if commit % 5 == 4:
            graph.checkpoint()
    if compact:
        graph.compact()
    for number in range(8):
        graph.put_node(f"late {number}", observations=[f"late words {number}"])
    sound = Sound(path, {node.name for node in graph.nodes()}, defaultdict(set), set())
    for sequence in range(graph.stats().floor_sequence, graph.sequence + 1):
        with graph.as_of(sequence) as then:
            for node in then.nodes():
                sound.pieces[node.name] |= _pieces(node)
            sound.edges.update(map(_edge, then.edges()))
    graph._engine.close()
    return sound


def damage(path: Path, rng: random.Random) -> list[str]:
    """Damage one to three files; return what was done."""
    done = []
    for _ in range(rng.choice((1, 2, 3))):
        files = [file for file in sorted(path.rglob("*.*")) if file.is_file()]
        files += [path / "CURRENT"] * (path / "CURRENT").exists()
        file, other = rng.choices([file for file in files if file.name != "shared.map"], k=2)
        kind, size = rng.choice(_KINDS), rng.choice(_SIZES)
        data = bytearray(file.read_bytes())
        at = rng.randrange(len(data)) if data else 0
        if kind == "delete":
            file.unlink()
        elif kind == "swap":
            file.write_bytes(other.read_bytes())
            other.write_bytes(data)
        elif data:
            if kind == "flip":
                data[at] ^= 1 << rng.randrange(8)
            elif kind == "cut":
                del data[at:]
            else:
                count = len(data[at : at + size])
                data[at : at + size] = bytes(count) if kind == "zero" else rng.randbytes(count)
            file.write_bytes(data)
        done.append(f"{kind} {file.relative_to(path)} at {at}")
    return done


def judge(damaged: Path, to: Path, sound: Sound) -> str:
    """Repair a store; return how it went. Whatever must not be is an AssertionError."""
    files = OsFiles(str(damaged))
    try:
        salvage = Salvage(files)
        graph = _open(to)
        rewrite = Rewrite(salvage, graph, time.time_ns() // 1000)
        rewrite.run()
        assert not graph.verify(deep=True), graph.verify(deep=True)[0]
        found = salvage.findings
        names = set()
        for node in graph.nodes():
            names.add(node.name)
            said = {piece for piece in _pieces(node) if not piece.startswith("lost type ")}
            assert said <= sound.pieces[node.name], f"{node.name!r} says what it never said"
        if not (found.types or found.timeless_edge_count):
            for edge in graph.edges():
                assert _edge(edge) in sound.edges, f"{edge} never was"
        missing = len(sound.names - names)
        told = bool(found.commits or found.log_size_bytes or salvage.manifest is None)
        assert told or missing <= len(rewrite.lost.nodes), f"{missing} nodes are missing in silence"
        graph._engine.close()
        salvage.close()
        return "in part" if missing else "whole"
    except LithographError as error:
        return type(error).__name__
    finally:
        files.close()


def main(count: int, seed: int) -> int:
    """Damage and repair `count` stores; 0 when nothing was wrong."""
    logging.disable(logging.CRITICAL)
    begun = time.monotonic()
    outcomes: Counter[str] = Counter()
    violations = []
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        rng = random.Random(seed)
        stores = [
            make(root / "segments", rng, None, compact=False),
            make(root / "compacted", rng, None, compact=True),
            make(root / "forgetful", rng, timedelta(0), compact=True),
        ]
        for number in range(seed, seed + count):
            rng = random.Random(number)
            sound = rng.choice(stores)
            damaged, to = root / f"damaged {number}", root / f"mended {number}"
            shutil.copytree(sound.path, damaged)
            done = damage(damaged, rng)
            try:
                outcomes[judge(damaged, to, sound)] += 1
            except Exception as error:
                violations.append(f"seed {number}, {done}: {type(error).__name__}: {error}")
            shutil.rmtree(damaged)
            shutil.rmtree(to, ignore_errors=True)
    seconds = time.monotonic() - begun
    told = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
    print(f"repairs: {told}; {len(violations)} violations, {seconds:.0f} s")
    for violation in violations[:20]:
        print(f"VIOLATION {violation}", file=sys.stderr)
    return 1 if violations else 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
