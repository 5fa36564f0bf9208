# Blocks of edge versions on their way (SPEC.md, section 12.6): what `segments.edge_writer` does.

cdef struct EdgeBuilding:
    # position : of the next edge.   sequences : as differences to the first, of the plain ones.
    # heads : of the records of the block on its way, size << 2 | flags; 0 of a plain edge, the
    #   record of which is made only if the block needs records.
    BlocksOut out
    Growing body, records
    uint64_t sequences[BLOCK_COUNT_MAX]
    uint64_t heads[BLOCK_COUNT_MAX]
    uint64_t count, count_max, plain_count, position, first_sequence, inline_size_max


cdef bint edges_full(const EdgeBuilding *table) noexcept nogil:
    return table.out.blocks.size + table.out.rows.size >= WAITING_MAX


cdef inline uint64_t varint_size(uint64_t value) noexcept nogil:
    cdef uint64_t size = 1
    while value > 0x7f:
        value >>= 7
        size += 1
    return size


cdef inline bint is_plain(const ListEdge *edge) noexcept nogil:
    return edge.head == PLAIN_HEAD


cdef uint64_t version_size(const EdgeBuilding *table, const ListEdge *edge) noexcept nogil:
    """Return the bytes of the version record of an edge."""
    cdef uint64_t size = 1 + varint_size(edge.sequence - table.first_sequence) + edge.fields_size
    if edge.head & EDGE_BORN_DIFFERS:
        size += varint_size(edge.born - table.first_sequence)
    return size


cdef bint put_edge_records(EdgeBuilding *table) noexcept nogil:
    """Put sizes and records of the block on its way into its body."""
    cdef Growing *body = &table.body
    cdef uint64_t place, size, at = 0
    if not growing_room(body, table.count * (2 * VARINT_ROOM + 1) + table.records.size):
        return False
    for place in range(table.count):
        if table.heads[place]:
            put_varint(body, table.heads[place])
        else:
            put_varint(body, (1 + varint_size(table.sequences[place])) << 2)
    for place in range(table.count):
        if table.heads[place]:
            size = table.heads[place] >> 2
            put_bytes(body, table.records.data + at, size)
            at += size
        else:
            put_byte(body, PLAIN_HEAD)
            put_varint(body, table.sequences[place])
    return True


cdef bint end_edge_block(EdgeBuilding *table) noexcept nogil:
    """Add the block on its way, and begin the next one; False where there is no memory."""
    cdef Growing *body = &table.body
    body.size = 0
    if not growing_room(body, 1 + packed_room(table.count)):
        return False
    if table.plain_count == table.count:
        put_byte(body, 0)
        put_packed(body, table.sequences, table.count)
    else:
        put_byte(body, 1)
        if not put_edge_records(table):
            return False
    if not put_block(&table.out, body, 0, 0):
        return False
    table.count = table.plain_count = table.records.size = 0
    return True


cdef inline bint place_edge(EdgeBuilding *table, uint64_t head, uint64_t sequence) noexcept nogil:
    table.heads[table.count] = head
    table.sequences[table.count] = sequence
    table.plain_count += not head
    table.count += 1
    table.position += 1
    return table.count < table.count_max or end_edge_block(table)


cdef bint add_edge(EdgeBuilding *table, const ListEdge *edge) noexcept nogil:
    """Add the end state of the next edge; False where there is no memory."""
    cdef uint64_t size, sequence = edge.sequence - table.first_sequence
    if is_plain(edge):
        return place_edge(table, 0, sequence)
    size = version_size(table, edge)
    if not growing_room(&table.records, size + VARINT_ROOM):
        return False
    put_byte(&table.records, edge.head)
    put_varint(&table.records, sequence)
    if edge.head & EDGE_BORN_DIFFERS:
        put_varint(&table.records, edge.born - table.first_sequence)
    put_bytes(&table.records, edge.fields, edge.fields_size)
    return place_edge(table, size << 2, 0)


cdef class EdgeBuilder:
    """The end states of edges on their way into a section, by position.

    Attributes
    ----------
    position : of the next edge.   size : bytes of the section so far; of framed blocks, of bodies.
    waiting_size : bytes that can be taken.
    """

    cdef EdgeBuilding building

    def __cinit__(
        self, uint64_t block_count, uint64_t first_sequence, uint64_t inline_size_max, bint framed
    ):
        """block_count : edges in a block.   first_sequence : of the slice.

        inline_size_max : bytes of a record that the kernel itself puts into a block.
        framed : as in `BlocksOut`.
        """
        if not 1 <= block_count <= BLOCK_COUNT_MAX:
            raise ValueError(f"blocks of {block_count} edges")
        self.building.count_max = block_count
        self.building.first_sequence = first_sequence
        self.building.inline_size_max = inline_size_max
        self.building.out.enveloped = True
        self.building.out.framed = framed

    def __dealloc__(self):
        growing_free(&self.building.out.blocks)
        growing_free(&self.building.out.rows)
        growing_free(&self.building.body)
        growing_free(&self.building.records)

    @property
    def position(self):
        return self.building.position

    @property
    def size(self):
        return self.building.out.size

    @property
    def waiting_size(self):
        return self.building.out.blocks.size + self.building.out.rows.size

    def add_plain(self, uint64_t sequence):
        """Add a plain insert by a commit."""
        if sequence < self.building.first_sequence:
            raise ValueError(f"commit {sequence} is before the slice")
        if not place_edge(&self.building, 0, sequence - self.building.first_sequence):
            raise MemoryError

    def add(self, bytes record not None, uint64_t flags=0):
        """Add a record, not empty, as it is to stand in the block."""
        cdef const uint8_t *start = record
        cdef uint64_t size = len(record)
        if not size or size >> HEAD_SIZE_END or flags > 3:
            raise ValueError(f"a record of {size} bytes, flags {flags}")
        if not growing_room(&self.building.records, size):
            raise MemoryError
        put_bytes(&self.building.records, start, size)
        if not place_edge(&self.building, size << 2 | flags, 0):
            raise MemoryError

    def end(self):
        """End the last block."""
        if self.building.count and not end_edge_block(&self.building):
            raise MemoryError

    def skip(self, uint64_t size):
        """Count bytes that somebody else has put into the section, behind all that was taken."""
        self.building.out.size += size

    def take(self):
        """Return what has gathered: blocks, and rows of the directory."""
        return take_bytes(&self.building.out.blocks), take_bytes(&self.building.out.rows)
