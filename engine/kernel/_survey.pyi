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
    data: bytes, unpacked: bytes, places: Buffer, per_block: int, seed: int, digests: Buffer
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
