# Time, counts, next id and next type code as of every commit since the memtable began.

cdef struct CommitRow:
    int64_t time, node_count, edge_count, next_id, type_count


cdef class Commits:
    """One row per commit; the plain twin is `lithograph.write.commit_table.CommitTable`."""

    cdef CommitRow *rows
    cdef int64_t base, count, room

    def __cinit__(
        self, int64_t base, int64_t time, int64_t node_count, int64_t edge_count, int64_t next_id,
        int64_t type_count,
    ):
        self.base = base
        self.room = 16
        self.rows = <CommitRow *>malloc(self.room * sizeof(CommitRow))
        if self.rows == NULL:
            raise MemoryError
        self.rows[0] = CommitRow(time, node_count, edge_count, next_id, type_count)
        self.count = 1

    def __dealloc__(self):
        free(self.rows)

    @property
    def first_sequence(self):
        """Of the first commit in the table, or the next one if there is none yet."""
        return self.base + 1

    @property
    def last_sequence(self):
        return self.base + self.count - 1

    @property
    def next_id(self):
        """The id of the next new node, as of the last commit."""
        return self.rows[self.count - 1].next_id

    @property
    def type_count(self):
        """The code of the next new type, as of the last commit."""
        return self.rows[self.count - 1].type_count

    def next_id_at(self, int64_t sequence):
        """Return the id of the next new node as of a commit of the table, or its beginning."""
        return self.row(sequence).next_id

    def time(self, int64_t sequence):
        return self.row(sequence).time

    def node_count(self, int64_t sequence):
        return self.row(sequence).node_count

    def edge_count(self, int64_t sequence):
        return self.row(sequence).edge_count

    def sequence_at(self, int64_t time):
        """Return the newest commit of the table that is not after `time`, None if none is."""
        cdef int64_t low = 1, high = self.count, middle
        # Invariant: rows below `low` are not after `time`, rows from `high` on are.
        while low < high:
            middle = (low + high) // 2
            if self.rows[middle].time <= time:
                low = middle + 1
            else:
                high = middle
        return self.base + low - 1 if low > 1 else None

    cdef CommitRow *row(self, int64_t sequence) except NULL:
        cdef int64_t place = sequence - self.base
        if not 0 <= place < self.count:
            raise IndexError(f"commit {sequence} is not in the memtable")
        return &self.rows[place]

    cdef bint has(self, uint64_t sequence) noexcept:
        return <int64_t>sequence < self.base + self.count

    cdef int append(self, int64_t sequence, CommitRow row) except -1:
        """Add the next commit's row; one that is there stays (replay after an interruption)."""
        cdef CommitRow *grown
        if sequence < self.base + self.count:
            return 0
        if sequence != self.base + self.count or row.time < self.rows[self.count - 1].time:
            raise ValueError(f"commit {sequence} does not follow {self.base + self.count - 1}")
        if self.count == self.room:
            grown = <CommitRow *>realloc(self.rows, 2 * self.room * sizeof(CommitRow))
            if grown == NULL:
                raise MemoryError
            self.rows = grown
            self.room *= 2
        self.rows[self.count] = row
        self.count += 1
        return 0
