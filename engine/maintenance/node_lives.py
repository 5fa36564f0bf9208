"""The life of each node over all slices of a store: when it was made and ended, and its name."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from lithograph.formats.node_patch import NodePatch
from lithograph.segments.folding import raw_versions
from lithograph.segments.slice import Slice
from lithograph.segments.version import NodeVersion


class Part(NamedTuple):
    """One slice of the store.

    path : of its file, for messages.   type_count : type codes in it are below.
    """

    path: str
    slice_: Slice
    type_count: int


class Life(NamedTuple):
    """One node; commits are 0 where there was none.

    name : None where the slices hold none.   born, ended : commits that made and ended it.
    """

    node_id: int
    name: str | None
    born: int
    ended: int

    def is_alive_at(self, sequence: int) -> bool:
        return 0 < self.born <= sequence and not 0 < self.ended <= sequence


Report = Callable[[str, str], None]
"""Takes the path of a file, and what is wrong with it."""


class NodeLives:
    """Walks over the nodes of slices that follow each other from the first commit on.

    parts : oldest first.   floor : what was superseded up to this commit may be gone.
    purged_count : ids of which nothing is there, by right.
    """

    def __init__(self, parts: Sequence[Part], floor: int, purged_count: int = 0) -> None:
        self._parts = parts
        self._floor = floor
        self._purged_count = purged_count
        self._missing_count = 0

    def walk(self, report: Report) -> Iterator[Life]:
        """Yield every node that is known, by id; `report` is told what contradicts SPEC.md."""
        names = self._names()
        named = next(names, None)
        next_id = 0
        self._missing_count = 0
        for node_id, found in self._versions():
            # A name of a node without versions counts as a life without beginning.
            while named is not None and named[0] < node_id:
                yield self._nameless_checked(Life(*named, 0, 0), report)
                named = next(names, None)
            name = None
            if named is not None and named[0] == node_id:
                name = named[1]
                named = next(names, None)
            if node_id > next_id and not self._floor:
                self._missing(next_id, node_id, report)
            next_id = node_id + 1
            born, ended = self._follow(node_id, found, report)
            yield self._nameless_checked(Life(node_id, name, born, ended), report)
        end_id = self._parts[-1].slice_.end_id if self._parts else 0
        while named is not None:
            yield self._nameless_checked(Life(*named, 0, 0), report)
            named = next(names, None)
        if next_id < end_id and not self._floor:
            self._missing(next_id, end_id, report)

    def _names(self) -> Iterator[tuple[int, str]]:
        for part in self._parts:
            yield from part.slice_.names()

    def _versions(self) -> Iterator[tuple[int, list[tuple[Part, list[NodeVersion]]]]]:
        """Yield each id, ascending, with its versions by slice, oldest first."""
        streams = [_ranked(rank, part) for rank, part in enumerate(self._parts)]
        for node_id, same in groupby(heapq.merge(*streams), key=lambda entry: entry[0]):
            yield node_id, [(self._parts[rank], raw) for _, rank, raw in same]

    def _follow(
        self, node_id: int, found: list[tuple[Part, list[NodeVersion]]], report: Report
    ) -> tuple[int, int]:
        """Return the commits that made and ended a node; check that its versions fit together."""
        born = ended = last = 0
        for part, raw in found:
            for version in raw:
                wrong = self._wrong(part, node_id, version, born, ended, last)
                if wrong:
                    report(part.path, f"node {node_id}, commit {version.sequence}: {wrong}")
                last = max(last, version.sequence)
                if version.change is None:
                    ended = version.sequence
                elif version.full and not born:
                    born = version.born_sequence
        return born, ended

    def _wrong(
        self, part: Part, node_id: int, version: NodeVersion, born: int, ended: int, last: int
    ) -> str:
        """Return what is wrong with the next version of a node, "" if nothing is."""
        change, sequence = version.change, version.sequence
        if sequence <= last:
            return "not newer than the version before"
        if ended:
            return f"changed after commit {ended} had ended it"
        if change is None:
            return "ended, and never made" if not born and sequence > self._floor else ""
        if not version.full and not born:
            return "changed, and never made"
        if version.full and not born and node_id < part.slice_.first_id:
            return "made in a slice that it was not born in"
        if version.full and born and version.born_sequence != born:
            return f"made by commit {version.born_sequence}, and by {born}"
        return self._wrong_type(part, change)

    @staticmethod
    def _wrong_type(part: Part, change: NodePatch) -> str:
        code = change.type_code
        if code is not None and code >= part.type_count:
            return f"type code {code}, there are {part.type_count} types"
        return ""

    def _missing(self, start: int, end: int, report: Report) -> None:
        """Say that nothing is known of the ids [start, end), unless so many were purged."""
        self._missing_count += end - start
        if self._missing_count <= self._purged_count:
            return
        for part in self._parts:
            first, behind = max(start, part.slice_.first_id), min(end, part.slice_.end_id)
            if first < behind:
                report(
                    part.path, f"of the ids {first} to {behind - 1}, born here, nothing is there"
                )

    def _nameless_checked(self, life: Life, report: Report) -> Life:
        """Return the life; name and beginning must both be known, or neither."""
        if (life.name is None) != (not life.born):
            path = self._birth_path(life.node_id)
            missing = "a name" if life.name is None else "a commit that made it"
            report(path, f"node {life.node_id} is without {missing}")
        return life

    def _birth_path(self, node_id: int) -> str:
        for part in self._parts:
            if part.slice_.first_id <= node_id < part.slice_.end_id:
                return part.path
        return ""


def _ranked(rank: int, part: Part) -> Iterator[tuple[int, int, list[NodeVersion]]]:
    for node_id, end, history in part.slice_.nodes():
        yield node_id, rank, raw_versions(end, history)
