"""The part of a graph that is exported: nodes in the order of their names, and edges among them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from lithograph.tools.progress import Report

if TYPE_CHECKING:
    from lithograph import Edge, Node, Snapshot

_KNOWN_MAX = 65_536


class Selection:
    """Nodes of one view that are of a type and have a prefix, and the edges between two of them.

    Everything is read as it is asked for; memory does not grow with the graph.

    Attributes
    ----------
    view : what is read.
    node_count, edge_count : how many were yielded.
    """

    def __init__(
        self,
        view: Snapshot,
        type: str | None = None,
        prefix: str | None = None,
        report: Report = lambda done, total: None,
    ) -> None:
        self.view = view
        self.node_count = 0
        self.edge_count = 0
        self._type = type
        self._prefix = prefix
        self._report = report
        self._is_whole = type is None and not prefix
        self._total = view.node_count + view.edge_count if self._is_whole else None
        self._has_name = lru_cache(_KNOWN_MAX)(self._look_up)

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Count nothing of what is yielded in the block: it is looked at, and not written."""
        counts = self.node_count, self.edge_count
        yield
        self.node_count, self.edge_count = counts

    def nodes(self) -> Iterator[Node]:
        """Yield the nodes, ordered by name."""
        for node in self.view.nodes(prefix=self._prefix, type=self._type):
            self.node_count += 1
            self._tell()
            yield node

    def edges(self) -> Iterator[Edge]:
        """Yield the edges, ordered by the name of their source."""
        names = None if self._is_whole else self._names()
        for edge in self.view._edges_by_name(names):
            if self._is_whole or self._has_name(edge.target):
                self.edge_count += 1
                self._tell()
                yield edge

    def _names(self) -> Iterator[str]:
        for node in self.view.nodes(prefix=self._prefix, type=self._type):
            yield node.name

    def _tell(self) -> None:
        self._report(self.node_count + self.edge_count, self._total)

    def _look_up(self, name: str) -> bool:
        """Return whether the node of a name is selected."""
        if self._prefix and not name.startswith(self._prefix):
            return False
        return self._type is None or self.view.node(name).type == self._type
