"""Stores broken on purpose, in files with right checksums."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from lithograph import Graph
from lithograph.catalog.current_file import read_current, write_current
from lithograph.catalog.manifest_file import read_manifest, write_manifest
from lithograph.environment import Environment
from lithograph.files import OsFiles
from lithograph.formats.manifest_entries import RunEntry, SegmentEntry
from lithograph.formats.operations import AdjacentEdge
from lithograph.graph.engine import Engine, open_engine
from lithograph.maintenance.verify import Finding
from lithograph.options import Options, Tuning
from lithograph.segments.block_cache import BlockCache
from lithograph.segments.history_reader import HistoryReader
from lithograph.segments.run_reader import RunReader
from lithograph.segments.run_writer import RunWriter
from lithograph.segments.segment_reader import SegmentReader
from lithograph.segments.segment_writer import write_segment
from lithograph.segments.slice import Mark, Slice, SliceEdge
from lithograph.segments.stored_slice import StoredSlice
from lithograph.segments.version import NodeVersion

TUNING = Tuning(background=False, compaction=False, close_wal_bytes_max=2**30)

Nodes = Iterator[tuple[int, NodeVersion | None, list[NodeVersion]]]
Edges = Iterator[tuple[int, list[SliceEdge]]]
Incoming = Iterator[tuple[int, list[tuple[AdjacentEdge, Mark, bool]]]]
Versions = list[tuple[int, int]]


class opened:  # Reads as a verb: `with opened(path) as graph`.
    """An engine of its own on a store, for a `with` statement."""

    def __init__(self, path: Path, mode: str = "c") -> None:
        files = OsFiles.create_root(str(path))
        options = Options(mode=mode, durability="off", tuning=TUNING)
        self.engine: Engine = open_engine(files, Environment(), options)

    def __enter__(self) -> Graph:
        return Graph(self.engine, writable=self.engine.options.writable)

    def __exit__(self, *error: object) -> None:
        self.engine.close()


def verify(path: Path, *, deep: bool = True) -> list[Finding]:
    with opened(path) as graph:
        return graph.verify(deep=deep)


def texts(path: Path, *, deep: bool = True) -> str:
    return "\n".join(map(str, verify(path, deep=deep)))


class Tampered:
    """A slice that was read from files, some of it changed on its way into others."""

    def __init__(self, stored: Slice, **changes: Callable[[Any], Any]) -> None:
        self.first_sequence, self.last_sequence = stored.first_sequence, stored.last_sequence
        self.first_id, self.end_id = stored.first_id, stored.end_id
        self._stored = stored
        self._changes = changes

    def commits(self) -> Iterator[tuple[int, int, int, int]]:
        yield from self._changed("commits")

    def names(self) -> Iterator[tuple[int, str]]:
        yield from self._changed("names")

    def nodes(self) -> Nodes:
        yield from self._changed("nodes")

    def edges(self) -> Edges:
        yield from self._changed("edges")

    def incoming(self) -> Incoming:
        yield from self._changed("incoming")

    def _changed(self, what: str) -> Iterator[Any]:
        change = self._changes.get(what)
        found = list(getattr(self._stored, what)())
        return iter(found if change is None else change(found))


class Tamper:
    """Writes sealed files anew, changed, with right checksums, and a manifest that names them."""

    def __init__(self, path: Path) -> None:
        self._files = OsFiles(str(path))
        slot = read_current(self._files).newest
        assert slot is not None
        self._slot = slot
        self.store_uuid = slot.store_uuid
        self.manifest = read_manifest(self._files, slot)
        self._number = self.manifest.next_file_number
        self._open: list[SegmentReader | HistoryReader] = []

    def segment(self, index: int, **changes: Callable[[Any], Any]) -> Tamper:
        """Replace a segment and its history by ones with other contents."""
        entry = self.manifest.segments[index]
        uuid, partition = self._slot.store_uuid, entry.partition
        cache = BlockCache(2**20)
        segment = SegmentReader.open(self._files, partition, entry.ref, uuid, cache)
        history = None
        if entry.history is not None:
            history = HistoryReader.open(self._files, partition, entry.history, uuid, cache)
        slice_ = Tampered(StoredSlice(segment, history), **changes)
        steps = write_segment(self._files, self._next(), partition, uuid, slice_, compress=False)
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                written = stop.value
                break
        self.entry(
            index,
            ref=written.segment,
            history=written.history,
            entry_count=written.entry_count,
            version_count=written.version_count,
            superseding_count=written.superseding_count,
        )
        segment.close()
        if history is not None:
            history.close()
        return self

    def run(self, index: int, change: Callable[[dict[bytes, Versions]], object]) -> Tamper:
        """Replace a run by one with other names; `change` changes a dictionary."""
        entry = self.manifest.runs[index]
        reader = RunReader.open(self._files, entry.ref, self._slot.store_uuid)
        names = dict(reader.scan())
        reader.close()
        change(names)
        writer = RunWriter(
            self._files,
            self._next(),
            self._slot.store_uuid,
            entry.first_sequence,
            entry.last_sequence,
        )
        for name in sorted(names):
            writer.add(name, names[name])
        info = writer.finish()
        return self.run_entry(index, ref=info.ref, entry_count=info.entry_count)

    def entry(self, index: int, **changes: Any) -> Tamper:
        """Say something else of a segment in the manifest."""
        return self._replace("segments", index, changes)

    def run_entry(self, index: int, **changes: Any) -> Tamper:
        return self._replace("runs", index, changes)

    def say(self, **changes: Any) -> Tamper:
        """Say something else in the manifest."""
        self.manifest = replace(self.manifest, **changes)
        return self

    def publish(self) -> None:
        number = self._next()
        manifest = replace(
            self.manifest, generation=self.manifest.generation + 1, next_file_number=self._number
        )
        digest = write_manifest(self._files, self._slot.store_uuid, number, manifest)
        slot = replace(
            self._slot,
            turn=self._slot.turn + 1,
            generation=manifest.generation,
            manifest_number=number,
            manifest_hash=digest,
        )
        write_current(self._files, slot)
        self._files.close()

    def _next(self) -> int:
        self._number += 1
        return self._number - 1

    def _replace(self, field: str, index: int, changes: dict[str, Any]) -> Tamper:
        entries: list[SegmentEntry | RunEntry] = list(getattr(self.manifest, field))
        entries[index] = replace(entries[index], **changes)
        return self.say(**{field: tuple(entries)})


def without(*ids: int) -> Callable[[list[tuple[int, Any]]], list[tuple[int, Any]]]:
    """Return a change that leaves the entries of some ids out."""
    return lambda found: [entry for entry in found if entry[0] not in ids]


def node(node_id: int, change: Callable[[NodeVersion, list[NodeVersion]], Any]) -> Any:
    """Return a change of one node's end state and history."""

    def changed(found: list[Any]) -> list[Any]:
        return [
            (entry[0], *change(entry[1], entry[2])) if entry[0] == node_id else entry
            for entry in found
        ]

    return changed


def edge(source: int, target: int, change: Callable[[SliceEdge], SliceEdge | None]) -> Any:
    """Return a change of the first edge between two nodes; None leaves it out."""

    def changed(found: list[tuple[int, list[SliceEdge]]]) -> list[Any]:
        lists = []
        for node_id, edges in found:
            kept = [
                change(each) if (node_id, each.adjacent[1]) == (source, target) else each
                for each in edges
            ]
            if any(kept):
                lists.append((node_id, [each for each in kept if each is not None]))
        return lists

    return changed


def entering(source: int, target: int, mark: Mark | None) -> Any:
    """Return a change of the mark of one edge in the lists of targets; None leaves it out."""

    def changed(found: list[Any]) -> list[Any]:
        lists = []
        for node_id, edges in found:
            kept = []
            for adjacent, old, history in edges:
                if (adjacent[1], node_id) != (source, target):
                    kept.append((adjacent, old, history))
                elif mark is not None:
                    kept.append((adjacent, mark, history))
            if kept:
                lists.append((node_id, kept))
        return lists

    return changed
