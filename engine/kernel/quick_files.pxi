# Mapped files, the bits of their checked blocks, and eight bytes that others write to.

cdef struct Span:
    # The data region of a mapped file, and a bit per block: set once its checksum was right.
    const uint8_t *data
    uint64_t size
    const uint8_t *checked


cdef struct Filter:
    # Of the ids of a sparse table; of an empty one without blocks.
    const Span *file
    uint64_t offset, block_count


cdef inline const uint8_t *bytes_at(const Span *file, uint64_t offset, uint64_t size) noexcept nogil:
    """Return bytes of the file, NULL where they are outside or not all checked."""
    cdef uint64_t block, last
    if offset > file.size or size > file.size - offset:
        return NULL
    if size:
        last = (offset + size - 1) / BLOCK_SIZE
        block = offset / BLOCK_SIZE
        while block <= last:
            if not file.checked[block >> 3] >> (block & 7) & 1:
                return NULL
            block += 1
    return file.data + offset


cdef class QuickFile:
    """Keeps a map and the bits of its blocks for as long as somebody may read them."""

    cdef Py_buffer map_, bits
    cdef Span span

    def __cinit__(self, map_, bits, uint64_t data_size, *rest, **more):
        PyObject_GetBuffer(map_, &self.map_, PyBUF_SIMPLE)
        PyObject_GetBuffer(bits, &self.bits, PyBUF_SIMPLE)
        if <uint64_t>self.map_.len < data_size:
            raise ValueError("the map is shorter than its data region")
        if <uint64_t>self.bits.len * 8 * BLOCK_SIZE < data_size:
            raise ValueError("there are fewer bits than blocks")
        self.span = Span(<const uint8_t *>self.map_.buf, data_size, <const uint8_t *>self.bits.buf)

    def __dealloc__(self):
        PyBuffer_Release(&self.map_)
        PyBuffer_Release(&self.bits)


cdef struct Look:
    const uint8_t *at
    uint64_t value


cdef void look(void *what) noexcept nogil:
    cdef Look *found = <Look *>what
    found.value = (<const volatile uint64_t *>found.at)[0]


cdef class Watch:
    """Eight bytes of a file that others write to, seen through its map."""

    cdef Py_buffer map_
    cdef const uint8_t *at

    def __cinit__(self, map_, uint64_t offset):
        PyObject_GetBuffer(map_, &self.map_, PyBUF_SIMPLE)
        if offset % 8 or offset + 8 > <uint64_t>self.map_.len:
            raise ValueError("the bytes to watch are outside the map")
        self.at = <const uint8_t *>self.map_.buf + offset

    def __dealloc__(self):
        PyBuffer_Release(&self.map_)

    def load(self):
        """Return the eight bytes, None where the file has become too short for them."""
        cdef Look found = Look(self.at, 0)
        if guarded(look, &found):
            return None
        return PyBytes_FromStringAndSize(<const char *>&found.value, 8)
