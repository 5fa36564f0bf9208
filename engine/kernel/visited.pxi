# Ids that a traversal has visited: a hash, then bitmaps of 65,536 ids.

cdef enum:
    CHUNK_BITS = 16
    DIGIT_BITS = 11
    DIGIT_MASK = (1 << 11) - 1
    DIGITS_PAY = 1024  # Ids; for fewer, counting takes longer than comparing.
    HASH_MAX = 4096  # Ids in the hash before they move to bitmaps of 65,536 ids.

cdef struct Chunk:
    uint64_t number  # plus one; 0 is a free place
    uint64_t *bits


cdef struct Seen:
    uint64_t *hashed  # ids plus one, in 4 * HASH_MAX places
    uint64_t hashed_count
    Chunk *chunks
    uint64_t chunk_count, chunk_room


cdef inline uint64_t scatter(uint64_t value) noexcept nogil:
    return value * <uint64_t>0x9E3779B97F4A7C15 >> 20


cdef int seen_add(Seen *seen, uint64_t node_id) noexcept nogil:
    """Return 1 if the id is new, 2 if it was seen, 0 if there is no memory."""
    cdef uint64_t place, number, bit
    cdef uint64_t *bits
    if seen.chunks == NULL:
        if seen.hashed == NULL:
            seen.hashed = <uint64_t *>malloc(4 * HASH_MAX * sizeof(uint64_t))
            if seen.hashed == NULL:
                return 0
            memset(seen.hashed, 0, 4 * HASH_MAX * sizeof(uint64_t))
        place = scatter(node_id) & (4 * HASH_MAX - 1)
        while seen.hashed[place]:
            if seen.hashed[place] == node_id + 1:
                return 2
            place = (place + 1) & (4 * HASH_MAX - 1)
        if seen.hashed_count < HASH_MAX:
            seen.hashed[place] = node_id + 1
            seen.hashed_count += 1
            return 1
        if not seen_spill(seen):
            return 0
    bits = seen_chunk(seen, node_id >> CHUNK_BITS)
    if bits == NULL:
        return 0
    number = (node_id & ((1 << CHUNK_BITS) - 1)) >> 6
    bit = <uint64_t>1 << (node_id & 63)
    if bits[number] & bit:
        return 2
    bits[number] |= bit
    return 1


cdef bint seen_spill(Seen *seen) noexcept nogil:
    """Move every id from the hash to bitmaps."""
    cdef uint64_t place, node_id
    cdef uint64_t *bits
    seen.chunk_room = 64
    seen.chunks = <Chunk *>malloc(seen.chunk_room * sizeof(Chunk))
    if seen.chunks == NULL:
        return False
    memset(seen.chunks, 0, seen.chunk_room * sizeof(Chunk))
    for place in range(4 * HASH_MAX):
        if seen.hashed[place]:
            node_id = seen.hashed[place] - 1
            bits = seen_chunk(seen, node_id >> CHUNK_BITS)
            if bits == NULL:
                return False
            bits[(node_id & ((1 << CHUNK_BITS) - 1)) >> 6] |= <uint64_t>1 << (node_id & 63)
    return True


cdef uint64_t *seen_chunk(Seen *seen, uint64_t number) noexcept nogil:
    """Return the bitmap of 65,536 ids, made if it is missing; NULL without memory."""
    # The room is a power of two: a division would take as long as all the rest.
    cdef uint64_t place = scatter(number) & (seen.chunk_room - 1), old, index
    cdef Chunk *grown
    while seen.chunks[place].number:
        if seen.chunks[place].number == number + 1:
            return seen.chunks[place].bits
        place = (place + 1) & (seen.chunk_room - 1)
    if 2 * (seen.chunk_count + 1) > seen.chunk_room:
        grown = <Chunk *>malloc(2 * seen.chunk_room * sizeof(Chunk))
        if grown == NULL:
            return NULL
        memset(grown, 0, 2 * seen.chunk_room * sizeof(Chunk))
        for old in range(seen.chunk_room):
            if seen.chunks[old].number:
                index = scatter(seen.chunks[old].number - 1) & (2 * seen.chunk_room - 1)
                while grown[index].number:
                    index = (index + 1) & (2 * seen.chunk_room - 1)
                grown[index] = seen.chunks[old]
        free(seen.chunks)
        seen.chunks = grown
        seen.chunk_room *= 2
        return seen_chunk(seen, number)
    seen.chunks[place].bits = <uint64_t *>malloc((1 << CHUNK_BITS) / 8)
    if seen.chunks[place].bits == NULL:
        return NULL
    memset(seen.chunks[place].bits, 0, (1 << CHUNK_BITS) / 8)
    seen.chunks[place].number = number + 1
    seen.chunk_count += 1
    return seen.chunks[place].bits


