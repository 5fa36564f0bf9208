# Names with their versions out of Python's lists, as a source (name_source.h).

cdef struct ListSource:
    NameSource source  # first, so that its address is that of the whole
    Growing names  # ListedName, in order
    Growing versions  # NameVersion, of all of them
    size_t place


cdef struct ListedName:
    const uint8_t *name
    size_t size, first, count  # of its versions


cdef int next_listed(NameSource *source, NamedVersions *item) noexcept nogil:
    cdef ListSource *listed = <ListSource *>source
    cdef const ListedName *found
    if listed.place == listed.names.size / sizeof(ListedName):
        return 0
    found = <const ListedName *>listed.names.data + listed.place
    listed.place += 1
    item.name = found.name
    item.size = found.size
    item.versions = <const NameVersion *>listed.versions.data + found.first
    item.count = found.count
    return 1


cdef bint note_version(Growing *out, uint64_t sequence, int64_t node_id) noexcept nogil:
    """Append a version, if there is memory for it."""
    cdef NameVersion version = NameVersion(sequence, node_id)
    if not growing_room(out, sizeof(NameVersion)):
        return False
    put_bytes(out, &version, sizeof(NameVersion))
    return True


cdef class NameList:
    """Names with their versions, as a source that is read once.

    names : str, ascending by code point; for valid Unicode that is the order of their UTF-8.
    versions : by name (sequence, id or -1), oldest first, as a memtable keeps them.
    """

    cdef ListSource listed
    cdef list names
    cdef object __weakref__

    def __cinit__(self, list names=None, dict versions=None):
        cdef const char *text
        cdef Py_ssize_t size, place
        cdef list found
        cdef tuple pair
        self.listed.source.next = next_listed
        # Kept, for the bytes of the names are those of the str.
        self.names = names
        if names is None:
            return
        for name in names:
            text = PyUnicode_AsUTF8AndSize(name, &size)
            self.begin(text, size)
            found = versions[name]
            # By index: iterators and unpacking take half as long again.
            for place in range(len(found) - 1, -1, -1):
                pair = found[place]
                if len(pair) != 2:
                    raise ValueError("a version is a sequence and an id")
                self.note(pair[0], pair[1])

    def __dealloc__(self):
        growing_free(&self.listed.names)
        growing_free(&self.listed.versions)

    cdef int begin(self, const char *name, size_t size) except -1:
        """Begin with a name, whose bytes must stay where they are."""
        cdef size_t first = self.listed.versions.size / sizeof(NameVersion)
        cdef ListedName listed = ListedName(<const uint8_t *>name, size, first, 0)
        if not growing_room(&self.listed.names, sizeof(ListedName)):
            raise MemoryError
        put_bytes(&self.listed.names, &listed, sizeof(ListedName))
        return 0

    cdef int note(self, uint64_t sequence, int64_t node_id) except -1:
        """Note the next older version of the name."""
        if not note_version(&self.listed.versions, sequence, node_id):
            raise MemoryError
        (<ListedName *>(self.listed.names.data + self.listed.names.size) - 1).count += 1
        return 0

    cdef int fill(self, NamedVersions *item) except -1:
        if not next_listed(&self.listed.source, item):
            raise AssertionError("no name is left")
        return 0

    def source(self):
        """Return the capsule; it is good as long as this list lives, which it sees to itself."""
        capsule = PyCapsule_New(&self.listed.source, NAME_SOURCE, forget_owner)
        Py_INCREF(self)
        PyCapsule_SetContext(capsule, <void *>self)
        return capsule


cdef void forget_owner(object capsule) noexcept:
    Py_DECREF(<object>PyCapsule_GetContext(capsule))
