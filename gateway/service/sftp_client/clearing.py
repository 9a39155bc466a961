"""A fetched file leaves the folder it was fetched from: deleted there, or moved. Blocks.

Only after it is durable here, and only if it is still the file that was fetched.
"""

from __future__ import annotations

import secrets

from gateway import faults
from gateway.model.partner import SftpRemote
from gateway.service.sftp_client.errors import RemoteRefused
from gateway.service.sftp_client.looks import Ready
from gateway.service.sftp_client.session import Session
from gateway.service.sftp_server.notes import MAX_NAME_BYTES
from gateway.service.sftp_server.protocol import Attributes

_TOKEN_BYTES = 4


def inside(folder: str, name: bytes) -> bytes:
    """The path of a name in a remote folder."""
    base = folder.encode()
    return base + name if base.endswith(b"/") else base + b"/" + name


def clear(session: Session, remote: SftpRemote, ready: Ready) -> bool:
    """Delete or move the file, then its marker; False if another file has its name by now.

    Raises `RemoteAway` or `RemoteRefused`. To call it again for a file that is gone is no error.
    """
    found = _seen(session, inside(remote.fetch_from, ready.name))
    if found is not None:
        if not ready.is_still(found):
            return False
        _leave(session, remote, ready.name)
    if remote.marker_suffix:
        marker = ready.name + remote.marker_suffix.encode()
        if _seen(session, inside(remote.fetch_from, marker)) is not None:
            _leave(session, remote, marker)
    return True


def _leave(session: Session, remote: SftpRemote, name: bytes) -> None:
    path = inside(remote.fetch_from, name)
    if not remote.move_to:
        with faults.around("remote.remove"):
            session.remove(path)
        return
    target = inside(remote.move_to, name)
    try:
        with faults.around("remote.move"):
            session.rename(path, target)
    except RemoteRefused:
        # Most servers refuse a name that is taken, without saying that this is why.
        if _seen(session, target) is None:
            raise
        with faults.around("remote.move"):
            session.rename(path, inside(remote.move_to, _another(name)))


def _seen(session: Session, path: bytes) -> Attributes | None:
    """What is there, if anything."""
    try:
        return session.look(path)
    except RemoteRefused as error:
        if error.gone:
            return None
        raise


def _another(name: bytes) -> bytes:
    """A name nobody has, which still ends as the old one does."""
    stem, dot, suffix = name.rpartition(b".")
    if not stem:
        stem, dot, suffix = name, b"", b""
    token = b"-" + secrets.token_hex(_TOKEN_BYTES).encode()
    room = MAX_NAME_BYTES - len(token + dot + suffix)
    return (stem[: max(0, room)] + token + dot + suffix)[-MAX_NAME_BYTES:]
