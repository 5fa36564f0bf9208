# Lists of several sources, oldest first, merged into the tables of one segment (SPEC.md, 12.10).

cdef extern from *:
    """
    #include <Python.h>
    #include "list_source.h"
    static ListSource *source_of_capsule(PyObject *capsule)
    {
        return (ListSource *)PyCapsule_GetPointer(capsule, LIST_SOURCE);
    }
    """
    ListSource *source_of_capsule(object capsule) except NULL

cdef enum Outcome:
    MERGE_FINISHED  # No id is left below the end.
    MERGE_PAUSED
    MERGE_ASKED  # A source asks for something.
    MERGE_CAREFUL  # The lists of an id are for the careful way.
    MERGE_LOOSE  # Of some edges of an id, the careful way must say what becomes of them.
    MERGE_OUT_OF_MEMORY
    MERGE_DISORDERED  # The ids of a source do not ascend.

cdef enum SourcePlace:
    SOURCE_BEFORE  # The source must move on.
    SOURCE_AT_LIST
    SOURCE_AT_END


cdef struct Sighting:
    # One edge in one list: of which source, and which of its edges.
    uint64_t rank, index


cdef struct Loose:
    # An edge that is for the careful way: its place in the merged list, and where it stands, as the
    # sightings [first, end).
    uint64_t place, first, end


cdef struct Merge:
    # places : of the sources.   edges : of the id on its way, `count` of them, in the order of the
    # merged list.   node_id : the id.   loose, sightings : of its edges, as `Growing` bytes.
    # is_pending : what became of the loose edges is known, the list only waits to be put.
    # careful : ids whose lists are handed back; edges between them and others are loose.
    # is_out : edges leave the ids, and have end states.
    ListSource **sources
    SourcePlace *places
    uint64_t *next_edges
    int source_count, asking
    const ListEdge **edges
    uint64_t count, room, node_id, next_id, first_id, superseding_count
    bint is_out, is_pending
    Growing loose, sightings
    CarefulIds careful
    ListEdge *settled
    ListOut out


cdef Outcome move_on(Merge *merge) noexcept nogil:
    """Move every source that must to its next list; MERGE_PAUSED where all are there."""
    cdef int rank, answer
    cdef ListSource *source
    for rank in range(merge.source_count):
        if merge.places[rank] != SOURCE_BEFORE:
            continue
        source = merge.sources[rank]
        answer = source.advance(source)
        if answer == LIST_READY:
            merge.places[rank] = SOURCE_AT_LIST
        elif answer == LIST_END:
            merge.places[rank] = SOURCE_AT_END
        else:
            merge.asking = rank
            return MERGE_ASKED if answer == LIST_ASKS else MERGE_OUT_OF_MEMORY
        if answer == LIST_READY and source.id < merge.next_id:
            merge.asking = rank
            return MERGE_DISORDERED
    return MERGE_PAUSED


cdef uint64_t lowest_id(const Merge *merge) noexcept nogil:
    """Return the id that comes next; NOWHERE at the end."""
    cdef int rank
    cdef uint64_t found = NOWHERE
    for rank in range(merge.source_count):
        if merge.places[rank] == SOURCE_AT_LIST:
            found = min(found, merge.sources[rank].id)
    return found


cdef inline bint takes_part(const Merge *merge, int rank) noexcept nogil:
    return merge.places[rank] == SOURCE_AT_LIST and merge.sources[rank].id == merge.node_id


cdef bint room_for(Merge *merge, uint64_t count) noexcept nogil:
    cdef uint64_t room = max(merge.room, <uint64_t>256)
    cdef const ListEdge **grown
    if count <= merge.room:
        return True
    if count >> 40:
        return False
    while room < count:
        room *= 2
    grown = <const ListEdge **>realloc(merge.edges, room * sizeof(ListEdge *))
    if grown == NULL:
        return False
    merge.edges = grown
    merge.room = room
    return True


cdef inline uint64_t loose_count(const Merge *merge) noexcept nogil:
    return merge.loose.size / sizeof(Loose)


