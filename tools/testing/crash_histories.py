"""Random histories of a small store: writes, flushes, merges, clock jumps, ends of processes.

A history is a list of steps for a `Machine`. It is played many times over, so a step holds all its
choices already.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TypeAlias

from lithograph.graph.graph import Graph
from lithograph.tools.testing.machine import Machine, Setup

Step: TypeAlias = Callable[[Machine], None]
Write: TypeAlias = Callable[[Graph], object]

_WRITES = ("node", "node", "edge", "edge", "batch", "add", "patch", "delete")
_UPKEEP = ("checkpoint", "compact", "work", "work", "clock", "clock", "snapshot")
_JUMPS_DAYS = (0.01, 1.0, 1.0, 10.0, 40.0, 400.0, -30.0)


def histories(seed: int, length: int = 10) -> Iterator[tuple[int, Setup, list[Step]]]:
    """Yield (seed, setup, steps) without end."""
    for number in itertools.count(seed):
        rng = random.Random(number)
        yield number, random_setup(rng), random_history(rng, length)


def random_setup(rng: random.Random) -> Setup:
    """Return a way to open a store in which every few commits fill the memtable, or the log."""
    return Setup(
        durability=rng.choice(("full", "full", "normal", "off")),
        partition=rng.choice(("day", "month", "month", "year")),
        history=rng.choice((None, None, timedelta(0), timedelta(days=5))),
        memtable_size_max=rng.choice((1000, 2500, 2500, 6000)),
        wal_size_max=rng.choice((600, 600, 3000)),
        close_wal_max=rng.choice((0, 2**20)),
        open_file_count_max=rng.choice((1, 3, 128)),
    )


def random_history(rng: random.Random, length: int) -> list[Step]:
    """Return steps over a handful of names, from the first opening to the last closing."""
    steps: list[Step] = [_open]
    for number in range(length):
        steps += _random_steps(rng, number)
    steps.append(Machine.check_snapshots)
    steps.append(Machine.close)
    return steps


def _open(machine: Machine) -> None:
    machine.open()


def _random_steps(rng: random.Random, number: int) -> list[Step]:
    kind = rng.choice((*_WRITES, *_WRITES, *_UPKEEP, "end"))
    if kind in _WRITES:
        write = _random_write(rng, number, kind)
        return [lambda machine: machine.commit(write)]
    match kind:
        case "end":
            end: Step = Machine.close if rng.random() < 0.5 else Machine.kill
            return [Machine.check_snapshots, end, _open]
        case "work":
            count = rng.choice((1, 2, 5, 1000))
            return [lambda machine: machine.work(count)]
        case "clock":
            days = rng.choice(_JUMPS_DAYS)
            return [lambda machine: machine.jump(days)]
        case "snapshot":
            return [Machine.take_snapshot if rng.random() < 0.6 else Machine.check_snapshots]
        case "compact":
            return [Machine.compact]
        case _:
            return [Machine.checkpoint]


def _random_write(rng: random.Random, number: int, kind: str) -> Write:
    a, b = (f"n{rng.randrange(5)}" for _ in range(2))
    text = "x" * rng.choice((1, 20, 300, 900))

    def batch(graph: Graph) -> None:
        with graph.transaction() as tx:
            tx.put_node(f"batch{number}", type="Batch", observations=[text])
            tx.put_edge(f"batch{number}", "of", a, key=str(number), create_missing=True)
            tx.put_edge(a, "in", f"batch{number}", create_missing=True)

    def add(graph: Graph) -> None:
        with graph.transaction() as tx:
            tx.put_node(b)
            tx.add_observations(b, [str(number)])

    def patch(graph: Graph) -> None:
        with graph.transaction() as tx:
            tx.put_node(a, properties={"kept": text})
            tx.update_properties(a, {"n": number}, remove=("gone",))
            tx.delete_edge(a, "to", b)

    writes: dict[str, Write] = {
        "node": lambda g: g.put_node(a, type=b, observations=[text, str(number)]),
        "edge": lambda g: g.put_edge(a, "to", b, properties={"n": number}, create_missing=True),
        "batch": batch,
        "add": add,
        "patch": patch,
        "delete": lambda g: g.delete_node(a),
    }
    return writes[kind]
