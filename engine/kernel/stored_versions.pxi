# Version records of nodes that move from one file to another (SPEC.md, section 12.5).
#
# Whatever does not look as a writer made it is not moved: the plain way decodes it, and says what is
# wrong. Only times are not looked at, for that takes the commit table; they mean the same where the
# record goes, and whoever reads it is told.

cdef enum:
    # Bits of fields (7.2).
    HAS_OBSERVATIONS = 1 << 2
    HAS_REMOVED = 1 << 3
    HAS_APPENDED = 1 << 4
    HAS_PROPERTIES = 1 << 5
    HAS_PROPERTIES_SET = 1 << 6
    HAS_PROPERTIES_UNSET = 1 << 7


cdef const uint8_t *skip_text(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Return where a text ends; NULL where there is none."""
    cdef uint64_t size
    at = read_varint(at, end, &size)
    if at == NULL or size > <uint64_t>(end - at) or not is_utf8(at, size):
        return NULL
    return at + size


cdef const uint8_t *skip_texts(const uint8_t *at, const uint8_t *end) noexcept nogil:
    cdef uint64_t count, place
    at = read_varint(at, end, &count)
    if at == NULL or count > <uint64_t>(end - at):
        return NULL
    for place in range(count):
        at = skip_text(at, end)
        if at == NULL:
            return NULL
    return at


cdef const uint8_t *skip_map(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Return where a property map ends; NULL where there is none."""
    cdef uint64_t size
    at = read_varint(at, end, &size)
    if at == NULL or size > <uint64_t>(end - at) or not is_property_map(at, size):
        return NULL
    return at + size


cdef bint are_fields(uint64_t present, const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Return whether these are the fields that are present, to the end."""
    cdef uint64_t value
    cdef int field
    cdef FieldKind kind
    if present & HAS_OBSERVATIONS and present & (HAS_REMOVED | HAS_APPENDED):
        return False
    if present & HAS_PROPERTIES and present & (HAS_PROPERTIES_SET | HAS_PROPERTIES_UNSET):
        return False
    for field in range(FIELD_COUNT):
        if not present >> field & 1:
            continue
        kind = kind_of(field)
        if kind == TEXTS:
            at = skip_texts(at, end)
        elif kind == MAP:
            at = skip_map(at, end)
        else:
            at = read_varint(at, end, &value)
            if at != NULL and (value >= TYPE_CODE_END if kind == CODE else not is_time(value)):
                return False
        if at == NULL:
            return False
    return at == end


cdef bint is_time(uint64_t value) noexcept nogil:
    return not value or (value - 1) & 3 < 3


cdef bint rebase_version(
    Growing *out, const uint8_t *at, uint64_t size, uint64_t sequence_max, uint64_t distance,
    Made *made
) noexcept nogil:
    """Put a record into `out` whose sequences count from `distance` commits before; return whether
    it can be moved. `made` says if there is no memory.

    sequence_max : the highest that the record may have.
    """
    cdef const uint8_t *end = at + size
    cdef uint64_t head, present = 0, sequence, born = 0
    made[0] = MADE
    out.size = 0
    if size < 2:
        return False
    head = at[0]
    if head not in (0, CHANGE, CHANGE | FULL, CHANGE | FULL | BORN_DIFFERS):
        return False
    at += 1
    if head & CHANGE:
        present = at[0]
        at += 1
    at = read_varint(at, end, &sequence)
    if at == NULL or sequence > sequence_max:
        return False
    if head & BORN_DIFFERS:
        at = read_varint(at, end, &born)
        if at == NULL or born >= sequence:
            return False
    if not are_fields(present, at, end):
        return False
    if not growing_room(out, 2 + 2 * VARINT_ROOM + (end - at)):
        made[0] = NO_ROOM
        return False
    put_byte(out, <uint8_t>head)
    if head & CHANGE:
        put_byte(out, <uint8_t>present)
    put_varint(out, sequence + distance)
    if head & BORN_DIFFERS:
        put_varint(out, born + distance)
    put_bytes(out, at, end - at)
    return True
