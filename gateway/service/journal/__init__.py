"""The journal: what arrived, what was found, every step taken, and what must still leave.

`Journal` is the daemon's way in (one writer thread, group commit), `open_reader` the command
line's (read-only). What is written and asked stands in `records`, as plain functions.
"""

from gateway.service.journal.engine import open_reader
from gateway.service.journal.journal import Journal

__all__ = ["Journal", "open_reader"]
