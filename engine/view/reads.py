"""The reading methods of DESIGN, section 8, written once for `Graph` and `Snapshot`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from lithograph.errors import InvalidArgumentError, NodeNotFoundError
from lithograph.formats.moment import encode_moment
from lithograph.formats.text import check_name, check_short_text, check_text
from lithograph.read.records import Edge, Node
from lithograph.view.changes import EdgeChange, NodeChange
from lithograph.view.past import changes_of, end_commit, first_commit, history_of
from lithograph.view.view import View, parse_count, parse_direction, parse_id

Item = TypeVar("Item")
IdArray = npt.NDArray[np.int64]
Types = str | Iterable[str] | None


class Reads(ABC):
    """Reading by name and by id. Each call sees one view; iterators keep the one they began with.

    Every method raises ClosedError once the handle or snapshot is closed, and CorruptionError with
    path and offset where a file contradicts SPEC.md.
    """

    @abstractmethod
    def _view(self) -> View:
        """Return the view of this call."""

    @abstractmethod
    def _check_open(self) -> None:
        """Raise ClosedError if this is closed."""

    @property
    def sequence(self) -> int:
        """The newest commit this sees; 0 is the empty store. Cost: O(1)."""
        return self._view().sequence

    @property
    def node_count(self) -> int:
        """Live nodes, exactly. Cost: O(1)."""
        return self._view().node_count

    @property
    def edge_count(self) -> int:
        """Live edges, exactly. Cost: O(1)."""
        return self._view().edge_count

    def __len__(self) -> int:
        return self.node_count

    def __bool__(self) -> bool:
        """A graph is true even when it is empty."""
        return True

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name != "" and self._view().find(name) is not None

    def get_node(self, name: str) -> Node | None:
        """Return the node of that name, or None.

        Cost: one name look-up, then O(size of the node).
        """
        return self._view().node(check_name(name))

    def node(self, name: str) -> Node:
        """Return the node of that name.

        Raises
        ------
        NodeNotFoundError : there is none; `get_node` returns None instead.
        """
        found = self._view().node(check_name(name))
        if found is None:
            raise NodeNotFoundError(name)
        return found

    def node_id(self, name: str) -> int | None:
        """Return the id of the node of that name, or None. Ids are never reused."""
        return self._view().look_up(name)

    def node_ids(self, names: Iterable[str]) -> IdArray:
        """Return one id per name, in the order given, as int64; -1 where there is no such node."""
        return self._view().look_up_all(list(_items(names, "names")))

    def names(self, ids: Iterable[int]) -> list[str]:
        """Return one name per id, in the order given.

        Raises
        ------
        NodeNotFoundError : an id is dead or was never used.
        """
        view = self._view()
        return view.live_names(list(_items(ids, "ids")))

    def edges(
        self,
        name: str | None = None,
        direction: str = "out",
        types: Types = None,
        valid_at: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[Edge]:
        """Return an iterator over the edges of a node, or over every edge once (`name=None`).

        Parameters
        ----------
        direction : "out", "in" or "both": out, then in, a self loop once. Unused without a name.
        types : a type, several, or None for all; `[]` and unknown ones select nothing.
        valid_at : only edges with valid_from <= valid_at < valid_to; an open bound always holds.
        limit : at most so many.

        Yields
        ------
        Edge : by (type code, neighbor id, key); without a name by source id first.

        Raises
        ------
        NodeNotFoundError : at the call.   InvalidArgumentError : at the call.

        Cost: O(edges of the node), a name look-up by id for each: 0.4 to 1.1 µs per edge of W, and
        3 µs per call. Memory: a thousand edges at a time, of a hub a sixteenth of its edges and 72
        bytes for each of them.
        """
        view = self._view()
        directions, codes = parse_direction(direction), view.codes(types)
        moment = None if valid_at is None else encode_moment(valid_at, "valid_at")
        count = parse_count(limit, "limit")
        if name is None:
            found = view.all_edges(codes, moment)
        else:
            found = view.edges_at(view.require(name), name, directions, codes, moment)
        return self._while_open(islice(found, count))

    def _edges_by_name(self, names: Iterator[str] | None = None) -> Iterator[Edge]:
        """Return an iterator over the edges that leave the nodes of these names, in their order;
        None: of all nodes, in the order of their names. Names without a node are passed."""
        view = self._view()
        found = view.names_in_order("", None) if names is None else names
        return self._while_open(view.edges_by_name(found))

    def get_edge(self, source: str, type: str, target: str, *, key: str = "") -> Edge | None:
        """Return one edge, or None. Cost: two name look-ups and one search at the source."""
        return self._view().edge(
            check_name(source, "source"),
            check_short_text(type, "type"),
            check_name(target, "target"),
            check_short_text(key, "key"),
        )

    def degree(self, name: str, direction: str = "out", types: Types = None) -> int:
        """Return how many edges the node has; for "both" a self loop counts once.

        Raises
        ------
        NodeNotFoundError

        Cost: O(layers) for one direction and all types, as long as the node's edges were only
        added; else O(edges of the node).
        """
        view = self._view()
        directions, codes = parse_direction(direction), view.codes(types)
        node_id = view.require(name)
        return view.degree(node_id, directions, codes)

    def neighbors(self, name: str, direction: str = "out", types: Types = None) -> list[str]:
        """Return the neighbor's name for each edge of the node, by (type code, neighbor id, key).

        Parallel edges repeat the name. Raises NodeNotFoundError. Cost: O(edges of the node).
        """
        view = self._view()
        directions, codes = parse_direction(direction), view.codes(types)
        node_id = view.require(name)
        found = view.neighbors(node_id, directions, codes)
        return view.names_of(found.tolist())

    def neighbor_ids(self, id: int, direction: str = "out", types: Types = None) -> IdArray:
        """Return the neighbor's id for each edge of the node, as int64, ordered as `neighbors`.

        An unknown or dead id gives an empty array. Cost: O(edges of the node).
        """
        view = self._view()
        directions, codes = parse_direction(direction), view.codes(types)
        return view.neighbors(parse_id(id), directions, codes)

    def k_hop(
        self, name: str, hops: int, direction: str = "out", types: Types = None
    ) -> list[IdArray]:
        """Return exactly `hops` int64 arrays: [h] holds the ids first reached after h + 1 steps.

        Each id stands in one array at most, ascending; the start is in none.

        Raises
        ------
        NodeNotFoundError, InvalidArgumentError

        Cost: O(edges of everything reached before the last hop); no paths are enumerated.

        >>> import lithograph, tempfile
        >>> with lithograph.open(tempfile.mkdtemp() + "/demo.graph") as g:
        ...     g.put_edge("a", "to", "b", create_missing=True)
        ...     g.put_edge("b", "to", "c", create_missing=True)
        ...     [g.names(ids) for ids in g.k_hop("a", 2)]
        [['b'], ['c']]
        """
        view = self._view()
        directions, codes = parse_direction(direction), view.codes(types)
        count = parse_count(hops, "hops")
        if count is None or count > _HOPS_MAX:
            raise InvalidArgumentError(f"hops={hops!r}: use an int from 0 to {_HOPS_MAX:,}")
        start = view.require(name)
        return view.k_hop(start, count, directions, codes)

    def nodes(
        self,
        prefix: str | None = None,
        type: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Node]:
        """Return an iterator over the nodes in the order of their names' UTF-8 bytes.

        Parameters
        ----------
        prefix : only names that start with it.
        type : only nodes of this type. There is no index for it: every name in range is read.
        after : only names behind this one; pass the last name of a page to get the next page.
        limit : at most so many.

        Cost: O(names in range): 3.4 µs per node where many are wanted. Names are taken by batches,
        16 of them first, and each four times as large as the last one, up to 262,144; memory for
        one: 20 MB of names and at most 32 MiB of records.
        """
        view = self._view()
        checked = check_text(prefix, "prefix") if prefix is not None else ""
        if type is not None:
            check_short_text(type, "type")
        if after is not None:
            check_text(after, "after")
        count = parse_count(limit, "limit")
        return self._while_open(islice(view.nodes_in_order(checked, type, after), count))

    def history(self, name: str) -> Iterator[NodeChange]:
        """Return an iterator over what became of the nodes of that name, the oldest change first.

        It begins at the floor, which is commit 0 unless the store was opened with `history=`: a
        node that was alive there comes first as it was then, with the commit that had made it so;
        older changes are left out.

        Yields
        ------
        NodeChange : one for every commit that changed a node of that name, `node` None where it was
            deleted. Nodes made later under the same name are other nodes; where one commit deletes
            one and makes the next, there are two.

        Raises
        ------
        NodeNotFoundError : at the call: no node has had the name since the floor.

        Cost: one look-up by name and one by id in every layer, then O(the versions of the node).
        """
        return self._while_open(history_of(self._view(), check_name(name)))

    def changes(
        self, since: datetime | int | None = None, until: datetime | int | None = None
    ) -> Iterator[NodeChange | EdgeChange]:
        """Return an iterator over what the commits of a range changed, in their order.

        Parameters
        ----------
        since, until : an aware datetime or a sequence: since <= commit < until. None: from the
            floor, or to the newest commit.

        Yields
        ------
        NodeChange, EdgeChange : in each commit nodes by id, then edges by (source id, type code,
            target id, key); each once, as the commit left it, None where it was deleted.

        Raises
        ------
        InvalidArgumentError : at the call: the range begins before what `history=` keeps.

        Cost: O(bytes of the segments that the range touches), then a look-up per change; memory
        O(changes in one segment).
        """
        view = self._view()
        first = first_commit(view, since)
        return self._while_open(changes_of(view, first, end_commit(view, until)))

    def _while_open(self, items: Iterator[Item]) -> Iterator[Item]:
        """Yield the items; ClosedError as soon as this is closed."""
        for item in items:
            self._check_open()
            yield item


_HOPS_MAX = 1_000_000


def _items(items: Iterable[Item], what: str) -> Iterable[Item]:
    """Return `items` if they can be iterated; a bare str is a likely slip for [str]."""
    if isinstance(items, (str, bytes)) or not isinstance(items, Iterable):
        raise InvalidArgumentError(f"{what} must be a list, not {type(items).__name__}")
    return items
