"""What is measured, in which unit and against which target, and how calls are timed.

Source: DESIGN.md, section 10.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

QUANTILES: Final = np.concatenate((np.arange(0, 1, 0.005), [0.995, 0.999, 1.0]))
"""At which a distribution is kept for its plot."""

_CLOCK_CALLS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Target:
    """A bound of lithograph's figure.

    Attributes
    ----------
    bound : of lithograph's figure over that of `peer` in row `of`, or of the figure itself where
        `peer` is "".
    at_least : the figure shall not be below the bound; otherwise, not above it.
    note : what else there is to know of it.
    """

    bound: float
    peer: str = ""
    of: str = ""
    at_least: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    unit : of the figures; `scale` turns what a peer measures (ns, s or bytes) into it.
    rate : more is better, and the figure is a reciprocal.
    rounds : measured in alternating rounds; otherwise once, while the store is made.
    turns : how often peers alternate in each round; more where the machine's moods matter.
    """

    key: str
    title: str
    unit: str
    scale: float
    targets: tuple[Target, ...] = ()
    rate: bool = False
    rounds: bool = True
    turns: int = 1

    def figure(self, measured: float) -> float:
        return 1 / (measured * self.scale) if self.rate else measured * self.scale


ROWS: Final = (
    Row("node_id", "name -> id, p50", "µs", 1e-3, (Target(0.5, "lmdb", "raw_get"),)),
    Row(
        "read_node",
        "get_node, every field touched, p50",
        "µs",
        1e-3,
        (Target(1.0, "lmdb", "raw_get"),),
    ),
    Row("raw_get", "get of raw bytes by key, p50", "µs", 1e-3),
    Row("neighbor_ids", "neighbor_ids, mean", "µs", 1e-3, (Target(0.15, "lmdb"),)),
    Row("k_hop", "k_hop 3, mean", "ms", 1e-6, (Target(0.02, "lmdb"), Target(0.02, "sqlite"))),
    Row("node_ids", "node_ids of 10,000 names, each", "ns", 1.0),
    Row(
        "put_nodes",
        "put_node inside a transaction of 10,000",
        "per s",
        1e-9,
        (Target(250_000, at_least=True, note="yardstick: overgraph"),),
        rate=True,
    ),
    Row(
        "put_node",
        "put_node, each its own commit, durability normal",
        "per s",
        1e-9,
        (Target(60_000, at_least=True, note="yardstick: sqlite"),),
        rate=True,
    ),
    Row(
        "durable",
        "durable commit of one node, p50",
        "µs",
        1e-3,
        (Target(1.3, "disk", note="append + fdatasync of the same bytes"),),
        turns=10,
    ),
    Row(
        "load",
        "writing W in transactions of 10,000",
        "s",
        1.0,
        (Target(0.15, "lmdb", note="set for bulk_load"),),
        rounds=False,
    ),
    Row("compact", "compaction of the loaded store", "s", 1.0, rounds=False),
    Row("open", "open of the clean store, and a first name -> id", "ms", 1e-6, (Target(10.0),)),
    Row(
        "bytes",
        "bytes on disk after compaction",
        "MB",
        1e-6,
        (Target(0.5, "rocksdict"),),
        rounds=False,
    ),
)
ROW_OF: Final = {row.key: row for row in ROWS}


@dataclass(frozen=True, slots=True)
class Measured:
    """One row of one peer in one round.

    Attributes
    ----------
    value : ns, s or bytes, as `Row.scale` takes it.
    spread : ns per call at `QUANTILES`; empty where single calls are not timed.
    each : ns of each call, in order, of rows whose calls may be cut off; shorter than asked for if
        they were.
    """

    value: float
    spread: tuple[float, ...] = ()
    each: tuple[float, ...] = ()


@contextmanager
def undisturbed() -> Generator[None]:
    """Collect garbage now, and not while inside."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def clock_ns() -> float:
    """Return what timing costs: the median of empty timed calls."""
    costs = []
    for _ in range(_CLOCK_CALLS):
        begun = perf_counter_ns()
        costs.append(perf_counter_ns() - begun)
    return statistics.median(costs)


def time_each(
    call: Callable[[Any], object], arguments: Iterable[Any], limit_s: float | None = None
) -> NDArray[np.float64]:
    """Return the ns of each call without the cost of the clock; no call begins after the limit."""
    times = []
    end = None if limit_s is None else perf_counter_ns() + int(limit_s * 1e9)
    with undisturbed():
        for argument in arguments:
            begun = perf_counter_ns()
            call(argument)
            took = perf_counter_ns() - begun
            times.append(took)
            if end is not None and begun + took > end:
                break
        clock = clock_ns()
    return np.maximum(np.array(times) - clock, 0.0)


def time_all(call: Callable[[Any], object], arguments: Sequence[Any]) -> float:
    """Return the ns per call of a whole loop, the loop included."""
    with undisturbed():
        begun = perf_counter_ns()
        for argument in arguments:
            call(argument)
        return (perf_counter_ns() - begun) / len(arguments)


def time_once(call: Callable[[], object]) -> float:
    """Return the ns of one call."""
    with undisturbed():
        begun = perf_counter_ns()
        call()
        return float(perf_counter_ns() - begun)


def of_each(times: NDArray[np.float64], *, median: bool) -> Measured:
    """Return the median or the mean of timed calls, and their distribution."""
    value = np.median(times) if median else np.mean(times)
    return Measured(float(value), tuple(np.quantile(times, QUANTILES).tolist()))


@dataclass(frozen=True, slots=True)
class Summary:
    """One row of one peer over all rounds.

    Attributes
    ----------
    value : the median of the rounds.
    low, high : the least and the greatest of them.
    call_count : how many calls each round made, of rows whose calls may be cut off; else 0.
    """

    value: float
    low: float
    high: float
    spread: tuple[float, ...]
    each: tuple[float, ...]

    @property
    def call_count(self) -> int:
        return len(self.each)


def summarize(rounds: Sequence[Measured]) -> Summary:
    """Return medians over rounds; of calls that may be cut off, over those that all rounds made."""
    call_count = min(len(measured.each) for measured in rounds)
    each = tuple(_medians([measured.each[:call_count] for measured in rounds]))
    values = [measured.value for measured in rounds]
    value = statistics.mean(each) if each else statistics.median(values)
    spread = tuple(_medians([measured.spread for measured in rounds]))
    return Summary(value, min(values), max(values), spread, each)


def _medians(columns: Sequence[Sequence[float]]) -> Iterator[float]:
    return (statistics.median(values) for values in zip(*columns, strict=True))


def comparable(ours: Summary, theirs: Summary) -> tuple[float, float]:
    """Return both values over the same calls, where one of them was cut off."""
    call_count = min(ours.call_count, theirs.call_count)
    if call_count == 0:
        return ours.value, theirs.value
    return statistics.mean(ours.each[:call_count]), statistics.mean(theirs.each[:call_count])
