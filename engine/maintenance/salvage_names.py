"""Names of nodes out of the leaves of runs, where a segment has lost them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lithograph.errors import CorruptionError
from lithograph.formats.name_page import PAGE_SIZE, NamePage
from lithograph.ids import ABSENT
from lithograph.maintenance.salvage_finding import Findings
from lithograph.segments.run_pages import RunPages
from lithograph.segments.run_reader import RunReader

_LEAF: int = 1


def salvaged_names(
    run: RunReader, pages: RunPages, findings: Findings
) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """Yield every name of a run that can be read, with (sequence, id or ABSENT), newest first.

    Every leaf stands by itself: branches are not needed to read it.
    """
    for number in range(1, pages.footer.page_count):
        try:
            data = pages.file.read(number * PAGE_SIZE, PAGE_SIZE)
            if data[0] != _LEAF:
                continue
            with pages.at(number):
                leaf = NamePage.decode(data, 0)
            for name, versions in run.scan_leaf(number, leaf, b""):
                yield name.decode(), versions
        except (CorruptionError, UnicodeDecodeError) as error:
            if isinstance(error, CorruptionError):
                findings.add(error, "name index")


def lives(versions: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield (id, sequence that ended it or 0) of each node that had a name; newest first."""
    ended = 0
    for sequence, node_id in versions:
        if node_id == ABSENT:
            ended = sequence
        else:
            yield node_id, ended
            ended = 0
