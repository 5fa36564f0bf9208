# What readers get of a node: its record, whose fields are decoded when they are asked for.

cdef int64_t MOMENT_FIRST = MOMENT_MIN
cdef int64_t MOMENT_LAST = MOMENT_MAX
cdef bytes EMPTY_MAP = EMPTY


cdef extern from *:
    """
    /* Return a new object whose __init__ does not run. */
    static inline PyObject *new_of(PyObject *type, PyObject *no_arguments)
    {
        return ((PyTypeObject *)type)->tp_new((PyTypeObject *)type, no_arguments, NULL);
    }
    """
    object new_of(object type, object no_arguments)


# Not known to the cycle collector: what it holds leads to nothing else. 20 ns less per node.
@cython.auto_pickle(False)
@cython.no_gc
cdef class NodeRecord:
    """The fields of a node, as `read.records.Node` tells what they are.

    Its shape was checked when it was read: nothing in it raises later.
    """

    cdef int64_t node_id, created_us, updated_us, born_us
    cdef readonly object name, type
    cdef object texts  # None until they are decoded
    cdef bytes record, map_
    cdef NodeShape shape

    def __init__(
        self, node_id, name, type_name, observations, properties, created_at, updated_at, born
    ):
        self.node_id = node_id
        self.name = name
        self.type = type_name
        self.texts = observations
        self.map_ = properties
        self.created_us = created_at
        self.updated_us = updated_at
        self.born_us = born

    @property
    def id(self):
        return self.node_id

    @property
    def observations(self):
        if self.texts is None:
            self.texts = decode_texts(<const uint8_t *>PyBytes_AS_STRING(self.record), &self.shape)
        return self.texts

    @property
    def properties(self):
        return {} if self.map_ is EMPTY_MAP else decode_properties(self.map_)

    @property
    def created_at(self):
        return moment_of(self.created_us)

    @property
    def updated_at(self):
        return commit_moment(self.updated_us)

    @property
    def _properties(self):
        return self.map_

    @property
    def _created_at(self):
        return self.created_us

    @property
    def _updated_at(self):
        return self.updated_us

    @property
    def _born(self):
        return self.born_us


cdef tuple NO_ARGUMENTS = ()


cdef object new_node(
    QuickNodes nodes, uint64_t node_id, str name, bytes record, list type_names, type node_class
):
    """Return a node whose record was found, of a class that is one of `NodeRecord`; or UNSURE."""
    cdef NodeRecord node
    cdef const uint8_t *data = <const uint8_t *>PyBytes_AS_STRING(record)
    node = <NodeRecord>new_of(node_class, NO_ARGUMENTS)
    if not read_shape(data, len(record), &node.shape):
        return UNSURE
    if nodes.commit_time(node.shape.sequence, &node.updated_us) != FOUND:
        return UNSURE
    node.born_us = node.updated_us
    if node.shape.is_older and nodes.commit_time(node.shape.born, &node.born_us) != FOUND:
        return UNSURE
    node.created_us = node.born_us
    if node.shape.has_time and node.shape.time:
        if not read_moment(node.shape.time, node.updated_us, &node.created_us):
            return UNSURE
    if not node.shape.has_code:
        node.type = ""
    elif node.shape.code < <uint64_t>len(type_names):
        node.type = type_names[node.shape.code]
    else:
        return UNSURE
    node.map_ = EMPTY_MAP
    if node.shape.has_map:
        node.map_ = data[node.shape.map : node.shape.map + node.shape.map_size]
        if not is_plain(data + node.shape.map, node.shape.map_size):
            try:
                node.map_ = check_encoded(node.map_, 0)
            except CorruptionError:
                return UNSURE
    if not node.shape.text_count:
        node.texts = ()
    elif not node.shape.is_ascii:
        # Whether they are UTF-8 is seen now: what is damaged is told by the call that reads it.
        node.texts = decode_texts(data, &node.shape)
        if node.texts is None:
            return UNSURE
    node.record = record
    node.node_id = node_id
    node.name = name
    return node


cdef bint read_moment(uint64_t value, int64_t time, int64_t *moment) noexcept nogil:
    """Read a time (12.5), stored as its distance from its commit's; return False where it cannot
    be."""
    cdef int64_t unit, distance, found
    cdef uint64_t code = (value - 1) & 3, steps = (value - 1) >> 2
    if code > 2:
        return False
    unit = 1 if code == 0 else 1000 if code == 1 else 1000000
    # Of times between the years 1 and 9999, and more: no product below overflows.
    if steps > <uint64_t>1 << 60 or (steps >> 1) > <uint64_t>1000000000000000000 / <uint64_t>unit:
        return False
    distance = <int64_t>(steps >> 1) ^ -<int64_t>(steps & 1)
    found = (floor_of(time, unit) + distance) * unit
    if not MOMENT_FIRST <= found <= MOMENT_LAST:
        return False
    moment[0] = found
    # The largest unit that it is a whole number of.
    if code == 0:
        return found % 1000 != 0
    return (found % 1000000 != 0) if code == 1 else True


cdef inline int64_t floor_of(int64_t value, int64_t unit) noexcept nogil:
    return value / unit - (value % unit < 0)


cdef enum:
    MOMENTS_KEPT = 256

cdef int64_t moment_keys[MOMENTS_KEPT]
cdef list MOMENTS = [None] * MOMENTS_KEPT


cdef object commit_moment(int64_t moment):
    """Return `moment_of` the time of a commit, which many nodes share: 40 -> 15 ns where it is the
    one that was asked for last of those in its place."""
    cdef Py_ssize_t place = <uint64_t>moment * <uint64_t>0x9E3779B97F4A7C15 >> 56
    cdef object found = MOMENTS[place]
    if found is None or moment_keys[place] != moment:
        found = moment_of(moment)
        # Whoever comes between finds none.
        MOMENTS[place] = None
        moment_keys[place] = moment
        MOMENTS[place] = found
    return found


cdef object moment_of(int64_t moment):
    """Return an aware datetime, UTC. Source: Hinnant, "chrono-Compatible Low-Level Date
    Algorithms", civil_from_days."""
    cdef int64_t seconds = floor_of(moment, 1000000)
    cdef int micros = moment - seconds * 1000000
    cdef int64_t days = floor_of(seconds, 86400)
    cdef int rest = seconds - days * 86400
    cdef int64_t shifted = days + 719468
    cdef int64_t era = floor_of(shifted, 146097)
    cdef int64_t day_of_era = shifted - era * 146097
    cdef int64_t year_of_era = (
        day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096
    ) / 365
    cdef int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100)
    cdef int64_t month = (5 * day_of_year + 2) / 153
    cdef int day = day_of_year - (153 * month + 2) / 5 + 1
    month = month + 3 if month < 10 else month - 9
    return datetime_new(
        year_of_era + era * 400 + (month <= 2), month, day,
        rest / 3600, rest / 60 % 60, rest % 60, micros, UTC,
    )
