from typing import Any

from lithograph.formats.layout import Buffer

class LeafSurvey:
    names: int
    versions: int
    sum: int
    def __init__(
        self, key: bytes, filter_: Buffer, first_sequence: int, last_sequence: int, floor: int
    ) -> None: ...
    def take(
        self, page: bytes, low: bytes, high: bytes | None, previous: bytes
    ) -> bytes | None: ...

def first_damaged(data: Buffer, sums: bytes, size: int) -> int | None: ...
def name_hash(key: bytes, name: bytes, sequence: int, node_id: int) -> int: ...
def sum_names(key: bytes, digests: Buffer, sequences: Buffer, ids: Buffer) -> int: ...
def place_blocks(
    data: bytes, starts: Buffer, begin: int, content_max: int, places: Buffer
) -> tuple[int, int]: ...
def take_names(
    data: bytes,
    unpacked: bytes,
    places: Buffer,
    per_block: int,
    seed: int,
    digests: Buffer,
    present: Buffer,
) -> int: ...
def take_nodes(
    data: bytes,
    unpacked: bytes,
    places: Buffer,
    per_block: int,
    first_sequence: int,
    times: Buffer,
    code_end: int,
    born: Buffer,
    changed: Buffer,
) -> int: ...
def take_lists(
    key: bytes,
    data: bytes,
    starts: Buffer,
    first_id: int,
    is_out: bool,
    id_end: int,
    code_end: int,
    degrees: Buffer,
) -> tuple[int, int]: ...
def take_edges(
    data: bytes,
    unpacked: bytes,
    places: Buffer,
    first_sequence: int,
    times: Buffer,
    born: Buffer,
    changed: Buffer,
) -> int: ...
def node_columns(
    data: bytes,
    unpacked: bytes,
    places: Buffer,
    firsts: Buffer,
    counts: Buffer,
    dense: bool,
    listed: bool,
    first_sequence: int,
    times: Buffer,
    code_end: int,
) -> Any: ...
def edge_columns(
    data: bytes,
    unpacked: bytes,
    places: Buffer,
    counts: Buffer,
    listed: bool,
    first_sequence: int,
    times: Buffer,
) -> Any: ...
def list_columns(
    key: bytes,
    data: bytes,
    starts: Buffer,
    firsts: Buffer,
    counts: Buffer,
    dense: bool,
    is_out: bool,
    id_end: int,
    code_end: int,
) -> Any: ...
def hash_edge(key: bytes, source: int, code: int, target: int, name: bytes) -> int: ...
def may_hold_all(filter: bytes, ids: Buffer) -> bool: ...