cdef bint note_sighting(Merge *merge, uint64_t rank) noexcept nogil:
    """Note where the next edge of a source stands, and pass it; False where there is no memory."""
    cdef Sighting sighting = Sighting(rank, merge.next_edges[rank])
    merge.next_edges[rank] += 1
    if not growing_room(&merge.sightings, sizeof(Sighting)):
        return False
    put_bytes(&merge.sightings, &sighting, sizeof(Sighting))
    return True


cdef bint note_loose(Merge *merge, const ListEdge *edge, int best) noexcept nogil:
    """Note an edge that is for the careful way, in all sources; False where there is no memory."""
    cdef Loose loose
    cdef int rank
    loose.place = merge.count
    loose.first = merge.sightings.size / sizeof(Sighting)
    # The order of the sources is that of their age; those before `best` have passed it.
    for rank in range(best, merge.source_count):
        if takes_part(merge, rank) and merge.next_edges[rank] < merge.sources[rank].count:
            if compare_edges(merge.sources[rank].edges + merge.next_edges[rank], edge) == 0:
                if not note_sighting(merge, rank):
                    return False
    loose.end = merge.sightings.size / sizeof(Sighting)
    if not growing_room(&merge.loose, sizeof(Loose)):
        return False
    put_bytes(&merge.loose, &loose, sizeof(Loose))
    return True


cdef bint join_lists(Merge *merge) noexcept nogil:
    """Put the edges of all lists of the id in order; False where there is no memory.

    Loose are those that stand in two lists, those that a source says are, those of careful ids, and
    the tombstones that may not be kept.
    """
    cdef int rank, best
    cdef const ListEdge *edge
    cdef const ListEdge *lowest
    cdef int order
    cdef bint is_twice
    while True:
        lowest = NULL
        best = -1
        is_twice = False
        for rank in range(merge.source_count):
            if not takes_part(merge, rank):
                continue
            if merge.next_edges[rank] == merge.sources[rank].count:
                continue
            edge = merge.sources[rank].edges + merge.next_edges[rank]
            order = compare_edges(edge, lowest) if lowest != NULL else -1
            if order < 0:
                lowest = edge
                best = rank
                is_twice = False
            elif order == 0:
                is_twice = True
        if best < 0:
            return True
        merge.edges[merge.count] = lowest
        if is_twice or lowest.careful or is_careful(&merge.careful, lowest.neighbor) or (
            lowest.mark == MARK_DEAD and max(merge.node_id, lowest.neighbor) >= merge.first_id
        ):
            if not note_loose(merge, lowest, best):
                return False
        else:
            merge.next_edges[best] += 1
        merge.count += 1


cdef bint take_list(Merge *merge, int rank) noexcept nogil:
    """Take the edges of the only list of the id; False where there is no memory."""
    cdef const ListEdge *edges = merge.sources[rank].edges
    cdef uint64_t place
    for place in range(merge.sources[rank].count):
        merge.edges[place] = edges + place
        if edges[place].careful or is_careful(&merge.careful, edges[place].neighbor):
            merge.count = merge.next_edges[rank] = place
            if not note_loose(merge, edges + place, rank):
                return False
    merge.count = merge.sources[rank].count
    return True


cdef Outcome gather(Merge *merge) noexcept nogil:
    """Gather the edges of the id; MERGE_PAUSED where that could be done."""
    cdef int rank, only = -1, list_count = 0
    cdef uint64_t count = 0
    if is_careful(&merge.careful, merge.node_id):
        return MERGE_CAREFUL
    for rank in range(merge.source_count):
        if takes_part(merge, rank):
            if merge.sources[rank].odd:
                return MERGE_CAREFUL
            count += merge.sources[rank].count
            merge.next_edges[rank] = 0
            only = rank
            list_count += 1
    if not room_for(merge, count):
        return MERGE_OUT_OF_MEMORY
    merge.count = merge.loose.size = merge.sightings.size = 0
    if not (join_lists(merge) if list_count > 1 else take_list(merge, only)):
        return MERGE_OUT_OF_MEMORY
    return MERGE_PAUSED


