# Names and end states of nodes that move from stored segments into a new one (SPEC.md, 12.10).
#
# What one input alone says of an id moves as it stands, its sequences counted from another commit.
# Every other id is handed back, with what the inputs hold of it: the plain way writes it.

cdef enum:
    BATCH_COUNT = 64

cdef enum RecordKind:
    NAMES
    END_STATES
    HISTORIES  # Whatever stands there is handed back.

cdef enum Stop:
    GOING_ON
    REFILL
    BROKEN  # A block, or its place, is not what a writer makes.
    HANDED_BACK
    PAUSED
    ALL_MOVED
    WITHOUT_MEMORY
    UNORDERED


cdef struct StoredBlock:
    # count : of ids in a dense block, the most in a sparse one.
    const uint8_t *body
    uint64_t size, first_id, count
    bint dense


cdef struct Stream:
    # The records of one input, ascending, a batch of blocks at a time.
    # sequence_max : the highest that a version may have.   distance : from the first commit of the
    #   output to that of the input.   sparse_end : above all ids of sparse blocks.
    # id : of the record at `place` of the block, if `is_ready`.
    # Invariant: `heads` are those of block number `block` if `is_open`; `next_id` is above all ids
    #   so far.
    RecordKind kind
    uint64_t sequence_max, distance, sparse_end, block_count, block, place, id, next_id
    bint is_open, is_ready, is_ended
    StoredBlock blocks[BATCH_COUNT]
    Heads heads


cdef struct Merging:
    # stopped_at : number of the stream that a stop is about.   id : that is handed back.
    # left : records that may move before a pause.   record : one on its way.
    # living_only : tombstones are handed back.   gapless : ids are not kept, records are counted.
    # named : only names move, those of nodes that still have an end state.
    # careful : ids that are handed back.
    Stream *streams
    int stream_count, stopped_at
    uint64_t id, left, inline_size_max
    bint living_only, gapless, named
    CarefulIds careful
    Growing record


cdef Stop bring(Stream *stream) noexcept nogil:
    """Go to the next record that is there."""
    cdef StoredBlock *block
    while not stream.is_ready and not stream.is_ended:
        if stream.block == stream.block_count:
            return REFILL
        block = &stream.blocks[stream.block]
        if not stream.is_open:
            if not read_heads(
                &stream.heads, block.body, block.size, block.count, block.first_id, block.dense
            ):
                return BROKEN
            stream.is_open = True
            stream.place = 0
        while stream.place < stream.heads.count and not stream.heads.heads[stream.place]:
            stream.place += 1
        if stream.place == stream.heads.count:
            stream.block += 1
            stream.is_open = False
            continue
        if block.dense:
            stream.id = block.first_id + stream.place
        else:
            stream.id = stream.heads.ids[stream.place]
        if stream.id < stream.next_id or (not block.dense and stream.id >= stream.sparse_end):
            return BROKEN
        stream.is_ready = True
    return GOING_ON


cdef void go_past(Stream *stream) noexcept nogil:
    stream.next_id = stream.id + 1
    stream.place += 1
    stream.is_ready = False


cdef Stop move_record(Merging *merging, Stream *stream, Building *table) noexcept nogil:
    """Add the record of a stream to the table, if it is plain."""
    cdef uint64_t head = stream.heads.heads[stream.place], size = head >> 2, node_id = stream.id
    cdef const uint8_t *at = stream.blocks[stream.block].body + stream.heads.offsets[stream.place]
    cdef Made made = MADE
    cdef Built built
    if stream.kind == HISTORIES or head & 3 or size > merging.inline_size_max:
        return HANDED_BACK
    if stream.kind == NAMES:
        if size > TEXT_SIZE_MAX or not is_utf8(at, size):
            return HANDED_BACK
    else:
        if merging.living_only and not at[0] & CHANGE:
            return HANDED_BACK
        if not rebase_version(
            &merging.record, at, size, stream.sequence_max, stream.distance, &made
        ):
            return HANDED_BACK if made == MADE else WITHOUT_MEMORY
        at, size = merging.record.data, merging.record.size
        if size > merging.inline_size_max:
            return HANDED_BACK
    if merging.gapless:
        node_id = table.next_id
    built = add_record(table, node_id, at, size, 0, 0)
    if built == DRAIN_FIRST:
        return PAUSED
    if built == NO_MEMORY:
        return WITHOUT_MEMORY
    return GOING_ON if built == BUILT else UNORDERED


