"""Which memtable a process uses: the kernel's, or the plain one."""

from __future__ import annotations

from lithograph.formats.manifest import Manifest
from lithograph.kernel import memory
from lithograph.write.memtable import Memtable
from lithograph.write.plain_memtable import PlainMemtable
from lithograph.write.quick_memtable import QuickMemtable

MEMTABLE: type[Memtable] = PlainMemtable if memory is None else QuickMemtable


def memtable_above(manifest: Manifest) -> Memtable:
    """Return an empty memtable above what a manifest's files hold."""
    return MEMTABLE.above(manifest)
