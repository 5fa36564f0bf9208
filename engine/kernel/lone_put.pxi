# A draft that puts one node and nothing else: from the put to the record of the log in one step.
# The plain twins are `transaction.draft_resolve.resolve_draft` and `encode_record`.


def lone_name(Draft draft not None):
    """Return the name of the node of such a draft; None for every other draft."""
    if (
        draft.node_count != 1 or draft.edge_count or draft.name_count != 1
        or len(draft.types) > 1
    ):
        return None
    return draft.texts[0]


def encode_lone(
    Draft draft not None, found, Commits commits not None, type_code, uint64_t chain,
    uint64_t epoch, uint64_t sequence, uint64_t synced_upto, int64_t commit_time,
):
    """Return the record of a draft that has a `lone_name`, None if it changes nothing.

    found : the id that the name has now, None if it has none.
    commits : of the memtable: of the next new node's id, and the next new type's code.
    type_code : the code of a type, None for a new one.
    The others are of the record; see `encode_record`.

    Raises what `too_large` returns where the operations take more than `size_max`.
    """
    cdef CommitRow row = commits.rows[commits.count - 1]
    cdef DraftNode *node
    cdef Growing out
    cdef int64_t known = -1
    cdef uint32_t count = 0
    cdef uint64_t size
    if lone_name(draft) is None or not 0 < sequence < <uint64_t>1 << 63:
        raise ValueError("one node, and a sequence, are wanted")
    node = &draft.nodes_[0]
    draft.names[0].found = ABSENT if found is None else found
    memset(&out, 0, sizeof(Growing))
    try:
        if not growing_room(&out, RECORD_SIZE_MIN):
            raise MemoryError
        out.size = RECORD_SIZE_MIN
        # A new node's type is "" unless it is put otherwise.
        if node.type >= 0 and (found is not None or len(<str>draft.types[0])):
            code = type_code(draft.types[0])
            if code is None:
                if row.type_count >= <int64_t>1 << 32:
                    raise MemoryError
                code = row.type_count
                put_operation(&out, DEFINE_TYPE, 0, code, (<str>draft.types[0]).encode())
                count = 1
            known = code
        draft.encode_node(&out, node, row.next_id, &known, row.type_count, [], &count)
        if not count:
            return None
        size = out.size - RECORD_SIZE_MIN
        if size > draft.size_max:
            raise draft.too_large(size, draft.size_max)
        if size >= <uint64_t>1 << 32 or not growing_room(&out, 8):
            raise MemoryError
        seal_record(
            out.data,
            RecordHead(0, chain, epoch, sequence, synced_upto, commit_time, <uint32_t>size, count),
        )
        return PyBytes_FromStringAndSize(<const char *>out.data, record_size(size))
    finally:
        growing_free(&out)
