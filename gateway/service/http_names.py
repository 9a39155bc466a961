"""What a file sent over HTTP is called: a partner's word, never a path.

The first of these that is there: `filename` of the Content-Disposition, `?name=` of the request,
a name made of the kind of body.
"""

from __future__ import annotations

import unicodedata
from email.message import Message
from urllib.parse import parse_qs

MAX_NAME = 255
MAX_FIELD = 2000
"""Characters of a header field that is taken apart: the library does not do so in linear time."""

_BY_TYPE = {
    "application/gzip": "interchange.tar.gz",
    "application/x-gzip": "interchange.tar.gz",
    "application/x-gtar": "interchange.tar.gz",
    "application/x-tar": "interchange.tar",
    "application/zip": "interchange.zip",
    "application/x-zip-compressed": "interchange.zip",
    "application/pdf": "interchange.pdf",
}
DEFAULT = "interchange.xml"


class BadName(ValueError):
    """The name cannot be kept; the message says why, without repeating it."""


def name_of(disposition: str | None, query: str, content_type: str | None) -> str:
    """The name of a file. Raises `BadName`."""
    given = filename(disposition)
    if given is None:
        given = _asked(query)
    if given is None:
        return _BY_TYPE.get((content_type or "").partition(";")[0].strip().lower(), DEFAULT)
    return checked(given)


def filename(disposition: str | None) -> str | None:
    """The `filename` or `filename*` (RFC 6266) of a Content-Disposition. Raises `BadName`."""
    if disposition is None:
        return None
    if len(disposition) > MAX_FIELD:
        raise BadName("The Content-Disposition is too long.")
    message = Message()
    message["Content-Disposition"] = disposition
    try:
        found = message.get_filename()
    except (ValueError, LookupError, TypeError) as error:
        # TypeError: the library cannot sort pieces of a name with and without a number.
        raise BadName("The Content-Disposition cannot be read.") from error
    if found is None:
        return None
    try:
        # Clients write UTF-8 where latin-1 was meant to be, as browsers do.
        return found.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return found


def checked(name: str) -> str:
    """The name itself. Raises `BadName` when it is empty, too long, or would not print as it is."""
    if not name.strip():
        raise BadName("The name of the file is empty.")
    if len(name) > MAX_NAME or len(name.encode("utf-8", "replace")) > MAX_NAME:
        raise BadName(f"The name of the file is longer than {MAX_NAME} bytes.")
    if any(unicodedata.category(letter) in _UNPRINTABLE for letter in name):
        raise BadName("The name of the file holds control characters.")
    return name


def _asked(query: str) -> str | None:
    try:
        asked = parse_qs(query, keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError as error:
        raise BadName("The query cannot be read.") from error
    return asked["name"][-1] if "name" in asked else None


_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Control and format characters (which reverse or hide text), lone surrogates, line ends."""