cdef bint fit_inline(const Merge *merge, const EdgeBuilding *versions) noexcept nogil:
    """Return whether the end states of the edges stand in blocks, all of them but the loose ones."""
    cdef const Loose *loose = <const Loose *>merge.loose.data
    cdef uint64_t place, next_loose = 0, count = loose_count(merge)
    for place in range(merge.count):
        if next_loose < count and loose[next_loose].place == place:
            next_loose += 1
        elif version_size(versions, merge.edges[place]) > versions.inline_size_max:
            return False
    return True


cdef Outcome put_list(Merge *merge, Building *table, EdgeBuilding *versions) noexcept nogil:
    """Put the list of the id, and the end states of its edges, into the tables; MERGE_PAUSED where that
    could be done; MERGE_FINISHED where the table must be drained first."""
    cdef uint64_t place, position = versions.position if versions != NULL else 0
    cdef Built built
    if not merge.count:
        return MERGE_PAUSED
    built = encode_edges(&merge.out, merge.edges, merge.count)
    if built == NO_MEMORY:
        return MERGE_OUT_OF_MEMORY
    if built == DISORDER:
        # What became of loose edges was said already: there is no way back.
        return MERGE_OUT_OF_MEMORY if merge.is_pending else MERGE_CAREFUL
    built = add_record(
        table, merge.node_id, merge.out.encoded, merge.out.size, merge.out.flags, position
    )
    if built == DRAIN_FIRST:
        return MERGE_FINISHED
    if built != BUILT:
        return MERGE_OUT_OF_MEMORY if built == NO_MEMORY else MERGE_DISORDERED
    if versions == NULL:
        return MERGE_PAUSED
    for place in range(merge.count):
        merge.superseding_count += merge.edges[place].mark != MARK_MADE
        if not add_edge(versions, merge.edges[place]):
            return MERGE_OUT_OF_MEMORY
    return MERGE_PAUSED


cdef void leave_lists(Merge *merge) noexcept nogil:
    """The sources that have lists of the id must move on."""
    cdef int rank
    for rank in range(merge.source_count):
        if takes_part(merge, rank):
            merge.places[rank] = SOURCE_BEFORE
    merge.next_id = merge.node_id + 1


cdef Outcome merge_id(Merge *merge, Building *table, EdgeBuilding *versions) noexcept nogil:
    """Merge the lists of the id; MERGE_PAUSED where they were put, MERGE_FINISHED where the table
    must be drained first."""
    cdef Outcome outcome
    if not merge.is_pending:
        outcome = gather(merge)
        if outcome != MERGE_PAUSED:
            return outcome
        if versions != NULL and not fit_inline(merge, versions):
            return MERGE_CAREFUL
        if merge.loose.size:
            return MERGE_LOOSE
    outcome = put_list(merge, table, versions)
    if outcome == MERGE_PAUSED:
        merge.is_pending = False
        leave_lists(merge)
    return outcome


cdef Outcome merge_some(
    Merge *merge, Building *table, EdgeBuilding *versions, uint64_t end_id, uint64_t work_max
) noexcept nogil:
    """Merge the lists of ids below `end_id`, until about so many edges were gone through."""
    cdef uint64_t work = 0
    cdef Outcome outcome
    while True:
        outcome = move_on(merge)
        if outcome != MERGE_PAUSED:
            return outcome
        merge.node_id = lowest_id(merge)
        if merge.node_id >= end_id:
            return MERGE_FINISHED
        if building_full(table) or (versions != NULL and edges_full(versions)):
            return MERGE_PAUSED
        outcome = merge_id(merge, table, versions)
        if outcome == MERGE_FINISHED:
            return MERGE_PAUSED
        if outcome != MERGE_PAUSED:
            return outcome
        work += merge.count + 1
        if work >= work_max:
            return MERGE_PAUSED


cdef bint settle(ListEdge *edge, bytes record, uint64_t mark, uint64_t first_sequence) except -1:
    """Give an edge the end state that a record has, sequences as differences to the first."""
    cdef const uint8_t *at = record
    cdef const uint8_t *end = at + len(record)
    cdef uint64_t value
    if not 1 <= mark <= 3 or at == end:
        raise ValueError("no end state")
    edge.mark = <uint8_t>mark
    edge.head = at[0]
    edge.careful = False
    at = read_varint(at + 1, end, &value)
    if at != NULL:
        edge.sequence = edge.born = first_sequence + value
        if edge.head & EDGE_BORN_DIFFERS:
            at = read_varint(at, end, &value)
            edge.born = first_sequence + value
    if at == NULL:
        raise ValueError("no end state")
    edge.fields = at
    edge.fields_size = <uint32_t>(end - at)
    return True


