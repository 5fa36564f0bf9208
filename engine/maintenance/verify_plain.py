"""The deep check of a store that has been merged and never changed since: in one look over it.

It keeps the rules of `verify_graph` and of `segment_check` by sums over long stretches, which can
say that everything is right, not what is wrong: where they do not add up, and where a store is not
so plain, the careful way is gone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lithograph.errors import CorruptionError
from lithograph.formats.manifest import Manifest
from lithograph.maintenance.ledger import Ledger
from lithograph.maintenance.meter import Meter
from lithograph.maintenance.node_lives import Part
from lithograph.maintenance.verify_graph import GraphCheck, count_key, name_key
from lithograph.segments.segment_reader import SegmentReader
from lithograph.segments.survey import IdArray, NotPlainError, Stretch, survey

_SUM_END = 2**64


def may_be_plain(manifest: Manifest) -> bool:
    """Return whether one look may do: one segment from the first commit on, without history."""
    return (
        len(manifest.segments) == 1
        and manifest.segments[0].history is None
        and len(manifest.runs) == 1
        and not manifest.floor_sequence
        and not manifest.purged_count
    )


class RunNames:
    """What a run says of names, entered into a ledger while the run is checked."""

    def __init__(self) -> None:
        self.ledger = Ledger()

    def visit(self, name: bytes, versions: list[tuple[int, int]]) -> None:
        """Take in a name."""
        for sequence, node_id in versions:
            self.ledger.add(name_key(sequence, node_id, name), -1)


def is_plainly_sound(
    segment: SegmentReader, parts: Sequence[Part], names: RunNames, meter: Meter
) -> bool:
    """Return True if everything in the segment is right, and fits the run; False for not known.

    segment : whose blocks, tables and commit table were checked; the only part.
    names : of the only run, which is sound.
    """
    try:
        return _PlainCheck(segment, parts, names.ledger, meter).is_sound()
    except (CorruptionError, NotPlainError):
        return False


class _PlainCheck(GraphCheck):
    """The check of one plain segment. Sums of edges are compared at the end."""

    def __init__(
        self,
        segment: SegmentReader,
        parts: Sequence[Part],
        names: Ledger,
        meter: Meter,
    ) -> None:
        super().__init__(parts, None, 0, segment.path, _refuse)
        self._names = names
        self._segment = segment
        self._type_count = parts[0].type_count
        self._meter = meter
        self._is_fine = True

    def is_sound(self) -> bool:
        """Return whether every rule holds.

        Raises
        ------
        NotPlainError, CorruptionError : not known.
        """
        edge_sum = 0
        node_count = max(1, self._segment.footer.dense_node_count)
        for stretch in survey(self._segment, self._type_count):
            self._take_nodes(stretch)
            self._take_edges(stretch)
            edge_sum += stretch.edges_out - stretch.edges_in
            self._meter.advance(self._segment.ref.size * len(stretch.names) // node_count)
        self._scan_commits(_refuse)
        balanced = self._names.is_balanced and self._counts.is_balanced
        return balanced and self._is_fine and edge_sum % _SUM_END == 0

    def _take_nodes(self, stretch: Stretch) -> None:
        self._is_fine &= stretch.type_code_max < self._type_count
        add = self._names.add
        for place, (name, born) in enumerate(
            zip(stretch.names, stretch.born.tolist(), strict=True)
        ):
            add(name_key(born, stretch.first_id + place, name), 1)
        self._take_counts(b"n", stretch.born)

    def _take_edges(self, stretch: Stretch) -> None:
        # A node that an edge leaves is there at the commit of the edge's end state. All nodes live.
        born = np.repeat(stretch.born, stretch.out_degrees)
        self._is_fine &= bool((born <= stretch.edge_changed).all())
        self._take_counts(b"e", stretch.edge_born)

    def _take_counts(self, kind: bytes, commits: IdArray) -> None:
        sequences, counts = np.unique(commits, return_counts=True)
        for sequence, count in zip(sequences.tolist(), counts.tolist(), strict=True):
            self._counts.add(count_key(kind, sequence), count)


def _refuse(path: str, message: str) -> None:
    """Something is wrong: the careful way tells it in its own words."""
    raise NotPlainError
