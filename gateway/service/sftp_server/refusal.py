"""A request that is answered with a failure: the SFTP status, and a text that says why."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.service.sftp_server.protocol import Status

NO_SPACE = "the server's disk is full; send it again later"


class Refused(Exception):
    """The client hears `status` and `text`; the session goes on."""

    def __init__(self, status: Status, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@contextmanager
def of_os_error(done: str) -> Iterator[None]:
    """Turn the disk's refusals into the client's: it "could not be <done>". Names no path."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Refused(Status.FAILURE, NO_SPACE) from error
        if error.errno == errno.ENOENT:
            raise Refused(Status.NO_SUCH_FILE, "no such file") from error
        raise Refused(Status.FAILURE, f"could not be {done}") from error
