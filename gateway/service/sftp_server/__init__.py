"""The SFTP server: partners' `in/` and `out/`, in processes of their own.

    partner ──SSH──▶ SFTP process (paramiko, threads) ──pipe──▶ daemon (SftpService) ──▶ receive
                       writes and fsyncs under the state directory     answers once it is durable

The client's close, or its rename to a final name, succeeds only after that answer.

    service     the daemon's side: listening socket, host keys, supervision of the processes
    channel     what the two sides say to each other; receipts: the process's end of it
    process     the process: accepts connections, watches over them
    wire, ssh   one connection: socket, algorithms, login
    subsystem   one session: requests in, answers out; protocol, replies: their bytes
    home        the tree a client sees
    incoming    `in/`: upload, resume, rename
    handover    the moment a file becomes ours: into the spool, a word to the daemon, its answer
    outgoing    `out/`: what was fetched, once only if that is agreed, and what is too old
    upload      the bytes of one upload; notes: what is remembered about a name, and locks
    expiry      what is removed after a time
    folders     where all this lies; `place_in_out`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.service.sftp_server.arrival import Stored, Upload
from gateway.service.sftp_server.folders import place_in_out

if TYPE_CHECKING:
    from gateway.service.sftp_server.service import SftpService

__all__ = ["SftpService", "Stored", "Upload", "place_in_out"]


def __getattr__(name: str) -> Any:
    """Load the daemon's side only when asked for: the SFTP processes do without Twisted."""
    if name == "SftpService":
        from gateway.service.sftp_server.service import SftpService

        return SftpService
    raise AttributeError(name)
