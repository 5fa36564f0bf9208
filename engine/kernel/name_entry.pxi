# Sizes and order of keys in a name page (SPEC.md, section 13.3), for what searches and what scans.

cdef const uint8_t *read_sizes(
    const uint8_t *at, const uint8_t *end, uint64_t *shared, uint64_t *size, bint *multi
) noexcept nogil:
    """Read how many bytes an entry shares and has, and whether it has several versions (13.3);
    NULL where its key goes on in another page."""
    cdef uint64_t more
    cdef bint has_flags
    if at >= end:
        return NULL
    shared[0] = at[0] & 15
    size[0] = at[0] >> 4
    at += 1
    has_flags = size[0] == 15
    multi[0] = has_flags
    if has_flags:
        if at >= end or at[0] != 1:
            return NULL
        at += 1
    if shared[0] == 15:
        at = read_varint(at, end, &more)
        if at == NULL or more > HEAD_SIZE_MAX:
            return NULL
        shared[0] += more
    if has_flags or size[0] == 14:
        at = read_varint(at, end, &more)
        if at == NULL or more > HEAD_SIZE_MAX:
            return NULL
        size[0] = more if has_flags else 14 + more
    if size[0] > <uint64_t>(end - at) or shared[0] + size[0] > HEAD_SIZE_MAX:
        return NULL
    return at


cdef inline bint ascends(
    const uint8_t *key, uint64_t size, const uint8_t *previous, uint64_t previous_size
) noexcept nogil:
    """Return whether what follows of a key is above what followed of the one before."""
    cdef uint64_t place = 0
    while place < size and place < previous_size:
        if key[place] != previous[place]:
            return key[place] > previous[place]
        place += 1
    return size > previous_size
