# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Reads straight from the maps of sealed files: names, adjacency lists, what is k hops away.

Nothing here says what is wrong. Where a block was not checked yet, a page cannot be had, a value is
rare or anything looks odd, the answer is UNSURE, and the careful way (`segments`) answers or raises.
Every offset is checked against the bytes that it leads into before it is followed.
"""

from cpython.dict cimport PyDict_Contains, PyDict_Size
from cpython.buffer cimport (
    PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memcmp, memcpy, memset

import numpy

cdef object new_array = numpy.empty
cdef object INT64 = numpy.dtype(numpy.int64)

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    int PyErr_CheckSignals() except -1
    object PyUnicode_DecodeUTF8(const char *text, Py_ssize_t size, const char *errors)
    object PyBytes_FromStringAndSize(const char *data, Py_ssize_t size)

cdef extern from "bytes.h":
    uint32_t load16(const uint8_t *at) noexcept nogil
    uint32_t load32(const uint8_t *at) noexcept nogil
    uint64_t load64(const uint8_t *at) noexcept nogil
    const uint8_t *read_varint(const uint8_t *at, const uint8_t *end, uint64_t *value) noexcept nogil
    void hand_over(const void **place, const void *what) noexcept nogil
    const void *handed_over(const void **place) noexcept nogil
    uint64_t xxh64_of(const uint8_t *at, size_t size) noexcept nogil
    size_t filter_block(uint64_t digest, uint64_t block_count) noexcept nogil
    int filter_may_hold(const uint8_t *block, uint64_t digest) noexcept nogil

cdef extern from "guard.h":
    int guard_install() noexcept nogil
    int guarded(void (*work)(void *) noexcept nogil, void *what) noexcept nogil

ctypedef void (*Work)(void *) noexcept nogil

# On disk; SPEC.md, sections 12 and 13.
cdef enum:
    BLOCK_SIZE = 4096
    PAGE_SIZE = 4096
    PAGE_HEAD_SIZE = 16
    RESTART_INTERVAL = 16
    HEAD_SIZE_MAX = 1024
    LEAF = 1
    BRANCH = 2
    GROUP_COUNT_MAX = 128
    LISTS = 64
    NODES = 64
    PURE = 1
    INDEXED = 2

cdef uint64_t ID_END = <uint64_t>1 << 48
cdef uint64_t TYPE_CODE_END = <uint64_t>1 << 32
cdef int TYPES_MAX = 64

UNSURE = object()
"""Returned where the careful way must look."""

cdef enum Answer:
    FOUND
    NONE
    GONE  # The name was deleted here: older runs do not count.
    ODD
    FULL

if guard_install() != 0:
    raise ImportError("SIGBUS cannot be handled here")


# Files --------------------------------------------------------------------------------------------

cdef struct Span:
    # The data region of a mapped file, and a bit per block: set once its checksum was right.
    const uint8_t *data
    uint64_t size
    const uint8_t *checked


cdef inline const uint8_t *bytes_at(const Span *file, uint64_t offset, uint64_t size) noexcept nogil:
    """Return bytes of the file, NULL where they are outside or not all checked."""
    cdef uint64_t block, last
    if offset > file.size or size > file.size - offset:
        return NULL
    if size:
        last = (offset + size - 1) / BLOCK_SIZE
        block = offset / BLOCK_SIZE
        while block <= last:
            if not file.checked[block >> 3] >> (block & 7) & 1:
                return NULL
            block += 1
    return file.data + offset


cdef class QuickFile:
    """Keeps a map and the bits of its blocks for as long as somebody may read them."""

    cdef Py_buffer map_, bits
    cdef Span span

    def __cinit__(self, map_, bits, uint64_t data_size, *args):
        PyObject_GetBuffer(map_, &self.map_, PyBUF_SIMPLE)
        PyObject_GetBuffer(bits, &self.bits, PyBUF_SIMPLE)
        if <uint64_t>self.map_.len < data_size:
            raise ValueError("the map is shorter than its data region")
        if <uint64_t>self.bits.len * 8 * BLOCK_SIZE < data_size:
            raise ValueError("there are fewer bits than blocks")
        self.span = Span(<const uint8_t *>self.map_.buf, data_size, <const uint8_t *>self.bits.buf)

    def __dealloc__(self):
        PyBuffer_Release(&self.map_)
        PyBuffer_Release(&self.bits)


cdef struct Look:
    const uint8_t *at
    uint64_t value


cdef void look(void *what) noexcept nogil:
    cdef Look *found = <Look *>what
    found.value = (<const volatile uint64_t *>found.at)[0]


cdef class Watch:
    """Eight bytes of a file that others write to, seen through its map."""

    cdef Py_buffer map_
    cdef const uint8_t *at

    def __cinit__(self, map_, uint64_t offset):
        PyObject_GetBuffer(map_, &self.map_, PyBUF_SIMPLE)
        if offset % 8 or offset + 8 > <uint64_t>self.map_.len:
            raise ValueError("the bytes to watch are outside the map")
        self.at = <const uint8_t *>self.map_.buf + offset

    def __dealloc__(self):
        PyBuffer_Release(&self.map_)

    def load(self):
        """Return the eight bytes, None where the file has become too short for them."""
        cdef Look found = Look(self.at, 0)
        if guarded(look, &found):
            return None
        return PyBytes_FromStringAndSize(<const char *>&found.value, 8)


# Names --------------------------------------------------------------------------------------------

cdef struct Tree:
    Span file
    uint64_t root, page_count, filter_offset, filter_blocks, sequences
    int height
    uint8_t *padded  # a bit per page, set once the bytes behind its entries were seen to be zero


cdef struct NameSearch:
    const Tree *tree
    const uint8_t *name
    uint64_t size, digest
    Answer answer
    uint64_t id


cdef const uint8_t *read_sizes(
    const uint8_t *at, const uint8_t *end, uint64_t *shared, uint64_t *size, bint *multi
) noexcept nogil:
    """Read how many bytes an entry shares and has, and whether it has several versions (13.3);
    NULL where its key goes on in another page."""
    cdef uint64_t more
    cdef bint has_flags
    if at >= end:
        return NULL
    shared[0] = at[0] & 15
    size[0] = at[0] >> 4
    at += 1
    has_flags = size[0] == 15
    multi[0] = has_flags
    if has_flags:
        if at >= end or at[0] != 1:
            return NULL
        at += 1
    if shared[0] == 15:
        at = read_varint(at, end, &more)
        if at == NULL or more > HEAD_SIZE_MAX:
            return NULL
        shared[0] += more
    if has_flags or size[0] == 14:
        at = read_varint(at, end, &more)
        if at == NULL or more > HEAD_SIZE_MAX:
            return NULL
        size[0] = more if has_flags else 14 + more
    if size[0] > <uint64_t>(end - at) or shared[0] + size[0] > HEAD_SIZE_MAX:
        return NULL
    return at


cdef const uint8_t *read_versions(
    const uint8_t *at, const uint8_t *end, uint64_t sequences, uint64_t *node_id
) noexcept nogil:
    """Read several versions of a name (13.4), the newest id plus one, 0 for deleted; NULL where
    they are out of order."""
    cdef uint64_t count, place, sequence, before = 0, value, before_value = 0
    at = read_varint(at, end, &count)
    if at == NULL or not 1 <= count <= <uint64_t>(end - at) / 2:
        return NULL
    for place in range(count):
        at = read_varint(at, end, &sequence)
        if at == NULL or sequence > sequences:
            return NULL
        at = read_varint(at, end, &value)
        if at == NULL or value > ID_END:
            return NULL
        if place == 0:
            node_id[0] = value
        elif sequence > before or (sequence == before and (value or not before_value)):
            return NULL
        before = sequence
        before_value = value
    at = read_varint(at, end, &count)
    if at == NULL:
        return NULL
    if count:
        # A chain of older ones: its page and its size.
        for place in range(2):
            at = read_varint(at, end, &value)
            if at == NULL or not value:
                return NULL
    return at


cdef inline int compare(
    const uint8_t *one, uint64_t one_size, const uint8_t *other, uint64_t other_size
) noexcept nogil:
    cdef int order = memcmp(one, other, min(one_size, other_size))
    if order:
        return order
    return (one_size > other_size) - (one_size < other_size)


cdef inline bint ascends(
    const uint8_t *key, uint64_t size, const uint8_t *previous, uint64_t previous_size
) noexcept nogil:
    """Return whether what follows of a key is above what followed of the one before."""
    cdef uint64_t place = 0
    while place < size and place < previous_size:
        if key[place] != previous[place]:
            return key[place] > previous[place]
        place += 1
    return size > previous_size


cdef Answer search_page(NameSearch *search, uint64_t number, int level, uint64_t *value) noexcept nogil:
    """Search one page: in a leaf for the name, in a branch for the child that it belongs to."""
    cdef const Tree *tree = search.tree
    cdef const uint8_t *page = bytes_at(&tree.file, number * PAGE_SIZE, PAGE_SIZE)
    cdef const uint8_t *at
    cdef const uint8_t *end
    cdef const uint8_t *stop
    cdef const uint8_t *restarts
    cdef uint64_t shared, size, low, high, middle, count, used, restart_count, offset, last, place
    cdef uint64_t key_size = 0, matched = 0, sequence
    cdef uint8_t key[HEAD_SIZE_MAX]
    cdef int order
    cdef bint is_found = False, multi
    if page == NULL or page[0] != (BRANCH if level else LEAF) or page[1] != level:
        return ODD
    count = load16(page + 2)
    used = load16(page + 4)
    restart_count = load16(page + 6)
    if not count or restart_count != (count + RESTART_INTERVAL - 1) / RESTART_INTERVAL:
        return ODD
    if load64(page + 8) or PAGE_HEAD_SIZE + used + 2 * restart_count > PAGE_SIZE:
        return ODD
    end = page + PAGE_HEAD_SIZE + used
    restarts = page + PAGE_SIZE - 2 * restart_count
    # Like checksums, once per page: 3,000 bytes of a root that is not full take 1 µs.
    if not tree.padded[number >> 3] >> (number & 7) & 1:
        at = end
        while at < restarts:
            if at[0]:
                return ODD
            at += 1
        tree.padded[number >> 3] |= 1 << (number & 7)
    # Invariant: the first key of group `low` is not above the name, or low is 0; that of group
    # `high` is above it, or there is none.
    low = 0
    high = restart_count
    while high - low > 1:
        middle = (low + high) / 2
        offset = load16(restarts + 2 * middle)
        if offset < PAGE_HEAD_SIZE or page + offset >= end:
            return ODD
        at = read_sizes(page + offset, end, &shared, &size, &multi)
        if at == NULL or shared or (multi and level):
            return ODD
        if compare(at, size, search.name, search.size) <= 0:
            low = middle
        else:
            high = middle
    offset = load16(restarts + 2 * low)
    if offset < PAGE_HEAD_SIZE or page + offset >= end or (low == 0 and offset != PAGE_HEAD_SIZE):
        return ODD
    at = page + offset
    last = low + 1
    if last < restart_count:
        offset = load16(restarts + 2 * last)
        if offset < PAGE_HEAD_SIZE or page + offset >= end:
            return ODD
        end = page + offset
    count = min(<uint64_t>RESTART_INTERVAL, count - low * RESTART_INTERVAL)
    # `key` is the key before this one, which is below the name and has `matched` bytes in common
    # with it: a key that shares more with the one before is below the name too.
    for place in range(count):
        at = read_sizes(at, end, &shared, &size, &multi)
        if at == NULL or shared > key_size or (multi and level):
            return ODD
        stop = at + size
        if place and not ascends(at, size, key + shared, key_size - shared):
            return ODD
        if shared <= matched:
            matched = shared
            while matched - shared < size and matched < search.size:
                if at[matched - shared] != search.name[matched]:
                    break
                matched += 1
            if matched - shared == size:
                order = 0 if matched == search.size else -1
            elif matched == search.size or at[matched - shared] > search.name[matched]:
                order = 1
            else:
                order = -1
        else:
            order = -1
        for offset in range(size):
            key[shared + offset] = at[offset]
        key_size = shared + size
        if level:
            if order > 0:
                break
            at = read_varint(stop, end, value)
            if at == NULL:
                return ODD
            is_found = True
            if order == 0:
                break
        elif order > 0:
            return NONE
        elif multi:
            at = read_versions(stop, end, tree.sequences, value)
            if at == NULL:
                return ODD
            if order == 0:
                if not value[0]:
                    return GONE
                value[0] -= 1
                return FOUND
        elif order < 0:
            at = read_varint(stop, end, value)
            if at == NULL:
                return ODD
            at = read_varint(at, end, &sequence)
            if at == NULL:
                return ODD
        else:
            at = read_varint(stop, end, value)
            if at == NULL or value[0] >= ID_END:
                return ODD
            at = read_varint(at, end, &sequence)
            if at == NULL or sequence > tree.sequences:
                return ODD
            return FOUND
    if level:
        return FOUND if is_found and 1 <= value[0] < tree.page_count else ODD
    return NONE


cdef void search_tree(void *what) noexcept nogil:
    cdef NameSearch *search = <NameSearch *>what
    cdef const Tree *tree = search.tree
    cdef uint64_t number = tree.root
    cdef const uint8_t *bits
    cdef int level
    search.answer = NONE
    if not tree.height:
        return
    bits = bytes_at(
        &tree.file, tree.filter_offset + filter_block(search.digest, tree.filter_blocks), 32
    )
    if bits == NULL:
        search.answer = ODD
        return
    if not filter_may_hold(bits, search.digest):
        return
    for level in range(tree.height - 1, -1, -1):
        search.answer = search_page(search, number, level, &search.id)
        if search.answer != FOUND:
            return
        number = search.id


cdef class QuickRun(QuickFile):
    """One run: which id a name has in it, as of its last commit.

    Source: SPEC.md, section 13.
    """

    cdef Tree tree

    def __init__(
        self,
        map_,
        bits,
        uint64_t data_size,
        uint64_t root,
        int height,
        uint64_t page_count,
        uint64_t filter_offset,
        uint64_t filter_size,
        uint64_t sequences,
    ):
        """sequences : the last one minus the first."""
        cdef uint64_t pages = self.span.size / PAGE_SIZE
        if root >= pages or page_count > pages or self.tree.padded != NULL:
            raise ValueError("there are fewer pages")
        self.tree = Tree(
            self.span, root, page_count, filter_offset, max(filter_size / 32, 1), sequences, height,
            <uint8_t *>calloc(pages / 8 + 1, 1),
        )
        if self.tree.padded == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.tree.padded)

    def find(self, bytes name not None):
        """Return the id of a name, -1 if it was deleted here, None if it is unknown, or UNSURE."""
        cdef uint64_t node_id = 0
        cdef const uint8_t *text = name
        cdef Py_ssize_t size = len(name)
        cdef Answer answer = ODD
        if 0 < size <= HEAD_SIZE_MAX:
            answer = find_in_run(&self.tree, text, size, xxh64_of(text, size), &node_id)
        if answer == FOUND:
            return node_id
        if answer == GONE:
            return -1
        return None if answer == NONE else UNSURE


cdef Answer find_in_run(
    const Tree *tree, const uint8_t *name, Py_ssize_t size, uint64_t digest, uint64_t *node_id
) noexcept nogil:
    cdef NameSearch search
    search = NameSearch(tree, name, size, digest, ODD, 0)
    if guarded(search_tree, &search):
        return ODD
    node_id[0] = search.id
    return search.answer


# Adjacency lists ----------------------------------------------------------------------------------

cdef struct Table:
    # One table of lists: dense where first_id <= end_id, else sparse, with a filter.
    uint64_t blocks_offset, blocks_size, directory_offset, row_size, row_count
    uint64_t first_id, end_id, filter_offset, filter_blocks


cdef struct Lists:
    Span file
    Table sparse, dense


cdef struct Edge:
    uint64_t code, neighbor


cdef struct Buffer:
    # Grows between two tries, never inside one.
    Edge *edges
    uint64_t count, room


cdef struct ListSearch:
    const Lists *lists
    uint64_t id
    const uint32_t *types
    int type_count  # -1: all
    bint counting
    Buffer *out
    uint64_t found
    Answer answer


cdef inline bint is_wanted(const ListSearch *search, uint64_t code) noexcept nogil:
    cdef int place
    if search.type_count < 0:
        return True
    for place in range(search.type_count):
        if search.types[place] == code:
            return True
    return False


cdef Answer decode_list(ListSearch *search, const uint8_t *start, uint64_t list_size, int flags) noexcept nogil:
    """Append the edges of a list, or count them (12.4); FULL where there is no room."""
    cdef const uint8_t *at = start
    cdef const uint8_t *end = start + list_size
    cdef const uint8_t *group
    cdef const uint8_t *row
    cdef uint64_t code = 0, step, shape, count, delta, neighbor, place, previous_count = 0
    cdef uint64_t last_neighbor = 0, total = 0, groups = 0, group_count = 0, edge_count = 0
    cdef bint is_first = True, wanted, same
    cdef Buffer *out = search.out
    if not flags & PURE:
        return ODD
    if flags & INDEXED:
        if list_size < 8:
            return ODD
        edge_count = load32(at)
        group_count = load32(at + 4)
        if not group_count or group_count > (list_size - 8) / 16:
            return ODD
        at += 8 + 16 * group_count
    while at < end or is_first:
        group = at
        if at >= end:
            return ODD
        step = at[0] & 31
        shape = at[0] >> 5
        at += 1
        if step == 31:
            at = read_varint(at, end, &step)
            if at == NULL or step < 31 or step >= TYPE_CODE_END:
                return ODD
        same = not is_first and step == 0
        code += step
        if shape == 7 or code >= TYPE_CODE_END:
            return ODD
        count = shape + 1
        if shape == 6:
            at = read_varint(at, end, &count)
            if at == NULL or not 7 <= count <= GROUP_COUNT_MAX:
                return ODD
        wanted = is_wanted(search, code)
        if wanted:
            if search.counting:
                search.found += count
            elif out.room - out.count < count:
                return FULL
        neighbor = 0
        for place in range(count):
            at = read_varint(at, end, &delta)
            if at == NULL or delta >= ID_END or (place and not delta):
                return ODD
            neighbor += delta
            if neighbor >= ID_END:
                return ODD
            if not place:
                if same and (neighbor <= last_neighbor or previous_count < GROUP_COUNT_MAX):
                    return ODD
                if flags & INDEXED:
                    row = start + 8 + 16 * groups
                    if (
                        groups >= group_count
                        or load64(row) != neighbor
                        or load32(row + 8) != code
                        or load32(row + 12) != <uint64_t>(group - start)
                    ):
                        return ODD
            if wanted and not search.counting:
                out.edges[out.count] = Edge(code, neighbor)
                out.count += 1
        last_neighbor = neighbor
        previous_count = count
        total += count
        groups += 1
        is_first = False
    if flags & INDEXED and (groups != group_count or total != edge_count):
        return ODD
    return FOUND


cdef Answer in_block(
    ListSearch *search, const uint8_t *body, uint64_t body_size, uint64_t count, uint64_t wanted,
    uint64_t first_id, bint dense
) noexcept nogil:
    """Find a list in its block (12.3): `wanted` is its place in a dense one, its id in a sparse."""
    cdef const uint8_t *at = body
    cdef const uint8_t *end = body + body_size
    cdef uint64_t presence = 0, place, head = 0, value, offset = 0, before = 0, delta, node_id
    cdef uint64_t size = 0
    cdef int flags = 0
    cdef bint is_there = False
    if dense:
        if body_size < (count + 7) / 8:
            return ODD
        memcpy(&presence, at, (count + 7) / 8)
        if count < 64 and presence >> count:
            return ODD
        at += (count + 7) / 8
    else:
        at = read_varint(at, end, &count)
        if at == NULL or not 1 <= count <= LISTS:
            return ODD
        node_id = first_id
        place = count
        for value in range(count):
            if value:
                at = read_varint(at, end, &delta)
                if at == NULL or delta >= ID_END:
                    return ODD
                node_id += delta + 1
            if node_id >= ID_END:
                return ODD
            if node_id == wanted:
                place = value
        wanted = place
    for place in range(count):
        if dense and not presence >> place & 1:
            continue
        at = read_varint(at, end, &head)
        if at == NULL or head <= 3 or head >= <uint64_t>1 << 50:
            return ODD
        if place == wanted:
            before = offset
            size = head >> 2
            flags = head & 3
            is_there = True
        offset += head >> 2
    if offset != <uint64_t>(end - at):
        return ODD
    if not is_there:
        return NONE
    return decode_list(search, at + before, size, flags)


cdef Answer in_row(
    ListSearch *search, const Table *table, uint64_t index, uint64_t wanted, bint dense
) noexcept nogil:
    """Find a list through a row of the directory."""
    cdef const Span *file = &search.lists.file
    cdef bint is_last = index + 1 == table.row_count
    cdef const uint8_t *row = bytes_at(
        file, table.directory_offset + index * table.row_size,
        table.row_size if is_last else 2 * table.row_size,
    )
    cdef const uint8_t *body
    cdef uint64_t start, end, column = 0 if dense else 8, count
    if row == NULL:
        return ODD
    start = load64(row + column)
    end = table.blocks_size if is_last else load64(row + table.row_size + column)
    if not start < end <= table.blocks_size:
        return ODD
    body = bytes_at(file, table.blocks_offset + start, end - start)
    if body == NULL:
        return ODD
    count = 0
    if dense:
        count = min(<uint64_t>LISTS, table.end_id - table.first_id - index * LISTS)
    return in_block(search, body, end - start, count, wanted, load64(row), dense)


cdef void search_lists(void *what) noexcept nogil:
    cdef ListSearch *search = <ListSearch *>what
    cdef const Table *table = &search.lists.dense
    cdef const Span *file = &search.lists.file
    cdef const uint8_t *bits
    cdef const uint8_t *row
    cdef uint64_t low, high, middle, digest
    if table.first_id <= search.id < table.end_id:
        middle = search.id - table.first_id
        search.answer = in_row(search, table, middle / LISTS, middle % LISTS, True)
        return
    table = &search.lists.sparse
    search.answer = NONE
    if not table.row_count:
        return
    digest = xxh64_of(<const uint8_t *>&search.id, 8)
    bits = bytes_at(file, table.filter_offset + filter_block(digest, table.filter_blocks), 32)
    if bits == NULL:
        search.answer = ODD
        return
    if not filter_may_hold(bits, digest):
        return
    low = 0
    high = table.row_count
    # Invariant: blocks below `low` begin at or below the id, blocks from `high` on above it.
    while low < high:
        middle = (low + high) / 2
        row = bytes_at(file, table.directory_offset + middle * table.row_size, 8)
        if row == NULL:
            search.answer = ODD
            return
        if load64(row) <= search.id:
            low = middle + 1
        else:
            high = middle
    if low:
        search.answer = in_row(search, table, low - 1, search.id, False)


cdef class QuickLists(QuickFile):
    """The adjacency lists of one segment in one direction.

    Source: SPEC.md, sections 12.3 and 12.4.
    """

    cdef Lists lists

    def __init__(
        self, map_, bits, uint64_t data_size, sparse, filter_, dense, ids, uint64_t row_size
    ):
        """sparse, dense : (blocks, directory), each (offset, size); filter_ : (offset, size).

        row_size : of a row of the dense directory; those of the sparse one have eight bytes more.
        """
        cdef Table table
        self.lists.file = self.span
        for is_dense, (blocks, directory) in enumerate((sparse, dense)):
            memset(&table, 0, sizeof(Table))
            table.blocks_offset, table.blocks_size = blocks
            table.directory_offset = directory[0]
            table.row_size = row_size if is_dense else row_size + 8
            table.row_count = directory[1] // table.row_size
            if is_dense:
                table.first_id, table.end_id = ids.start, ids.stop
                self.lists.dense = table
            else:
                table.filter_offset = filter_[0]
                table.filter_blocks = max(filter_[1] // 32, 1)
                self.lists.sparse = table
        if self.lists.dense.row_count != (len(ids) + LISTS - 1) // LISTS:
            raise ValueError("the directory has another number of blocks")

    def has(self, uint64_t node_id, uint32_t code, uint64_t neighbor):
        """Return whether a node has an edge without a key, or UNSURE."""
        cdef Answer answer = ODD
        cdef bint found = seek(&self.lists, node_id, code, neighbor, &answer)
        return found if answer == FOUND or answer == NONE else UNSURE


cdef bint seek(Lists *lists, uint64_t node_id, uint32_t code, uint64_t neighbor, Answer *answer) except -1:
    """Return whether a list has an edge without a key; ODD where the careful way must look."""
    cdef ListSearch search
    cdef Buffer out = Buffer(<Edge *>malloc(64 * sizeof(Edge)), 0, 64)
    cdef Edge *grown
    cdef uint64_t place
    search.lists = lists
    search.id = node_id
    search.types = &code
    search.type_count = 1
    search.counting = False
    search.out = &out
    try:
        while True:
            if out.edges == NULL:
                raise MemoryError
            answer[0] = ODD
            if guarded(search_lists, &search) == 0:
                answer[0] = search.answer
            if answer[0] != FULL:
                break
            grown = <Edge *>realloc(out.edges, 2 * out.room * sizeof(Edge))
            if grown == NULL:
                raise MemoryError
            out.edges = grown
            out.room *= 2
            out.count = 0
        for place in range(out.count):
            if out.edges[place].neighbor == neighbor:
                return True
        return False
    finally:
        free(out.edges)


# A store ------------------------------------------------------------------------------------------

cdef int order_edges(const void *one, const void *other) noexcept nogil:
    cdef const Edge *a = <const Edge *>one
    cdef const Edge *b = <const Edge *>other
    if a.code != b.code:
        return -1 if a.code < b.code else 1
    if a.neighbor != b.neighbor:
        return -1 if a.neighbor < b.neighbor else 1
    return 0


cdef struct Slot:
    uint64_t first_id, end_id
    const Lists *lists[2]  # NULL until the segment is opened


cdef class QuickStore:
    """The sealed files of one generation, newest first, as far as they are open.

    Whoever opens a file puts it here; it stays open as long as the generation is held, so only
    generations of few files have one of these.
    """

    cdef Slot *slots
    cdef const Tree **trees
    cdef int segment_count, run_count
    cdef list kept

    def __cinit__(self, int run_count, ranges):
        """ranges : of the ids of each segment: (first_id, end_id)."""
        cdef int place
        self.kept = []
        self.segment_count = len(ranges)
        self.run_count = run_count
        self.slots = <Slot *>malloc(max(self.segment_count, 1) * sizeof(Slot))
        self.trees = <const Tree **>malloc(max(run_count, 1) * sizeof(Tree *))
        if self.slots == NULL or self.trees == NULL:
            raise MemoryError
        for place in range(self.segment_count):
            self.slots[place].first_id, self.slots[place].end_id = ranges[place]
            self.slots[place].lists[0] = self.slots[place].lists[1] = NULL
        for place in range(run_count):
            self.trees[place] = NULL

    def __dealloc__(self):
        free(self.slots)
        free(self.trees)

    def put_run(self, int place, QuickRun run not None):
        """Use a run from now on."""
        if not 0 <= place < self.run_count:
            raise IndexError(place)
        if self.trees[place] == NULL:
            self.kept.append(run)
            self.trees[place] = &run.tree

    def put_segment(self, int place, QuickLists out not None, QuickLists in_ not None):
        """Use the lists of a segment from now on."""
        if not 0 <= place < self.segment_count:
            raise IndexError(place)
        if self.slots[place].lists[0] == NULL:
            self.kept.append((out, in_))
            hand_over(<const void **>&self.slots[place].lists[1], &in_.lists)
            hand_over(<const void **>&self.slots[place].lists[0], &out.lists)

    cdef Answer find(self, const uint8_t *name, Py_ssize_t size, uint64_t *node_id) noexcept nogil:
        cdef uint64_t digest = xxh64_of(name, size)
        cdef Answer answer
        cdef int place
        if not 0 < size <= HEAD_SIZE_MAX:
            return ODD
        for place in range(self.run_count):
            if self.trees[place] == NULL:
                return ODD
            answer = find_in_run(self.trees[place], name, size, digest, node_id)
            if answer == GONE:
                return NONE
            if answer != NONE:
                return answer
        return NONE

    cdef Answer edges(self, ListSearch *search, int direction) noexcept nogil:
        """Append the edges of a node, or count them; the buffer grows as it must."""
        cdef uint64_t begun = search.out.count, before
        cdef int place, layers = 0
        cdef Slot *slot
        cdef Edge *grown
        for place in range(self.segment_count):
            slot = &self.slots[place]
            if search.id < slot.end_id:
                search.lists = <const Lists *>handed_over(<const void **>&slot.lists[direction])
                if search.lists == NULL:
                    return ODD
                before = search.out.count
                while True:
                    if guarded(search_lists, search):
                        return ODD
                    if search.answer != FULL:
                        break
                    search.out.count = before
                    if search.out.room >= <uint64_t>1 << 40:
                        return ODD
                    grown = <Edge *>realloc(search.out.edges, 2 * search.out.room * sizeof(Edge))
                    if grown == NULL:
                        return ODD
                    search.out.edges = grown
                    search.out.room *= 2
                if search.answer == ODD:
                    return ODD
                layers += search.out.count > before
            if slot.first_id <= search.id:
                break
        if layers > 1:
            qsort(search.out.edges + begun, search.out.count - begun, sizeof(Edge), order_edges)
        return FOUND


cdef class QuickView:
    """A store with the memtables above it; what these know of is left to the careful way.

    names, lists : dictionaries of memtables, by name, and by id for each direction (out, in).
    """

    cdef QuickStore store
    cdef tuple names, lists

    def __init__(self, QuickStore store not None, tuple names not None, tuple lists not None):
        self.store = store
        self.names = names
        self.lists = lists

    def find(self, str name not None):
        """Return the id of a node, None if there is none, or UNSURE."""
        cdef uint64_t node_id = 0
        cdef Answer answer = self.find_one(name, &node_id)
        if answer == FOUND:
            return node_id
        return None if answer == NONE else UNSURE

    cdef Answer find_one(self, str name, uint64_t *node_id) except *:
        cdef Py_ssize_t size
        cdef const char *text
        cdef dict known
        for known in self.names:
            if PyDict_Size(known) and PyDict_Contains(known, name):
                return ODD
        try:
            text = PyUnicode_AsUTF8AndSize(name, &size)
        except UnicodeEncodeError:
            return ODD
        return self.store.find(<const uint8_t *>text, size, node_id)

    def find_many(self, list names not None, int64_t[::1] ids not None, careful):
        """Fill in the id of each name, -1 where there is none; `careful(name)` says what is unsure."""
        cdef uint64_t node_id = 0
        cdef Py_ssize_t place
        cdef Answer answer
        if ids.shape[0] != len(names):
            raise ValueError("as many ids as names are wanted")
        for place in range(len(names)):
            name = names[place]
            answer = self.find_one(name, &node_id) if type(name) is str else ODD
            if answer == FOUND:
                ids[place] = node_id
            elif answer == NONE:
                ids[place] = -1
            else:
                found = careful(name)
                ids[place] = -1 if found is None else found

    def neighbors(self, uint64_t node_id, int direction, codes):
        """Return the neighbors of a node as an int64 array, or UNSURE.

        codes : type codes, or None for all.
        """
        cdef ListSearch search
        cdef Buffer out
        cdef uint32_t types[64]
        cdef Answer answer
        if self.is_above(node_id, direction):
            return UNSURE
        if not fill_types(&search, types, codes):
            return UNSURE
        out = Buffer(<Edge *>malloc(64 * sizeof(Edge)), 0, 64)
        if out.edges == NULL:
            raise MemoryError
        try:
            search.id = node_id
            search.counting = False
            search.out = &out
            answer = self.store.edges(&search, direction)
            return filled(&out) if answer == FOUND else UNSURE
        finally:
            free(out.edges)

    def degree(self, uint64_t node_id, int direction, codes):
        """Return how many edges a node has in one direction, or UNSURE."""
        cdef ListSearch search
        cdef Buffer out = Buffer(NULL, 0, 0)
        cdef uint32_t types[64]
        if self.is_above(node_id, direction) or not fill_types(&search, types, codes):
            return UNSURE
        search.id = node_id
        search.counting = True
        search.found = 0
        search.out = &out
        return search.found if self.store.edges(&search, direction) == FOUND else UNSURE

    cdef bint is_above(self, uint64_t node_id, int direction) except *:
        """Return whether a memtable knows edges of the node."""
        cdef dict known
        for both in self.lists:
            known = both[direction]
            if PyDict_Size(known) and PyDict_Contains(known, node_id):
                return True
        return False

    def k_hop(self, uint64_t start, uint64_t hops, directions, codes, careful):
        """Return per hop an int64 array of the ids first reached by it, ascending.

        careful : (id, direction) -> neighbors of an id of which this is unsure.
        """
        cdef ListSearch search
        cdef Buffer out
        cdef uint32_t types[64]
        cdef Seen seen
        cdef uint64_t *frontier = NULL
        cdef uint64_t count = 1, place, hop
        cdef int direction
        cdef bint watch = False
        if not fill_types(&search, types, codes):
            return UNSURE
        for both in self.lists:
            watch = watch or bool(both[0]) or bool(both[1])
        memset(&seen, 0, sizeof(Seen))
        out = Buffer(<Edge *>malloc(1024 * sizeof(Edge)), 0, 1024)
        frontier = <uint64_t *>malloc(sizeof(uint64_t))
        found = []
        try:
            if out.edges == NULL or frontier == NULL or not seen_add(&seen, start):
                raise MemoryError
            frontier[0] = start
            search.counting = False
            search.out = &out
            for hop in range(hops):
                fresh = Fresh()
                for direction in directions:
                    self.spread(&search, frontier, count, direction, &seen, fresh, watch, careful)
                fresh.sort()
                found.append(fresh.array())
                free(frontier)
                frontier = fresh.ids
                count = fresh.count
                fresh.ids = NULL
            return found
        finally:
            free(out.edges)
            free(frontier)
            seen_free(&seen)

    cdef int spread(
        self, ListSearch *search, const uint64_t *frontier, uint64_t count, int direction,
        Seen *seen, Fresh fresh, bint watch, careful,
    ) except -1:
        """Add to `fresh` what the frontier leads to and was not seen; the lock is held by nobody."""
        cdef uint64_t place = 0, edge
        cdef Answer answer
        cdef bint room = True
        cdef QuickStore store = self.store
        while place < count:
            with nogil:
                answer = FOUND
                while place < count:
                    search.id = frontier[place]
                    search.out.count = 0
                    if watch:
                        with gil:
                            answer = ODD if self.is_above(search.id, direction) else FOUND
                    if answer == FOUND:
                        answer = store.edges(search, direction)
                    if answer != FOUND:
                        break
                    place += 1
                    for edge in range(search.out.count):
                        room = reach(seen, fresh, search.out.edges[edge].neighbor)
                        if not room:
                            break
                    if not room:
                        break
                    # So that Ctrl-C and other threads get their turn.
                    if not place & 0xFFFF:
                        break
            if not room:
                raise MemoryError
            PyErr_CheckSignals()
            if answer != FOUND:
                for neighbor in careful(frontier[place], direction):
                    if not reach(seen, fresh, neighbor):
                        raise MemoryError
                place += 1
        return 0


cdef class QuickReader:
    """The newest view of one process, as long as nobody has published anything since.

    Invariant: `view` was made after the counter of shared.map was `seen`; so while it still is,
    nothing is newer than the view.
    """

    cdef Watch watch
    cdef uint64_t seen
    cdef QuickView view

    def renew(self, Watch watch not None, bytes seen not None, QuickView view):
        """Answer from `view` as long as the counter is `seen`; never again, if that is None."""
        # Kept until all three are set: whatever goes with them may let another thread in here.
        cdef object old = (self.watch, self.view)
        if len(seen) != 8:
            raise ValueError("a counter has eight bytes")
        self.watch = watch
        memcpy(&self.seen, <const char *>seen, 8)
        self.view = view

    def clear(self):
        """Be unsure of everything."""
        cdef object old = self.view
        self.view = None

    cdef QuickView newest(self):
        cdef Look found
        if self.view is None:
            return None
        found = Look(self.watch.at, 0)
        if guarded(look, &found) or found.value != self.seen:
            return None
        return self.view

    def find(self, name):
        """Return the id of a node, None if there is none, or UNSURE."""
        cdef QuickView view = self.newest()
        if view is None or type(name) is not str:
            return UNSURE
        return view.find(<str>name)

    def neighbors(self, node_id, direction):
        """Return the neighbors of a node as an int64 array, or UNSURE; `direction` is a word."""
        cdef QuickView view
        cdef int towards
        if type(node_id) is not int or node_id < 0 or node_id >= ID_END:
            return UNSURE
        if direction == "out":
            towards = 0
        elif direction == "in":
            towards = 1
        else:
            return UNSURE
        view = self.newest()
        return UNSURE if view is None else view.neighbors(node_id, towards, None)


cdef bint fill_types(ListSearch *search, uint32_t *types, codes) except *:
    """Return whether the kernel takes so many types."""
    cdef int count = 0
    search.types = types
    search.type_count = -1
    if codes is None:
        return True
    if len(codes) > TYPES_MAX:
        return False
    for code in codes:
        types[count] = code
        count += 1
    search.type_count = count
    return True


cdef filled(const Buffer *out):
    """Return the neighbors as an array of their own."""
    cdef Py_buffer view
    cdef uint64_t place
    array = new_array(out.count, INT64)
    PyObject_GetBuffer(array, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
    for place in range(out.count):
        (<int64_t *>view.buf)[place] = out.edges[place].neighbor
    PyBuffer_Release(&view)
    return array


# Visited ids --------------------------------------------------------------------------------------

cdef enum:
    CHUNK_BITS = 16
    HASH_MAX = 4096  # Ids in the hash before they move to bitmaps of 65,536 ids.

cdef struct Chunk:
    uint64_t number  # plus one; 0 is a free place
    uint64_t *bits


cdef struct Seen:
    uint64_t *hashed  # ids plus one, in 4 * HASH_MAX places
    uint64_t hashed_count
    Chunk *chunks
    uint64_t chunk_count, chunk_room


cdef inline uint64_t scatter(uint64_t value) noexcept nogil:
    return value * <uint64_t>0x9E3779B97F4A7C15 >> 20


cdef int seen_add(Seen *seen, uint64_t node_id) noexcept nogil:
    """Return 1 if the id is new, 2 if it was seen, 0 if there is no memory."""
    cdef uint64_t place, number, bit
    cdef uint64_t *bits
    if seen.chunks == NULL:
        if seen.hashed == NULL:
            seen.hashed = <uint64_t *>malloc(4 * HASH_MAX * sizeof(uint64_t))
            if seen.hashed == NULL:
                return 0
            memset(seen.hashed, 0, 4 * HASH_MAX * sizeof(uint64_t))
        place = scatter(node_id) % (4 * HASH_MAX)
        while seen.hashed[place]:
            if seen.hashed[place] == node_id + 1:
                return 2
            place = (place + 1) % (4 * HASH_MAX)
        if seen.hashed_count < HASH_MAX:
            seen.hashed[place] = node_id + 1
            seen.hashed_count += 1
            return 1
        if not seen_spill(seen):
            return 0
    bits = seen_chunk(seen, node_id >> CHUNK_BITS)
    if bits == NULL:
        return 0
    number = (node_id & ((1 << CHUNK_BITS) - 1)) >> 6
    bit = <uint64_t>1 << (node_id & 63)
    if bits[number] & bit:
        return 2
    bits[number] |= bit
    return 1


cdef bint seen_spill(Seen *seen) noexcept nogil:
    """Move every id from the hash to bitmaps."""
    cdef uint64_t place, node_id
    cdef uint64_t *bits
    seen.chunk_room = 64
    seen.chunks = <Chunk *>malloc(seen.chunk_room * sizeof(Chunk))
    if seen.chunks == NULL:
        return False
    memset(seen.chunks, 0, seen.chunk_room * sizeof(Chunk))
    for place in range(4 * HASH_MAX):
        if seen.hashed[place]:
            node_id = seen.hashed[place] - 1
            bits = seen_chunk(seen, node_id >> CHUNK_BITS)
            if bits == NULL:
                return False
            bits[(node_id & ((1 << CHUNK_BITS) - 1)) >> 6] |= <uint64_t>1 << (node_id & 63)
    return True


cdef uint64_t *seen_chunk(Seen *seen, uint64_t number) noexcept nogil:
    """Return the bitmap of 65,536 ids, made if it is missing; NULL without memory."""
    cdef uint64_t place = scatter(number) % seen.chunk_room, old, index
    cdef Chunk *grown
    while seen.chunks[place].number:
        if seen.chunks[place].number == number + 1:
            return seen.chunks[place].bits
        place = (place + 1) % seen.chunk_room
    if 2 * (seen.chunk_count + 1) > seen.chunk_room:
        grown = <Chunk *>malloc(2 * seen.chunk_room * sizeof(Chunk))
        if grown == NULL:
            return NULL
        memset(grown, 0, 2 * seen.chunk_room * sizeof(Chunk))
        for old in range(seen.chunk_room):
            if seen.chunks[old].number:
                index = scatter(seen.chunks[old].number - 1) % (2 * seen.chunk_room)
                while grown[index].number:
                    index = (index + 1) % (2 * seen.chunk_room)
                grown[index] = seen.chunks[old]
        free(seen.chunks)
        seen.chunks = grown
        seen.chunk_room *= 2
        return seen_chunk(seen, number)
    seen.chunks[place].bits = <uint64_t *>malloc((1 << CHUNK_BITS) / 8)
    if seen.chunks[place].bits == NULL:
        return NULL
    memset(seen.chunks[place].bits, 0, (1 << CHUNK_BITS) / 8)
    seen.chunks[place].number = number + 1
    seen.chunk_count += 1
    return seen.chunks[place].bits


cdef void seen_free(Seen *seen) noexcept nogil:
    cdef uint64_t place
    if seen.chunks != NULL:
        for place in range(seen.chunk_room):
            free(seen.chunks[place].bits)
    free(seen.chunks)
    free(seen.hashed)


cdef int order_ids(const void *one, const void *other) noexcept nogil:
    cdef uint64_t a = (<const uint64_t *>one)[0], b = (<const uint64_t *>other)[0]
    return (a > b) - (a < b)


cdef class Fresh:
    """Ids reached for the first time in one hop."""

    cdef uint64_t *ids
    cdef uint64_t count, room

    def __cinit__(self):
        self.room = 256
        self.ids = <uint64_t *>malloc(self.room * sizeof(uint64_t))
        if self.ids == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.ids)

    cdef void sort(self) noexcept nogil:
        qsort(self.ids, self.count, sizeof(uint64_t), order_ids)

    cdef array(self):
        cdef Py_buffer view
        array = new_array(self.count, INT64)
        PyObject_GetBuffer(array, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        memcpy(view.buf, self.ids, self.count * sizeof(uint64_t))
        PyBuffer_Release(&view)
        return array


cdef bint reach(Seen *seen, Fresh fresh, uint64_t node_id) noexcept nogil:
    """Add an id if it is new; return False without memory."""
    cdef int known = seen_add(seen, node_id)
    cdef uint64_t *grown
    if known != 1:
        return known == 2
    if fresh.count == fresh.room:
        grown = <uint64_t *>realloc(fresh.ids, 2 * fresh.room * sizeof(uint64_t))
        if grown == NULL:
            return False
        fresh.ids = grown
        fresh.room *= 2
    fresh.ids[fresh.count] = node_id
    fresh.count += 1
    return True


# Blocks of records --------------------------------------------------------------------------------

def block_heads(const uint8_t[::1] body not None, uint64_t count, uint64_t first_id, bint dense):
    """Return (ids, offsets, sizes and flags) of a block (12.3), ids None in a dense one; or UNSURE.

    count : of ids in a dense block; the most that a sparse one may have.
    """
    cdef const uint8_t *start
    cdef const uint8_t *at
    cdef const uint8_t *end
    cdef uint64_t place, delta, node_id = first_id, head, offset
    cdef list ids = None, offsets, heads
    cdef uint64_t heads_found[256]
    if not body.shape[0] or count > 256:
        return UNSURE
    start = &body[0]
    at = start
    end = start + body.shape[0]
    if dense:
        if (count + 7) / 8 > <uint64_t>(end - at):
            return UNSURE
        at += (count + 7) / 8
        if count & 7 and start[count >> 3] >> (count & 7):
            return UNSURE
    else:
        place = count
        at = read_varint(at, end, &count)
        if at == NULL or not 1 <= count <= place:
            return UNSURE
        ids = []
        for place in range(count):
            if place:
                at = read_varint(at, end, &delta)
                if at == NULL or delta >= ID_END:
                    return UNSURE
                node_id += delta + 1
            if node_id >= ID_END:
                return UNSURE
            ids.append(node_id)
    for place in range(count):
        head = 0
        if not dense or start[place >> 3] >> (place & 7) & 1:
            at = read_varint(at, end, &head)
            if at == NULL or head <= 3 or head >= <uint64_t>1 << 50:
                return UNSURE
        heads_found[place] = head
    offset = at - start
    offsets = [offset]
    heads = []
    for place in range(count):
        heads.append(heads_found[place])
        offset += heads_found[place] >> 2
        offsets.append(offset)
    if offset != <uint64_t>body.shape[0]:
        return UNSURE
    return ids, offsets, heads


cdef object read_text(const uint8_t **at, const uint8_t *end):
    """Read a size and that many bytes of UTF-8; None where they are not."""
    cdef uint64_t size
    cdef const uint8_t *start = read_varint(at[0], end, &size)
    if start == NULL or size > <uint64_t>(end - start):
        return None
    at[0] = start + size
    try:
        return PyUnicode_DecodeUTF8(<const char *>start, size, NULL)
    except UnicodeDecodeError:
        return None


def node_record(const uint8_t[::1] data not None):
    """Return (sequence, born sequence or -1, type code, time, observations, properties) of a full
    version of a node (12.5), each as it stands there or None; or UNSURE, also of other versions."""
    return record_at(&data[0], data.shape[0]) if data.shape[0] else UNSURE


cdef object record_at(const uint8_t *data, uint64_t size):
    cdef const uint8_t *at = data
    cdef const uint8_t *end = data + size
    cdef uint64_t head, flags, sequence, born = 0, value, count, place
    cdef object code = None, time = None, observations = None, properties = None
    if size < 3:
        return UNSURE
    head = at[0]
    flags = at[1]
    # A change, full; type, time, observations, properties.
    if head & ~<uint64_t>4 != 3 or flags & ~<uint64_t>0x27:
        return UNSURE
    at = read_varint(at + 2, end, &sequence)
    if at == NULL or sequence > <uint64_t>1 << 62:
        return UNSURE
    if head & 4:
        at = read_varint(at, end, &born)
        if at == NULL or born >= sequence:
            return UNSURE
    if flags & 1:
        at = read_varint(at, end, &value)
        if at == NULL or value >= TYPE_CODE_END:
            return UNSURE
        code = value
    if flags & 2:
        at = read_varint(at, end, &value)
        if at == NULL:
            return UNSURE
        time = value
    if flags & 4:
        at = read_varint(at, end, &count)
        if at == NULL or count > <uint64_t>(end - at):
            return UNSURE
        texts = []
        for place in range(count):
            text = read_text(&at, end)
            if text is None:
                return UNSURE
            texts.append(text)
        observations = tuple(texts)
    if flags & 32:
        at = read_varint(at, end, &value)
        if at == NULL or value > <uint64_t>(end - at):
            return UNSURE
        properties = PyBytes_FromStringAndSize(<const char *>at, value)
        at += value
    if at != end:
        return UNSURE
    return sequence, born if head & 4 else -1, code, time, observations, properties


cdef struct NodeSearch:
    const Span *file
    uint64_t blocks_offset, blocks_size, directory_offset, row_count, index
    # Where the stored bytes of the block begin in the file, how many they are, and how they are
    # stored; if as they are, they are copied to `copy`.
    uint64_t start, size, codec
    uint8_t *copy
    uint64_t room
    Answer answer


cdef void search_node_block(void *what) noexcept nogil:
    cdef NodeSearch *search = <NodeSearch *>what
    cdef bint is_last = search.index + 1 == search.row_count
    cdef const uint8_t *row = bytes_at(
        search.file, search.directory_offset + 8 * search.index, 8 if is_last else 16
    )
    cdef const uint8_t *head
    cdef const uint8_t *body
    cdef const uint8_t *end
    cdef uint64_t start, stop, head_size
    search.answer = ODD
    if row == NULL:
        return
    start = load64(row)
    stop = search.blocks_size if is_last else load64(row + 8)
    if not start < stop <= search.blocks_size:
        return
    head_size = min(<uint64_t>11, stop - start)
    head = bytes_at(search.file, search.blocks_offset + start, head_size)
    if head == NULL:
        return
    end = head + head_size
    search.codec = head[0]
    body = read_varint(head + 1, end, &search.size)
    if body == NULL or search.size > stop - start - (body - head):
        return
    search.start = search.blocks_offset + start + (body - head)
    search.answer = FOUND
    if search.codec == 0:
        body = bytes_at(search.file, search.start, search.size)
        if body == NULL:
            search.answer = ODD
        elif search.size > search.room:
            search.answer = FULL
        else:
            memcpy(search.copy, body, search.size)


cdef class QuickNodes(QuickFile):
    """The end states of the nodes that a segment made.

    Source: SPEC.md, sections 12.3 and 12.5.
    """

    cdef uint64_t blocks_offset, blocks_size, directory_offset, row_count, first_id, end_id
    cdef object kind, number, unpacked

    def __init__(
        self, map_, bits, uint64_t data_size, blocks, directory, ids, kind, number, unpacked
    ):
        """unpacked : returns the body of a compressed block that is in the cache, by kind and number
        of the file and the offset of its stored bytes, or None.
        """
        self.blocks_offset, self.blocks_size = blocks
        self.directory_offset = directory[0]
        self.row_count = directory[1] // 8
        self.first_id, self.end_id = ids.start, ids.stop
        self.kind, self.number, self.unpacked = kind, number, unpacked
        if self.row_count != (len(ids) + NODES - 1) // NODES:
            raise ValueError("the directory has another number of blocks")

    def find(self, uint64_t node_id):
        """Return what `node_record` returns of a node, None of one that has no end state here."""
        cdef NodeSearch search
        cdef uint8_t copy[16384]
        cdef uint64_t place, count
        cdef const uint8_t[::1] body
        if not self.first_id <= node_id < self.end_id:
            return UNSURE
        place = node_id - self.first_id
        search = NodeSearch(
            &self.span, self.blocks_offset, self.blocks_size, self.directory_offset, self.row_count,
            place / NODES, 0, 0, 0, &copy[0], sizeof(copy), ODD,
        )
        if guarded(search_node_block, &search) or search.answer != FOUND:
            return UNSURE
        count = min(<uint64_t>NODES, self.end_id - self.first_id - search.index * NODES)
        if search.codec == 0:
            return record_in(copy, search.size, count, place % NODES)
        data = self.unpacked((self.kind, self.number, search.start))
        if data is None or not len(data):
            return UNSURE
        body = data
        return record_in(&body[0], body.shape[0], count, place % NODES)


cdef object record_in(const uint8_t *body, uint64_t size, uint64_t count, uint64_t wanted):
    """Return a record of a dense block, taken apart; None where there is none; or UNSURE."""
    cdef const uint8_t *at = body + (count + 7) / 8
    cdef const uint8_t *end = body + size
    cdef uint64_t place, head, offset = 0, before = 0, found = 0
    if (count + 7) / 8 > size or (count & 7 and body[count >> 3] >> (count & 7)):
        return UNSURE
    for place in range(count):
        if not body[place >> 3] >> (place & 7) & 1:
            continue
        at = read_varint(at, end, &head)
        if at == NULL or head <= 3 or head >= <uint64_t>1 << 50:
            return UNSURE
        if place == wanted:
            before = offset
            found = head
        offset += head >> 2
    if offset != <uint64_t>(end - at):
        return UNSURE
    if not found:
        return None
    return UNSURE if found & 3 else record_at(at + before, found >> 2)
