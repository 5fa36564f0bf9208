"""Work W of the design, at any size: the same graph on every machine and in every run.

Nodes have names of scrambled integers, one of 16 types, two observations of words, which come as
often as words in a text do, and a creation time. Edges are R-MAT (.57 .19 .19 .05) of 16 types;
equal ones among them are one edge to a store.

Source: Chakrabarti, Zhan, Faloutsos, "R-MAT: A Recursive Model for Graph Mining", 2004.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

EDGES_PER_NODE: Final = 5
TYPE_COUNT: Final = 16

_SEED: Final = 0x57
_QUADRANTS: Final = (0.57, 0.19, 0.19, 0.05)
_SCRAMBLE: Final = 0x9E3779B97F
"""Odd, so that multiplying by it modulo 2**40 maps no two numbers to one."""
_WORD_COUNT: Final = 1024
_WORDS_EACH: Final = 4
_FIRST_DAY: Final = datetime(2024, 1, 1, tzinfo=UTC)
_SPAN_S: Final = 2 * 365 * 86_400

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One node, as `put_node` takes it."""

    name: str
    type: str
    observations: tuple[str, str]
    created_at: datetime


class Workload:
    """W with `node_count` nodes and five times as many edges.

    Attributes
    ----------
    sources, targets, edge_types : of each edge, in the order in which they come; numbers of nodes
        and of types.

    Cost: 40 bytes per edge.
    """

    def __init__(self, node_count: int) -> None:
        self.node_count = node_count
        self.edge_count = EDGES_PER_NODE * node_count
        random = np.random.default_rng(_SEED)
        self._types = random.integers(0, TYPE_COUNT, node_count)
        self._words = random.choice(_WORD_COUNT, (node_count, 2, _WORDS_EACH), p=_zipf())
        self._seconds = random.integers(0, _SPAN_S, node_count)
        self._vocabulary = _vocabulary(random)
        self.sources, self.targets = _rmat(random, node_count, self.edge_count)
        self.edge_types: Ids = random.integers(0, TYPE_COUNT, self.edge_count)

    def name(self, number: int) -> str:
        """Return the name of the node with a number from 0 up."""
        return f"entity:{number * _SCRAMBLE % 2**40:010x}"

    def node(self, number: int) -> NodeRow:
        one, other = (
            " ".join([self._vocabulary[word] for word in words])
            for words in self._words[number].tolist()
        )
        created_at = _FIRST_DAY + timedelta(seconds=int(self._seconds[number]))
        return NodeRow(self.name(number), f"Type{self._types[number]:02}", (one, other), created_at)

    def edges(self, start: int, end: int) -> Iterator[tuple[str, str, str]]:
        """Yield (source, type, target) of the edges [start, end)."""
        columns = (self.sources, self.edge_types, self.targets)
        for source, code, target in zip(*(c[start:end].tolist() for c in columns), strict=True):
            yield self.name(source), f"relates{code:02}", self.name(target)

    def distinct_edge_count(self) -> int:
        """Return how many edges differ in source, type or target."""
        keys = self.sources * (self.node_count * TYPE_COUNT)
        keys += self.targets * TYPE_COUNT + self.edge_types
        return len(np.unique(keys))


def _zipf() -> NDArray[np.float64]:
    """Return how probable each word is: by Zipf's law, as in text."""
    weights = 1 / np.arange(1, _WORD_COUNT + 1)
    return np.asarray(weights / weights.sum())


def _vocabulary(random: np.random.Generator) -> list[str]:
    """Return words of 5 or 6 letters: four of them with spaces are 23 to 27 characters."""
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    sizes = random.integers(5, 7, _WORD_COUNT).tolist()
    return ["".join(random.choice(letters, size)) for size in sizes]


def _rmat(random: np.random.Generator, node_count: int, edge_count: int) -> tuple[Ids, Ids]:
    """Return sources and targets; edges that leave the square are drawn again."""
    bit_count = max(1, (node_count - 1).bit_length())
    # Cumulated: below the first both bits are 0, then the target's is 1, the source's, both.
    bounds = np.cumsum(_QUADRANTS)[:3]
    sources, targets = np.empty(0, np.int64), np.empty(0, np.int64)
    while len(sources) < edge_count:
        draw_count = edge_count - len(sources)
        rows, columns = np.zeros(draw_count, np.int64), np.zeros(draw_count, np.int64)
        for _ in range(bit_count):
            quadrant = np.searchsorted(bounds, random.random(draw_count), side="right")
            rows = rows * 2 + (quadrant >> 1)
            columns = columns * 2 + (quadrant & 1)
        inside = (rows < node_count) & (columns < node_count)
        sources = np.concatenate((sources, rows[inside]))
        targets = np.concatenate((targets, columns[inside]))
    return sources, targets