cdef Stop stop_at(Merging *merging, int place, Stop stop) noexcept nogil:
    merging.stopped_at = place
    return stop


cdef Stop move_alone(Merging *merging, int place, uint64_t end_id, Building *table) noexcept nogil:
    """Move the records of one stream as long as their ids are below `end_id`."""
    cdef Stream *stream = &merging.streams[place]
    cdef Stop stop
    while stream.is_ready and stream.id < end_id:
        if not merging.left:
            return PAUSED
        stop = move_record(merging, stream, table)
        if stop != GOING_ON:
            merging.id = stream.id
            return stop_at(merging, place, stop)
        merging.left -= 1
        go_past(stream)
        stop = bring(stream)
        if stop != GOING_ON:
            return stop_at(merging, place, stop)
    return GOING_ON


cdef bint is_living(const Stream *stream) noexcept nogil:
    """Return whether an end state certainly is that of a living node."""
    cdef uint64_t place = stream.place
    if stream.kind != END_STATES or stream.heads.heads[place] & 3:
        return False
    return stream.blocks[stream.block].body[stream.heads.offsets[place]] & CHANGE


cdef Stop move_name(Merging *merging, uint64_t node_id, Building *table) noexcept nogil:
    """Move the name of a node that one input alone knows, alive; pass by what has no name, and a
    name of which no node is left."""
    cdef Stream *stream
    cdef Stream *name = NULL
    cdef Stream *state = NULL
    cdef int place, name_count = 0, state_count = 0
    cdef Stop stop
    for place in range(merging.stream_count):
        stream = &merging.streams[place]
        if not stream.is_ready or stream.id != node_id:
            continue
        if stream.kind == NAMES:
            name = stream
            name_count += 1
        else:
            state = stream
            state_count += 1
    merging.id = node_id
    if name_count and state_count:
        if name_count > 1 or state_count > 1 or not is_living(state):
            return HANDED_BACK
        stop = move_record(merging, name, table)
        if stop != GOING_ON:
            return stop
        merging.left -= 1
    for place in range(merging.stream_count):
        stream = &merging.streams[place]
        if stream.is_ready and stream.id == node_id:
            go_past(stream)
    return GOING_ON


cdef Stop move_records(Merging *merging, uint64_t end_id, Building *table) noexcept nogil:
    """Move records of ids below `end_id`, until something stops it."""
    cdef uint64_t lowest, following, careful, node_id
    cdef int place, holder
    cdef Stop stop
    while True:
        lowest = following = U64_MAX
        holder = 0
        for place in range(merging.stream_count):
            stop = bring(&merging.streams[place])
            if stop != GOING_ON:
                return stop_at(merging, place, stop)
            if not merging.streams[place].is_ready:
                continue
            node_id = merging.streams[place].id
            if node_id < lowest:
                following, lowest = lowest, node_id
                holder = place
            elif node_id < following:
                following = node_id
        if lowest >= end_id:
            return ALL_MOVED
        careful = next_careful(&merging.careful, lowest)
        if merging.named and careful != lowest:
            stop = move_name(merging, lowest, table) if merging.left else PAUSED
            if stop != GOING_ON:
                return stop
            continue
        following = min(following, careful)
        if following == lowest:
            merging.id = lowest
            return HANDED_BACK
        stop = move_alone(merging, holder, min(following, end_id), table)
        if stop != GOING_ON:
            return stop


