# The adjacency lists of a memtable in the order of the ids, for a segment (list_source.h).

cdef extern from "list_source.h":
    ctypedef struct ListEdge:
        uint64_t code, neighbor
        const uint8_t *key
        const uint8_t *fields
        uint64_t sequence, born
        uint32_t key_size, fields_size
        uint8_t mark, head, careful

    cdef enum:
        LIST_READY
        LIST_END
        LIST_NO_MEMORY

    ctypedef struct ListSource:
        int (*advance)(ListSource *self) noexcept nogil
        uint64_t id
        const ListEdge *edges
        uint64_t count
        int odd

    const char *LIST_SOURCE

cdef enum:
    MARK_MADE = 3


cdef struct OrderedLists:
    ListSource source  # first, so that its address is that of the whole
    const Memory *memory
    const MemList **lists
    const CommitRow *rows
    uint64_t count, place, base
    uint64_t first_sequence, last_sequence
    int direction
    ListEdge *edges
    uint64_t room
    Growing fields


cdef int order_lists(const void *one, const void *other) noexcept nogil:
    cdef uint64_t a = (<const MemList **>one)[0].id, b = (<const MemList **>other)[0].id
    return (a > b) - (a < b)


cdef int next_list(ListSource *source) noexcept nogil:
    cdef OrderedLists *ordered = <OrderedLists *>source
    cdef ListedEdges listed
    cdef int answer = LIST_READY
    source.count = 0
    source.odd = False
    while not source.count:
        if ordered.place == ordered.count:
            return LIST_END
        source.id = ordered.lists[ordered.place].id
        listed = list_edges(ordered.lists[ordered.place], ordered.direction)
        ordered.place += 1
        if listed.edges == NULL or not fill_list(ordered, &listed):
            answer = LIST_NO_MEMORY
        free(listed.edges)
        if answer == LIST_NO_MEMORY:
            return answer
    source.edges = ordered.edges
    return answer


cdef bint fill_list(OrderedLists *ordered, const ListedEdges *listed) noexcept nogil:
    """Take in the edges of a list as far as they are in the range; False without memory.

    Edges that were not only made, once, are for the careful way.
    """
    cdef ListSource *source = &ordered.source
    cdef const MemEdgeVersion *version
    cdef const MemEdge *edge
    cdef ListEdge *found
    cdef uint64_t place
    cdef size_t offset
    cdef int64_t time
    cdef void *grown
    if ordered.room < listed.count:
        grown = realloc(ordered.edges, 2 * listed.count * sizeof(ListEdge))
        if grown == NULL:
            return False
        ordered.edges = <ListEdge *>grown
        ordered.room = 2 * listed.count
    ordered.fields.size = 0
    for place in range(listed.count):
        edge = listed.edges[place]
        version = edge_seen(edge, ordered.last_sequence)
        if version == NULL or version.sequence < ordered.first_sequence:
            continue
        found = &ordered.edges[source.count]
        source.count += 1
        memset(found, 0, sizeof(ListEdge))
        found.code = edge.code
        found.neighbor = edge.ends[1 - ordered.direction]
        found.key = edge.key
        found.key_size = edge.key_size
        if not version.full or not version.alive or version.born_sequence != version.sequence or (
            version.older != NULL and version.older.sequence >= ordered.first_sequence
        ):
            found.careful = True
            continue
        found.sequence = found.born = version.sequence
        found.mark = MARK_MADE
        found.head = VERSION_CHANGE | VERSION_FULL
        if version.fields != NULL:
            found.head |= version.fields.flags << EDGE_FIELDS_SHIFT
            offset = ordered.fields.size
            time = ordered.rows[version.sequence - ordered.base].time
            if not put_edge_fields(&ordered.fields, version.fields, time):
                return False
            found.fields_size = ordered.fields.size - offset
    # Only now that they do not move any more.
    offset = 0
    for place in range(source.count):
        ordered.edges[place].fields = ordered.fields.data + offset
        offset += ordered.edges[place].fields_size
    return True


cdef class MemtableLists:
    """The lists of a memtable that takes no commits any more, in one direction and of a range of
    commits, as a source for a segment."""

    cdef OrderedLists ordered
    cdef MemtableCore core

    def __cinit__(
        self, MemtableCore core not None, int direction, uint64_t first_sequence,
        uint64_t last_sequence,
    ):
        cdef const MemList *known = core.memory.last_lists[direction]
        cdef OrderedLists *ordered = &self.ordered
        cdef uint64_t place
        memset(ordered, 0, sizeof(OrderedLists))
        core.commits.row(last_sequence)
        self.core = core
        ordered.source.advance = next_list
        ordered.memory = &core.memory
        ordered.rows = core.commits.rows
        ordered.base = core.commits.base
        ordered.first_sequence = first_sequence
        ordered.last_sequence = last_sequence
        ordered.direction = direction
        ordered.count = core.memory.lists[direction].count
        ordered.lists = <const MemList **>malloc((ordered.count + 1) * sizeof(MemList *))
        if ordered.lists == NULL:
            raise MemoryError
        for place in range(ordered.count):
            ordered.lists[place] = known
            known = known.before
        qsort(ordered.lists, ordered.count, sizeof(MemList *), order_lists)

    def __dealloc__(self):
        free(self.ordered.lists)
        free(self.ordered.edges)
        growing_free(&self.ordered.fields)

    def capsule(self):
        """Return the source, which lives as long as this does; the capsule keeps it."""
        return kept_capsule(&self.ordered.source, LIST_SOURCE, self)
