# Versions of a memtable as the records of a segment (SPEC.md, section 12.5).

cdef enum:
    VERSION_CHANGE = 1
    VERSION_FULL = 2
    EDGE_FIELDS_SHIFT = 3


cdef int put_moment(Growing *out, int64_t moment, int64_t time) noexcept nogil:
    """Put a time: in its largest unit, as the distance from the commit's; there is room."""
    cdef int64_t unit = 1, distance
    cdef uint64_t code = 0
    if moment == NO_MOMENT:
        put_varint(out, 0)
        return 0
    if moment % 1000 == 0:
        code = 1 if moment % 1000000 else 2
        unit = 1000 if code == 1 else 1000000
    distance = floor_of(moment, unit) - floor_of(time, unit)
    put_varint(out, 1 + ((<uint64_t>distance << 1 ^ <uint64_t>(distance >> 63)) << 2 | code))
    return 0


cdef inline int64_t floor_of(int64_t value, int64_t unit) noexcept nogil:
    """Return how many whole units there are, towards minus infinity."""
    return value // unit - (value % unit < 0)


cdef bint put_text_list(Growing *out, Bytes *fields) noexcept nogil:
    """Put a list of texts that the log has in `fields`; False where it is odd or without memory."""
    cdef uint32_t count, size, place
    cdef const uint8_t *text
    if not take32(fields, &count) or not growing_room(out, VARINT_ROOM):
        return False
    put_varint(out, count)
    for place in range(count):
        if not take_text(fields, &text, &size) or not growing_room(out, VARINT_ROOM + <size_t>size):
            return False
        put_varint(out, size)
        put_bytes(out, text, size)
    return True


cdef bint put_map(Growing *out, const uint8_t *map_, uint32_t size) noexcept nogil:
    if not growing_room(out, VARINT_ROOM + <size_t>size):
        return False
    put_varint(out, size)
    put_bytes(out, map_, size)
    return True


cdef bint put_node_version(
    Growing *out, const MemNodeVersion *version, int64_t time, uint64_t first_sequence
) noexcept nogil:
    """Put a version of a node; False where it is odd or without memory."""
    cdef Bytes fields
    cdef const uint8_t *map_
    cdef uint32_t code, size
    cdef int64_t moment
    cdef int bit
    if not growing_room(out, 4 * VARINT_ROOM):
        return False
    if version.kind == MEM_TOMBSTONE:
        put_byte(out, 0)
        put_varint(out, version.sequence - first_sequence)
        return True
    put_byte(out, VERSION_CHANGE | (VERSION_FULL if version.kind == MEM_FULL else 0))
    put_byte(out, version.flags)
    put_varint(out, version.sequence - first_sequence)
    fields.at = version.fields
    fields.end = version.fields + version.size
    if version.flags > 255:
        return False
    if version.flags & HAS_CODE:
        if not take32(&fields, &code):
            return False
        put_varint(out, code)
    if version.flags & HAS_CREATED:
        if not take64(&fields, &moment):
            return False
        put_moment(out, moment, time)
    for bit in range(2, 8):
        if not version.flags >> bit & 1:
            continue
        if 1 << bit == HAS_MAP or 1 << bit == HAS_SET:
            if not take_text(&fields, &map_, &size) or not put_map(out, map_, size):
                return False
        elif not put_text_list(out, &fields):
            return False
    return fields.at == fields.end


cdef bint put_edge_fields(Growing *out, const MemEdgeFields *fields, int64_t time) noexcept nogil:
    """Put the fields of an edge; False without memory."""
    if not growing_room(out, 3 * VARINT_ROOM):
        return False
    if fields.flags & MEM_CREATED:
        put_moment(out, fields.created_at, time)
    if fields.flags & MEM_FROM:
        put_moment(out, fields.valid_from, time)
    if fields.flags & MEM_TO:
        put_moment(out, fields.valid_to, time)
    return not fields.flags & MEM_PROPERTIES or put_map(
        out, fields.properties, fields.properties_size
    )
