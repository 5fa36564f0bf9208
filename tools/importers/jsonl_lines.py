"""Lines of JSON into objects; whatever is wrong with one is said in a few words.

Promises: hostile bytes raise `InvalidArgumentError` and nothing else, in memory in proportion to
the line.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from lithograph.errors import InvalidArgumentError
from lithograph.tools.importers.input_file import LINE_SIZE_MAX, LongLine
from lithograph.tools.importers.rejects import shown

_BOM: Final = b"\xef\xbb\xbf"


def read_object(line: bytes, number: int) -> dict[str, Any] | None:
    """Return the object on a line, None on a blank one.

    number : of the line; the first may begin with a byte order mark.

    Raises
    ------
    InvalidArgumentError : it is too long, no UTF-8, no JSON, no object, or says one key twice.
    """
    if isinstance(line, LongLine):
        raise InvalidArgumentError(f"longer than {LINE_SIZE_MAX:,} bytes, the limit of a line")
    if number == 1 and line.startswith(_BOM):
        line = line[len(_BOM) :]
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise InvalidArgumentError(
            f"not UTF-8: byte 0x{line[error.start]:02x} at column {error.start + 1}"
        ) from None
    if not text or text.isspace():
        return None
    value = decode_json(text)
    if type(value) is not dict:
        raise InvalidArgumentError(f"not an object, found {shown(value)}")
    return value


def decode_json(text: str) -> Any:
    """Return the value of a text; errors as in `read_object`."""
    try:
        return _decode(text)
    except json.JSONDecodeError as error:
        raise InvalidArgumentError(f"not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise InvalidArgumentError("not read: lists and objects are nested too deeply") from None
    except InvalidArgumentError:
        raise
    except ValueError:  # Python refuses to read integers of thousands of digits.
        raise InvalidArgumentError("not read: an integer has too many digits") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs as a dict; what a second value of one key means, nobody knows."""
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InvalidArgumentError(f"the key {key!r:.60} stands twice in one object")
            seen.add(key)
    return found


def _no_number(word: str) -> NoReturn:
    raise InvalidArgumentError(f"{word} is no number in JSON: use null for a missing one")


_decode: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_number).decode
