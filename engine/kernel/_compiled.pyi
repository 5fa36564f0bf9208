from lithograph.formats.layout import Buffer

def xxh64(data: Buffer) -> int: ...
def encode_record(
    chain: int,
    epoch: int,
    sequence: int,
    synced_upto: int,
    commit_time: int,
    operation_count: int,
    payload: bytes,
) -> bytes: ...
def encode_slot(
    counter: int,
    session: int,
    generation: int,
    wal_number: int,
    wal_end: int,
    wal_synced: int,
    chain: int,
    last_sequence: int,
    last_commit_time: int,
    flags: int,
    next_file_number: int,
) -> bytes: ...
def scan_records(
    data: Buffer, offset: int, epoch: int, sequence: int, chain: int
) -> tuple[list[int], int, int]: ...