cdef class RecordMerge:
    """The records of some inputs on their way into a table.

    Source: SPEC.md, section 12.10.
    """

    cdef Merging merging
    cdef list sources, batches

    def __cinit__(
        self,
        list streams not None,
        uint64_t inline_size_max,
        bint living_only=False,
        bint named=False,
        careful=(),
    ):
        """streams : (source, kind, end of ids in sparse blocks, highest sequence, distance) of each,
            kind 0 for names, 1 for end states, 2 for histories; a source has `next_blocks`, which
            returns blocks (body, first id, count, dense) and at last None, and `blame`, which
            raises for one of these.
        inline_size_max : bytes of a record that is not handed back.
        living_only : tombstones are handed back.
        named : only names move, those of nodes that have an end state; the others are passed by.
        careful : ids that are handed back, ascending.
        """
        cdef int place
        self.sources = [stream[0] for stream in streams]
        self.batches = [None] * len(streams)
        self.merging.inline_size_max = inline_size_max
        self.merging.living_only = living_only
        self.merging.named = named
        self.merging.streams = <Stream *>calloc(max(1, len(streams)), sizeof(Stream))
        if self.merging.streams == NULL:
            raise MemoryError
        self.merging.stream_count = len(streams)
        take_careful(&self.merging.careful, careful)
        for place in range(self.merging.stream_count):
            _, kind, sparse_end, sequence_max, distance = streams[place]
            if not 0 <= kind <= 2 or sequence_max >> 62 or distance >> 62:
                raise ValueError(f"kind {kind}, sequences up to {sequence_max} from {distance}")
            self.merging.streams[place].kind = kind
            self.merging.streams[place].sparse_end = sparse_end
            self.merging.streams[place].sequence_max = sequence_max
            self.merging.streams[place].distance = distance

    def __dealloc__(self):
        free(self.merging.streams)
        free(self.merging.careful.ids)
        growing_free(&self.merging.record)

    def run(
        self, BlockBuilder builder not None, uint64_t end_id, uint64_t count_max, bint gapless=False
    ):
        """Move records of ids below `end_id`; return None when all were, 0 after `count_max` of them
        or when the builder is to be drained, or else what is handed back: an id, and of each stream
        that has it the number, the record, None if that stands out of line, the number of its block
        among those that the source returned last, and its place there.

        gapless : records get the ids that the builder comes to next.
        """
        cdef Stop stop
        self.merging.left = count_max
        self.merging.gapless = gapless
        while True:
            with nogil:
                stop = move_records(&self.merging, end_id, &builder.building)
            if stop == REFILL:
                self.refill(self.merging.stopped_at)
            elif stop == PAUSED:
                return 0
            elif stop == ALL_MOVED:
                return None
            elif stop == HANDED_BACK:
                return self.hand_back()
            elif stop == BROKEN:
                self.blame(self.merging.stopped_at)
            elif stop == WITHOUT_MEMORY:
                raise MemoryError
            else:
                raise ValueError("ids do not ascend")

    cdef refill(self, int number):
        """Take the next blocks of a stream."""
        cdef Stream *stream = &self.merging.streams[number]
        cdef StoredBlock *block
        cdef bytes body
        batch = self.sources[number].next_blocks()
        self.batches[number] = batch
        stream.block = stream.block_count = 0
        stream.is_ended = batch is None
        if batch is None:
            return
        if len(batch) > BATCH_COUNT:
            raise ValueError(f"{len(batch)} blocks")
        for body, first_id, count, dense in batch:
            block = &stream.blocks[stream.block_count]
            block.body = <const uint8_t *><const char *>body
            block.size, block.first_id, block.count, block.dense = len(body), first_id, count, dense
            stream.block_count += 1

    cdef blame(self, int number):
        """Have the plain way say what is wrong with a block."""
        self.sources[number].blame(self.merging.streams[number].block)
        raise ValueError("a block that the plain way can read")

    cdef hand_back(self):
        """Return what the streams hold of the id, and go past it."""
        cdef Stream *stream
        cdef const uint8_t *at
        cdef uint64_t head
        cdef int place
        held = []
        for place in range(self.merging.stream_count):
            stream = &self.merging.streams[place]
            if not stream.is_ready or stream.id != self.merging.id:
                continue
            head = stream.heads.heads[stream.place]
            at = stream.blocks[stream.block].body + stream.heads.offsets[stream.place]
            record = None
            if not head & 3:
                record = PyBytes_FromStringAndSize(<const char *>at, head >> 2)
            held.append((place, record, stream.block, stream.place))
            go_past(stream)
        return self.merging.id, held
