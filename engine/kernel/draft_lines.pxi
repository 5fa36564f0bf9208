# Edges put by the thousand, out of the lines of a text; the plain twin is
# `lithograph.transaction.edge_lines.take_lines`.

cdef extern from "utf8.h":
    int is_utf8(const uint8_t *at, size_t size) noexcept nogil

cdef enum:
    COLUMNS_MAX = 3
    NEWLINE = 10
    RETURN = 13
    # What a line is, if it is no edge; `lithograph.transaction.edge_lines.Reason`.
    LINE_EMPTY = -1
    LINE_ONE_COLUMN = 1
    LINE_MANY_COLUMNS
    LINE_EMPTY_NAME
    LINE_TOO_LONG
    LINE_NOT_UTF8

cdef struct Column:
    const uint8_t *text
    size_t size


def put_lines(
    Draft draft, const uint8_t[::1] text not None, int delimiter, str default_type not None,
    uint64_t line_count_max,
):
    """Put the edge that each line says, its ends where they are missing; see `take_lines`.

    draft : None to look only.   delimiter : a byte, or -1 for runs of spaces and tabs.

    Return bytes, lines and edges taken, and (offset, size, reason) of lines that say no edge.
    """
    cdef Column columns[COLUMNS_MAX]
    cdef Column last_type = Column(NULL, 0)
    cdef const uint8_t *start
    cdef const uint8_t *at
    cdef const uint8_t *end
    cdef const uint8_t *line_end
    cdef const uint8_t *text_end
    cdef uint64_t line_count = 0, edge_count = 0
    cdef int32_t default_place = -1, last_place = -1, type_place
    cdef int verdict
    cdef list refused = []
    if not text.shape[0]:
        return 0, 0, 0, refused
    start = at = &text[0]
    end = at + text.shape[0]
    while at < end and line_count < line_count_max:
        line_end = <const uint8_t *>memchr(at, NEWLINE, end - at)
        if line_end == NULL:
            line_end = end
        text_end = line_end
        if text_end > at and (text_end - 1)[0] == RETURN:
            text_end -= 1
        verdict = columns_of(at, text_end, delimiter, columns)
        if not verdict:
            edge_count += 1
        if not verdict and draft is not None:
            if not columns[2].size:
                if default_place < 0:
                    default_place = draft.type_place(default_type)
                type_place = default_place
            else:
                # Lines of one type often follow each other.
                if columns[2].size != last_type.size or memcmp(
                    columns[2].text, last_type.text, last_type.size
                ):
                    last_place = draft.type_place(text_of(columns[2].text, columns[2].size))
                    last_type = columns[2]
                type_place = last_place
            put_columns(draft, columns, type_place)
        elif verdict > 0:
            refused.append((at - start, text_end - at, verdict))
        line_count += 1
        at = line_end + (line_end < end)
    return at - start, line_count, edge_count, refused


cdef int columns_of(
    const uint8_t *at, const uint8_t *end, int delimiter, Column *columns
) noexcept:
    """Take a line apart: source, target and type, which may be empty. Return 0, or what it is."""
    cdef int count, place
    columns[2].size = 0
    count = split_blank(at, end, columns) if delimiter < 0 else split_at(at, end, delimiter, columns)
    if not count or columns[0].text[0] == 35 or columns[0].text[0] == 37:  # '#', '%'
        return LINE_EMPTY
    if count < 2:
        return LINE_ONE_COLUMN
    if count > COLUMNS_MAX:
        return LINE_MANY_COLUMNS
    for place in range(count):
        if place < 2 and not columns[place].size:
            return LINE_EMPTY_NAME
        if columns[place].size > TEXT_SIZE_MAX:
            return LINE_TOO_LONG
        if not is_utf8(columns[place].text, columns[place].size):
            return LINE_NOT_UTF8
    return 0


cdef inline bint is_blank(uint8_t byte) noexcept:
    return byte == 32 or byte == 9


cdef int split_blank(const uint8_t *at, const uint8_t *end, Column *columns) noexcept:
    """Split at runs of spaces and tabs; return how many columns there are, at most one too many."""
    cdef int count = 0
    while True:
        while at < end and is_blank(at[0]):
            at += 1
        if at == end or count == COLUMNS_MAX:
            return count + (at < end)
        columns[count].text = at
        while at < end and not is_blank(at[0]):
            at += 1
        columns[count].size = at - columns[count].text
        count += 1


cdef int split_at(
    const uint8_t *at, const uint8_t *end, uint8_t delimiter, Column *columns
) noexcept:
    """Split at every delimiter; return how many columns there are, at most one too many."""
    cdef int count = 0
    if at == end:
        return 0
    while count < COLUMNS_MAX:
        columns[count].text = at
        while at < end and at[0] != delimiter:
            at += 1
        columns[count].size = at - columns[count].text
        count += 1
        if at == end:
            return count
        at += 1
    return count + 1


cdef int put_columns(Draft draft, const Column *columns, int32_t type_place) except -1:
    """Put an edge as `Draft.put_edge` does, with its ends; it has no key and no fields."""
    cdef DraftEdge edge
    cdef uint64_t size
    memset(&edge, 0, sizeof(DraftEdge))
    edge.source = draft.place_of(<const char *>columns[0].text, columns[0].size, None)
    edge.target = draft.place_of(<const char *>columns[1].text, columns[1].size, None)
    edge.type = type_place
    size = 16 + len(<str>draft.texts[edge.source]) + len(<str>draft.texts[edge.target])
    draft.check_size(size)
    draft.put_missing(edge.source)
    draft.put_missing(edge.target)
    if draft.find_edge(&edge) < 0:
        draft.add_edge(&edge)
    draft.size_min += size
    return 0
