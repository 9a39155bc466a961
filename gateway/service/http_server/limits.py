"""Numbers of the HTTP server that no setting changes, and why they are what they are."""

from __future__ import annotations

SMALL_BYTES = 64 * 1024
"""A body up to this size stays in memory until it is complete: one visit to a thread is enough."""

HIGH_WATER_BYTES, LOW_WATER_BYTES = 1_000_000, 250_000
"""Above the first, what waits for the disk holds the client back; below the second no longer."""

MIN_BYTES_PER_SECOND = 1000
"""A body that comes slower, on average, once it took longer than the idle timeout, is cut off.
Whoever sends a byte a minute would otherwise keep a connection for as long as he likes."""

MAX_HEADER_FIELDS = 100

LINGER_IDLE_SECONDS, LINGER_SECONDS = 2.0, 15.0
"""After a refusal the client may go on sending for so long, unheard. Were the connection closed
at once, its system would throw away our answer before the client reads it (RFC 9112 §9.6)."""

TURNED_AWAY_AT_ONCE = 64
"""Clients told "503" at the same time beyond `max_connections`; more than these hear nothing."""

BUSY_RETRY_SECONDS = 5
"""`Retry-After` when too much is under way."""
TROUBLE_RETRY_SECONDS = 60
"""`Retry-After` when the gateway cannot take anything: mending takes longer."""

LISTEN_BACKLOG = 256
