"""A disk in memory that knows what a power cut may leave of it.

Every file and directory has a durable state and an ordered list of operations since. Running
processes see all of them applied (the page cache). A power cut leaves, independently for each file
and each directory, the durable state and any part of the operations. The rules:

1. Syncing a file makes its bytes and size durable, never its directory entry. Syncing a directory
   makes its entries durable, never the bytes of the files or the entries of directories in it.
2. Un-synced writes of a file land in any subset, and in part at 512-byte sectors. Where two
   overlap, the later one wins if it lands. Size and data land independently: growth without its
   data reads as zeros.
3. Un-synced entries (a file made, a hard link, an unlink, a directory made or removed) land in any
   subset; the two entries of a hard link independently of each other.
4. Pins (SPEC.md, section 10.1), which are never synced, are lost: they would pin nothing.
5. After a failed sync of a file (Rebello et al., USENIX ATC 2020) what was un-synced stays readable
   and counts as clean: no later sync makes it durable, and whether it landed is open.

Assumed: a sector of 512 bytes is written whole or not at all and spares its neighbors (powersafe
overwrite). Harsher than a machine: two writes to one sector land independently, and nothing that a
failed sync dropped returns with a later write to its page. Kinder: a directory sync that fails can
be tried again. Left out: bad sectors, garbage instead of zeros in blocks without data (ext4
`data=writeback`, preallocation), and renames (the protocol has none). After a power cut the two
entries of a hard link are two files: linked ones are sealed, nobody writes to them.
"""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from lithograph.tools.testing.inodes import (
    DirectoryInode,
    Image,
    image_of,
    inodes_of,
)
from lithograph.tools.testing.power_cut import PowerCut

if TYPE_CHECKING:
    from lithograph.tools.testing.simulated_files import SimulatedFiles
    from lithograph.tools.testing.simulated_lock import Holds

STORE: Final = "store"
"""The entry of the store in its parent directory, on every simulated disk."""


class SimulatedDisk:
    """The disk of one machine: a store directory, and its entry in the directory above.

    Not for threads: processes of the simulation take turns.

    Attributes
    ----------
    root : the path the store claims to have, for messages.
    log : (kind, name) of every operation so far, failed ones too; two runs of one seed leave equal
        logs. The kinds are create, write, truncate, sync, link, unlink, mkdir, rmdir,
        sync_directory, lock. A name in another store than the main one begins with it: "copy:wal".
    on_operation : called with (kind, name) before each of them; what it raises, and a kill of the
        process, keep the operation from happening.
    ignores_sync : called with (kind, name) for each sync and sync_directory; where it returns True,
        the disk lies and does nothing. Stays with the disk across power cuts.
    free_bytes : what processes are told; writes do not change it, and are never refused.
    """

    _devices: Final = itertools.count(1)

    def __init__(self, root: str = f"/simulated/{STORE}", image: Image = ()) -> None:
        """Make a disk that holds `image` durably; () is a parent directory without a store."""
        self.root = root
        self.device = next(self._devices)
        self.parent = DirectoryInode(inodes_of(image))
        self.log: list[tuple[str, str]] = []
        self.on_operation: Callable[[str, str], None] | None = None
        self.ignores_sync: Callable[[str, str], bool] | None = None
        self.free_bytes = 2**50
        self.holds: Holds = {}
        self._pids = itertools.count(1001)

    @property
    def operation_count(self) -> int:
        """How many operations happened; inside `on_operation`, the index of the coming one."""
        return len(self.log)

    def process(
        self, pid: int | None = None, *, create: bool = False, store: str = STORE
    ) -> SimulatedFiles:
        """Return the files as a new process sees them; `create` makes the store's directory.

        store : the entry of another store beside the main one.

        Raises
        ------
        StoreNotFoundError : there is no store directory, and `create` is false.
        """
        from lithograph.tools.testing.simulated_files import SimulatedFiles

        pid = next(self._pids) if pid is None else pid
        return SimulatedFiles(self, pid, create=create, store=store)

    def image(self) -> Image:
        """Return what is visible now, from the store's parent on; equal images are equal disks."""
        return image_of(
            self.parent, lambda directory: directory.visible, lambda file: bytes(file.visible)
        )

    def after_process_death(self) -> SimulatedDisk:
        """Return a copy as a process finds it when all others died: nothing un-synced is lost.

        Its own crash states can still lose it. Costs about 0.2 ms for a small store.
        """
        survivor = SimulatedDisk(self.root)
        survivor.parent = copy.deepcopy(self.parent)
        survivor.ignores_sync = self.ignores_sync
        return survivor

    def crash_states(
        self, rng: random.Random, limit: int, *, seen: set[Image] | None = None
    ) -> Iterator[SimulatedDisk]:
        """Return an iterator over disks that a power cut now may leave, each with another image.

        Parameters
        ----------
        rng : chooses where there is too much to try.
        limit : most disks to return. All combinations are tried when they are no more than that;
            otherwise nothing landed and everything landed come first, then one inode against all
            the others, then samples.
        seen : images to skip; what is returned is added. Share it between calls to try each image
            once, but only as long as the same is expected of it: the image that a lost commit
            leaves was legal, and seen, before the commit.

        Yields
        ------
        SimulatedDisk : everything on it is durable. It has no processes, log or hook.

        What may happen is settled at the call, the disk may change while the states are used.
        Cost: about 10 µs each, and the size of those files that are written in a new way.
        """
        images = PowerCut(self.parent, rng).images(limit)
        return self._after_power_cut(images, limit, set() if seen is None else seen)

    def _after_power_cut(
        self, images: Iterator[Image], limit: int, seen: set[Image]
    ) -> Iterator[SimulatedDisk]:
        count = 0
        for image in images:
            if count >= limit:
                return
            if image not in seen:
                # Not counted by the size of `seen`: others may add to it meanwhile.
                count += 1
                seen.add(image)
                state = SimulatedDisk(self.root, image)
                state.ignores_sync = self.ignores_sync
                yield state
