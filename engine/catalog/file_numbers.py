"""File numbers: only grow, never name two files (SPEC.md, section 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lithograph.files import File, Files
from lithograph.formats.file_names import (
    MANIFEST_DIRECTORY,
    NAMES_DIRECTORY,
    PARTITIONS_DIRECTORY,
    WAL_DIRECTORY,
    file_number,
    is_partition,
)
from lithograph.formats.manifest import Manifest


class PartitionFile(NamedTuple):
    """A file in the directory of a partition; kind is "seg" or "his"."""

    partition: str
    number: int
    kind: str


def wal_numbers(files: Files) -> list[int]:
    """Return the numbers of the WAL files that are there, ascending."""
    return _numbers(files, WAL_DIRECTORY, "wal")


def manifest_numbers(files: Files) -> list[int]:
    """Return the numbers of the manifest files that are there, ascending."""
    return _numbers(files, MANIFEST_DIRECTORY, "manifest")


def run_numbers(files: Files) -> list[int]:
    """Return the numbers of the runs of the name index that are there, ascending."""
    return _numbers(files, NAMES_DIRECTORY, "run")


def spool_numbers(files: Files) -> list[int]:
    """Return the numbers of the spools that are there, ascending."""
    return _numbers(files, NAMES_DIRECTORY, "spool")


def partitions(files: Files) -> list[str]:
    """Return the names of the partitions that have a directory, ascending."""
    return [entry for entry in files.entries(PARTITIONS_DIRECTORY) if is_partition(entry)]


def partition_files(files: Files) -> list[PartitionFile]:
    """Return the segments and histories that are there, ascending.

    Cost: one directory listed per partition, 20 µs each: for who is alone with the store.
    """
    return [
        PartitionFile(partition, number, kind)
        for partition in partitions(files)
        for number, kind in sorted(_numbered(files, f"{PARTITIONS_DIRECTORY}/{partition}"))
        if kind in ("seg", "his")
    ]


def next_number(files: Files, manifest: Manifest) -> int:
    """Return a number above those of all files that are there, and not below the manifest's next.

    For who recovers a store, alone with it: a crash may have left files that no manifest names,
    and their numbers are not given again. Cost: as `partition_files`.
    """
    numbers = [number for _, number, _ in partition_files(files)]
    for directory in (MANIFEST_DIRECTORY, WAL_DIRECTORY, NAMES_DIRECTORY):
        numbers += [number for number, _ in _numbered(files, directory)]
    return max([manifest.next_file_number, *(number + 1 for number in numbers)])


def create_numbered(files: Files, name_of: Callable[[int], str], at_least: int) -> tuple[int, File]:
    """Create a file under a number above every one seen and not below `at_least`.

    at_least : the next number as recovery found it (`next_number`) and as it has grown since, with
        every number that was given: what stands in partitions is below it and is not looked at.

    Two processes may try the same number: the system lets only one of them create it.
    Cost: the listing of three directories that stay small, and of the file's own.
    """
    own = name_of(1).rpartition("/")[0]
    looked_into = dict.fromkeys((MANIFEST_DIRECTORY, WAL_DIRECTORY, NAMES_DIRECTORY, own))
    seen = [number for directory in looked_into for number, _ in _numbered(files, directory)]
    number = max([at_least - 1, *seen]) + 1
    while True:
        try:
            return number, files.create(name_of(number))
        except FileExistsError:
            number += 1


def _numbers(files: Files, directory: str, kind: str) -> list[int]:
    return sorted(number for number, found in _numbered(files, directory) if found == kind)


def _numbered(files: Files, directory: str) -> list[tuple[int, str]]:
    """Return number and kind of every numbered file in a directory; other entries are left out."""
    found = []
    for entry in files.entries(directory):
        kind = entry.rpartition(".")[2]
        number = file_number(entry, kind)
        if number is not None:
            found.append((number, kind))
    return found
