# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The memtable, and what transactions write into it.

Written under the interpreter's lock, read with or without it; see `memtable.h`. The plain twins are
`lithograph.write.plain_memtable` and `lithograph.write.commit_table`.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.datetime cimport (
    PyDateTime_CheckExact, PyDateTime_DATE_GET_HOUR, PyDateTime_DATE_GET_MICROSECOND,
    PyDateTime_DATE_GET_MINUTE, PyDateTime_DATE_GET_SECOND, PyDateTime_GET_DAY,
    PyDateTime_GET_MONTH, PyDateTime_GET_YEAR, import_datetime,
)
from cpython.pycapsule cimport PyCapsule_GetContext, PyCapsule_New, PyCapsule_SetContext
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memchr, memcmp, memcpy, memset

from datetime import UTC
from operator import itemgetter

from lithograph.errors import CorruptionError, InvalidArgumentError, NodeNotFoundError
from lithograph.formats.cursor import Cursor
from lithograph.formats.edge_patch import EDGE_FIELDS, UNCHANGED_EDGE, EdgePatch
from lithograph.formats.moment import encode_moment
from lithograph.formats.node_patch import NODE_FIELDS, NodePatch
from lithograph.formats.properties import encode_properties
from lithograph.formats.text import check_name, check_short_text, check_texts

import_datetime()

include "memtable.pxi"
include "commits.pxi"
include "memtable_core.pxi"
include "memtable_names.pxi"
include "version_records.pxi"
include "memtable_lists.pxi"
include "arguments.pxi"
include "operations.pxi"
include "draft.pxi"
include "lone_put.pxi"
include "draft_lines.pxi"
