"""Which document a readable copy, an attachment or a signature goes with.

Known only once all names are: `FA-1.pdf` may come before the `FA-1.xml` that makes it a copy. What
is remembered of each document is its name, and an archive has a bounded number of them.
"""

from __future__ import annotations

import re

from gateway.core.container.contents import Content
from gateway.core.container.names import comparable, stem
from gateway.model.container import Member


class Found(Member, frozen=True, kw_only=True):
    """A member while the archive is still being read. `content`: what its bytes are, or seem."""

    content: Content


class Companions:
    """The documents of an archive, found by what is called like them."""

    def __init__(self) -> None:
        self._xml: dict[str, str] = {}
        self._others: dict[str, str] = {}

    def remember(self, found: Found) -> None:
        """Take note of a document."""
        names = self._xml if found.content is Content.XML else self._others
        key = comparable(found.name)
        names.setdefault(stem(key), found.name)
        names.setdefault(key, found.name)

    def original(self, name: str) -> str | None:
        """The XML document that is called like `name`, extensions apart."""
        return self._xml.get(stem(comparable(name)))

    def of(self, name: str) -> str | None:
        """The document whose name, with or without extension, begins `name`; the longest such.

        `FA-1_annex.png` goes with FA-1.xml, but `FA-10.png` does not.
        """
        key = comparable(name)
        ends = {len(stem(key)), *(at.start() for at in re.finditer(r"[\W_]", key))}
        for end in sorted(ends, reverse=True):
            start = key[:end]
            document = self._xml.get(start) or self._others.get(start)
            if document is not None:
                return document
        return None
