"""A file of edges, a line each: read in stretches of whole lines, which the engine takes as bytes.

Promises:

1. Memory is bounded: a stretch has at most `_STRETCH` bytes, a commit at most `_LINES_MAX` lines. A
   line that no names can make so long is passed over.
2. Checking and loading take the same lines for edges: both ask the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from lithograph.errors import StorageError
from lithograph.formats.text import TEXT_SIZE_MAX, check_short_text
from lithograph.tools.importers.import_run import Import
from lithograph.tools.importers.input_file import InputFile
from lithograph.tools.importers.rows import Reject
from lithograph.tools.progress import Report
from lithograph.transaction.edge_lines import LinesTaken, check_delimiter, put_lines

_LINES_MAX: Final = 65_536
"""Of one commit: more of them look up fewer names twice, and take more memory (250 bytes each)."""

_STRETCH: Final = 1 << 20
_LINE_SIZE_MAX: Final = 4 * TEXT_SIZE_MAX
_KEPT_SIZE: Final = 1 << 16
_MARK: Final = b"\xef\xbb\xbf"

Take = Callable[[bytes], LinesTaken]


class EdgeFile:
    """The edges of a file.

    delimiter : see `Transaction.put_edge_lines`.   type_name : of lines with two columns.
    """

    def __init__(self, file: InputFile, delimiter: str | None, type_name: str) -> None:
        self._file = file
        self._binary = file.binary
        self._delimiter = delimiter
        self._byte = check_delimiter(delimiter)
        self._type = check_short_text(type_name, "--type")
        self.lines = self.edges = 0

    def check(self, report: Report) -> Iterator[Reject]:
        """Yield the lines that are no edges and no comments."""

        def look(text: bytes) -> LinesTaken:
            return put_lines(None, text, self._byte, self._type, _LINES_MAX)

        yield from self._taken(look, report)

    def load(self, work: Import, report: Report) -> None:
        """Put the edges, many in a commit; reject the other lines."""
        graph, loader = work.graph, work.loader
        nodes, edges = graph.node_count, graph.edge_count

        def put(text: bytes) -> LinesTaken:
            with graph.transaction() as transaction:
                taken = transaction.put_edge_lines(
                    text,
                    type=self._type,
                    delimiter=self._delimiter,
                    line_count_max=_LINES_MAX,
                )
            loader.commits += transaction.sequence is not None
            return taken

        for reject in self._taken(put, report):
            work.rejects.add(reject)
        made = graph.edge_count - edges
        loader.edge_rows = self.edges
        loader.missing_ends = graph.node_count - nodes
        loader.written = loader.missing_ends + made
        work.more["lines"] = self.lines
        work.more["comments"] = self.lines - self.edges - work.rejects.count
        work.more["repeated"] = self.edges - made

    def _taken(self, take: Take, report: Report) -> Iterator[Reject]:
        """Have all lines taken; yield those that were refused."""
        self.lines = self.edges = 0
        for stretch in self._stretches(report):
            if isinstance(stretch, Reject):
                yield stretch
                continue
            text = stretch
            while text:
                taken = take(text)
                line, at = self.lines + 1, 0
                for offset, size, reason in taken.refused:
                    line += text.count(b"\n", at, offset)
                    at = offset
                    yield Reject(line, reason.text, text[offset : offset + size])
                self.lines += taken.line_count
                self.edges += taken.edge_count
                text = text[taken.size :]

    def _read(self, size: int) -> bytes:
        try:
            return self._binary.read(size)
        except OSError as error:
            raise StorageError(f"cannot read {self._file.name}: {error.strerror}") from error

    def _stretches(self, report: Report) -> Iterator[bytes | Reject]:
        """Yield the file as whole lines; what is too long for a line as a Reject."""
        self._binary.seek(0)
        left = self._file.size
        rest = self._read(min(left, len(_MARK)))
        left -= len(rest)
        rest = rest.removeprefix(_MARK)
        while left > 0 and (more := self._read(min(left, _STRETCH))):
            left -= len(more)
            text = rest + more
            end = text.rfind(b"\n") + 1
            rest = text[end:]
            if end:
                yield text[:end]
            if len(rest) > _LINE_SIZE_MAX:
                beginning, size = rest[:_KEPT_SIZE], len(rest)
                while b"\n" not in rest and left > 0 and (rest := self._read(min(left, _STRETCH))):
                    left -= len(rest)
                    size += len(rest)
                _, _, rest = rest.partition(b"\n")
                self.lines += 1
                yield Reject(
                    self.lines,
                    f"longer than {_LINE_SIZE_MAX:,} bytes; this is its beginning",
                    beginning,
                )
            report(self._file.size - left, self._file.size)
        if rest:
            yield rest
