# What users pass: checked as the plain way checks it, which also has the words for what is wrong.

cdef inline bint is_simple(text) noexcept:
    """Whether a text can be a name, a type or a key, whatever it holds: short, and ASCII."""
    return type(text) is str and len(<str>text) <= SIMPLE_SIZE_MAX and PyUnicode_IS_ASCII(text)


cdef tuple plain_texts(texts):
    """Return a list or tuple of ASCII texts as a tuple; None for anything else."""
    cdef tuple found
    if type(texts) is list:
        found = tuple(<list>texts)
    elif type(texts) is tuple:
        found = <tuple>texts
    else:
        return None
    for text in found:
        if type(text) is not str or not PyUnicode_IS_ASCII(text):
            return None
    return found


cdef int check_simple(text, str what, bint is_name) except -1:
    """Raise InvalidArgumentError for what can be no name, type or key."""
    if not is_simple(text) or (is_name and not len(<str>text)):
        if is_name:
            check_name(text, what)
        else:
            check_short_text(text, what)
    return 0


cdef int64_t moment_of(time, str what) except? -1:
    """Return µs since 1970 UTC; NO_MOMENT for None."""
    cdef int64_t year, month, day
    if time is None:
        return NO_MOMENT
    if not PyDateTime_CheckExact(time) or time.tzinfo is not UTC:
        return encode_moment(time, what)
    year = PyDateTime_GET_YEAR(time)
    month = PyDateTime_GET_MONTH(time)
    day = PyDateTime_GET_DAY(time)
    # Days since 1970-03-01 of the civil calendar, counted in years that begin in March.
    if month <= 2:
        year -= 1
        month += 12
    day += 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 - 719469
    return (
        (
            (day * 24 + PyDateTime_DATE_GET_HOUR(time)) * 60 + PyDateTime_DATE_GET_MINUTE(time)
        ) * 60 + PyDateTime_DATE_GET_SECOND(time)
    ) * 1000000 + PyDateTime_DATE_GET_MICROSECOND(time)
