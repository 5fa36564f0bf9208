"""Writing salvaged versions to a new store: the same commits at the same times, through the API.

Promises

1. Nothing is invented: a node is written only if a version that makes it was read, an edge only
   between nodes that are there.
2. Whatever is left out, and whatever comes back in an older state, is in `Lost`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from lithograph import Graph, Transaction
from lithograph.formats.edge_patch import UNCHANGED_EDGE
from lithograph.formats.moment import decode_moment
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.optional_fields import NO_MOMENT
from lithograph.formats.properties import decode_properties
from lithograph.maintenance.salvage import Salvage
from lithograph.maintenance.salvage_version import SalvagedVersion, Step
from lithograph.tools.mending.id_set import IdSet
from lithograph.tools.mending.lost import EdgeKey, Lost
from lithograph.tools.mending.version_sorter import VersionSorter

_PLAIN_EDGE: Final[dict[str, Any]] = dict.fromkeys(
    ("valid_from", "valid_to", "properties", "created_at")
)
"""The fields of an edge that has none: nothing stays of another one that was there."""

_ITEMS_PER_COMMIT: Final = 10_000
_SIZE_PER_COMMIT: Final = 16 * 2**20
"""A commit of more versions, or of more bytes of texts and properties, becomes several of the same
time."""


class Rewrite:
    """Takes what salvage reads, and makes the commits again.

    graph : new and empty; None only finds out what is lost.
    now : µs since 1970 UTC; commits that claim to be later get the time at which they are written.

    Attributes
    ----------
    lost : complete after `run`.
    commit_count : commits that changed anything.   version_count : versions that were read.
    node_count, edge_count : of the new graph; without one, of edges about.
    """

    def __init__(self, salvage: Salvage, graph: Graph | None, now: int) -> None:
        self.commit_count = 0
        self.version_count = 0
        self.node_count = 0
        self.edge_count = 0
        self.lost = Lost(salvage)
        self._salvage = salvage
        self._graph = graph
        self._now = now
        self._time = 0
        self._alive = IdSet()
        self._ended = IdSet()
        # Where the end of a node may be lost, another one of its name may come.
        self._checks_names = False

    def run(self, report: Callable[[int, int | None], None] = lambda done, total: None) -> None:
        """Write everything. report : called with bytes of files read, and of all.

        Cost: every version sorted once, and a commit each for all of one commit.
        """
        salvage = self._salvage
        done = 0
        for part in salvage.parts():
            sorter = VersionSorter()
            try:
                for version in part.versions:
                    sorter.add(version)
                self._checks_names = bool(salvage.findings.damage)
                for _, versions in groupby(sorter.sorted(), key=lambda version: version.sequence):
                    self._commit(versions)
            finally:
                sorter.close()
            self.lost.take(part.changed, self._alive, self._ended)
            done += part.size_bytes
            report(done, salvage.size_bytes)
        self.lost.finish(self._alive, self._ended)
        if self._graph is not None:
            self.node_count, self.edge_count = self._graph.node_count, self._graph.edge_count

    def _commit(self, versions: Iterator[SalvagedVersion]) -> None:
        chunk: list[SalvagedVersion] = []
        size = 0
        for version in versions:
            chunk.append(version)
            size += _size_of(version)
            if len(chunk) >= _ITEMS_PER_COMMIT or size >= _SIZE_PER_COMMIT:
                self._write(chunk)
                chunk, size = [], 0
        if chunk:
            self._write(chunk)

    def _write(self, versions: list[SalvagedVersion]) -> None:
        self._time = max(self._time, *(version.time for version in versions))
        self.version_count += len(versions)
        if self._graph is None:
            for version in versions:
                self._apply(None, version)
            return
        at = decode_moment(self._time) if self._time <= self._now else None
        before = self._graph.sequence
        with self._graph.transaction(at=at) as tx:
            for version in versions:
                self._apply(tx, version)
        self.commit_count += self._graph.sequence > before

    def _apply(self, tx: Transaction | None, version: SalvagedVersion) -> None:
        match version.step:
            case Step.END_NODE:
                self._end_node(tx, version.node_id)
            case Step.MAKE_NODE:
                self._make_node(tx, version)
            case Step.CHANGE_NODE:
                self._change_node(tx, version)
            case Step.END_EDGE:
                self._end_edge(tx, version)
            case Step.MAKE_EDGE | Step.CHANGE_EDGE:
                self._put_edge(tx, version)

    # Nodes -------------------------------------------------------------------------------------

    def _end_node(self, tx: Transaction | None, node_id: int) -> None:
        self._ended.add(node_id)
        if node_id in self._alive:
            self._alive.discard(node_id)
            self.node_count -= 1
            name = self._salvage.name_of(node_id)
            if tx is not None and name is not None:
                tx.delete_node(name)

    def _make_node(self, tx: Transaction | None, version: SalvagedVersion) -> None:
        node_id, patch = version.node_id, version.node
        name = self._salvage.name_of(node_id)
        assert patch is not None
        if node_id in self._ended:
            return  # Its end came from the name index.
        if name is None:
            self.lost.nameless.add(node_id)
            return
        is_new = node_id not in self._alive
        self.lost.is_whole(node_id)
        self._alive.add(node_id)
        if is_new:
            self.node_count += 1
        if tx is None:
            return
        if is_new and self._checks_names and name in tx:
            tx.delete_node(name)
        fields = self._node_fields(patch, whole=not is_new)
        created = version.born if patch.created_at in (None, NO_MOMENT) else patch.created_at
        if created != self._time or not is_new:
            fields["created_at"] = decode_moment(created)
        tx.put_node(name, **fields)

    def _change_node(self, tx: Transaction | None, version: SalvagedVersion) -> None:
        node_id, patch = version.node_id, version.node
        assert patch is not None
        if node_id not in self._alive:
            if node_id not in self._ended:
                self.lost.baseless.add(node_id)
            return
        name = self._salvage.name_of(node_id)
        if tx is None or name is None:
            return
        fields = self._node_fields(patch, whole=False)
        if patch.created_at is not None:
            fields["created_at"] = _time(patch.created_at)
        tx.put_node(name, **fields)
        if patch.removed:
            tx.remove_observations(name, patch.removed)
        if patch.appended:
            tx.add_observations(name, patch.appended)
        if patch.properties_set is not None or patch.properties_unset:
            changes = decode_properties(patch.properties_set) if patch.properties_set else {}
            tx.update_properties(name, changes, patch.properties_unset or ())

    def _node_fields(self, patch: NodePatch, *, whole: bool) -> dict[str, Any]:
        """Return what a patch replaces; with `whole`, None for what it says nothing of."""
        fields: dict[str, Any] = {}
        if patch.type_code is not None or whole:
            code = patch.type_code
            fields["type"] = None if code is None else self._salvage.type_name(code)
        if patch.observations is not None or whole:
            fields["observations"] = patch.observations
        if patch.properties is not None or whole:
            packed = patch.properties
            fields["properties"] = None if packed is None else decode_properties(packed)
        return fields

    # Edges -------------------------------------------------------------------------------------

    def _end_edge(self, tx: Transaction | None, version: SalvagedVersion) -> None:
        key = _key_of(version)
        self.lost.edge_ended(key)
        if not self._has_ends(key):
            return
        if tx is None:
            self.edge_count -= 1
            return
        names = self._names_of(key)
        if names is not None:
            tx.delete_edge(names[0], self._salvage.type_name(key[1]), names[1], key=key[3])

    def _put_edge(self, tx: Transaction | None, version: SalvagedVersion) -> None:
        key, patch = _key_of(version), version.edge
        assert patch is not None
        if not self._has_ends(key):
            # What ended with one of its ends is no loss; `Lost` knows in the end.
            self.lost.endless(key)
            return
        names = self._names_of(key)
        if names is None:
            return
        source, target = names
        type_name = self._salvage.type_name(key[1])
        is_made = version.step == Step.MAKE_EDGE
        if is_made:
            self.lost.edge_made(key)
        elif self.lost.is_stateless(key) or (
            tx is not None and tx.get_edge(source, type_name, target, key=key[3]) is None
        ):
            self.lost.stateless(key)
            return
        if tx is None:
            self.edge_count += is_made
            return
        if is_made and version.born == self._time and patch == UNCHANGED_EDGE:
            tx.put_edge(source, type_name, target, key=key[3], **_PLAIN_EDGE)
            return
        fields: dict[str, Any] = {}
        for name in ("valid_from", "valid_to"):
            moment = getattr(patch, name)
            if moment is not None or is_made:
                fields[name] = _time(moment)
        if patch.properties is not None or is_made:
            packed = patch.properties
            fields["properties"] = None if packed is None else decode_properties(packed)
        created = patch.created_at
        if is_made and created in (None, NO_MOMENT) and version.born != self._time:
            created = version.born
        if created is not None or is_made:
            fields["created_at"] = _time(created)
        tx.put_edge(source, type_name, target, key=key[3], **fields)

    def _has_ends(self, key: EdgeKey) -> bool:
        return key[0] in self._alive and key[2] in self._alive

    def _names_of(self, key: EdgeKey) -> tuple[str, str] | None:
        source, target = self._salvage.name_of(key[0]), self._salvage.name_of(key[2])
        return None if source is None or target is None else (source, target)


def _size_of(version: SalvagedVersion) -> int:
    """Return how many bytes the texts and properties of a version take, roughly."""
    node, edge = version.node, version.edge
    size = 0
    if node is not None:
        for texts in (node.observations, node.appended, node.removed):
            size += sum(map(len, texts or ()))
        size += len(node.properties or b"") + len(node.properties_set or b"")
    if edge is not None:
        size += len(edge.properties or b"")
    return size


def _key_of(version: SalvagedVersion) -> EdgeKey:
    assert version.adjacent is not None
    code, target, key = version.adjacent
    return version.node_id, code, target, key


def _time(moment: int | None) -> datetime | None:
    return None if moment in (None, NO_MOMENT) else decode_moment(moment)
