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
def scan_records(
    data: Buffer, offset: int, epoch: int, sequence: int, chain: int
) -> tuple[list[int], int, int]: ...
