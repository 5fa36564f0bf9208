# Property maps (SPEC.md, section 9.3): whether one is as it should be, without making its values.

cdef enum:
    # What is deeper or larger is left to the careful way; so is text that is not ASCII.
    PLAIN_DEPTH_MAX = 16
    PLAIN_SIZE_MAX = 1 << 20


cdef inline uint64_t load_big(const uint8_t *at, uint64_t size) noexcept nogil:
    cdef uint64_t value = 0, place
    for place in range(size):
        value = value << 8 | at[place]
    return value


cdef const uint8_t *skip_value(
    const uint8_t *at, const uint8_t *end, int depth, bint must_be_text, bint must_be_map
) noexcept nogil:
    """Return where a value ends, NULL where it is not known to be one of a property map."""
    cdef uint64_t kind, count = 0, width = 0, place
    cdef bint is_text = False, is_list = False, is_map = False
    if at >= end:
        return NULL
    kind = at[0]
    at += 1
    # Values whose size stands in the first byte, or in 1, 2 or 4 bytes behind it.
    if kind & 0xE0 == 0xA0:
        is_text, count = True, kind & 31
    elif kind & 0xF0 == 0x90:
        is_list, count = True, kind & 15
    elif kind & 0xF0 == 0x80:
        is_map, count = True, kind & 15
    elif 0xD9 <= kind <= 0xDB:
        is_text, width = True, <uint64_t>1 << (kind - 0xD9)
    elif 0xDC <= kind <= 0xDD:
        is_list, width = True, <uint64_t>2 << (kind - 0xDC)
    elif 0xDE <= kind <= 0xDF:
        is_map, width = True, <uint64_t>2 << (kind - 0xDE)
    if width > <uint64_t>(end - at) or (must_be_text and not is_text) or (must_be_map and not is_map):
        return NULL
    if width:
        count = load_big(at, width)
        at += width
    # Every item takes a byte at least: nothing that is announced and not there is waited for.
    if count > <uint64_t>(end - at):
        return NULL
    if is_text:
        return at + count if is_ascii(at, count) else NULL
    if is_list or is_map:
        if depth >= PLAIN_DEPTH_MAX:
            return NULL
        for place in range(count):
            if is_map:
                at = skip_value(at, end, depth + 1, True, False)
                if at == NULL:
                    return NULL
            at = skip_value(at, end, depth + 1, False, False)
            if at == NULL:
                return NULL
        return at
    return skip_scalar(kind, at, end)


cdef inline const uint8_t *skip_scalar(
    uint64_t kind, const uint8_t *at, const uint8_t *end
) noexcept nogil:
    cdef uint64_t size
    if kind <= 0x7F or kind >= 0xE0 or kind == 0xC0 or kind == 0xC2 or kind == 0xC3:
        return at
    if kind == 0xCB:
        size = 8
    elif 0xCC <= kind <= 0xCF:
        size = <uint64_t>1 << (kind - 0xCC)
    elif 0xD0 <= kind <= 0xD3:
        size = <uint64_t>1 << (kind - 0xD0)
    else:
        return NULL
    if size > <uint64_t>(end - at):
        return NULL
    # Neither infinite nor no number.
    if kind == 0xCB and load_big(at, 8) >> 52 & 0x7FF == 0x7FF:
        return NULL
    return at + size


cdef inline bint is_plain(const uint8_t *data, uint64_t size) noexcept nogil:
    return size <= PLAIN_SIZE_MAX and skip_value(data, data + size, 0, False, True) == data + size


def is_plain_map(bytes data not None):
    """Return True only of what `formats.properties.check_encoded` returns without an error.

    Cost: O(bytes), 0.1 us for four properties where the careful way takes 3.
    """
    return is_plain(<const uint8_t *>PyBytes_AS_STRING(data), len(data))
