"""The shape of the answer of `segtool report`."""

from __future__ import annotations

import msgspec


class ReportAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """The page that was written.

    page : its path.
    size_bytes : its size.
    sequence : of the newest commit that it shows.
    finding_count : what verify found; the page has the findings.
    """

    page: str
    size_bytes: int
    sequence: int
    finding_count: int


SHAPE = ReportAnswer
"""What `segtool report` writes as JSON; the page itself is HTML."""
