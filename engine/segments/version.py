"""A version: what one commit made of a node or an edge.

Full versions stand by themselves; relative ones change what an older version left, in this layer
or in an older one; a version without a change is a tombstone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.node_patch import NodePatch


class NodeVersion(NamedTuple):
    """What a commit made of a node.

    time : µs since 1970 UTC, of this commit.
    born, born_sequence : time and sequence of the commit that made the node; full versions only.
    """

    sequence: int
    time: int
    change: NodePatch | None
    full: bool
    born: int = 0
    born_sequence: int = 0


class EdgeVersion(NamedTuple):
    """What a commit made of an edge; fields as in `NodeVersion`."""

    sequence: int
    time: int
    change: EdgePatch | None
    full: bool
    born: int = 0
    born_sequence: int = 0


AnyVersion = TypeVar("AnyVersion", NodeVersion, EdgeVersion)


def visible(versions: Sequence[AnyVersion], sequence: int) -> AnyVersion | None:
    """Return the newest version that a view at `sequence` sees; `versions` has the newest last."""
    for version in reversed(versions):
        if version.sequence <= sequence:
            return version
    return None


def visible_down_to_full(versions: Sequence[AnyVersion], sequence: int) -> list[AnyVersion]:
    """Return the versions that a view at `sequence` folds: newest first, down to a whole one."""
    found = []
    for version in reversed(versions):
        if version.sequence <= sequence:
            found.append(version)
            if version.full or version.change is None:
                break
    return found
