"""The shape of the answer of `segtool doctor`."""

from __future__ import annotations

from typing import Final, Literal

import msgspec


class Advice(msgspec.Struct, forbid_unknown_fields=True):
    """One thing that was noticed, and what to do about it.

    level : "error" (something is lost or cannot be read), "warning" (something does not work, or
        will not for long) or "note" (worth knowing).
    what : in words.
    command : what to run next; None where no command of ours helps.
    """

    level: Literal["error", "warning", "note"]
    what: str
    command: str | None = None


class DoctorAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """How a store is.

    path : of the store.
    verdict : "sound" (nothing but notes), "ailing" (warnings), "damaged" (errors, and it opens),
        "broken" (it does not open) or "locked" (another process keeps everybody out).
    summary : the verdict in words.
    advice : what was noticed, the worst first.
    """

    path: str
    verdict: Literal["sound", "ailing", "damaged", "broken", "locked"]
    summary: str
    advice: list[Advice]


SHAPE: Final = DoctorAnswer
