"""What can go wrong at a partner's SFTP server. The text is for the operator: what, and what to do.

Two kinds: the connection is lost or never came about, then nothing works and everything waits;
or the server said no to one request, then the next one may go well.
"""

from __future__ import annotations

from gateway.errors import Disposition, GatewayError
from gateway.service.sftp_server.protocol import Status


class RemoteAway(GatewayError):
    """The server cannot be reached, or the connection to it broke or hung."""

    disposition = Disposition.RETRY
    first_pause_seconds = 5.0
    """How long to wait after the first time; each further time doubles it."""


class HostKeyRefused(RemoteAway):
    """The server shows another host key than the partner file says: it may be an impostor."""

    first_pause_seconds = 60.0


class LoginRefused(RemoteAway):
    """The server does not let us in; trying often may lock the account."""

    first_pause_seconds = 60.0


class RemoteRefused(GatewayError):
    """The server answered one request with an error."""

    disposition = Disposition.RETRY

    def __init__(self, what: str, *, code: int, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.code = code

    @property
    def gone(self) -> bool:
        """Whether there is no such file."""
        return self.code == Status.NO_SUCH_FILE


class RemoteChanged(GatewayError):
    """A file changed while it was fetched: it is looked at again later."""

    disposition = Disposition.RETRY


class NotCleared(GatewayError):
    """So many fetched files could not be removed that no more are fetched."""

    disposition = Disposition.RETRY
