# Runs merged into one: the twin of segments.run_merge (SPEC.md, section 13.6).

cdef class RunMerge:
    """Streams of adjacent runs, the newest first, merged into a tree.

    first_sequences, last_sequences : of the runs.
    floor, oldest : as `merge_runs` has them.
    """

    cdef TreeBuilder builder
    cdef Stream *streams
    cdef size_t count
    cdef Growing versions  # of the name that is being merged
    cdef uint64_t floor
    cdef bint oldest

    def __cinit__(
        self,
        TreeBuilder builder not None,
        list first_sequences not None,
        list last_sequences not None,
        uint64_t floor,
        bint oldest,
    ):
        cdef size_t rank
        self.builder = builder
        self.floor = floor
        self.oldest = oldest
        self.streams = <Stream *>calloc(max(len(first_sequences), 1), sizeof(Stream))
        if self.streams == NULL:
            raise MemoryError
        self.count = len(first_sequences)
        for rank in range(self.count):
            self.streams[rank].need = FOOD
            self.streams[rank].first_sequence = first_sequences[rank]
            self.streams[rank].leaf.sequences = last_sequences[rank] - first_sequences[rank]

    def __dealloc__(self):
        cdef size_t rank
        for rank in range(self.count):
            free_stream(&self.streams[rank])
        free(self.streams)
        growing_free(&self.versions)

    def feed(self, size_t rank, const uint8_t[::1] leaf not None):
        """Give a stream that has none its next leaf; return whether it took it.

        One that it does not take is unusual, or damaged: its names are to be `put` one by one by
        whoever can read it.
        """
        cdef Stream *stream = self.hungry(rank)
        cdef Outcome outcome
        if leaf.shape[0] != PAGE_SIZE:
            return False
        with nogil:
            outcome = feed(stream, &leaf[0])
        raise_outcome(outcome)
        return stream.need == NAME

    def put(self, size_t rank, bytes name not None, versions):
        """Give a stream that has none its next name; versions: (sequence, id or -1), newest first."""
        cdef Stream *stream = self.hungry(rank)
        cdef const uint8_t *text = name
        stream.versions.size = 0
        for sequence, node_id in versions:
            if not note_version(&stream.versions, sequence, node_id):
                raise MemoryError
        if not stream.versions.size:
            raise ValueError("a name without versions")
        if not assign(&stream.given, text, len(name)) or not assign(&stream.last, text, len(name)):
            raise MemoryError
        stream.name = stream.given.data
        stream.size = stream.given.size
        stream.need = NAME

    def end(self, size_t rank):
        """Say that a stream has no more names."""
        self.hungry(rank).need = NOTHING

    def last_name(self, size_t rank):
        """Return the last name that a stream was fed, b"" if there is none."""
        return bytes_of(&self.hungry(rank).last)

    def step(self, size_t count):
        """Merge up to `count` names; return how many, and the first stream that needs food, or -1.

        It ends where one needs food, and where none has a name: then it is (0, -1).
        """
        cdef size_t done = 0
        cdef Py_ssize_t rank
        cdef Outcome outcome = DONE
        with nogil:
            rank = self.first_hungry()
            while done < count and rank < 0 and outcome == DONE:
                if not self.merge_next(&outcome):
                    break
                done += 1
                rank = self.first_hungry()
        raise_outcome(outcome)
        return done, rank

    cdef Stream *hungry(self, size_t rank) except NULL:
        if rank >= self.count or self.streams[rank].need != FOOD:
            raise ValueError("that stream needs no food")
        return &self.streams[rank]

    cdef Py_ssize_t first_hungry(self) noexcept nogil:
        cdef size_t rank
        for rank in range(self.count):
            if self.streams[rank].need == FOOD:
                return rank
        return -1

    cdef Stream *lowest(self) noexcept nogil:
        """Return the newest stream whose name is below those of all others; NULL without names."""
        cdef Stream *found = NULL
        cdef Stream *stream
        cdef size_t rank
        for rank in range(self.count):
            stream = &self.streams[rank]
            if stream.need == NAME and (
                found == NULL
                or compare_bytes(stream.name, stream.size, found.name, found.size) < 0
            ):
                found = stream
        return found

    cdef bint merge_next(self, Outcome *outcome) noexcept nogil:
        """Merge the versions of the next name; return False if there is none."""
        cdef const Stream *lowest = self.lowest()
        cdef Stream *stream
        cdef size_t rank
        if lowest == NULL:
            return False
        self.versions.size = 0
        for rank in range(self.count):
            stream = &self.streams[rank]
            stream.is_merged = stream.need == NAME and (
                stream == lowest
                or compare_bytes(stream.name, stream.size, lowest.name, lowest.size) == 0
            )
            if stream.is_merged:
                if not growing_room(&self.versions, stream.versions.size):
                    outcome[0] = NO_MEMORY
                    return True
                put_bytes(&self.versions, stream.versions.data, stream.versions.size)
        outcome[0] = self.add_kept(lowest)
        for rank in range(self.count):
            if self.streams[rank].is_merged and outcome[0] == DONE:
                outcome[0] = advance(&self.streams[rank])
        return True

    cdef Outcome add_kept(self, const Stream *named) noexcept nogil:
        """Add a name with those of `versions` that outlive the floor, if there are any."""
        cdef const NameVersion *versions = <const NameVersion *>self.versions.data
        cdef size_t above = 0, kept, count = self.versions.size / sizeof(NameVersion)
        cdef NamedVersions item
        while above < count and versions[above].sequence > self.floor:
            above += 1
        kept = min(above + 1, count)
        if self.oldest and kept > above and versions[kept - 1].id < 0:
            kept -= 1
        if not kept:
            return DONE
        item = NamedVersions(named.name, named.size, versions, kept)
        return add_name(&self.builder.tree, &item)
