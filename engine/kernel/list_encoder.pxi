# Adjacency lists, encoded (SPEC.md, section 12.4): what `formats.adjacency_list.encode_list` does.

cdef struct ListOut:
    # groups : of the list on its way.   rows : of its index, offsets without what is before them.
    # record : the whole list, if it has an index.
    Growing groups, rows, record
    uint64_t group_count_max, unindexed_size_max
    const uint8_t *encoded
    uint64_t size, flags


cdef bint put_group(
    Growing *out, const ListEdge **edges, uint64_t count, uint64_t previous_code
) noexcept nogil:
    """Add a group of edges of one type; False where there is no memory."""
    cdef uint64_t place, key_sizes = 0, previous = 0, step = edges[0].code - previous_code
    cdef uint8_t marks = 0
    cdef bint keyed = False, marked = False, extended, short
    for place in range(count):
        key_sizes += edges[place].key_size
        marked |= edges[place].mark != MARK_MADE
    keyed = key_sizes != 0
    if not growing_room(out, 2 + (2 * count + 2) * VARINT_ROOM + key_sizes + count):
        return False
    extended = keyed or marked
    short = not extended and count <= 6
    put_byte(
        out, <uint8_t>(min(step, <uint64_t>31) | (7 if extended else count - 1 if short else 6) << 5)
    )
    if step >= 31:
        put_varint(out, step)
    if extended:
        put_byte(out, keyed | marked << 1)
    if not short:
        put_varint(out, count)
    for place in range(count):
        put_varint(out, edges[place].neighbor - previous)
        previous = edges[place].neighbor
    if keyed:
        for place in range(count):
            put_varint(out, edges[place].key_size)
            put_bytes(out, edges[place].key, edges[place].key_size)
    if marked:
        for place in range(count):
            marks |= edges[place].mark << 2 * (place & 3)
            if place & 3 == 3 or place + 1 == count:
                put_byte(out, marks)
                marks = 0
    return True


cdef bint encode_groups(ListOut *out, const ListEdge **edges, uint64_t count) noexcept nogil:
    """Encode the groups of a list and the rows of its index; False where there is no memory."""
    cdef uint64_t start = 0, end, code = 0, limit
    out.groups.size = out.rows.size = 0
    out.flags = PURE
    while start < count:
        limit = min(start + out.group_count_max, count)
        end = start
        while end < limit and edges[end].code == edges[start].code:
            if edges[end].mark != MARK_MADE:
                out.flags = 0
            end += 1
        if not growing_room(&out.rows, 16):
            return False
        put64(&out.rows, edges[start].neighbor)
        put32(&out.rows, <uint32_t>edges[start].code)
        put32(&out.rows, <uint32_t>out.groups.size)
        if not put_group(&out.groups, edges + start, end - start, code):
            return False
        code = edges[start].code
        start = end
    return True


cdef Built encode_edges(ListOut *out, const ListEdge **edges, uint64_t count) noexcept nogil:
    """Encode a list of at least one edge; DISORDER where it is too large for its index."""
    cdef uint64_t base, row
    cdef Growing *record = &out.record
    if not encode_groups(out, edges, count):
        return NO_MEMORY
    out.encoded = out.groups.data
    out.size = out.groups.size
    if out.size <= out.unindexed_size_max:
        return BUILT
    base = 8 + out.rows.size
    if (count | base + out.size) >> 32:
        return DISORDER
    record.size = 0
    if not growing_room(record, base + out.size):
        return NO_MEMORY
    put32(record, <uint32_t>count)
    put32(record, <uint32_t>(out.rows.size / 16))
    for row in range(0, out.rows.size, 16):
        put_bytes(record, out.rows.data + row, 12)
        put32(record, <uint32_t>(base + load32(out.rows.data + row + 12)))
    put_bytes(record, out.groups.data, out.groups.size)
    out.encoded = record.data
    out.size = record.size
    out.flags |= INDEXED
    return BUILT
