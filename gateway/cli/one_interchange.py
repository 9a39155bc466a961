"""An interchange named on the command line by the beginning of its id."""

from __future__ import annotations

from sqlalchemy import Connection

from gateway.errors import ConfigurationError
from gateway.service.journal import records


def the_interchange(conn: Connection, wanted: str, *, find: str) -> str:
    """The one id that begins like this. `find`: the command that lists them.

    Raises `ConfigurationError` when there is none, or several.
    """
    found = records.interchange(conn, wanted)
    if found is not None:
        return found.id
    ids = [
        row.id
        for row in records.list_interchanges(conn, search=wanted, limit=10)
        if row.id.startswith(wanted.lower())
    ]
    if not ids:
        raise ConfigurationError(
            f"No interchange has the id {wanted!r}.",
            remedy=f"Find it with: {find}",
        )
    if len(ids) > 1:
        several = "\n  ".join(["", *ids])
        raise ConfigurationError(f"Several interchanges begin with {wanted!r}:{several}")
    return ids[0]
