"""A set of node ids: a bit for each, in pieces that are made when they are needed."""

from __future__ import annotations

from typing import Final

_PIECE_BITS: Final = 16
_PIECE_SIZE: Final = (1 << _PIECE_BITS) // 8


class IdSet:
    """Ids from 0 up; 8 KiB of memory for each 65,536 in a row of which there is one."""

    def __init__(self) -> None:
        self._pieces: dict[int, bytearray] = {}

    def __contains__(self, node_id: int) -> bool:
        piece = self._pieces.get(node_id >> _PIECE_BITS)
        place = node_id & (1 << _PIECE_BITS) - 1
        return piece is not None and bool(piece[place >> 3] >> (place & 7) & 1)

    def add(self, node_id: int) -> None:
        piece = self._pieces.setdefault(node_id >> _PIECE_BITS, bytearray(_PIECE_SIZE))
        place = node_id & (1 << _PIECE_BITS) - 1
        piece[place >> 3] |= 1 << (place & 7)

    def discard(self, node_id: int) -> None:
        piece = self._pieces.get(node_id >> _PIECE_BITS)
        if piece is not None:
            place = node_id & (1 << _PIECE_BITS) - 1
            piece[place >> 3] &= ~(1 << (place & 7))