cdef void seen_free(Seen *seen) noexcept nogil:
    cdef uint64_t place
    if seen.chunks != NULL:
        for place in range(seen.chunk_room):
            free(seen.chunks[place].bits)
    free(seen.chunks)
    free(seen.hashed)


cdef int order_ids(const void *one, const void *other) noexcept nogil:
    cdef uint64_t a = (<const uint64_t *>one)[0], b = (<const uint64_t *>other)[0]
    return (a > b) - (a < b)


cdef bint sort_by_digits(uint64_t *ids, uint64_t count) noexcept nogil:
    """Sort ids by eleven bits at a time, lowest first; False without memory.

    A third of a traversal was `qsort`: three hops from a hub of W reach 270,000 nodes.
    """
    cdef uint64_t starts[1 << DIGIT_BITS]
    cdef uint64_t highest = 0, place, sum, number
    cdef uint64_t *room = <uint64_t *>malloc(count * sizeof(uint64_t))
    cdef uint64_t *source = ids
    cdef uint64_t *target = room
    cdef int shift = 0
    if room == NULL:
        return False
    for place in range(count):
        highest |= ids[place]
    while highest >> shift:
        memset(starts, 0, sizeof(starts))
        for place in range(count):
            starts[source[place] >> shift & DIGIT_MASK] += 1
        sum = 0
        for place in range(1 << DIGIT_BITS):
            number = starts[place]
            starts[place] = sum
            sum += number
        for place in range(count):
            number = source[place] >> shift & DIGIT_MASK
            target[starts[number]] = source[place]
            starts[number] += 1
        source, target = target, source
        shift += DIGIT_BITS
    if source != ids:
        memcpy(ids, source, count * sizeof(uint64_t))
    free(room)
    return True


cdef class Fresh:
    """Ids reached for the first time in one hop."""

    cdef uint64_t *ids
    cdef uint64_t count, room

    def __cinit__(self):
        self.room = 256
        self.ids = <uint64_t *>malloc(self.room * sizeof(uint64_t))
        if self.ids == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.ids)

    cdef void sort(self) noexcept nogil:
        if self.count < DIGITS_PAY or not sort_by_digits(self.ids, self.count):
            qsort(self.ids, self.count, sizeof(uint64_t), order_ids)

    cdef array(self):
        cdef Py_buffer view
        array = new_array(self.count, INT64)
        PyObject_GetBuffer(array, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        memcpy(view.buf, self.ids, self.count * sizeof(uint64_t))
        PyBuffer_Release(&view)
        return array


cdef bint reach(Seen *seen, Fresh fresh, uint64_t node_id) noexcept nogil:
    """Add an id if it is new; return False without memory."""
    cdef int known = seen_add(seen, node_id)
    cdef uint64_t *grown
    if known != 1:
        return known == 2
    if fresh.count == fresh.room:
        grown = <uint64_t *>realloc(fresh.ids, 2 * fresh.room * sizeof(uint64_t))
        if grown == NULL:
            return False
        fresh.ids = grown
        fresh.room *= 2
    fresh.ids[fresh.count] = node_id
    fresh.count += 1
    return True
