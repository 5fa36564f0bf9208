# Heads of the blocks of tables: where the records stand (SPEC.md, section 12.3).

cdef enum:
    BLOCK_COUNT_MAX = 256

cdef struct Heads:
    # ids : of a sparse block.   offsets : from the block's start, of each record and of the end.
    # heads : size << 2 | flags of each record, 0 where there is none.
    uint64_t count
    uint64_t ids[BLOCK_COUNT_MAX]
    uint64_t offsets[BLOCK_COUNT_MAX + 1]
    uint64_t heads[BLOCK_COUNT_MAX]


cdef bint read_heads(
    Heads *found, const uint8_t *body, uint64_t size, uint64_t count, uint64_t first_id, bint dense
) noexcept nogil:
    """Read the heads of a block; return False where the careful way must look.

    count : of ids in a dense block; the most that a sparse one may have.
    """
    cdef const uint8_t *at = body
    cdef const uint8_t *end = body + size
    cdef uint64_t place, delta, node_id = first_id, offset, bitmap_size = (count + 7) / 8
    if count > BLOCK_COUNT_MAX:
        return False
    if dense:
        if bitmap_size > size or (count & 7 and body[count >> 3] >> (count & 7)):
            return False
        found.count = count
        at += bitmap_size
    else:
        at = read_varint(at, end, &found.count)
        if at == NULL or not 1 <= found.count <= count:
            return False
        for place in range(found.count):
            if place:
                at = read_varint(at, end, &delta)
                if at == NULL or delta >= ID_END:
                    return False
                node_id += delta + 1
            if node_id >= ID_END:
                return False
            found.ids[place] = node_id
    for place in range(found.count):
        found.heads[place] = 0
        if not dense or body[place >> 3] >> (place & 7) & 1:
            at = read_varint(at, end, &found.heads[place])
            if at == NULL or found.heads[place] <= 3 or found.heads[place] >= <uint64_t>1 << 50:
                return False
    offset = at - body
    for place in range(found.count):
        found.offsets[place] = offset
        offset += found.heads[place] >> 2
    found.offsets[found.count] = offset
    return offset == size


cdef bint read_dense_head(
    const uint8_t *body, uint64_t size, uint64_t count, uint64_t wanted,
    uint64_t *offset, uint64_t *head
) noexcept nogil:
    """Read where one record of a dense block stands; return False as `read_heads` does."""
    cdef const uint8_t *end = body + size
    cdef uint64_t sum = 0, bitmap_size = (count + 7) / 8, before, present
    cdef const uint8_t *at = body + bitmap_size
    if count > BLOCK_COUNT_MAX or bitmap_size > size:
        return False
    if count & 7 and body[count >> 3] >> (count & 7):
        return False
    # All heads are read, as their sum is checked.
    head[0] = 0
    before = count_bits(body, wanted)
    present = count_bits(body, count)
    at = add_sizes(at, end, before, &sum)
    offset[0] = sum
    if at != NULL and body[wanted >> 3] >> (wanted & 7) & 1:
        before += 1
        at = read_varint(at, end, head)
        if at == NULL or head[0] <= 3 or head[0] >= <uint64_t>1 << 50:
            return False
        sum += head[0] >> 2
    if at != NULL:
        at = add_sizes(at, end, present - before, &sum)
    if at == NULL:
        return False
    offset[0] += at - body
    return sum + <uint64_t>(at - body) == size
