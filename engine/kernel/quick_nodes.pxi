# Records of tables by id: blocks that are at hand, unpacked, and where they come from (SPEC.md, section
# 12.3).

cdef struct NodeBlock:
    # One of a ring. `place` is where its table points to it. Behind it stand `count` + 1 starts of
    # records, 16 bits each, and the body; in a sparse one, at its end, the ids.
    NodeBlock *next
    NodeBlock *previous
    NodeBlock **place
    uint64_t index
    uint64_t odd[2]  # a bit per record that the careful way must read
    uint32_t size_bytes
    uint8_t count
    bint is_used  # since the hand last came by


cdef enum:
    # What a block has besides its body, at most.
    HEAD_ROOM = 512
    # Larger blocks are read the careful way.
    NODE_BLOCK_SIZE_MAX = 0xFFFF
    RECORDS_MAX = 128
    # Of a table, that many blocks may be at hand at a time.
    BLOCKS_AT_HAND_MAX = 65536


cdef uint64_t TEXT_SIZE_MAX_ = TEXT_SIZE_MAX


cdef class NodeBlocks:
    """Unpacked blocks of nodes and names, of all segments: bounded in bytes; what was not used since the hand
    last came by goes first (CLOCK; Corbato, "A Paging Experiment with the Multics System", 1968).

    A hit costs two looks into memory, and no object: the LRU of `segments.block_cache` takes 2 us.
    All of it happens under the interpreter's lock.
    """

    cdef NodeBlock *hand
    cdef readonly uint64_t size_bytes, hit_count
    cdef uint64_t size_max_bytes

    def __cinit__(self, uint64_t size_max_bytes):
        self.size_max_bytes = size_max_bytes

    cdef bint takes(self, uint64_t size):
        """Return whether a body of this size is kept: not one that others would all go for."""
        return size <= NODE_BLOCK_SIZE_MAX and 4 * (size + HEAD_ROOM) <= self.size_max_bytes

    cdef NodeBlock *put(
        self, NodeBlock **place, uint64_t index, const Heads *heads, const uint8_t *body,
        bint is_sparse,
    ) except? NULL:
        """Keep a copy of a block in place of what the place points to."""
        cdef uint64_t size = heads.offsets[heads.count], number, starts_size = 2 * (heads.count + 1)
        cdef uint64_t ids_size = 8 * heads.count if is_sparse else 0
        cdef uint64_t whole_size = (sizeof(NodeBlock) + starts_size + size + 7) / 8 * 8 + ids_size
        cdef NodeBlock *block = <NodeBlock *>malloc(whole_size)
        cdef uint16_t *starts = <uint16_t *>(block + 1)
        if block == NULL:
            raise MemoryError
        memset(block, 0, sizeof(NodeBlock))
        memcpy(<uint8_t *>starts + starts_size, body, size)
        block.index = index
        block.count = heads.count
        block.is_used = True
        block.size_bytes = whole_size
        memcpy(<uint8_t *>block + whole_size - ids_size, heads.ids, ids_size)
        for number in range(heads.count + 1):
            starts[number] = heads.offsets[number]
        for number in range(heads.count):
            if heads.heads[number] & 3:
                block.odd[number >> 6] |= <uint64_t>1 << (number & 63)
        if place[0] != NULL:
            self.drop(place[0])
        block.place = place
        place[0] = block
        self.link(block)
        while self.size_bytes > self.size_max_bytes:
            self.advance()
        return block

    cdef void link(self, NodeBlock *block) noexcept:
        if self.hand == NULL:
            self.hand = block.next = block.previous = block
        else:
            # Behind the hand: where it comes by last.
            block.next = self.hand
            block.previous = self.hand.previous
            block.previous.next = block.next.previous = block
        self.size_bytes += block.size_bytes

    cdef void advance(self) noexcept:
        """Let the hand go on by one block: it goes if it was not used."""
        cdef NodeBlock *block = self.hand
        self.hand = block.next
        if block.is_used:
            block.is_used = False
        else:
            self.drop(block)

    cdef void drop(self, NodeBlock *block) noexcept:
        if self.hand == block:
            self.hand = block.next if block.next != block else NULL
        block.previous.next = block.next
        block.next.previous = block.previous
        block.place[0] = NULL
        self.size_bytes -= block.size_bytes
        free(block)


