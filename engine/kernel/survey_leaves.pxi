# Leaves of a run, checked whole (SPEC.md, sections 13.2 to 13.5).

cdef struct LeafCheck:
    const uint8_t *filter
    uint64_t filter_blocks, first_sequence, floor
    Secret secret
    LeafScan leaf
    # What this page adds; counted only where all of it is right.
    uint64_t names, versions, sum
    bint is_right


cdef void add_versions(LeafCheck *check) noexcept nogil:
    """Add the versions of the entry that was read last: those above the floor, and of the others
    the newest if it is no end."""
    cdef LeafScan *leaf = &check.leaf
    cdef const uint8_t *at = leaf.pairs
    cdef uint64_t digest = xxh64_seeded(leaf.key, leaf.key_size, check.secret.seed)
    cdef uint64_t place, sequence = leaf.sequence, value = leaf.id + 1
    check.versions += leaf.version_count
    for place in range(leaf.version_count):
        if leaf.pairs != NULL:
            # They were read once, so they end where they should.
            at = read_varint(at, at + VARINT_ROOM, &sequence)
            at = read_varint(at, at + VARINT_ROOM, &value)
        sequence += check.first_sequence
        if sequence > check.floor or value:
            check.sum += hash_name(&check.secret, digest, sequence, value)
        if sequence <= check.floor:
            return


cdef void check_page(void *what) noexcept nogil:
    """Go over the page; the first key was compared with what is before the page."""
    cdef LeafCheck *check = <LeafCheck *>what
    cdef LeafScan *leaf = &check.leaf
    cdef uint64_t digest
    cdef Scanned found = READ
    while found == READ:
        digest = xxh64_of(leaf.key, leaf.key_size)
        if not filter_may_hold(check.filter + filter_block(digest, check.filter_blocks), digest):
            return
        if not is_utf8(leaf.key, leaf.key_size):
            return
        add_versions(check)
        check.names += 1
        found = next_entry(leaf)
    check.is_right = found == AT_END


cdef class LeafSurvey:
    """Goes over the leaves of a run, in order, and adds up what they say.

    Attributes
    ----------
    names, versions : in the leaves that were right.
    sum : of the hashes of their names, commits and ids above the floor, modulo 2**64.
    """

    cdef LeafCheck check
    cdef Py_buffer filter_
    cdef readonly uint64_t names, versions, sum
    cdef uint64_t sequences

    def __cinit__(
        self, const uint8_t[::1] key not None, filter_, uint64_t first_sequence,
        uint64_t last_sequence, uint64_t floor,
    ):
        """filter_ : whole, of the run; at least one block."""
        PyObject_GetBuffer(filter_, &self.filter_, PyBUF_SIMPLE)
        if self.filter_.len < 32 or self.filter_.len % 32 or last_sequence < first_sequence:
            raise ValueError("a filter is made of blocks of 32 bytes, and commits ascend")
        read_secret(&self.check.secret, key)
        self.check.filter = <const uint8_t *>self.filter_.buf
        self.check.filter_blocks = self.filter_.len / 32
        self.check.first_sequence = first_sequence
        self.check.floor = floor
        self.sequences = last_sequence - first_sequence

    def __dealloc__(self):
        PyBuffer_Release(&self.filter_)

    def take(self, bytes page not None, bytes low not None, bytes high, bytes previous not None):
        """Return the last name of a leaf that is right in every way; None if it may not be.

        low, high : names lie in [low, high), to the end where `high` is None.
        previous : the last name before the page; all are above it.
        """
        cdef LeafCheck *check = &self.check
        cdef LeafScan *leaf = &check.leaf
        cdef const uint8_t *at = page
        cdef uint64_t place, zeros = 0
        cdef bint failed
        leaf.sequences = self.sequences
        if len(page) != PAGE_SIZE or not begin_leaf(leaf, at):
            return None
        zeros = load64(at + 8)
        for place in range(leaf.end, PAGE_SIZE - 2 * leaf.restart_count):
            zeros |= at[place]
        if zeros or next_entry(leaf) != READ:
            return None
        if compare_bytes(leaf.key, leaf.key_size, previous, len(previous)) <= 0:
            return None
        if compare_bytes(leaf.key, leaf.key_size, low, len(low)) < 0:
            return None
        check.names = check.versions = check.sum = 0
        check.is_right = False
        with nogil:
            failed = guarded(check_page, check)
        if failed or not check.is_right:
            return None
        if high is not None and compare_bytes(leaf.key, leaf.key_size, high, len(high)) >= 0:
            return None
        self.names += check.names
        self.versions += check.versions
        self.sum += check.sum
        return PyBytes_FromStringAndSize(<const char *>leaf.key, leaf.key_size)
