# The names of a memtable in order, for a run (name_source.h).

cdef extern from "name_source.h":
    ctypedef struct NameVersion:
        uint64_t sequence
        int64_t id

    ctypedef struct NamedVersions:
        const uint8_t *name
        size_t size
        const NameVersion *versions
        size_t count

    ctypedef struct NameSource:
        int (*next)(NameSource *self, NamedVersions *item) noexcept nogil

    const char *NAME_SOURCE


cdef struct OrderedNames:
    NameSource source  # first, so that its address is that of the whole
    const MemName **names
    uint64_t count, place
    NameVersion *versions
    size_t room


cdef int next_name(NameSource *source, NamedVersions *item) noexcept nogil:
    cdef OrderedNames *ordered = <OrderedNames *>source
    cdef const MemNameVersion *version
    cdef const MemName *name
    cdef void *grown
    item.count = 0
    while not item.count:
        if ordered.place == ordered.count:
            return 0
        name = ordered.names[ordered.place]
        ordered.place += 1
        version = name_seen(name, EVERYTHING)
        while version != NULL:
            if item.count == ordered.room:
                grown = realloc(ordered.versions, 2 * (ordered.room + 4) * sizeof(NameVersion))
                if grown == NULL:
                    return -1
                ordered.versions = <NameVersion *>grown
                ordered.room = 2 * (ordered.room + 4)
            ordered.versions[item.count] = NameVersion(version.sequence, version.node_id)
            item.count += 1
            version = version.older
    item.name = name.text
    item.size = name.size
    item.versions = ordered.versions
    return 1


cdef class MemtableNames:
    """What `MemtableCore.names_source` hands out; the memtable takes no commits any more."""

    cdef OrderedNames ordered
    cdef MemtableCore core

    def __cinit__(self, MemtableCore core not None):
        memset(&self.ordered, 0, sizeof(OrderedNames))
        core.order_all_names()
        self.core = core
        self.ordered.source.next = next_name
        self.ordered.names = core.ordered_names
        self.ordered.count = core.ordered_name_count

    def __dealloc__(self):
        free(self.ordered.versions)

    def capsule(self):
        """Return the source, which lives as long as this does; the capsule keeps it."""
        return kept_capsule(&self.ordered.source, NAME_SOURCE, self)


cdef kept_capsule(void *what, const char *name, object owner):
    """Return a capsule that keeps the owner of what it leads to."""
    capsule = PyCapsule_New(what, name, forget_owner)
    Py_INCREF(owner)
    PyCapsule_SetContext(capsule, <void *>owner)
    return capsule


cdef void forget_owner(object capsule) noexcept:
    Py_DECREF(<object>PyCapsule_GetContext(capsule))
