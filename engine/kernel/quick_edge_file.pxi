# The edges that leave nodes, with their end states, in one segment: list by list, at any place.

cdef enum:
    # What a hub needed is given back.
    EDGES_KEPT_MAX = 4096
    FIELDS_KEPT_MAX = 1 << 20


# What it points to is needed until the very end.
@cython.no_gc_clear
cdef class QuickEdges(QuickFile):
    """The edges that leave nodes, with their end states, in one segment.

    One user at a time, under the interpreter's lock: `is_busy` while there is one.

    Source: SPEC.md, sections 12.3, 12.4 and 12.6.
    """

    cdef EdgeFile file
    cdef QuickLists out
    cdef QuickNodes nodes
    cdef object check, unpack, given
    cdef bint is_busy

    def __init__(
        self, map_, bits, uint64_t data_size, sparse, dense, ids, shape, versions,
        QuickLists out not None, QuickNodes nodes not None, check, unpack,
    ):
        """sparse, dense, ids, shape, versions : as of `_tables.StoredLists`, of lists that leave.

        out, nodes : of the same segment.   check : (offset, size), checks bytes that were not yet.
        unpack : index of a block of end states -> its body; raises CorruptionError.
        """
        cdef StoredSource *stored = &self.file.stored
        stored.file = self.span
        stored.list_count, stored.group_count_max, stored.versions.block_count = shape
        if not 1 <= stored.list_count <= BLOCK_COUNT_MAX:
            raise ValueError(f"blocks of {stored.list_count} lists")
        if not 1 <= stored.versions.block_count <= BLOCK_COUNT_MAX:
            raise ValueError(f"blocks of {stored.versions.block_count} edges")
        set_table(&stored.tables[SPARSE], sparse, 24, 8)
        set_table(&stored.tables[DENSE], dense, 16, 0)
        stored.first_id, stored.end_id = ids.start, ids.stop
        set_table(&stored.versions.table, versions[:2], 8, 0)
        stored.versions.edge_count = versions[2]
        stored.versions.first_sequence, stored.versions.last_sequence = versions[3:]
        stored.versions.index = stored.versions.given_index = NOWHERE
        self.file.lists = &out.lists
        self.out, self.nodes, self.check, self.unpack = out, nodes, check, unpack

    def __dealloc__(self):
        free(self.file.stored.edges)
        growing_free(&self.file.stored.keys)
        growing_free(&self.file.stored.fields)

    cdef bint take(self) noexcept:
        """Begin to use it; False where somebody does."""
        if self.is_busy:
            return False
        self.is_busy = True
        return True

    cdef void leave(self) noexcept:
        """Let others use it."""
        cdef StoredSource *stored = &self.file.stored
        if stored.room > EDGES_KEPT_MAX:
            free(stored.edges)
            stored.edges = NULL
            stored.room = 0
        if stored.keys.room > FIELDS_KEPT_MAX:
            growing_free(&stored.keys)
        if stored.fields.room > FIELDS_KEPT_MAX:
            growing_free(&stored.fields)
        self.is_busy = False

    cdef bint help(self) except -1:
        """Do what the last stage asked for; return whether it may be tried again."""
        cdef StoredSource *stored = &self.file.stored
        if stored.found == UNCHECKED:
            self.check(stored.wanted_offset, stored.wanted_size)
            return bytes_at(&stored.file, stored.wanted_offset, stored.wanted_size) != NULL
        if stored.found == PACKED_AWAY:
            try:
                self.given = self.unpack(stored.wanted_offset)
            except CorruptionError:
                return False
            stored.versions.given = <const uint8_t *>PyBytes_AS_STRING(self.given)
            stored.versions.given_size = len(self.given)
            stored.versions.given_index = stored.wanted_offset
            return True
        return False

    cdef Answer find(self, uint64_t node_id) except *:
        """Go to the list of a node."""
        self.file.node_id = node_id
        while True:
            if guarded(find_list, &self.file):
                self.file.stored.has_block = False
                return ODD
            if self.file.answer != ODD or not self.help():
                return self.file.answer

    cdef Answer decode(self) except *:
        """Decode the list that was found, without end states."""
        cdef StoredSource *stored = &self.file.stored
        stored.keys.size = 0
        if not growing_room(&stored.keys, stored.heads.heads[stored.place] >> 2):
            raise MemoryError
        while True:
            if guarded(decode_current, stored):
                return ODD
            if stored.found != TOO_SMALL:
                return FOUND if stored.found == SOUND else ODD
            if not more_edges(stored):
                raise MemoryError

    cdef Answer seek(self, uint64_t code, uint64_t neighbor, const uint8_t *key, uint64_t key_size, uint64_t *place) except *:
        """Find an edge in the list that was found, with its end state: FOUND, and its place among
        the edges that are decoded."""
        cdef StoredSource *stored = &self.file.stored
        cdef ListEdge wanted
        cdef uint64_t low = 0, high, middle
        memset(&wanted, 0, sizeof(ListEdge))
        wanted.code, wanted.neighbor = code, neighbor
        wanted.key, wanted.key_size = key, <uint32_t>key_size
        stored.found = LISTS_ODD
        if stored.heads.heads[stored.place] & INDEXED and not key_size:
            stored.room_wanted = stored.group_count_max
            if stored.room < stored.room_wanted and not more_edges(stored):
                raise MemoryError
            stored.edges[0] = wanted
            if guarded(find_group_of_edge, &self.file):
                stored.found = LISTS_ODD
        if stored.found != SOUND:
            stored.position = self.file.position
            if self.decode() != FOUND:
                return ODD
        high = stored.source.count
        # Invariant: edges below `low` are before the wanted one, edges from `high` on are not.
        while low < high:
            middle = (low + high) / 2
            if compare_edges(&stored.edges[middle], &wanted) < 0:
                low = middle + 1
            else:
                high = middle
        if low == stored.source.count or compare_edges(&stored.edges[low], &wanted) != 0:
            return NONE
        place[0] = low
        return self.bring_versions(low, low + 1)

    cdef Answer bring_versions(self, uint64_t start, uint64_t stop) except *:
        """Give the edges of the decoded list from `start` to before `stop` their end states."""
        cdef StoredSource *stored = &self.file.stored
        cdef uint64_t count = stored.source.count, place
        cdef bint failed
        for place in range(start):
            stored.edges[place].fields_size = 0
        stored.filled = start
        stored.fields.size = 0
        stored.source.count = stop
        while True:
            failed = guarded(add_versions, stored)
            if failed or stored.found == SOUND:
                break
            if stored.found == TOO_SMALL:
                if not more_fields(stored):
                    raise MemoryError
            elif not self.help():
                break
        if failed:
            stored.versions.index = NOWHERE
        stored.source.count = count
        return ODD if failed or stored.found != SOUND else FOUND

    cdef Answer commit_time(self, uint64_t sequence, int64_t *time) except *:
        return self.nodes.commit_time(
            sequence - self.file.stored.versions.first_sequence, time
        )
