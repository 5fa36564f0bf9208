"""The layers a process serves from: memtables in front, a generation's files behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lithograph.catalog.generation import Generation
from lithograph.kernel import quick
from lithograph.segments.layer import Layers
from lithograph.write.memtable import Memtable

if TYPE_CHECKING:
    from lithograph.kernel._reads import QuickView


class LayerStack(NamedTuple):
    """Replaced whole, never changed: whoever holds one sees layers that fit each other.

    memtable : takes the next commits.   frozen : older ones on their way into segments, newest
    first.   generation : everything older.
    """

    memtable: Memtable
    frozen: tuple[Memtable, ...]
    generation: Generation

    @property
    def first_sequence(self) -> int:
        """Of the first commit that the memtable may hold."""
        return self.memtable.commits.first_sequence

    @property
    def layers(self) -> Layers:
        """All layers, for a view of the newest commit."""
        generation = self.generation
        return Layers(
            (self.memtable, *self.frozen, *generation.names),
            (self.memtable, *self.frozen, *generation.graph),
            generation,
        )

    def quick(self, sequence: int, *above: Memtable) -> QuickView | None:
        """Return the layers as the kernel reads them, for a view that sees all of their files.

        above : newer memtables, newest first.
        """
        store = self.generation.quick
        if quick is None or store is None or sequence < self.generation.manifest.last_sequence:
            return None
        cores = tuple([memtable.core for memtable in (*above, self.memtable, *self.frozen)])
        view: QuickView = quick.QuickView(store, cores, sequence, self.memtable.types.names)
        return view

    def layers_at(self, sequence: int) -> Layers:
        """Return the layers that hold commits up to `sequence`."""
        manifest = self.generation.manifest
        memtables = [
            memtable
            for memtable in (self.memtable, *self.frozen)
            if memtable.commits.first_sequence <= sequence
        ]
        runs = sum(entry.first_sequence <= sequence for entry in manifest.runs)
        segments = sum(entry.first_sequence <= sequence for entry in manifest.segments)
        names, graph = self.generation.names, self.generation.graph
        return Layers(
            (*memtables, *names[len(names) - runs :]),
            (*memtables, *graph[len(graph) - segments :]),
            self.generation,
        )

    def commit_row(self, sequence: int) -> tuple[int, int, int]:
        """Return time, node count and edge count as of a commit; those of the empty store for 0."""
        for memtable in (self.memtable, *self.frozen):
            commits = memtable.commits
            if sequence >= commits.first_sequence - 1:
                return (
                    commits.time(sequence),
                    commits.node_count(sequence),
                    commits.edge_count(sequence),
                )
        return self.generation.commit_row(sequence) if sequence else (0, 0, 0)

    def sequence_at(self, time: int) -> int:
        """Return the newest commit that is not after `time` (µs since 1970 UTC); 0 if none is."""
        for memtable in (self.memtable, *self.frozen):
            sequence = memtable.commits.sequence_at(time)
            if sequence is not None:
                return sequence
        return self.generation.sequence_at(time)
