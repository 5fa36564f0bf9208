"""Decompressed blocks of sealed files: bounded in bytes, the least recently used go first."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

from cachetools import LRUCache

from lithograph.kernel import quick

if TYPE_CHECKING:
    from lithograph.kernel._reads import NodeBlocks

ENTRY_OVERHEAD: Final = 400
"""Bytes that an entry takes besides its data; measured, 320 to 400: key, object, three tables."""


class BlockCache:
    """Blocks by key, for any number of threads.

    Attributes
    ----------
    miss_count : of `get` so far.
    nodes : blocks of nodes, for the kernel; None on the reference.
    """

    def __init__(self, size_max_bytes: int, nodes_size_max_bytes: int = 0) -> None:
        """Keep at most `size_max_bytes`, overhead included; with 0, nothing.

        nodes_size_max_bytes : of them, what the kernel keeps besides.
        """
        self._hit_count = 0
        self.miss_count = 0
        self.nodes: NodeBlocks | None = None
        if quick is not None:
            self.nodes = quick.NodeBlocks(nodes_size_max_bytes)
        self._blocks: LRUCache[Hashable, bytes] = LRUCache(size_max_bytes, getsizeof=_size_of)
        self._lock = threading.Lock()

    @property
    def hit_count(self) -> int:
        """How many blocks were there that were asked for, by the kernel too."""
        return self._hit_count + (self.nodes.hit_count if self.nodes else 0)

    @property
    def size_bytes(self) -> int:
        """How much is kept now, overhead included."""
        return int(self._blocks.currsize) + (self.nodes.size_bytes if self.nodes else 0)

    def get(self, key: Hashable) -> bytes | None:
        """Return a block, or None if it is not kept."""
        with self._lock:
            block = self._blocks.get(key)
            if block is None:
                self.miss_count += 1
            else:
                self._hit_count += 1
        return block

    def peek(self, key: Hashable) -> bytes | None:
        """Return a block as `get` does; one that is not kept will be asked for again."""
        with self._lock:
            block = self._blocks.get(key)
            if block is not None:
                self._hit_count += 1
        return block

    def drop(self, key: Hashable) -> None:
        """Forget a block, if it is kept."""
        with self._lock:
            self._blocks.pop(key, None)

    def put(self, key: Hashable, data: bytes) -> None:
        """Keep a block in place of those that were not used for longest; not one larger than all.

        Cost: O(1), and as much for each block that goes.
        """
        if _size_of(data) <= self._blocks.maxsize:
            with self._lock:
                self._blocks[key] = data


def _size_of(data: bytes) -> int:
    return len(data) + ENTRY_OVERHEAD
