# Blocks of tables, built record by record (SPEC.md, section 12.3): what the classes of
# `segments.table_writer` do, where blocks are stored as they are.

cdef enum Built:
    BUILT
    DRAIN_FIRST  # Much is waiting: take it, then try again.
    NO_MEMORY
    DISORDER  # An id is not above those before.

cdef enum:
    WAITING_MAX = 256 * 1024
    HEAD_SIZE_END = 48  # Bits: a head is size << 2 | flags, below 2**50.


cdef struct BlocksOut:
    # Blocks on their way into a section, and rows on their way into its directory.
    # size : bytes of the section, those that were taken long ago included.
    # enveloped : each block stands in an envelope, as it is.
    # framed : whoever takes the blocks makes frames of them: they stand here without envelopes, and
    #   in the rows are their sizes in place of their offsets.
    Growing blocks, rows
    uint64_t size
    bint enveloped, framed, sparse, positioned


cdef bint put_block(
    BlocksOut *out, const Growing *body, uint64_t first_id, uint64_t position
) noexcept nogil:
    """Add a block and its row; False where there is no memory."""
    cdef uint64_t before
    if not growing_room(&out.blocks, 1 + VARINT_ROOM + body.size):
        return False
    if not growing_room(&out.rows, 24):
        return False
    if out.sparse:
        put64(&out.rows, first_id)
    put64(&out.rows, body.size if out.framed else out.size)
    if out.positioned:
        put64(&out.rows, position)
    before = out.blocks.size
    if out.enveloped and not out.framed:
        put_byte(&out.blocks, 0)
        put_varint(&out.blocks, body.size)
    put_bytes(&out.blocks, body.data, body.size)
    out.size += out.blocks.size - before
    return True


cdef object take_bytes(Growing *out):
    """Return what has gathered, and forget it; the room stays."""
    found = PyBytes_FromStringAndSize(<const char *>out.data, out.size)
    out.size = 0
    return found


cdef struct Building:
    # A table on its way. Blocks end as soon as they are full.
    # ids, heads : of the records of the block on its way, of which there are `count`; a head is
    #   size << 2 | flags, 0 where a dense table has no record.   records : their bytes.
    # next_id : the lowest that may come.   position : out-edges before the block's first record.
    # digests : of the ids of a sparse table, for its filter.
    # columned : blocks are also taken apart by columns, into `kept`.
    BlocksOut out
    KeptColumns kept
    bint columned
    Growing body, records, digests
    uint64_t ids[BLOCK_COUNT_MAX]
    uint64_t heads[BLOCK_COUNT_MAX]
    uint64_t count, count_max, next_id, position, record_count


cdef bint building_full(const Building *table) noexcept nogil:
    return (
        table.out.blocks.size + table.out.rows.size + table.digests.size >= WAITING_MAX
    )


cdef bint keep_columns(Building *table) noexcept nogil:
    """Take the block on its way apart by columns; False where there is no memory."""
    cdef Records block
    cdef const uint8_t *at = table.records.data
    cdef uint64_t place, size
    block.count = table.count
    block.sparse = table.out.sparse
    for place in range(table.count):
        size = table.heads[place] >> 2
        block.records[place] = Record(at, size, table.heads[place] & 3)
        block.ids[place] = table.ids[place]
        at += size
    return keep(&table.kept, &block)


cdef bint end_block(Building *table) noexcept nogil:
    """Add the block on its way, and begin the next one; False where there is no memory."""
    cdef Growing *body = &table.body
    cdef uint64_t place, bits = 0
    body.size = 0
    if not growing_room(body, (2 * table.count + 1) * VARINT_ROOM + table.records.size):
        return False
    if table.out.sparse:
        put_varint(body, table.count)
        for place in range(1, table.count):
            put_varint(body, table.ids[place] - table.ids[place - 1] - 1)
    else:
        for place in range(table.count):
            bits |= <uint64_t>(table.heads[place] != 0) << (place & 7)
            if place & 7 == 7 or place + 1 == table.count:
                put_byte(body, <uint8_t>bits)
                bits = 0
    for place in range(table.count):
        if table.heads[place]:
            put_varint(body, table.heads[place])
    put_bytes(body, table.records.data, table.records.size)
    if not put_block(&table.out, body, table.ids[0], table.position):
        return False
    if table.columned and not keep_columns(table):
        return False
    table.count = 0
    table.records.size = 0
    return True


cdef inline bint place_record(Building *table, uint64_t head, uint64_t position) noexcept nogil:
    """Note the head of the next record; its bytes are in `records`."""
    if not table.count:
        table.position = position
    table.ids[table.count] = table.next_id
    table.heads[table.count] = head
    table.count += 1
    table.next_id += 1
    return table.count < table.count_max or end_block(table)


cdef Built fill_to(Building *table, uint64_t end_id, uint64_t position) noexcept nogil:
    """Leave the ids of a dense table below `end_id` without records. Goes on where it was drained."""
    while table.next_id < end_id:
        if not table.count and building_full(table):
            return DRAIN_FIRST
        if not place_record(table, 0, position):
            return NO_MEMORY
    return BUILT


