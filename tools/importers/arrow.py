"""pyarrow, where it is installed: only parquet needs it."""

from __future__ import annotations

from typing import Any

from lithograph.errors import InvalidArgumentError


def parquet() -> Any:
    """Return the module `pyarrow.parquet`.

    Raises
    ------
    InvalidArgumentError : it is not installed; says how to.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise InvalidArgumentError(
            'parquet needs pyarrow, which is an extra: pip install "lithograph[arrow]"'
        ) from error
    return pyarrow.parquet
