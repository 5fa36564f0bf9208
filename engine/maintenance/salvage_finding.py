"""What salvage finds: damage in files, and what it takes away."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from lithograph.errors import CorruptionError, LithographError

DAMAGE_MAX: Final = 10_000
"""Findings that are kept one by one; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that could not be used.

    path, offset : where.   message : what is wrong there.
    part : what stood there, such as "names" or "log".
    count_max : so many records stood there at most; None where nobody knows.
    """

    path: str
    offset: int
    message: str
    part: str
    count_max: int | None


@dataclass(slots=True)
class Findings:
    """Everything that was found while one store was read.

    damage : in files; what became of it the other fields say.   more : damage beyond DAMAGE_MAX.
    nodes : ids of nodes whose end states were in damaged blocks, as ranges.
    older_nodes : ids of nodes of which a change may be lost.
    edges : edges that are known to be there, without what they say: (source, type code, target,
        key, whether an older segment may know them).
    timeless_nodes : ids of nodes whose time of creation is lost.
    timeless_edge_count : edges of which it is.
    types : codes whose names nobody knows.
    log_size_bytes : of logs, what cannot be read; of the last bytes nobody knows how many commits
        they were.
    commits : ranges of commits, both ends included, of which nothing is left.
    past : whether versions that were superseded are lost.
    """

    damage: list[Damage] = field(default_factory=list)
    more: int = 0
    nodes: list[range] = field(default_factory=list)
    older_nodes: set[int] = field(default_factory=set)
    edges: list[tuple[int, int, int, str, bool]] = field(default_factory=list)
    timeless_nodes: set[int] = field(default_factory=set)
    timeless_edge_count: int = 0
    types: set[int] = field(default_factory=set)
    commits: list[tuple[int, int]] = field(default_factory=list)
    log_size_bytes: int = 0
    past: bool = False

    def add(self, error: LithographError, part: str, count_max: int | None = None) -> None:
        """Note what could not be read."""
        where = ("", 0, str(error))
        if isinstance(error, CorruptionError):
            where = (error.path, error.offset, error.message)
        if len(self.damage) < DAMAGE_MAX:
            self.damage.append(Damage(*where, part, count_max))
        else:
            self.more += 1
