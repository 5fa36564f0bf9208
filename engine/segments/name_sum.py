"""What runs say of names, in one number: to be compared with what nodes say.

Two sides list the same entries, in whatever order, where the sums of the hashes of these are equal.
The hashes are made with a random key, so that the chance that sums agree and sides do not is one in
2**64, whatever is in the files.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from lithograph.ids import ABSENT
from lithograph.kernel import survey

KEY_SIZE: Final = 32
_SUM_END: Final = 2**64


class NameSum:
    """Adds up names with their commits and ids; 0 on the reference kernel.

    Attributes
    ----------
    key : random, of the hashes.
    floor : of the versions of a name up to this commit only the newest counts, if it is no end.
    total : modulo 2**64.
    """

    def __init__(self, floor: int = 0) -> None:
        self.key = os.urandom(KEY_SIZE)
        self.floor = floor
        self.total = 0

    def add(self, name: bytes, versions: Sequence[tuple[int, int]]) -> None:
        """Add what one run says of a name; (sequence, id or ABSENT), newest first."""
        if survey is None:
            return
        for sequence, node_id in versions:
            if sequence > self.floor or node_id != ABSENT:
                self.add_sum(survey.name_hash(self.key, name, sequence, node_id))
            if sequence <= self.floor:
                return

    def add_sum(self, total: int) -> None:
        """Add what somebody else added up with this key."""
        self.total = (self.total + total) % _SUM_END
