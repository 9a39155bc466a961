"""One SFTP session: requests from the channel, answers to the channel, in order, in a thread.

Only a close request takes a file in. When the session ends, by whatever cause, uploads that are
still open are abandoned: they stay as partials.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from gateway import faults
from gateway.service.sftp_server import protocol, replies
from gateway.service.sftp_server.decoder import Decoder
from gateway.service.sftp_server.home import (
    Home,
    download_attributes,
    may_set,
    upload_attributes,
)
from gateway.service.sftp_server.incoming import Uploading
from gateway.service.sftp_server.outgoing import Downloading
from gateway.service.sftp_server.protocol import Attributes, Kind, Status
from gateway.service.sftp_server.refusal import Refused

_READ_AT_ONCE = 1 << 18
_NAMES_AT_ONCE = 100


class Stream(Protocol):
    """The channel. `recv` answers b"" at its end; `sendall` raises OSError when it is closed."""

    def recv(self, nbytes: int, /) -> bytes:
        """Some bytes."""
        ...

    def sendall(self, s: bytes, /) -> object:
        """Send them all."""
        ...


class _Folder:
    """An open folder: what has not been sent of its listing."""

    def __init__(self, entries: list[tuple[str, Attributes]]) -> None:
        self.entries = entries


class Session:
    """Serves `home` over `stream`. `alive` says whether the client is still there."""

    def __init__(
        self, stream: Stream, home: Home, *, partner: str, alive: Callable[[], bool], log: Any
    ) -> None:
        self._stream = stream
        self._home = home
        self._partner = partner
        self._alive = alive
        self._log = log
        self._decoder = Decoder()
        self._handles: dict[bytes, Uploading | Downloading | _Folder] = {}
        self._opened = 0
        self._over = False
        self.last_active = time.monotonic()
        self.working = threading.Lock()
        """Held while a request is being answered: whoever gets it may end the session."""

    @property
    def uploading(self) -> bool:
        """Whether an upload is open."""
        return any(isinstance(handle, Uploading) for handle in list(self._handles.values()))

    def serve(self) -> None:
        """Answer requests until the client leaves. Raises nothing a client can cause."""
        try:
            while chunk := self._stream.recv(_READ_AT_ONCE):
                self.last_active = time.monotonic()
                for request in self._decoder.feed(chunk):
                    with self.working:
                        self._serve(request)
        except protocol.ProtocolError as error:
            self._log.warning("sftp_protocol_error", error=str(error))
        except (OSError, EOFError):
            pass  # The client left while it was being answered.
        finally:
            self._end()

    def serve_at_once(self, chunk: bytes) -> bool:
        """Answer `chunk` in the caller's thread, which knows that `serve` waits for more.

        False, with nothing done, if it is not one whole request that is answered without a wait,
        or the session is being ended: then it is for `serve`.
        """
        request = self._decoder.quick(chunk)
        if request is None or not self.working.acquire(blocking=False):
            return False
        try:
            if self._over:
                return False
            self._serve(request)
        except (OSError, EOFError):
            pass  # The client left while it was being answered; the other thread ends the session.
        finally:
            self.working.release()
        return True

    def _serve(self, request: protocol.Request) -> None:
        """Answer; the caller holds `working`."""
        answer = self._answer(request)
        with faults.around("sftp.reply"):
            self._stream.sendall(answer)
        self.last_active = time.monotonic()

    def _end(self) -> None:
        with self.working:
            self._over = True
        for handle in self._handles.values():
            if isinstance(handle, Uploading):
                handle.abandon()
                self._log.info(
                    "sftp_upload_cut_off", name=handle.name, bytes_so_far=handle.written.size
                )
            elif isinstance(handle, Downloading):
                handle.abandon()
        self._handles.clear()

    def _answer(self, request: protocol.Request) -> bytes:
        if isinstance(request, protocol.Init):
            return replies.version()
        try:
            return self._do(request)
        except Refused as refused:
            if refused.status is Status.FAILURE:
                self._log.warning("sftp_refused", request=_describe(request), reason=refused.text)
            return replies.status(request.id, refused.status, refused.text)
        except Exception:
            # Our fault, not the client's; the session can go on, and the partner owns the file.
            self._log.exception("sftp_request_failed", request=type(request).__name__)
            return replies.status(request.id, Status.FAILURE, "internal error")

    def _do(self, request: protocol.Request) -> bytes:
        match request:
            case protocol.Write(number, handle, offset, data):
                self._upload(handle).write(offset, data)
            case protocol.Read(number, handle, offset, length):
                content = self._download(handle).read(offset, length)
                if content:
                    return replies.data(number, content)
                return replies.status(number, Status.EOF)
            case protocol.Open(number, path, flags, _):
                self._must_have_room()
                return self._opened_as(number, self._home.open(path, flags))
            case protocol.OnHandle():
                return self._on_handle(request)
            case protocol.OnPath():
                return self._on_path(request)
            case protocol.Rename(number, old, new):
                self._home.rename(old, new, self._alive)
            case protocol.SetPath(number, path, wanted):
                self._home.set_attributes(path, wanted)
            case protocol.SetHandle(number, handle, wanted):
                may_set(wanted)
                if wanted.size is not None:
                    self._upload(handle).written.truncate(wanted.size)
            case protocol.Sync(number, handle):
                self._upload(handle).written.sync()
            case protocol.Limits(number):
                return replies.limits(number)
            case protocol.Link(number):
                raise Refused(Status.PERMISSION_DENIED, "there are no links here")
            case protocol.Malformed(number):
                raise Refused(Status.BAD_MESSAGE, "the request is malformed")
            case _:
                raise Refused(Status.OP_UNSUPPORTED, "not supported")
        return replies.status(number, Status.OK)

    def _on_handle(self, request: protocol.OnHandle) -> bytes:
        number = request.id
        handle = self._handles.get(request.handle)
        if handle is None:
            raise Refused(Status.FAILURE, "no such handle")
        if request.kind is Kind.CLOSE:
            # Forgotten first: however the close ends, it is not tried again at the session's end.
            del self._handles[request.handle]
            if isinstance(handle, Uploading):
                handle.close(self._alive)
            elif isinstance(handle, Downloading):
                handle.close()
            return replies.status(number, Status.OK)
        if request.kind is Kind.FSTAT:
            if isinstance(handle, Uploading):
                return replies.attributes(number, upload_attributes(handle.written.size))
            if isinstance(handle, Downloading):
                return replies.attributes(number, download_attributes(handle))
        elif isinstance(handle, _Folder):
            now, handle.entries = handle.entries[:_NAMES_AT_ONCE], handle.entries[_NAMES_AT_ONCE:]
            if not now:
                return replies.status(number, Status.EOF)
            return replies.names(
                number,
                [(name.encode(), _long(name, each, self._partner), each) for name, each in now],
            )
        raise Refused(Status.FAILURE, "the handle is of another kind")

    def _on_path(self, request: protocol.OnPath) -> bytes:
        number, path = request.id, request.path
        match request.kind:
            case Kind.STAT | Kind.LSTAT:
                return replies.attributes(number, self._home.attributes(path))
            case Kind.REALPATH:
                real = self._home.real_path(path)
                return replies.names(number, [(real, real, Attributes())])
            case Kind.OPENDIR:
                self._must_have_room()
                return self._opened_as(number, _Folder(self._home.listing(path)))
            case Kind.REMOVE:
                self._home.remove(path)
            case Kind.MKDIR:
                self._home.make_folder(path)
            case Kind.RMDIR:
                raise Refused(Status.PERMISSION_DENIED, "folders stay")
            case _:
                raise Refused(Status.OP_UNSUPPORTED, "there are no links here")
        return replies.status(number, Status.OK)

    def _opened_as(self, number: int, handle: Uploading | Downloading | _Folder) -> bytes:
        self._opened += 1
        name = str(self._opened).encode()
        self._handles[name] = handle
        return replies.handle(number, name)

    def _must_have_room(self) -> None:
        if len(self._handles) >= protocol.MAX_HANDLES:
            raise Refused(Status.FAILURE, "too many files are open in this session")

    def _upload(self, name: bytes) -> Uploading:
        handle = self._handles.get(name)
        if not isinstance(handle, Uploading):
            raise Refused(Status.FAILURE, "not a file that is open for writing")
        return handle

    def _download(self, name: bytes) -> Downloading:
        handle = self._handles.get(name)
        if not isinstance(handle, Downloading):
            raise Refused(Status.FAILURE, "not a file that is open for reading")
        return handle


def _long(name: str, attributes: Attributes, partner: str) -> bytes:
    """The line `ls -l` shows (§7 recommends the format); times are UTC."""
    permissions = attributes.permissions or 0
    kind = "d" if permissions & 0o040000 else "-"
    bits = "".join(
        letter if permissions & 0o400 >> place else "-" for place, letter in enumerate("rwx")
    )
    when = time.strftime("%b %d  %Y", time.gmtime(attributes.mtime or 0))
    size = attributes.size or 0
    return f"{kind}{bits}------    1 {partner:<8} {'edi':<8} {size:>8} {when:>12} {name}".encode()


def _describe(request: protocol.Request) -> str:
    return type(request).__name__.lower()
