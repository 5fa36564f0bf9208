"""The commits of a segment whose commit table may be damaged."""

from __future__ import annotations

from lithograph.errors import CorruptionError
from lithograph.formats.version_record import CommitSpan
from lithograph.maintenance.salvage_finding import Findings
from lithograph.segments.segment_reader import SegmentReader


class SalvageSpan:
    """Says when commits were, exactly or as the last one before of which that is known.

    Attributes
    ----------
    span : for decoding versions.
    guessed : since it was last set to False, a time was asked for that is lost. Times in a record
        are kept as differences to such a time: they are lost with it.
    """

    def __init__(self, segment: SegmentReader, first_time: int, findings: Findings) -> None:
        """first_time : µs since 1970 UTC, of the first commit, if the table does not say."""
        footer = segment.footer
        self.guessed = False
        self.span = CommitSpan(footer.first_sequence, footer.last_sequence, self._time_of)
        self._commits = segment.commits
        self._block = segment.shape.commits
        self._first = footer.first_sequence
        self._first_time = first_time
        self._findings = findings
        self._guesses: dict[int, int] = {}
        # The commit that was asked for last, and when it was: most often it is the next one, too.
        self._known = 0, 0

    def _time_of(self, sequence: int) -> int:
        if sequence == self._known[0]:
            return self._known[1]
        block = (sequence - self._first) // self._block
        if block not in self._guesses:
            try:
                self._known = sequence, self._commits.time_of(sequence)
                return self._known[1]
            except CorruptionError as error:
                self._findings.add(error, "commit times", self._block)
                self._guesses[block] = self._guess(block)
        self.guessed = True
        return self._guesses[block]

    def _guess(self, block: int) -> int:
        """Return when the last commit before a block was."""
        while block > 0:
            block -= 1
            if block in self._guesses:
                return self._guesses[block]
            try:
                return self._commits.time_of(self._first + (block + 1) * self._block - 1)
            except CorruptionError:
                continue
        return self._first_time
