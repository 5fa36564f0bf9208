# What a segment says of nodes: of those that it made, and of those that it changed (SPEC.md, sections
# 12.3 and 12.5).

cdef enum:
    # Commit times at hand of a segment.
    TIMES_AT_HAND = 1024


cdef struct RowSearch:
    # The last block of a sparse table that does not begin above an id.
    const Span *file
    uint64_t directory_offset, row_size, row_count, id, index
    Answer answer


cdef void search_rows(void *what) noexcept nogil:
    """Return NONE where all blocks begin above the id."""
    cdef RowSearch *search = <RowSearch *>what
    cdef const uint8_t *row
    cdef uint64_t low = 0, high = search.row_count, middle
    # Invariant: blocks below `low` begin at or below the id, blocks from `high` on above it.
    while low < high:
        middle = (low + high) / 2
        row = bytes_at(search.file, search.directory_offset + middle * search.row_size, 8)
        if row == NULL:
            search.answer = ODD
            return
        if load64(row) <= search.id:
            low = middle + 1
        else:
            high = middle
    search.answer = FOUND if low else NONE
    search.index = low - 1


cdef class QuickChanges(QuickRecords):
    """The end states of older nodes that a segment changed."""

    cdef Filter filter

    def __init__(self, *table, filter_):
        """table : as of `QuickRecords`.   filter_ : (offset, size)."""
        QuickRecords.__init__(self, *table, True)
        self.filter = Filter(&self.span, filter_[0], filter_[1] // 32)

    def bring(self, uint64_t node_id):
        cdef uint64_t index
        if self.find_row(node_id, &index) == FOUND:
            self.fetch(index)

    cdef Answer find_row(self, uint64_t node_id, uint64_t *index) noexcept:
        cdef RowSearch search
        search = RowSearch(
            &self.span, self.directory_offset, self.row_size, self.row_count, node_id, 0, ODD
        )
        if guarded(search_rows, &search):
            return ODD
        index[0] = search.index
        return search.answer

    cdef object change(self, uint64_t node_id):
        """Return the bytes of a record of an older id, None if it has none, or UNSURE."""
        cdef uint64_t index, number
        cdef NodeBlock *block
        cdef const uint64_t *ids
        cdef Answer answer = self.find_row(node_id, &index)
        if answer != FOUND:
            return None if answer == NONE else UNSURE
        block = self.block_at(index)
        if block == NULL:
            return UNSURE
        ids = <const uint64_t *>(<const uint8_t *>block + block.size_bytes) - block.count
        for number in range(block.count):
            if ids[number] == node_id:
                return self.record_in(block, number)
        return None


cdef class QuickNodes(QuickRecords):
    """The end states of the nodes that a segment made, and which others it changed.

    Source: SPEC.md, section 12.5.
    """

    cdef uint64_t first_sequence, commit_count
    cdef object time_of
    cdef QuickChanges changes
    # By the lowest bits of the sequence: the commit's place in the segment plus one, and its time.
    cdef uint64_t time_keys[TIMES_AT_HAND]
    cdef int64_t times[TIMES_AT_HAND]

    def __init__(self, *table, QuickChanges changes not None, commits, time_of):
        """table : as of `QuickRecords`.   changes : of older nodes.   commits : a range.

        time_of : sequence -> commit time, in us.
        """
        QuickRecords.__init__(self, *table)
        self.first_sequence = commits.start
        self.commit_count = len(commits)
        self.time_of = time_of
        self.changes = changes

    def find(self, uint64_t node_id):
        """Return what `node_record` returns of a node, None of one that has no end state here."""
        cdef object record
        if not self.first_id <= node_id < self.end_id:
            return UNSURE
        record = self.record(node_id)
        return record if type(record) is not bytes else node_record(record)

    cdef Answer commit_time(self, uint64_t commit, int64_t *time) except *:
        """Tell when a commit was, which is counted from the segment's first."""
        cdef uint64_t place = commit & (TIMES_AT_HAND - 1)
        if commit >= self.commit_count:
            return ODD
        if self.time_keys[place] != commit + 1:
            try:
                found = self.time_of(self.first_sequence + commit)
            except CorruptionError:
                return ODD
            self.time_keys[place] = 0
            self.times[place] = found
            self.time_keys[place] = commit + 1
        time[0] = self.times[place]
        return FOUND
