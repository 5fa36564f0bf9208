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
    MERGE_OUT_OF_MEMORY
    MERGE_DISORDERED  # The ids of a source do not ascend.

cdef enum SourcePlace:
    SOURCE_BEFORE  # The source must move on.
    SOURCE_AT_LIST
    SOURCE_AT_END


cdef struct Merge:
    # places : of the sources.   edges : of the id on its way, `count` of them, in the order of the
    # merged list.   node_id : the id.   is_out : edges leave the ids, and have end states.
    ListSource **sources
    SourcePlace *places
    uint64_t *next_edges
    int source_count, asking
    const ListEdge **edges
    uint64_t count, room, node_id, next_id, first_id, superseding_count
    bint is_out
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


cdef bint join_lists(Merge *merge) noexcept nogil:
    """Put the edges of all lists of the id in order; False where an edge stands in two of them, or
    is the tombstone of one that may not be kept: what then becomes of it is for the careful way."""
    cdef int rank, best
    cdef const ListEdge *edge
    cdef const ListEdge *lowest
    cdef int order
    merge.count = 0
    while True:
        lowest = NULL
        best = -1
        for rank in range(merge.source_count):
            if not takes_part(merge, rank):
                continue
            if merge.next_edges[rank] == merge.sources[rank].count:
                continue
            edge = merge.sources[rank].edges + merge.next_edges[rank]
            if lowest != NULL:
                order = compare_edges(edge, lowest)
                if order == 0:
                    return False
                if order > 0:
                    continue
            lowest = edge
            best = rank
        if best < 0:
            return True
        if lowest.mark == MARK_DEAD and max(merge.node_id, lowest.neighbor) >= merge.first_id:
            return False
        merge.edges[merge.count] = lowest
        merge.count += 1
        merge.next_edges[best] += 1


cdef Outcome gather(Merge *merge) noexcept nogil:
    """Gather the edges of the id; MERGE_PAUSED where that could be done, else MERGE_CAREFUL."""
    cdef int rank, only = -1, list_count = 0
    cdef uint64_t count = 0, place
    cdef const ListEdge *edges
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
    if list_count > 1:
        return MERGE_PAUSED if join_lists(merge) else MERGE_CAREFUL
    edges = merge.sources[only].edges
    for place in range(count):
        merge.edges[place] = edges + place
    merge.count = count
    return MERGE_PAUSED


cdef bint fit_inline(const Merge *merge, const EdgeBuilding *versions) noexcept nogil:
    """Return whether the end states of the edges stand in blocks, all of them."""
    cdef uint64_t place
    for place in range(merge.count):
        if version_size(versions, merge.edges[place]) > versions.inline_size_max:
            return False
    return True


cdef Outcome put_list(Merge *merge, Building *table, EdgeBuilding *versions) noexcept nogil:
    """Put the list of the id, and the end states of its edges, into the tables; MERGE_PAUSED where that
    could be done; MERGE_FINISHED where the table must be drained first."""
    cdef uint64_t place, position = 0
    cdef Built built
    if versions != NULL:
        position = versions.position
        if not fit_inline(merge, versions):
            return MERGE_CAREFUL
    built = encode_edges(&merge.out, merge.edges, merge.count)
    if built == NO_MEMORY:
        return MERGE_OUT_OF_MEMORY
    if built == DISORDER:
        return MERGE_CAREFUL
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
        outcome = gather(merge)
        if outcome == MERGE_PAUSED:
            outcome = put_list(merge, table, versions)
            if outcome == MERGE_FINISHED:
                return MERGE_PAUSED
        if outcome != MERGE_PAUSED:
            return outcome
        leave_lists(merge)
        work += merge.count + 1
        if work >= work_max:
            return MERGE_PAUSED


cdef class ListMerge:
    """Merges lists of one direction, and with those that leave nodes the end states of the edges.

    What it cannot do it hands back: `step` says so.

    Attributes
    ----------
    superseding_count : edges put so far that are dead or changed.
    """

    cdef Merge merge
    cdef list kept

    def __cinit__(
        self, sources, uint64_t first_id, uint64_t group_count_max, uint64_t unindexed_size_max,
        bint is_out,
    ):
        """sources : oldest first, each a `ListFeed` or a capsule of a `ListSource`, which must live
        as long as this does.

        first_id : the lowest id born in the merged slice.   The sizes are those of `SegmentShape`.
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

    def __dealloc__(self):
        free(self.merge.sources)
        free(self.merge.places)
        free(self.merge.next_edges)
        free(self.merge.edges)
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
        if outcome == MERGE_CAREFUL:
            ranks = [
                rank for rank in range(self.merge.source_count) if takes_part(&self.merge, rank)
            ]
            return "careful", self.merge.node_id, ranks
        if outcome == MERGE_DISORDERED:
            return "disordered", self.merge.asking
        raise MemoryError

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
