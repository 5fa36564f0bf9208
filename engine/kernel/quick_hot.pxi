# The names that were looked up last, and what their runs said of them; twin of `catalog.hot_names`.

cdef enum:
    HOT_NAME_SIZE_MAX = 48
    HOT_PLACES_FIRST = 256  # Four times as many when half of them are taken.


cdef struct HotName:
    # One cache line. id_and_size : the node's id, and the name's size above its 48 bits; 0: free.
    uint64_t id_and_size, run
    uint8_t name[HOT_NAME_SIZE_MAX]


cdef class QuickHotNames:
    """(run, name) -> the id that a view newer than the run finds in it; the newest two in each pair.

    A run never changes and its number is never used again, so an answer stays right. Names of more
    than 48 bytes are not kept, nor those that a run does not have. Whoever asks holds the GIL.

    A name of W takes 0.8 µs in its run, waiting for a leaf and a line of the filter, and 0.4 here.
    Two lines side by side are one pair: of 2,000 names in 8,192 places one by one, a tenth drove
    each other out for ever; in pairs, three in a hundred do.
    """

    cdef HotName *places  # They begin where a line of the cache does; NULL before the first name.
    cdef void *memory
    cdef int shift
    cdef uint64_t count, count_max, kept

    def __cinit__(self, uint64_t size_max_bytes):
        """Take at most so many bytes, and no more than is used; with less than four lines, none."""
        cdef uint64_t count = size_max_bytes / sizeof(HotName)
        if count >= 4:
            self.count_max = 4
            while 2 * self.count_max <= count:
                self.count_max *= 2

    def __dealloc__(self):
        free(self.memory)

    @property
    def size_bytes(self):
        """How much memory it takes now."""
        return self.count * sizeof(HotName)

    def clear(self):
        """Forget all names and give the memory back."""
        free(self.memory)
        self.memory = NULL
        self.places = NULL
        self.count = self.kept = 0

    cdef inline HotName *place_of(self, uint64_t digest) noexcept nogil:
        """Return the first of the pair in which a name is."""
        return self.places + 2 * (digest >> self.shift)

    cdef inline void ask_for(self, uint64_t digest) noexcept nogil:
        """Let memory bring what `get` will look at."""
        if self.places != NULL:
            prefetch(self.place_of(digest))

    cdef inline const HotName *get(
        self, const uint8_t *name, uint64_t size, uint64_t digest
    ) noexcept nogil:
        """Return what is kept of a name, or NULL; it stays there until the next `put`."""
        cdef const HotName *found
        if self.places == NULL or not 0 < size <= HOT_NAME_SIZE_MAX:
            return NULL
        found = self.place_of(digest)
        if found.id_and_size >> 48 == size and not memcmp(found.name, name, size):
            return found
        found += 1
        if found.id_and_size >> 48 == size and not memcmp(found.name, name, size):
            return found
        return NULL

    cdef void put(
        self, const uint8_t *name, uint64_t size, uint64_t digest, uint64_t run, uint64_t node_id
    ) noexcept nogil:
        cdef HotName *place
        if not 0 < size <= HOT_NAME_SIZE_MAX:
            return
        if 2 * self.kept >= self.count and self.count < self.count_max:
            self.grow()
        if self.places == NULL:
            return
        place = self.place_for(digest, name, size)
        place.id_and_size = size << 48 | node_id
        place.run = run
        memcpy(place.name, name, size)

    cdef HotName *place_for(
        self, uint64_t digest, const uint8_t *name, uint64_t size
    ) noexcept nogil:
        """Return the place of a name that is to be put: the first of its pair, whose name, if it is
        another one, goes to the second."""
        cdef HotName *place = self.place_of(digest)
        if place.id_and_size >> 48 != size or memcmp(place.name, name, size):
            if place.id_and_size:
                self.kept += not place[1].id_and_size
                place[1] = place[0]
            else:
                self.kept += 1
        return place

    cdef void grow(self) noexcept nogil:
        """Make room for more names, as far as there is memory."""
        cdef uint64_t count = min(max(4 * self.count, <uint64_t>HOT_PLACES_FIRST), self.count_max)
        cdef uint64_t old_count = self.count, old, size
        cdef const HotName *former = self.places
        cdef void *memory = calloc(count + 1, sizeof(HotName))
        cdef void *former_memory = self.memory
        cdef HotName *place
        if memory == NULL:
            return
        self.memory = memory
        self.places = <HotName *>(
            (<size_t>memory + sizeof(HotName) - 1) & ~(<size_t>sizeof(HotName) - 1)
        )
        self.count = count
        self.kept = 0
        self.shift = 64
        while <uint64_t>2 << (64 - self.shift) < count:
            self.shift -= 1
        for old in range(old_count):
            size = former[old].id_and_size >> 48
            if size:
                place = self.place_for(xxh64_of(former[old].name, size), former[old].name, size)
                place[0] = former[old]
        free(former_memory)
