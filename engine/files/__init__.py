"""The files of one store: the only package that opens, maps, writes, syncs, lists, removes or locks
them.

The engine gets a `Files` passed in and asks it for everything, so that a simulated disk can stand
in for the machine.
"""

from lithograph.files.os_files import OsFiles, leads_into
from lithograph.files.protocol import File, FileMap, Files, Lock

__all__ = ["File", "FileMap", "Files", "Lock", "OsFiles", "leads_into"]
