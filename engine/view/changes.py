"""What a commit did to one node or one edge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lithograph.read.records import Edge, Node


@dataclass(frozen=True, slots=True)
class NodeChange:
    """A node that a commit made, changed or deleted.

    Attributes
    ----------
    sequence, time : of the commit; aware, UTC.
    node : as the commit left it, None if it was deleted.
    """

    sequence: int
    time: datetime
    name: str
    node: Node | None


@dataclass(frozen=True, slots=True)
class EdgeChange:
    """An edge that a commit made, changed or deleted, by itself or with one of its ends.

    Attributes
    ----------
    sequence, time : of the commit; aware, UTC.
    source, type, target, key : which edge; source and target are names.
    edge : as the commit left it, None if it was deleted.
    """

    sequence: int
    time: datetime
    source: str
    type: str
    target: str
    key: str
    edge: Edge | None
