# What readers get of an edge: its fields, which become Python's when they are asked for.

# Not known to the cycle collector, as `NodeRecord`.
@cython.auto_pickle(False)
@cython.no_gc
cdef class EdgeRecord:
    """The fields of an edge, as `read.records.Edge` tells what they are."""

    cdef readonly object source, target, type, key
    cdef int64_t source_number, target_number, created_us, from_us, to_us, born_us
    cdef bytes map_

    def __init__(
        self, source, type_name, target, key, *, source_id, target_id, created_at, valid_from,
        valid_to, properties, born,
    ):
        self.source = source
        self.type = type_name
        self.target = target
        self.key = key
        self.source_number = source_id
        self.target_number = target_id
        self.created_us = created_at
        self.from_us = valid_from
        self.to_us = valid_to
        self.map_ = properties
        self.born_us = born

    @property
    def source_id(self):
        return self.source_number

    @property
    def target_id(self):
        return self.target_number

    @property
    def properties(self):
        return {} if self.map_ is EMPTY_MAP else decode_properties(self.map_)

    @property
    def created_at(self):
        return moment_of(self.created_us)

    @property
    def valid_from(self):
        return None if self.from_us == NO_MOMENT else moment_of(self.from_us)

    @property
    def valid_to(self):
        return None if self.to_us == NO_MOMENT else moment_of(self.to_us)

    @property
    def _properties(self):
        return self.map_

    @property
    def _created_at(self):
        return self.created_us

    @property
    def _valid_from(self):
        return self.from_us

    @property
    def _valid_to(self):
        return self.to_us

    @property
    def _born(self):
        return self.born_us


cdef enum:
    # Fields of an edge (7.3), by their bits.
    EDGE_CREATED = 1
    EDGE_FROM = 2
    EDGE_TO = 4
    EDGE_PROPERTIES = 8
    EDGE_ALL_FIELDS = 15


cdef struct EdgeFold:
    # The versions of an edge from the newest down to the first that is full: what newer ones set
    # stays as it is. known : the bits of the fields so far.
    uint64_t known, map_size
    int64_t created_us, from_us, to_us, born_us
    const uint8_t *map
    bint is_dead, is_whole


cdef inline void begin_fold(EdgeFold *fold) noexcept nogil:
    memset(fold, 0, sizeof(EdgeFold))
    fold.created_us = fold.from_us = fold.to_us = NO_MOMENT


cdef bint fold_record(EdgeFold *fold, const ListEdge *edge, int64_t time) noexcept nogil:
    """Put a version record under what is known; False where a time in it cannot be.

    time : of its commit.
    """
    cdef const uint8_t *at = edge.fields
    cdef const uint8_t *end = at + edge.fields_size
    cdef uint64_t flags = edge.head >> 3, value, bit
    cdef int64_t moment
    for bit in range(3):
        if flags >> bit & 1:
            at = read_varint(at, end, &value)
            moment = NO_MOMENT
            if at == NULL or (value and not read_moment(value, time, &moment)):
                return False
            set_moment(fold, 1 << bit, moment)
    if flags & EDGE_PROPERTIES:
        at = read_varint(at, end, &value)
        if at == NULL or value != <uint64_t>(end - at):
            return False
        set_map(fold, at, value)
    return True


cdef inline void fold_fields(EdgeFold *fold, const MemEdgeFields *fields) noexcept nogil:
    """Put a version in a memtable under what is known."""
    if fields.flags & EDGE_CREATED:
        set_moment(fold, EDGE_CREATED, fields.created_at)
    if fields.flags & EDGE_FROM:
        set_moment(fold, EDGE_FROM, fields.valid_from)
    if fields.flags & EDGE_TO:
        set_moment(fold, EDGE_TO, fields.valid_to)
    if fields.flags & EDGE_PROPERTIES:
        set_map(fold, fields.properties, fields.properties_size)


cdef inline void set_moment(EdgeFold *fold, uint64_t bit, int64_t moment) noexcept nogil:
    if fold.known & bit:
        return
    fold.known |= bit
    if bit == EDGE_CREATED:
        fold.created_us = moment
    elif bit == EDGE_FROM:
        fold.from_us = moment
    else:
        fold.to_us = moment


cdef inline void set_map(EdgeFold *fold, const uint8_t *at, uint64_t size) noexcept nogil:
    if not fold.known & EDGE_PROPERTIES:
        fold.known |= EDGE_PROPERTIES
        fold.map = at
        fold.map_size = size


cdef inline bint holds_at(const EdgeFold *fold, int64_t moment) noexcept nogil:
    return fold.from_us <= moment and (fold.to_us == NO_MOMENT or moment < fold.to_us)


cdef EdgeRecord new_edge(type class_, const EdgeFold *fold):
    """Return an edge that is alive, without its ends, its type and its key."""
    cdef EdgeRecord edge = <EdgeRecord>new_of(class_, NO_ARGUMENTS)
    edge.born_us = fold.born_us
    edge.created_us = fold.born_us if fold.created_us == NO_MOMENT else fold.created_us
    edge.from_us = fold.from_us
    edge.to_us = fold.to_us
    edge.map_ = EMPTY_MAP
    if fold.map_size > 1:
        edge.map_ = PyBytes_FromStringAndSize(<const char *>fold.map, fold.map_size)
    return edge
