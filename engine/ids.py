"""Node ids, and the values that stand for "no node".

An id is dense (0, 1, 2, …), never reused, and below 2**48. Everywhere it is a signed 64-bit integer
whose top bit is zero; the 15 bits between are reserved and zero (DESIGN, section 2).
"""

from __future__ import annotations

ID_END = 2**48
"""Ids are below this."""

ABSENT = -1
"""In place of an id: the name has no node."""

SEQUENCE_END = 2**63
"""Commit sequences are below this; 0 is the empty store before its first commit."""
