# A run's tree on its way, as Python has it.

cdef int raise_outcome(Outcome outcome) except -1:
    if outcome == NO_MEMORY:
        raise MemoryError
    if outcome != DONE:
        raise AssertionError("a name or its versions are out of order, or out of bounds")
    return 0


cdef class TreeBuilder:
    """A run's tree on its way: pages are taken from it as they are finished.

    first_page : the number of the page that comes first.
    Source: SPEC.md, section 13.
    """

    cdef Tree tree

    def __cinit__(self, uint64_t first_sequence, uint64_t last_sequence, uint64_t first_page):
        self.tree.first_sequence = first_sequence
        self.tree.last_sequence = last_sequence
        self.tree.first_page = first_page

    def __dealloc__(self):
        growing_free(&self.tree.fence)
        growing_free(&self.tree.pages)
        growing_free(&self.tree.notes)
        growing_free(&self.tree.rest)
        growing_free(&self.tree.digests)
        growing_free(&self.tree.previous)
        growing_free(&self.tree.pairs)

    @property
    def entry_count(self):
        return self.tree.entry_count

    @property
    def version_count(self):
        return self.tree.version_count

    @property
    def size(self):
        """Bytes of finished pages that nobody has taken yet."""
        return self.tree.pages.size

    def add(self, bytes name not None, versions):
        """Add a name above all others so far; versions: (sequence, id or -1), newest first.

        Raises
        ------
        AssertionError : they are out of order, or out of bounds; nothing was added.
        """
        cdef NamedVersions item
        cdef Growing noted
        cdef Outcome outcome = DONE
        cdef const uint8_t *text = name
        memset(&noted, 0, sizeof(Growing))
        try:
            for sequence, node_id in versions:
                if not note_version(&noted, sequence, node_id):
                    raise MemoryError
            item = NamedVersions(
                text, len(name), <const NameVersion *>noted.data, noted.size / sizeof(NameVersion)
            )
            outcome = add_name(&self.tree, &item)
        finally:
            growing_free(&noted)
        raise_outcome(outcome)

    def add_from(self, source, size_t count):
        """Add up to `count` names from a capsule (`name_source.h`); return how many there were.

        Raises
        ------
        AssertionError : as `add`; what came before was added.
        """
        cdef NameSource *names = <NameSource *>PyCapsule_GetPointer(source, NAME_SOURCE)
        cdef Outcome outcome = DONE
        cdef NamedVersions item
        cdef size_t done = 0
        cdef int found = 1
        with nogil:
            while done < count and outcome == DONE:
                found = names.next(names, &item)
                if found <= 0:
                    break
                outcome = add_name(&self.tree, &item)
                done += 1
        raise_outcome(NO_MEMORY if found < 0 else outcome)
        return done

    def begin_level(self, int level):
        """Go on with the level above; its pages are what `add_children` says."""
        assert self.tree.page.entry_count == 0 and self.tree.rest.size == 0
        begin_page(&self.tree.page, level)
        self.tree.fence.size = 0

    def add_children(self, const uint8_t[::1] notes not None):
        """Add pages of the level below, from a piece of its notes; a piece may end anywhere."""
        cdef size_t size = notes.shape[0]
        cdef Outcome outcome
        if not size:
            return
        if not growing_room(&self.tree.rest, size):
            raise MemoryError
        with nogil:
            put_bytes(&self.tree.rest, &notes[0], size)
            outcome = add_children(&self.tree)
        raise_outcome(outcome)

    def end_level(self):
        """Finish the last page of this level."""
        if self.tree.page.entry_count:
            raise_outcome(close_page(&self.tree))

    def take(self):
        """Return (finished pages, notes of this level, how many, hashes of names), and forget them."""
        cdef Tree *tree = &self.tree
        found = bytes_of(&tree.pages), bytes_of(&tree.notes), tree.note_count, bytes_of(&tree.digests)
        tree.first_page = next_page(tree)
        tree.pages.size = tree.notes.size = tree.digests.size = tree.note_count = 0
        return found


cdef bytes bytes_of(const Growing *out):
    return PyBytes_FromStringAndSize(<const char *>out.data, out.size)
