# Blocks of records, and the records of nodes in them (SPEC.md, sections 12.3 and 12.5).

def block_heads(const uint8_t[::1] body not None, uint64_t count, uint64_t first_id, bint dense):
    """Return (ids, offsets, sizes and flags) of a block (12.3), ids None in a dense one; or UNSURE.

    count : of ids in a dense block; the most that a sparse one may have.
    """
    cdef Heads heads
    cdef uint64_t place
    cdef list ids = None
    if not body.shape[0] or not read_heads(
        &heads, &body[0], body.shape[0], count, first_id, dense
    ):
        return UNSURE
    if not dense:
        ids = [heads.ids[place] for place in range(heads.count)]
    return (
        ids,
        [heads.offsets[place] for place in range(heads.count + 1)],
        [heads.heads[place] for place in range(heads.count)],
    )


cdef object read_text(const uint8_t **at, const uint8_t *end):
    """Read a size and that many bytes of UTF-8; None where they are not."""
    cdef uint64_t size
    cdef const uint8_t *start = read_varint(at[0], end, &size)
    if start == NULL or size > <uint64_t>(end - start):
        return None
    at[0] = start + size
    try:
        return PyUnicode_DecodeUTF8(<const char *>start, size, NULL)
    except UnicodeDecodeError:
        return None


def node_record(const uint8_t[::1] data not None):
    """Return (sequence, born sequence or -1, type code, time, observations, properties) of a full
    version of a node (12.5), each as it stands there or None; or UNSURE, also of other versions."""
    return record_at(&data[0], data.shape[0]) if data.shape[0] else UNSURE


cdef object record_at(const uint8_t *data, uint64_t size):
    cdef const uint8_t *at = data
    cdef const uint8_t *end = data + size
    cdef uint64_t head, flags, sequence, born = 0, value, count, place
    cdef object code = None, time = None, observations = None, properties = None
    if size < 3:
        return UNSURE
    head = at[0]
    flags = at[1]
    # A change, full; type, time, observations, properties.
    if head & ~<uint64_t>4 != 3 or flags & ~<uint64_t>0x27:
        return UNSURE
    at = read_varint(at + 2, end, &sequence)
    if at == NULL or sequence > <uint64_t>1 << 62:
        return UNSURE
    if head & 4:
        at = read_varint(at, end, &born)
        if at == NULL or born >= sequence:
            return UNSURE
    if flags & 1:
        at = read_varint(at, end, &value)
        if at == NULL or value >= TYPE_CODE_END:
            return UNSURE
        code = value
    if flags & 2:
        at = read_varint(at, end, &value)
        if at == NULL:
            return UNSURE
        time = value
    if flags & 4:
        at = read_varint(at, end, &count)
        if at == NULL or count > <uint64_t>(end - at):
            return UNSURE
        texts = []
        for place in range(count):
            text = read_text(&at, end)
            if text is None:
                return UNSURE
            texts.append(text)
        observations = tuple(texts)
    if flags & 32:
        at = read_varint(at, end, &value)
        if at == NULL or value > <uint64_t>(end - at):
            return UNSURE
        properties = PyBytes_FromStringAndSize(<const char *>at, value)
        at += value
    if at != end:
        return UNSURE
    return sequence, born if head & 4 else -1, code, time, observations, properties


cdef struct NodeSearch:
    const Span *file
    uint64_t blocks_offset, blocks_size, directory_offset, row_count, index
    # Where the stored bytes of the block begin in the file, how many they are, and how they are
    # stored; if as they are, they are copied to `copy`.
    uint64_t start, size, codec
    uint8_t *copy
    uint64_t room
    Answer answer


cdef void search_node_block(void *what) noexcept nogil:
    cdef NodeSearch *search = <NodeSearch *>what
    cdef bint is_last = search.index + 1 == search.row_count
    cdef const uint8_t *row = bytes_at(
        search.file, search.directory_offset + 8 * search.index, 8 if is_last else 16
    )
    cdef const uint8_t *head
    cdef const uint8_t *body
    cdef const uint8_t *end
    cdef uint64_t start, stop, head_size
    search.answer = ODD
    if row == NULL:
        return
    start = load64(row)
    stop = search.blocks_size if is_last else load64(row + 8)
    if not start < stop <= search.blocks_size:
        return
    head_size = min(<uint64_t>11, stop - start)
    head = bytes_at(search.file, search.blocks_offset + start, head_size)
    if head == NULL:
        return
    end = head + head_size
    search.codec = head[0]
    body = read_varint(head + 1, end, &search.size)
    if body == NULL or search.size > stop - start - (body - head):
        return
    search.start = search.blocks_offset + start + (body - head)
    search.answer = FOUND
    if search.codec == 0:
        body = bytes_at(search.file, search.start, search.size)
        if body == NULL:
            search.answer = ODD
        elif search.size > search.room:
            search.answer = FULL
        else:
            memcpy(search.copy, body, search.size)


cdef class QuickNodes(QuickFile):
    """The end states of the nodes that a segment made.

    Source: SPEC.md, sections 12.3 and 12.5.
    """

    cdef uint64_t blocks_offset, blocks_size, directory_offset, row_count, first_id, end_id
    cdef object kind, number, unpacked

    def __init__(
        self, map_, bits, uint64_t data_size, blocks, directory, ids, kind, number, unpacked
    ):
        """unpacked : returns the body of a compressed block that is in the cache, by kind and number
        of the file and the offset of its stored bytes, or None.
        """
        self.blocks_offset, self.blocks_size = blocks
        self.directory_offset = directory[0]
        self.row_count = directory[1] // 8
        self.first_id, self.end_id = ids.start, ids.stop
        self.kind, self.number, self.unpacked = kind, number, unpacked
        if self.row_count != (len(ids) + NODES - 1) // NODES:
            raise ValueError("the directory has another number of blocks")

    def find(self, uint64_t node_id):
        """Return what `node_record` returns of a node, None of one that has no end state here."""
        cdef NodeSearch search
        cdef uint8_t copy[16384]
        cdef uint64_t place, count
        cdef const uint8_t[::1] body
        if not self.first_id <= node_id < self.end_id:
            return UNSURE
        place = node_id - self.first_id
        search = NodeSearch(
            &self.span, self.blocks_offset, self.blocks_size, self.directory_offset, self.row_count,
            place / NODES, 0, 0, 0, &copy[0], sizeof(copy), ODD,
        )
        if guarded(search_node_block, &search) or search.answer != FOUND:
            return UNSURE
        count = min(<uint64_t>NODES, self.end_id - self.first_id - search.index * NODES)
        if search.codec == 0:
            return record_in(copy, search.size, count, place % NODES)
        data = self.unpacked((self.kind, self.number, search.start))
        if data is None or not len(data):
            return UNSURE
        body = data
        return record_in(&body[0], body.shape[0], count, place % NODES)


cdef object record_in(const uint8_t *body, uint64_t size, uint64_t count, uint64_t wanted):
    """Return a record of a dense block, taken apart; None where there is none; or UNSURE."""
    cdef Heads heads
    if not read_heads(&heads, body, size, count, 0, True):
        return UNSURE
    if not heads.heads[wanted]:
        return None
    if heads.heads[wanted] & 3:
        return UNSURE
    return record_at(body + heads.offsets[wanted], heads.heads[wanted] >> 2)
