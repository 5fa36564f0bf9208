# The adjacency lists of a stored segment or history in one direction, as a source for merges
# (SPEC.md, sections 12.3, 12.4 and 12.6).

cdef bint next_place(StoredSource *stored) noexcept nogil:
    """Go to the next list of the block, or leave the block; return whether there is one."""
    if stored.in_list:
        stored.position += stored.source.count
        stored.in_list = False
        stored.place += 1
    if stored.has_block:
        while stored.place < stored.heads.count:
            if stored.heads.heads[stored.place]:
                return True
            stored.place += 1
        stored.has_block = False
        stored.block += 1
    while stored.part <= DENSE and stored.block >= stored.tables[stored.part].row_count:
        stored.part += 1
        stored.block = 0
    return False


cdef void begin_list(StoredSource *stored) noexcept nogil:
    cdef uint64_t node_id = stored.first_id + stored.block * stored.list_count + stored.place
    if stored.part == SPARSE:
        node_id = stored.heads.ids[stored.place]
    stored.source.id = node_id
    stored.source.odd = False
    stored.source.count = 0
    stored.in_list = True


cdef int advance_stored(ListSource *source) noexcept nogil:
    """Move to the next list of a stored segment; `ListSource.advance`."""
    cdef StoredSource *stored = <StoredSource *>source
    cdef bint failed
    while True:
        if stored.stage == LEAVE:
            if next_place(stored):
                begin_list(stored)
                stored.stage = DECODE
                stored.room_wanted = 0
                if not growing_room(
                    &stored.keys, stored.keys.size + (stored.heads.heads[stored.place] >> 2)
                ):
                    return LIST_NO_MEMORY
            elif stored.part > DENSE:
                return LIST_END
            else:
                stored.stage = OPEN_BLOCK
            continue
        if stored.stage == OPEN_BLOCK:
            if guarded(open_block, stored):
                stored.found = LISTS_ODD
            if stored.found != SOUND:
                return LIST_ASKS
            stored.has_block = True
            stored.place = 0
            stored.stage = LEAVE
            continue
        if stored.stage == DECODE:
            failed = guarded(decode_current, stored)
        else:
            failed = guarded(add_versions, stored)
        if failed:
            stored.found = LISTS_ODD
        if stored.found == UNCHECKED or stored.found == PACKED_AWAY:
            return LIST_ASKS
        if stored.found == TOO_SMALL:
            if not (more_edges(stored) if stored.stage == DECODE else more_fields(stored)):
                return LIST_NO_MEMORY
            continue
        if stored.found == SOUND and stored.stage == DECODE and stored.with_versions:
            stored.stage = ADD_VERSIONS
            stored.filled = stored.fields.size = 0
            continue
        stored.source.odd = stored.found == LISTS_ODD
        stored.stage = LEAVE
        return LIST_READY


cdef class ListFeed:
    """Whatever has a `ListSource` for merges."""

    cdef ListSource *feed


cdef class StoredLists(ListFeed):
    """The adjacency lists of a stored segment or history in one direction, one after the other.

    Source: SPEC.md, sections 12.3, 12.4 and 12.6.
    """

    cdef QuickFile file
    cdef StoredSource stored
    cdef object given

    def __init__(
        self, map_, bits, uint64_t data_size, sparse, dense, ids, shape, bint is_out,
        versions=None, bint careful=False,
    ):
        """sparse, dense : (blocks, directory) of the tables, each (offset, size); dense may be None.

        shape : (lists in a block, edges in a group, edges in a block of versions).
        versions : of the end states of edges: blocks, directory, how many edges there are, and the
            first and last sequence of the slice.
        careful : all edges are for the careful way: they are in history.
        """
        cdef StoredSource *stored = &self.stored
        self.file = QuickFile(map_, bits, data_size)
        stored.file = self.file.span
        stored.list_count, stored.group_count_max, stored.versions.block_count = shape
        if not 1 <= stored.list_count <= BLOCK_COUNT_MAX:
            raise ValueError(f"blocks of {stored.list_count} lists")
        if not 1 <= stored.versions.block_count <= BLOCK_COUNT_MAX:
            raise ValueError(f"blocks of {stored.versions.block_count} edges")
        set_table(&stored.tables[SPARSE], sparse, 24 if is_out else 16, 8)
        if dense is not None:
            set_table(&stored.tables[DENSE], dense, 16 if is_out else 8, 0)
            stored.first_id, stored.end_id = ids.start, ids.stop
            if stored.tables[DENSE].row_count != block_count_of(len(ids), stored.list_count):
                raise ValueError("the directory has another number of blocks")
        stored.careful = careful
        stored.versions.index = stored.versions.given_index = NOWHERE
        if versions is not None:
            stored.with_versions = True
            set_table(&stored.versions.table, versions[:2], 8, 0)
            stored.versions.edge_count = versions[2]
            stored.versions.first_sequence, stored.versions.last_sequence = versions[3:]
            if stored.versions.table.row_count != block_count_of(
                stored.versions.edge_count, stored.versions.block_count
            ):
                raise ValueError("the directory has another number of blocks")
        stored.source.advance = advance_stored
        self.feed = &stored.source

    def __dealloc__(self):
        free(self.stored.edges)
        growing_free(&self.stored.keys)
        growing_free(&self.stored.fields)

    def wish(self):
        """Return what the source asks for: ("check", offset, size), ("unpack", index), or
        ("block", whether it is dense, index)."""
        if self.stored.found == UNCHECKED:
            return "check", self.stored.wanted_offset, self.stored.wanted_size
        if self.stored.found == PACKED_AWAY:
            return "unpack", self.stored.wanted_offset
        return "block", self.stored.part == DENSE, self.stored.block

    def give_versions(self, uint64_t index, bytes body not None):
        """Use a block of edge versions that was unpacked."""
        self.given = body
        self.stored.versions.given = <const uint8_t *>body
        self.stored.versions.given_size = len(body)
        self.stored.versions.given_index = index

    def here(self):
        """Return where the current list stands: whether in the dense table, in which block, at
        which place there; and how many edges are before it."""
        return self.stored.part == DENSE, self.stored.block, self.stored.place, self.stored.position

    def passed(self, uint64_t count):
        """Say how many edges the current list has, which the careful way has dealt with."""
        self.stored.source.count = count
