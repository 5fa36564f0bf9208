"""File numbers: only grow, never name two files (SPEC.md, section 2)."""

from __future__ import annotations

from collections.abc import Callable

from lithograph.files import File, Files
from lithograph.formats.file_names import MANIFEST_DIRECTORY, WAL_DIRECTORY, file_number


def wal_numbers(files: Files) -> list[int]:
    """Return the numbers of the WAL files that are there, ascending."""
    return _numbers(files, WAL_DIRECTORY, "wal")


def manifest_numbers(files: Files) -> list[int]:
    """Return the numbers of the manifest files that are there, ascending."""
    return _numbers(files, MANIFEST_DIRECTORY, "manifest")


def create_numbered(files: Files, name_of: Callable[[int], str], at_least: int) -> tuple[int, File]:
    """Create a file under a number above every one seen and not below `at_least`.

    Two processes may try the same number: the system lets only one of them create it.
    """
    number = max([at_least - 1, *wal_numbers(files), *manifest_numbers(files)]) + 1
    while True:
        try:
            return number, files.create(name_of(number))
        except FileExistsError:
            number += 1


def _numbers(files: Files, directory: str, kind: str) -> list[int]:
    found = (file_number(entry, kind) for entry in files.entries(directory))
    return sorted(number for number in found if number is not None)
