"""What a repair could not bring back, by names: found out while the rest is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from lithograph.maintenance.salvage import Salvage
from lithograph.tools.mending.id_set import IdSet

KEPT_MAX: Final = 100_000
"""Edges that are kept one by one while a store is read; the rest are only counted."""

EdgeKey = tuple[int, int, int, str]
"""Source, type code, target, key."""


class LostEdge(NamedTuple):
    """An edge; an end whose name is lost is None."""

    source: str | None
    type: str
    target: str | None
    key: str


class Lost:
    """Nodes and edges that are lost, or that came back in an older state.

    Attributes
    ----------
    nameless : ids of nodes of which all is there but the name.
    baseless : ids of nodes of which changes are there, and not what they change.
    nodes, edges : what is lost, after `finish`.
    older_nodes, older_edges : what lacks its last changes, after `finish`.
    """

    def __init__(self, salvage: Salvage) -> None:
        self.nameless: set[int] = set()
        self.baseless: set[int] = set()
        self.nodes: list[int] = []
        self.edges: list[EdgeKey] = []
        self.older_nodes: list[int] = []
        self.older_edges: list[EdgeKey] = []
        self.untold_edge_count = 0
        self._salvage = salvage
        self._older: set[int] = set()
        # Edges with an end that is not there, and edges whose last state is lost: whether an older
        # one came back.
        self._endless: set[EdgeKey] = set()
        self._stateless: dict[EdgeKey, bool] = {}
        self._taken_nodes = 0
        self._taken_edges = 0

    # While versions are written ----------------------------------------------------------------

    def is_whole(self, node_id: int) -> None:
        """Note that a version was read that says everything of a node."""
        self._older.discard(node_id)
        self.baseless.discard(node_id)

    def endless(self, key: EdgeKey) -> None:
        """Note an edge of which an end is not there."""
        if len(self._endless) < KEPT_MAX:
            self._endless.add(key)
        else:
            self.untold_edge_count += key not in self._endless

    def stateless(self, key: EdgeKey) -> None:
        """Note an edge of which changes are there, and not what they change."""
        self._stateless.setdefault(key, False)

    def is_stateless(self, key: EdgeKey) -> bool:
        """Return whether the edge's state is lost, and nothing older was found."""
        return self._stateless.get(key) is False

    def edge_ended(self, key: EdgeKey) -> None:
        self._endless.discard(key)
        self._stateless.pop(key, None)

    def edge_made(self, key: EdgeKey) -> None:
        self._endless.discard(key)
        self._stateless.pop(key, None)

    def take(self, changed: Iterable[int], alive: IdSet, ended: IdSet) -> None:
        """Take in what one part has lost, after its versions are written.

        changed : older ids of which it may have lost a change.
        """
        findings = self._salvage.findings
        for ids in findings.nodes[self._taken_nodes :]:
            self._older.update(node_id for node_id in _few(ids) if node_id in alive)
        self._taken_nodes = len(findings.nodes)
        self._older.update(node_id for node_id in changed if node_id in alive)
        for source, code, target, key, is_older in findings.edges[self._taken_edges :]:
            if source not in ended and target not in ended:
                edge = (source, code, target, key)
                self._stateless[edge] = is_older and self._stateless.get(edge, True)
        self._taken_edges = len(findings.edges)

    # In the end --------------------------------------------------------------------------------

    def finish(self, alive: IdSet, ended: IdSet) -> None:
        """Find out what is lost now that everything is written."""
        gone: set[int] = self.nameless | self.baseless
        for ids in self._salvage.findings.nodes:
            gone.update(_few(ids))
        self.nodes = sorted(i for i in gone if i not in alive and i not in ended)
        self.older_nodes = sorted(node_id for node_id in self._older if node_id in alive)
        for key, is_older in self._stateless.items():
            source, _, target, _ = key
            if source in ended or target in ended:
                continue
            if is_older and source in alive and target in alive:
                self.older_edges.append(key)
            else:
                self.edges.append(key)
        self.edges += [
            key
            for key in self._endless
            if key[0] not in ended and key[2] not in ended and key not in self._stateless
        ]
        self.edges.sort()
        self.older_edges.sort()

    def named(self, node_ids: Iterable[int]) -> Iterator[str | None]:
        """Yield names, None for those that are lost."""
        return map(self._salvage.name_of, node_ids)

    def named_edges(self, keys: Iterable[EdgeKey]) -> Iterator[LostEdge]:
        """Yield edges by the names of their ends."""
        name_of, type_name = self._salvage.name_of, self._salvage.type_name
        for source, code, target, key in keys:
            yield LostEdge(name_of(source), type_name(code), name_of(target), key)


_FEW: Final = 2**20


def _few(ids: range) -> range:
    """Return the ids of a range, of a very long one the first: a segment of millions that is gone
    is told as such."""
    return ids[:_FEW]
