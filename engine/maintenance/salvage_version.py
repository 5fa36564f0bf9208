"""What salvage gets out of a store: what commits made of nodes and edges."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.operations import AdjacentEdge
from lithograph.segments.version import EdgeVersion, NodeVersion


class Step(IntEnum):
    """What a version does; within one commit, in this order."""

    END_NODE = 0
    MAKE_NODE = 1
    CHANGE_NODE = 2
    END_EDGE = 3
    MAKE_EDGE = 4
    CHANGE_EDGE = 5


class SalvagedVersion(NamedTuple):
    """What one commit, or several folded into one, made of a node or an edge.

    time, born : µs since 1970 UTC; `born` of what is made, else 0.
    node_id : the node, or the source of the edge.
    adjacent : None for a node.   node, edge : the change; None of what ends.
    """

    sequence: int
    step: Step
    time: int
    born: int
    node_id: int
    adjacent: AdjacentEdge | None
    node: NodePatch | None
    edge: EdgePatch | None


def node_step(node_id: int, version: NodeVersion) -> SalvagedVersion:
    """Return a version of a node in this form."""
    step = Step.MAKE_NODE if version.full else Step.CHANGE_NODE
    if version.change is None:
        step = Step.END_NODE
    return SalvagedVersion(
        version.sequence, step, version.time, version.born, node_id, None, version.change, None
    )


def edge_step(source: int, adjacent: AdjacentEdge, version: EdgeVersion) -> SalvagedVersion:
    """Return a version of an edge in this form."""
    step = Step.MAKE_EDGE if version.full else Step.CHANGE_EDGE
    if version.change is None:
        step = Step.END_EDGE
    return SalvagedVersion(
        version.sequence, step, version.time, version.born, source, adjacent, None, version.change
    )
