"""Nodes in the order of their names, many at a time.

Names in order have scattered ids, and a block of nodes is unpacked for all of its nodes or for
one: 64 µs for each node when every one unpacked its own. So names are taken by batches, and their
records are read in the order of the ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from lithograph.catalog.generation import LazySegment
from lithograph.kernel import UNSURE, quick
from lithograph.read.records import Node
from lithograph.segments.layer import Layers

if TYPE_CHECKING:
    from lithograph.kernel._reads import QuickView

IdArray = npt.NDArray[np.int64]

NAMES_FIRST: Final = 16
"""Names in the first batch; each next one has four times as many: who wants few reads few."""

NAMES_MAX: Final = 256 * 1024
"""Names in a batch: 20 MB. Of a million nodes, a block is then unpacked four times, not 64."""

RECORDS_SIZE_MAX: Final = 32 * 2**20
"""Bytes of records in a batch; what would be more is read one by one."""

_BRING_IDS: Final = 256
_BRING_BLOCKS: Final = 16
_BRING_SIZE: Final = 256 * 1024


class NodeScan:
    """Gives nodes to names that come in order.

    layers : of the view.   quick : the same, as the kernel reads them.
    look_up_all : names -> ids.   careful : id and name -> the node; it is used for what the kernel
    does not read by batches.
    """

    def __init__(
        self,
        layers: Layers,
        quick_view: QuickView,
        look_up_all: Callable[[list[str]], IdArray],
        careful: Callable[[int, str], Node],
    ) -> None:
        self._segments = [layer for layer in layers.graph if isinstance(layer, LazySegment)]
        self._quick = quick_view
        self._look_up_all = look_up_all
        self._careful = careful
        self._count = NAMES_FIRST

    def nodes(self, names: Iterator[str]) -> Iterator[Node]:
        """Yield the nodes of those names that have one.

        Cost: 2 to 6 µs per node of W; memory for a batch: 20 MB of names, 32 MiB of records.
        """
        while batch := list(islice(names, self._count)):
            yield from self._nodes_of(batch)
            # Two of them are never in memory.
            del batch

    def _nodes_of(self, batch: list[str]) -> Iterator[Node]:
        assert quick is not None
        ids = self._look_up_all(batch)
        records = self._records(ids)
        for name, node_id, record in zip(batch, ids.tolist(), records, strict=True):
            if node_id < 0:
                continue
            if record is not None:
                found = quick.make_node(self._quick, node_id, name, record)
                if found is not UNSURE:
                    yield found
                    continue
            yield self._careful(node_id, name)

    def _records(self, ids: IdArray) -> list[bytes | None]:
        """Return the record of each id that has one in one segment, and nowhere else."""
        assert quick is not None
        records: list[bytes | None] = [None] * len(ids)
        order = np.argsort(ids, kind="stable")
        at = size = 0
        brought = -1
        while at < len(ids) and size <= RECORDS_SIZE_MAX:
            at, more = quick.take_records(
                self._quick, ids, order, at, records, RECORDS_SIZE_MAX - size, brought == at
            )
            size += more
            if at < len(ids):
                self._bring(ids[order[at : at + _BRING_IDS]])
                brought = at
        self._grow(size, len(ids))
        return records

    def _bring(self, ids: IdArray) -> None:
        """Bring the blocks of the first of these ids, and some next to it, to hand."""
        first = int(ids[0])
        for segment in self._segments:
            if segment.first_id <= first < segment.entry.end_id:
                segment.bring_nodes(ids, _BRING_BLOCKS, _BRING_SIZE)

    def _grow(self, size: int, count: int) -> None:
        """Choose the size of the next batch by the records of this one."""
        fitting = RECORDS_SIZE_MAX * count // max(size, 1)
        self._count = max(NAMES_FIRST, min(4 * self._count, NAMES_MAX, fitting))
