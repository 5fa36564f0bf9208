"""Folding versions over layers: newest wins, relative versions go on top of older ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from lithograph.errors import CorruptionError
from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.optional_fields import NO_MOMENT
from lithograph.formats.properties import EMPTY
from lithograph.ids import ABSENT
from lithograph.segments.layer import Layers
from lithograph.segments.version import EdgeVersion, NodeVersion


class NodeState(NamedTuple):
    """A live node as one view sees it; times in µs since 1970 UTC, properties as MessagePack.

    born : the commit time of its insert, which `created_at` is by default.
    """

    node_id: int
    type_code: int | None
    observations: tuple[str, ...]
    properties: bytes
    created_at: int
    updated_at: int
    born: int


class EdgeState(NamedTuple):
    """A live edge as one view sees it; NO_MOMENT where a bound of its validity is open."""

    source: int
    target: int
    type_code: int
    key: str
    created_at: int
    valid_from: int
    valid_to: int
    properties: bytes
    born: int


def find_name(layers: Layers, name: str, sequence: int) -> int | None:
    """Return the id of a live node, or None."""
    for layer in layers.names:
        node_id = layer.find_name(name, sequence)
        if node_id is not None:
            return node_id if node_id != ABSENT else None
    return None


def name_of(layers: Layers, node_id: int) -> str:
    """Return the name of a node that the caller knows to exist, dead or alive."""
    for layer in layers.graph:
        if layer.first_id <= node_id:
            name = layer.name_of(node_id)
            if name is not None:
                return name
    raise CorruptionError(f"node {node_id} has edges or changes, and no name")


def is_live(layers: Layers, node_id: int, sequence: int) -> bool:
    """Return whether the view sees the node."""
    for layer in layers.graph:
        versions = layer.node_versions(node_id, sequence)
        if versions:
            return versions[0].change is not None
        if layer.first_id <= node_id:
            break
    return False


def fold_node(layers: Layers, node_id: int, sequence: int) -> NodeState | None:
    """Return the node as the view sees it, or None. Cost: O(its relative versions)."""
    found: list[NodeVersion] = []
    for layer in layers.graph:
        found += layer.node_versions(node_id, sequence)
        if (found and (found[-1].full or found[-1].change is None)) or layer.first_id <= node_id:
            break
    if not found or found[0].change is None:
        return None
    base = found[-1]
    patch = base.change
    if patch is None or not base.full:
        raise _never_made(node_id, base)
    if len(found) > 1:
        patch = patch.with_defaults()
    for version in reversed(found[:-1]):
        assert version.change is not None
        patch = patch.then(version.change)
    return _node_state(node_id, patch, base.born, found[0].time)


def fold_each(node_id: int, versions: Iterable[NodeVersion]) -> Iterator[NodeState | None]:
    """Yield the node as each of its versions left it, oldest first; None where one ended it.

    versions : all from the first on, oldest first.   Cost: O(the size of the node) for each.
    """
    patch: NodePatch | None = None
    born = 0
    for version in versions:
        if version.change is None:
            patch = None
            yield None
            continue
        if version.full:
            patch, born = version.change.with_defaults(), version.born
        elif patch is None:
            raise _never_made(node_id, version)
        else:
            patch = patch.then(version.change)
        yield _node_state(node_id, patch, born, version.time)


def _never_made(node_id: int, version: NodeVersion) -> CorruptionError:
    return CorruptionError(f"node {node_id} was changed by commit {version.sequence}, never made")


def _node_state(node_id: int, patch: NodePatch, born: int, updated_at: int) -> NodeState:
    created_at = patch.created_at
    return NodeState(
        node_id,
        patch.type_code,
        patch.observations or (),
        patch.properties or EMPTY,
        born if created_at is None or created_at == NO_MOMENT else created_at,
        updated_at,
        born,
    )


def find_edge(
    layers: Layers, source: int, adjacent: AdjacentEdge, sequence: int
) -> EdgeState | None:
    """Return one edge as the view sees it, or None if it does not."""
    found: list[EdgeVersion] = []
    # Only layers as new as the younger end can know the edge.
    youngest = max(source, adjacent[1])
    for layer in layers.graph:
        found += layer.edge_versions(source, adjacent, sequence)
        if (found and (found[-1].full or found[-1].change is None)) or layer.first_id <= youngest:
            break
    return fold_edge(source, adjacent, found)


def fold_edge(
    source: int, adjacent: AdjacentEdge, found: Sequence[EdgeVersion]
) -> EdgeState | None:
    """Return what the versions of one edge, newest first, amount to; None if it is dead."""
    if not found or found[0].change is None:
        return None
    base = found[-1]
    patch = base.change
    if patch is None or not base.full:
        raise CorruptionError(
            f"the edge {source} -> {adjacent[1]} was changed by commit {base.sequence}, never made"
        )
    for version in reversed(found[:-1]):
        assert version.change is not None
        patch = patch.then(version.change)
    return _edge_state(source, adjacent, patch, base.born)


def _edge_state(source: int, adjacent: AdjacentEdge, patch: EdgePatch, born: int) -> EdgeState:
    type_code, target, key = adjacent
    created_at = patch.created_at
    return EdgeState(
        source,
        target,
        type_code,
        key,
        born if created_at is None or created_at == NO_MOMENT else created_at,
        NO_MOMENT if patch.valid_from is None else patch.valid_from,
        NO_MOMENT if patch.valid_to is None else patch.valid_to,
        patch.properties or EMPTY,
        born,
    )


def node_changed_at(layers: Layers, node_id: int, sequence: int) -> int:
    """Return the sequence of the newest commit up to `sequence` that touched the node; 0 if
    none."""
    for layer in layers.graph:
        versions = layer.node_versions(node_id, sequence)
        if versions:
            return versions[0].sequence
    return 0


def edge_changed_at(layers: Layers, source: int, adjacent: AdjacentEdge, sequence: int) -> int:
    """Return the sequence of the newest commit up to `sequence` that touched the edge; 0 if
    none."""
    for layer in layers.graph:
        versions = layer.edge_versions(source, adjacent, sequence)
        if versions:
            return versions[0].sequence
    return 0
