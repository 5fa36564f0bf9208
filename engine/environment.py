"""What the engine takes from the world besides files: time, randomness, identities.

They are passed in so that a simulated machine can stand in for the real one and two runs of one
seed do the same.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass


def _wall_clock_us() -> int:
    return time.time_ns() // 1000


def _random_u64() -> int:
    return int.from_bytes(os.urandom(8), "little")


def _random_uuid() -> bytes:
    return uuid.uuid4().bytes


@dataclass(frozen=True, slots=True)
class Environment:
    """Time, randomness and identities.

    clock_us : returns microseconds since 1970-01-01 UTC; may jump, the engine never lets its commit
        times run back.
    random_u64 : returns an unpredictable integer in [0, 2**64).
    new_uuid : returns 16 bytes that name a new store.
    process_id : returns the number under which other processes know this one.
    """

    clock_us: Callable[[], int] = _wall_clock_us
    random_u64: Callable[[], int] = _random_u64
    new_uuid: Callable[[], bytes] = _random_uuid
    process_id: Callable[[], int] = os.getpid
