"""When commits were, and what each of them changed, over all layers.

Layers hold disjoint ranges of commits, so what they say of the past is put one behind the other,
the oldest layer first; nothing has to be merged.
"""

from __future__ import annotations

from collections.abc import Iterator

from lithograph.errors import CorruptionError
from lithograph.ids import ABSENT
from lithograph.segments.layer import Change, Layers
from lithograph.segments.version import NodeVersion


def commit_time(layers: Layers, sequence: int) -> int:
    """Return when a commit of the layers was, in µs since 1970 UTC."""
    for layer in layers.graph:
        if layer.first_sequence <= sequence:
            return layer.commit_time(sequence)
    raise CorruptionError(f"no layer holds commit {sequence}")


def sequence_at(layers: Layers, time: int, sequence: int) -> int:
    """Return the newest commit up to `sequence` that is not after `time` (µs); 0 if none is."""
    for layer in layers.graph:
        found = layer.sequence_at(time)
        if found is not None:
            return min(found, sequence)
    return 0


def ids_of_name(layers: Layers, name: str, sequence: int) -> list[int]:
    """Return the ids of all nodes that had the name by then, ascending: in the order of time."""
    versions = [version for layer in layers.names for version in layer.versions_of_name(name)]
    return sorted({node_id for made, node_id in versions if made <= sequence} - {ABSENT})


def all_node_versions(layers: Layers, node_id: int, sequence: int) -> list[NodeVersion]:
    """Return what each commit up to `sequence` made of a node, oldest first."""
    found: list[NodeVersion] = []
    for layer in layers.graph:
        found[:0] = layer.all_node_versions(node_id)
        if layer.first_id <= node_id:
            break
    return [version for version in found if version.sequence <= sequence]


def changes(layers: Layers, first: int, last: int) -> Iterator[Change]:
    """Yield what the commits first to last (inclusive) changed, in the order of `Change`.

    Cost: O(entries of each layer that the range touches); memory O(what the range changed in one
    layer).
    """
    for layer in reversed(layers.graph):
        yield from sorted(layer.changes(first, last))
