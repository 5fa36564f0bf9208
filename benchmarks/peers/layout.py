"""Keys and values of a graph in a store of sorted keys; shared by LMDB and RocksDB.

name -> id (big-endian, 8 bytes); id -> MessagePack of name, type, observations, created_at;
source id, type (4 bytes), target id -> nothing, and the same with target and source exchanged.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Final

import msgspec
from workload import NodeRow

from peers.base import Fields, micros

ID: Final = Struct(">Q")
EDGE: Final = Struct(">QIQ")
ID_SIZE: Final = ID.size
TARGET_OFFSET: Final = EDGE.size - ID.size

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(tuple[str, str, tuple[str, str], int])

decode_node: Final = _DECODER.decode


def encode_node(row: NodeRow) -> bytes:
    return _ENCODER.encode((row.name, row.type, row.observations, micros(row.created_at)))


def node_fields(record: Any) -> Fields:
    name, type_name, observations, created = record
    return name, type_name, observations, created
