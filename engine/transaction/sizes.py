"""How large a transaction may be."""

from __future__ import annotations

from lithograph.errors import InvalidArgumentError


def too_large(size: int, limit: int) -> InvalidArgumentError:
    """Return the error for a transaction above the limit, sizes in bytes."""
    return InvalidArgumentError(
        f"the transaction takes {size:,} bytes or more, the limit is {limit:,}: "
        "commit in smaller ones, or load large data with bulk_load"
    )