cdef struct BlockSearch:
    const Span *file
    uint64_t blocks_offset, blocks_size, directory_offset, row_count, row_size, index
    # first_id : of a sparse block.
    uint64_t first_id
    # Where the stored bytes of the block begin in the file, how many they are, and how they are
    # stored; if as they are, they are copied to `copy`.
    uint64_t start, size, codec
    uint8_t *copy
    uint64_t room
    Answer answer


cdef void search_block(void *what) noexcept nogil:
    cdef BlockSearch *search = <BlockSearch *>what
    cdef bint is_last = search.index + 1 == search.row_count
    cdef const uint8_t *row = bytes_at(
        search.file, search.directory_offset + search.row_size * search.index,
        search.row_size if is_last else 2 * search.row_size,
    )
    cdef const uint8_t *head
    cdef const uint8_t *body
    cdef const uint8_t *end
    cdef uint64_t start, stop, head_size
    search.answer = ODD
    if row == NULL:
        return
    search.first_id = load64(row)
    # The last column: where the block begins.
    start = load64(row + search.row_size - 8)
    stop = search.blocks_size if is_last else load64(row + 2 * search.row_size - 8)
    if not start < stop <= search.blocks_size:
        return
    head_size = min(<uint64_t>11, stop - start)
    head = bytes_at(search.file, search.blocks_offset + start, head_size)
    if head == NULL:
        return
    end = head + head_size
    search.codec = head[0]
    body = read_varint(head + 1, end, &search.size)
    if body == NULL or search.size > stop - start - (body - head):
        return
    search.start = search.blocks_offset + start + (body - head)
    search.answer = FOUND
    if search.codec == 0:
        body = bytes_at(search.file, search.start, search.size)
        if body == NULL:
            search.answer = ODD
        elif search.size > search.room:
            search.answer = FULL
        else:
            memcpy(search.copy, body, search.size)


