"""The Python modules under some paths: which files they are, and their dotted names.

Nothing is opened here. Symbolic links to directories are not followed, so a walk ends; what cannot
be listed is set aside with its reason and ends nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lithograph.tools.importers.python_syntax import printable

EXCLUDED_DIRECTORIES = frozenset({"site-packages", "dist-packages", "__pycache__"})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that holds one module; not yet known to be readable.

    module : dotted name; a package has the name of its directory.
    package : what one leading dot means in a relative import; "" for a top-level module.
    path : where the file is.
    file : path relative to the root that was given, with forward slashes.
    """

    module: str
    package: str
    path: Path
    file: str


def find_source_files(
    paths: Iterable[Path],
) -> tuple[list[SourceFile], list[tuple[str, str]]]:
    """Return the modules under `paths` ordered by name, and (file, reason) of what is set aside.

    Parameters
    ----------
    paths : files, packages, or directories of top-level modules. The name of a module inside a
        package is whole even when only a part of the package was given. A directory without
        `__init__.py` is part of a name only inside a package.

    Hidden entries, `site-packages`, `dist-packages` and `__pycache__` are passed over.
    When two files would have one module name, the first in sorted order has it.
    """
    found: dict[str, SourceFile] = {}
    skipped: list[tuple[str, str]] = []
    for root in sorted(set(paths)):
        # The import system prefers the package to a module of its name; so does this order.
        for source in sorted(_walk(root, skipped), key=_order):
            if printable(source.module) != source.module:
                skipped.append((source.file, "its name is not Unicode"))
                continue
            rival = found.setdefault(source.module, source)
            if rival is not source and not _is_same_file(rival.path, source.path):
                skipped.append((source.file, f"module {source.module} was read from {rival.file}"))
    return [found[module] for module in sorted(found)], skipped


def _walk(root: Path, skipped: list[tuple[str, str]]) -> Iterator[SourceFile]:
    """Yield the source files under `root`; append what cannot be listed to `skipped`."""
    start = root.resolve() if ".." in root.parts else root.absolute()
    if not _is_directory(start):
        yield _source_file(start, _enclosing_package(start.parent), start.name)
        return
    # Directories still to list, with the package that each would be a part of.
    pending = [(start, _enclosing_package(start.parent))]
    while pending:
        directory, outer = pending.pop()
        try:
            entries = sorted(directory.iterdir())
        except OSError as error:
            file = printable(directory.relative_to(start).as_posix())
            skipped.append((file, error.strerror or str(error)))
            continue
        is_package = any(entry.name == "__init__.py" for entry in entries)
        package = (*outer, directory.name) if outer or is_package else ()
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_directory(entry):
                if entry.name not in EXCLUDED_DIRECTORIES and not entry.is_symlink():
                    pending.append((entry, package))
            elif entry.name.endswith(".py"):
                yield _source_file(entry, package, entry.relative_to(start).as_posix())


def _source_file(path: Path, package: tuple[str, ...], file: str) -> SourceFile:
    name = path.name.removesuffix(".py") or path.name
    parts = package if name == "__init__" and package else (*package, name)
    return SourceFile(".".join(parts), ".".join(package), path, printable(file))


def _order(source: SourceFile) -> tuple[str, bool, str]:
    return source.module, source.path.name != "__init__.py", source.file


def _enclosing_package(directory: Path) -> tuple[str, ...]:
    """Return the parts of the dotted name of `directory`; () when it is no package."""
    parts: list[str] = []
    while directory.name and (directory / "__init__.py").is_file():
        parts.append(directory.name)
        directory = directory.parent
    return tuple(reversed(parts))


def _is_directory(path: Path) -> bool:
    # Path.is_dir raises for some errors; what cannot be seen is told when it is read.
    try:
        return path.is_dir()
    except OSError:
        return False


def _is_same_file(first: Path, second: Path) -> bool:
    try:
        return os.path.samestat(first.stat(), second.stat())
    except OSError:
        return False