cdef bytes record_of(const ListEdge *edge):
    """Return the version record of an edge, sequences as they are."""
    cdef uint8_t data[1 + 2 * VARINT_ROOM]
    cdef Growing head
    head.data = &data[0]
    head.size = 0
    head.room = sizeof(data)
    put_byte(&head, edge.head)
    put_varint(&head, edge.sequence)
    if edge.head & EDGE_BORN_DIFFERS:
        put_varint(&head, edge.born)
    found = PyBytes_FromStringAndSize(<const char *>data, head.size)
    if edge.fields_size:
        found += PyBytes_FromStringAndSize(<const char *>edge.fields, edge.fields_size)
    return found


cdef class ListMerge:
    """Merges lists of one direction, and with those that leave nodes the end states of the edges.

    What it cannot do it hands back: `step` says so.

    Attributes
    ----------
    superseding_count : edges put so far that are dead or changed.
    """

    cdef Merge merge
    cdef list kept
    cdef object records

    def __cinit__(
        self, sources, uint64_t first_id, uint64_t group_count_max, uint64_t unindexed_size_max,
        bint is_out, careful=(),
    ):
        """sources : oldest first, each a `ListFeed` or a capsule of a `ListSource`, which must live
        as long as this does.

        first_id : the lowest id born in the merged slice.   The sizes are those of `SegmentShape`.
        careful : ids, ascending: their lists are handed back, edges between them and others are
            loose.
        """
        cdef int rank
        cdef Merge *merge = &self.merge
        self.kept = list(sources)
        merge.source_count = len(self.kept)
        merge.first_id = first_id
        merge.is_out = is_out
        merge.out.group_count_max = group_count_max
        merge.out.unindexed_size_max = unindexed_size_max
        merge.sources = <ListSource **>calloc(merge.source_count + 1, sizeof(ListSource *))
        merge.places = <SourcePlace *>calloc(merge.source_count + 1, sizeof(SourcePlace))
        merge.next_edges = <uint64_t *>calloc(merge.source_count + 1, sizeof(uint64_t))
        if merge.sources == NULL or merge.places == NULL or merge.next_edges == NULL:
            raise MemoryError
        for rank in range(merge.source_count):
            merge.places[rank] = SOURCE_BEFORE
            source = self.kept[rank]
            if isinstance(source, ListFeed):
                merge.sources[rank] = (<ListFeed>source).feed
            else:
                merge.sources[rank] = source_of_capsule(source)
            if merge.sources[rank] == NULL:
                raise ValueError("a source that was not begun")
        if not group_count_max:
            raise ValueError("groups of no edges")
        take_careful(&merge.careful, careful)

    def __dealloc__(self):
        free(self.merge.sources)
        free(self.merge.places)
        free(self.merge.next_edges)
        free(self.merge.edges)
        free(self.merge.settled)
        free(self.merge.careful.ids)
        growing_free(&self.merge.loose)
        growing_free(&self.merge.sightings)
        growing_free(&self.merge.out.groups)
        growing_free(&self.merge.out.rows)
        growing_free(&self.merge.out.record)

    @property
    def superseding_count(self):
        return self.merge.superseding_count

    def step(
        self, BlockBuilder table not None, EdgeBuilder versions, uint64_t end_id, uint64_t work_max
    ):
        """Go on with the lists of ids below `end_id`, until about `work_max` edges were gone
        through or much is waiting in the builders.

        versions : of edges that leave the ids; None of those that enter them.

        Returns
        -------
        ("finished",) : no id is left below `end_id`.
        ("paused",) : there is more.
        ("asked", rank) : the source of this rank asks for something, then this goes on.
        ("careful", id, ranks) : the caller must put what these sources have of the id, then call
            `put_carefully`.
        ("loose", id, ranks, edges) : the caller must say what becomes of these edges of the id, by
            `settle`, or put the whole list as above. Of each, ascending: type code, neighbor, key
            (bytes), and where it stands: (rank, place in the list there, mark, record of its end
            state). In records (12.5) sequences are as they are, differences to 0; there is none of
            edges that enter the id, and where the source says that the edge is not for it.
        ("disordered", rank) : the ids of the source do not ascend.

        The interpreter's lock is let go in between.
        """
        cdef Outcome outcome
        cdef Building *building = &table.building
        cdef EdgeBuilding *edges = NULL
        cdef int rank
        if (versions is not None) != self.merge.is_out:
            raise ValueError("end states are those of edges that leave")
        if versions is not None:
            edges = &versions.building
        with nogil:
            outcome = merge_some(&self.merge, building, edges, end_id, work_max)
        if outcome == MERGE_FINISHED:
            return ("finished",)
        if outcome == MERGE_PAUSED:
            return ("paused",)
        if outcome == MERGE_ASKED:
            return "asked", self.merge.asking
        if outcome == MERGE_CAREFUL or outcome == MERGE_LOOSE:
            ranks = [
                rank for rank in range(self.merge.source_count) if takes_part(&self.merge, rank)
            ]
            if outcome == MERGE_LOOSE:
                return "loose", self.merge.node_id, ranks, self._loose()
            return "careful", self.merge.node_id, ranks
        if outcome == MERGE_DISORDERED:
            return "disordered", self.merge.asking
        raise MemoryError

    cdef list _loose(self):
        """Return the loose edges of the id."""
        cdef const Loose *loose = <const Loose *>self.merge.loose.data
        cdef const Sighting *sightings = <const Sighting *>self.merge.sightings.data
        cdef const Sighting *sighting
        cdef const ListEdge *edge
        cdef uint64_t number, at
        cdef list found = []
        for number in range(loose_count(&self.merge)):
            places = []
            for at in range(loose[number].first, loose[number].end):
                sighting = &sightings[at]
                edge = self.merge.sources[sighting.rank].edges + sighting.index
                record = None
                if self.merge.is_out and not edge.careful:
                    record = record_of(edge)
                places.append((sighting.rank, sighting.index, edge.mark, record))
            edge = self.merge.edges[loose[number].place]
            key = PyBytes_FromStringAndSize(<const char *>edge.key, edge.key_size)
            found.append((edge.code, edge.neighbor, key, places))
        return found

    def settle(self, list states not None, uint64_t first_sequence):
        """Say what becomes of the loose edges: `step` then puts the list.

        states : of each (mark, record), or None: it does not stay. Records (12.5) have sequences
            as differences to `first_sequence`; of edges that enter the id they are not looked at.
        """
        cdef Merge *merge = &self.merge
        cdef const Loose *loose = <const Loose *>merge.loose.data
        cdef uint64_t number, place, kept = 0, count = loose_count(merge)
        cdef ListEdge *settled
        cdef ListEdge *edge
        if not count or merge.is_pending or <uint64_t>len(states) != count:
            raise ValueError(f"{len(states)} states of {count} loose edges")
        settled = <ListEdge *>realloc(merge.settled, count * sizeof(ListEdge))
        if settled == NULL:
            raise MemoryError
        merge.settled = settled
        self.records = states
        for number in range(count):
            edge = settled + number
            place = loose[number].place
            edge[0] = merge.edges[place][0]
            state = states[number]
            if state is not None:
                settle(edge, state[1], state[0], first_sequence)
            merge.edges[place] = NULL if state is None else edge
        for place in range(merge.count):
            if merge.edges[place] != NULL:
                merge.edges[kept] = merge.edges[place]
                kept += 1
        merge.count = kept
        merge.loose.size = 0
        merge.is_pending = True

    def put_carefully(self):
        """Leave the id that was handed back: the caller has put it."""
        leave_lists(&self.merge)

    def unfinished(self):
        """Return the rank of a source that has something left, -1 where none has."""
        cdef int rank
        for rank in range(self.merge.source_count):
            if self.merge.places[rank] != SOURCE_AT_END:
                return rank
        return -1