# What it points to is needed until the very end.
@cython.no_gc_clear
cdef class QuickRecords(QuickFile):
    """The records of a table, of a dense one if nothing else is said: those of the ids that a
    segment made.

    Source: SPEC.md, section 12.3.
    """

    cdef uint64_t blocks_offset, blocks_size, directory_offset, row_count, row_size
    cdef uint64_t first_id, end_id, per_block, place_mask
    cdef bint is_sparse
    cdef object identity, cache
    cdef NodeBlocks blocks
    cdef NodeBlock **places

    def __init__(
        self, map_, bits, uint64_t data_size, blocks, directory, ids, uint64_t per_block, identity,
        cache, NodeBlocks at_hand not None, bint is_sparse=False,
    ):
        """blocks, directory : (offset, size) each.   ids : a range; of a sparse table, in which all
            of its ids are.   per_block : how many.

        identity : kind and number of the file; with the offset of what is stored, the key of a
            block in `cache`.
        """
        cdef uint64_t count = 1
        self.blocks_offset, self.blocks_size = blocks
        self.directory_offset = directory[0]
        self.is_sparse = is_sparse
        self.row_size = 16 if is_sparse else 8
        self.row_count = directory[1] // self.row_size
        self.first_id, self.end_id = ids.start, ids.stop
        self.per_block = per_block
        self.identity, self.cache, self.blocks = tuple(identity), cache, at_hand
        if not 1 <= per_block <= RECORDS_MAX or self.places != NULL:
            raise ValueError("so many records do not stand in a block")
        if not is_sparse and self.row_count != (len(ids) + per_block - 1) // per_block:
            raise ValueError("the directory has another number of blocks")
        while count < self.row_count and count < BLOCKS_AT_HAND_MAX:
            count *= 2
        self.place_mask = count - 1
        self.places = <NodeBlock **>calloc(count, sizeof(NodeBlock *))
        if self.places == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef uint64_t place
        if self.places != NULL:
            for place in range(self.place_mask + 1):
                if self.places[place] != NULL:
                    self.blocks.drop(self.places[place])
        free(self.places)

    def bring(self, uint64_t node_id):
        """Bring the block of an id to hand, which the careful way has just read."""
        if self.first_id <= node_id < self.end_id:
            self.fetch((node_id - self.first_id) / self.per_block)

    cdef object record(self, uint64_t node_id):
        """Return the bytes of a record of an id of the table, None if it has none, or UNSURE."""
        cdef uint64_t index = (node_id - self.first_id) / self.per_block
        cdef NodeBlock *block = self.block_at(index)
        if block == NULL:
            return UNSURE
        return self.record_in(block, (node_id - self.first_id) % self.per_block)

    @cython.final
    cdef inline NodeBlock *block_at(self, uint64_t index) except? NULL:
        """Return a block that is at hand from now on; NULL as `fetch` does."""
        cdef NodeBlock *block = self.places[index & self.place_mask]
        if block == NULL or block.index != index:
            block = self.fetch(index)
            if block == NULL:
                return NULL
        else:
            self.blocks.hit_count += 1
        block.is_used = True
        return block

    @cython.final
    cdef inline object record_in(self, NodeBlock *block, uint64_t number):
        """Return the bytes of a record of a block, None if it has none, or UNSURE."""
        cdef const uint16_t *starts = <const uint16_t *>(block + 1)
        if starts[number] == starts[number + 1]:
            return None
        if block.odd[number >> 6] >> (number & 63) & 1:
            return UNSURE
        # A copy: whatever Python does from here on may let the block go.
        return PyBytes_FromStringAndSize(
            <const char *>(starts + block.count + 1) + starts[number],
            starts[number + 1] - starts[number],
        )

    cdef NodeBlock *fetch(self, uint64_t index) except? NULL:
        """Bring a block to hand; NULL where the careful way must read it first, or always."""
        cdef BlockSearch search
        cdef Heads heads
        cdef uint64_t count = self.per_block
        cdef uint8_t *copy = <uint8_t *>malloc(NODE_BLOCK_SIZE_MAX)
        cdef const uint8_t *body = copy
        cdef object data = None
        if copy == NULL:
            raise MemoryError
        if not self.is_sparse:
            count = min(count, self.end_id - self.first_id - index * count)
        search = BlockSearch(
            &self.span, self.blocks_offset, self.blocks_size, self.directory_offset, self.row_count,
            self.row_size, index, 0, 0, 0, 0, copy, NODE_BLOCK_SIZE_MAX, ODD,
        )
        try:
            if guarded(search_block, &search) or search.answer != FOUND:
                return NULL
            if search.codec:
                key = (*self.identity, search.start)
                data = self.cache.peek(key)
                if data is None:
                    return NULL
                body = <const uint8_t *>PyBytes_AS_STRING(data)
                search.size = len(data)
            if not self.blocks.takes(search.size) or not read_heads(
                &heads, body, search.size, count, search.first_id, not self.is_sparse
            ):
                return NULL
            if data is not None:
                # Not twice in memory. Before it is put: another thread may get its turn in here.
                self.cache.drop(key)
            return self.blocks.put(
                &self.places[index & self.place_mask], index, &heads, body, self.is_sparse
            )
        finally:
            free(copy)


cdef class QuickNames(QuickRecords):
    """The names of the nodes that a segment made."""

    cdef object name(self, uint64_t node_id):
        """Return the name of an id of the table, or UNSURE."""
        cdef object record = self.record(node_id)
        if type(record) is not bytes or not 0 < len(record) <= TEXT_SIZE_MAX_:
            return UNSURE
        try:
            return PyUnicode_DecodeUTF8(PyBytes_AS_STRING(record), len(record), NULL)
        except UnicodeDecodeError:
            return UNSURE