cdef Built add_record(
    Building *table, uint64_t node_id, const uint8_t *record, uint64_t size, uint64_t flags,
    uint64_t position
) noexcept nogil:
    """Add the record of an id above those before. Where it must be drained first, nothing of the
    record was added.

    record : not empty.   position : out-edges before it, in tables that keep count of them.
    """
    cdef Built built
    cdef uint64_t digest
    if node_id < table.next_id:
        return DISORDER
    if table.out.sparse:
        if not table.count and building_full(table):
            return DRAIN_FIRST
        if not growing_room(&table.digests, 8):
            return NO_MEMORY
        table.next_id = node_id
    else:
        built = fill_to(table, node_id, position)
        if built != BUILT:
            return built
    if not growing_room(&table.records, size):
        return NO_MEMORY
    if table.out.sparse:
        digest = xxh64_of(<const uint8_t *>&node_id, 8)
        put64(&table.digests, digest)
    put_bytes(&table.records, record, size)
    table.record_count += 1
    return BUILT if place_record(table, size << 2 | flags, position) else NO_MEMORY


cdef object raise_unless_built(Built built):
    """Return whether something was done: False where it must be drained first."""
    if built == NO_MEMORY:
        raise MemoryError
    if built == DISORDER:
        raise ValueError("ids do not ascend")
    return built == BUILT


cdef class BlockBuilder:
    """A table on its way into a section, in the order of its ids.

    What has gathered is taken from time to time, and is all of it at the end. In the kernel, tables
    are built through `building` and the functions above, without the interpreter's lock.

    Attributes
    ----------
    size : bytes of the section so far.   record_count : records so far.
    next_id : the lowest that may come.
    waiting_size : bytes that can be taken.
    """

    cdef Building building

    def __cinit__(
        self,
        uint64_t block_count,
        *,
        first_id=None,
        bint enveloped=False,
        bint framed=False,
        bint positioned=False,
        versions=None,
    ):
        """block_count : records in a block.   first_id : of a dense table; None makes a sparse one.

        enveloped, framed : as in `BlocksOut`.   positioned : rows say which out-edges are before.
        versions : blocks are also taken apart by columns, as versions of nodes or as byte strings;
            None: they are not.
        """
        if not 1 <= block_count <= BLOCK_COUNT_MAX:
            raise ValueError(f"blocks of {block_count} records")
        self.building.count_max = block_count
        self.building.out.enveloped = enveloped
        self.building.out.framed = framed
        self.building.out.positioned = positioned
        self.building.out.sparse = first_id is None
        self.building.columned = versions is not None
        self.building.kept.versions = bool(versions)
        if first_id is not None:
            self.building.next_id = first_id

    def __dealloc__(self):
        growing_free(&self.building.out.blocks)
        growing_free(&self.building.out.rows)
        growing_free(&self.building.body)
        growing_free(&self.building.records)
        growing_free(&self.building.digests)
        kept_free(&self.building.kept)

    @property
    def size(self):
        return self.building.out.size

    @property
    def record_count(self):
        return self.building.record_count

    @property
    def next_id(self):
        return self.building.next_id

    @property
    def waiting_size(self):
        return (
            self.building.out.blocks.size + self.building.out.rows.size + self.building.digests.size
        )

    def add(self, uint64_t node_id, bytes record not None, uint64_t flags=0, uint64_t position=0):
        """Add the record of an id above those before; return False where it must be drained first.

        record : not empty, and as it is to stand in the block.
        """
        cdef const uint8_t *start = record
        cdef uint64_t size = len(record)
        if not size or size >> HEAD_SIZE_END or flags > 3:
            raise ValueError(f"a record of {size} bytes, flags {flags}")
        return raise_unless_built(
            add_record(&self.building, node_id, start, size, flags, position)
        )

    def fill(self, uint64_t end_id, uint64_t position=0):
        """Leave ids of a dense table below `end_id` without records; False as in `add`."""
        if self.building.out.sparse:
            raise ValueError("a sparse table has no gaps")
        return raise_unless_built(fill_to(&self.building, end_id, position))

    def end(self):
        """End the last block."""
        if self.building.count and not end_block(&self.building):
            raise MemoryError

    def skip(self, uint64_t size):
        """Count bytes that somebody else has put into the section, behind all that was taken."""
        self.building.out.size += size

    def take(self):
        """Return what has gathered: blocks, rows of the directory, hashes of the ids for a filter."""
        return (
            take_bytes(&self.building.out.blocks),
            take_bytes(&self.building.out.rows),
            take_bytes(&self.building.digests),
        )

    def take_columns(self):
        """Return the columns and texts of all blocks that have gathered, and the sizes of both for
        each, u64; the highest integers for a block without columns. Of tables with `versions`."""
        return take_bytes(&self.building.kept.data), take_bytes(&self.building.kept.sizes)
