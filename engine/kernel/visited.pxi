# Ids that a traversal has visited: a hash, then bitmaps of 65,536 ids.

cdef enum:
    CHUNK_BITS = 16
    CHUNK_MASK = (1 << 16) - 1
    CHUNK_SIZE = (1 << 16) / 8
    NEAR_CHUNKS = 1 << 14  # Bitmaps of ids below 2^30 are found by their number alone.
    DIGIT_BITS = 11
    DIGIT_MASK = (1 << 11) - 1
    DIGITS_PAY = 1024  # Ids; for fewer, counting takes longer than comparing.
    HASH_MAX = 2048  # Ids in the hash before they move to bitmaps of 65,536 ids.
    HASH_FIRST_ROOM = 512  # Places; four times as many when a quarter is taken.

cdef struct Chunk:
    uint64_t number  # plus one; 0 is a free place
    uint64_t *bits


cdef struct Seen:
    # hashed : ids plus one.   near : bitmaps by number; NULL as long as ids go into the hash.
    # far : the other bitmaps, by a hash of their number.
    uint64_t *hashed
    uint64_t hashed_count, hashed_room
    uint64_t **near
    uint64_t near_end
    Chunk *far
    uint64_t far_count, far_room


cdef inline uint64_t scatter(uint64_t value) noexcept nogil:
    return value * <uint64_t>0x9E3779B97F4A7C15 >> 20


cdef int seen_add(Seen *seen, uint64_t node_id) noexcept nogil:
    """Return 1 if the id is new, 2 if it was seen, 0 if there is no memory."""
    cdef uint64_t place, bit
    cdef uint64_t *word
    if seen.near == NULL:
        # A room is a power of two: a division would take as long as all the rest.
        place = 0
        if seen.hashed_room:
            place = scatter(node_id) & (seen.hashed_room - 1)
            while seen.hashed[place]:
                if seen.hashed[place] == node_id + 1:
                    return 2
                place = (place + 1) & (seen.hashed_room - 1)
        if 4 * seen.hashed_count < seen.hashed_room:
            seen.hashed[place] = node_id + 1
            seen.hashed_count += 1
            return 1
        if seen.hashed_count < HASH_MAX:
            return seen_add(seen, node_id) if grow_hash(seen) else 0
        if not seen_spill(seen):
            return 0
    word = seen_bits(seen, node_id >> CHUNK_BITS)
    if word == NULL:
        return 0
    word += (node_id & CHUNK_MASK) >> 6
    bit = <uint64_t>1 << (node_id & 63)
    if word[0] & bit:
        return 2
    word[0] |= bit
    return 1


cdef bint grow_hash(Seen *seen) noexcept nogil:
    cdef uint64_t room = 4 * seen.hashed_room if seen.hashed_room else HASH_FIRST_ROOM, old, place
    cdef uint64_t *grown = <uint64_t *>calloc(room, sizeof(uint64_t))
    if grown == NULL:
        return False
    for old in range(seen.hashed_room):
        if seen.hashed[old]:
            place = scatter(seen.hashed[old] - 1) & (room - 1)
            while grown[place]:
                place = (place + 1) & (room - 1)
            grown[place] = seen.hashed[old]
    free(seen.hashed)
    seen.hashed = grown
    seen.hashed_room = room
    return True


cdef bint seen_spill(Seen *seen) noexcept nogil:
    """Move every id from the hash to bitmaps."""
    cdef uint64_t place, node_id
    cdef uint64_t *bits
    seen.near = <uint64_t **>calloc(NEAR_CHUNKS, sizeof(uint64_t *))
    if seen.near == NULL:
        return False
    for place in range(seen.hashed_room):
        if seen.hashed[place]:
            node_id = seen.hashed[place] - 1
            bits = seen_bits(seen, node_id >> CHUNK_BITS)
            if bits == NULL:
                return False
            bits[(node_id & CHUNK_MASK) >> 6] |= <uint64_t>1 << (node_id & 63)
    return True


cdef inline uint64_t *seen_bits(Seen *seen, uint64_t number) noexcept nogil:
    """Return the bitmap of 65,536 ids, made if it is missing; NULL without memory."""
    if number < NEAR_CHUNKS and seen.near[number] != NULL:
        return seen.near[number]
    return add_near(seen, number) if number < NEAR_CHUNKS else far_bits(seen, number)


cdef uint64_t *add_near(Seen *seen, uint64_t number) noexcept nogil:
    seen.near[number] = <uint64_t *>calloc(1, CHUNK_SIZE)
    seen.near_end = max(seen.near_end, number + 1)
    return seen.near[number]


cdef uint64_t *far_bits(Seen *seen, uint64_t number) noexcept nogil:
    cdef uint64_t place = 0, old
    cdef Chunk *grown
    if seen.far_room:
        place = scatter(number) & (seen.far_room - 1)
        while seen.far[place].number:
            if seen.far[place].number == number + 1:
                return seen.far[place].bits
            place = (place + 1) & (seen.far_room - 1)
    if 2 * (seen.far_count + 1) > seen.far_room:
        grown = <Chunk *>calloc(max(2 * seen.far_room, <uint64_t>64), sizeof(Chunk))
        if grown == NULL:
            return NULL
        old = seen.far_room
        seen.far_room = max(2 * old, <uint64_t>64)
        while old:
            old -= 1
            if seen.far[old].number:
                place = scatter(seen.far[old].number - 1) & (seen.far_room - 1)
                while grown[place].number:
                    place = (place + 1) & (seen.far_room - 1)
                grown[place] = seen.far[old]
        free(seen.far)
        seen.far = grown
        return far_bits(seen, number)
    seen.far[place].bits = <uint64_t *>calloc(1, CHUNK_SIZE)
    if seen.far[place].bits == NULL:
        return NULL
    seen.far[place].number = number + 1
    seen.far_count += 1
    return seen.far[place].bits


cdef void seen_free(Seen *seen) noexcept nogil:
    cdef uint64_t place
    for place in range(seen.near_end):
        free(seen.near[place])
    for place in range(seen.far_room):
        free(seen.far[place].bits)
    free(seen.near)
    free(seen.far)
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


cdef bint reach_all(
    Seen *seen, Fresh fresh, const uint64_t *ids, uint64_t count
) noexcept nogil:
    """Add those ids that are new; return False without memory."""
    cdef uint64_t place = 0, room = fresh.room, bit, old
    cdef uint64_t *grown
    cdef uint64_t *word
    cdef int known
    while room - fresh.count < count:
        room *= 2
    if room != fresh.room:
        grown = <uint64_t *>realloc(fresh.ids, room * sizeof(uint64_t))
        if grown == NULL:
            return False
        fresh.ids = grown
        fresh.room = room
    while place < count and seen.near == NULL:
        known = seen_add(seen, ids[place])
        if not known:
            return False
        fresh.ids[fresh.count] = ids[place]
        fresh.count += known == 1
        place += 1
    # Whether an id is new is anybody's guess, the processor's too: no branch asks for it.
    while place < count:
        word = seen_bits(seen, ids[place] >> CHUNK_BITS)
        if word == NULL:
            return False
        word += (ids[place] & CHUNK_MASK) >> 6
        bit = ids[place] & 63
        old = word[0]
        fresh.ids[fresh.count] = ids[place]
        fresh.count += ~(old >> bit) & 1
        word[0] = old | <uint64_t>1 << bit
        place += 1
    return True
