# Names of one run in order, out of leaves that are fed one by one.

cdef enum Need:
    NAME  # there is one
    FOOD  # the next leaf, or name
    NOTHING  # it was the last one


cdef struct Stream:
    Need need
    bint is_merged  # its name is one of those that are being merged
    uint64_t first_sequence
    bint in_leaf
    LeafScan leaf
    uint8_t page[PAGE_SIZE]  # the leaf
    Growing given  # a name that does not come from a leaf
    Growing last  # the last name that was fed
    # The name the stream stands at.
    const uint8_t *name
    size_t size
    Growing versions  # NameVersion, newest first


cdef bint load_versions(Stream *stream) noexcept nogil:
    """Take the versions of the entry that was read; return False without memory."""
    cdef const LeafScan *leaf = &stream.leaf
    cdef const uint8_t *at = leaf.pairs
    cdef const uint8_t *end = leaf.page + leaf.end
    cdef uint64_t first = stream.first_sequence, sequence = 0, value = 0, place
    stream.versions.size = 0
    if at == NULL:
        return note_version(&stream.versions, first + leaf.sequence, <int64_t>leaf.id)
    for place in range(leaf.version_count):
        # They were read before, and are in order.
        at = read_varint(read_varint(at, end, &sequence), end, &value)
        if not note_version(&stream.versions, first + sequence, <int64_t>value - 1):
            return False
    return True


cdef Outcome advance(Stream *stream) noexcept nogil:
    """Go to the next name, or find that there is none yet."""
    # The leaf was read once when it was fed, so where there is no entry it ends.
    if not stream.in_leaf or next_entry(&stream.leaf) != READ:
        stream.in_leaf = False
        stream.need = FOOD
        return DONE
    stream.name = stream.leaf.key
    stream.size = stream.leaf.key_size
    stream.need = NAME
    return DONE if load_versions(stream) else NO_MEMORY


cdef Scanned read_leaf(Stream *stream) noexcept nogil:
    """Read the page through; AT_END if all of it is usual, and its names are above the last one."""
    cdef LeafScan *leaf = &stream.leaf
    cdef Scanned found = UNUSUAL
    if begin_leaf(leaf, stream.page):
        found = next_entry(leaf)
    if found != READ:
        return UNUSUAL
    if compare_bytes(stream.last.data, stream.last.size, leaf.key, leaf.key_size) >= 0:
        return UNUSUAL
    while found == READ:
        found = next_entry(leaf)
    return found


cdef Outcome feed(Stream *stream, const uint8_t *page) noexcept nogil:
    """Give a stream that has none its next leaf; it goes on needing food if the leaf is unusual."""
    memcpy(stream.page, page, PAGE_SIZE)
    if read_leaf(stream) != AT_END:
        return DONE
    if not assign(&stream.last, stream.leaf.key, stream.leaf.key_size):
        return NO_MEMORY
    stream.in_leaf = begin_leaf(&stream.leaf, stream.page)
    return advance(stream)


cdef void free_stream(Stream *stream) noexcept nogil:
    growing_free(&stream.given)
    growing_free(&stream.last)
    growing_free(&stream.versions)
