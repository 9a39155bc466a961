"""What comes in over a wire beside documents: forms and names over HTTP, SFTP packets, frames."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any, Final

from gateway import frames
from gateway.core.acknowledgement.forms import Form
from gateway.service.http_forms import chosen
from gateway.service.http_multipart import BadMultipart, boundary_of, extract, is_multipart
from gateway.service.http_names import MAX_NAME, BadName, name_of
from gateway.service.http_server import RequestHead
from gateway.service.http_server.wire import head_of, target_of, wants_close
from gateway.service.http_status import Acknowledgement
from gateway.service.sftp_client import words
from gateway.service.sftp_server.decoder import Decoder
from gateway.service.sftp_server.fields import INT
from gateway.service.sftp_server.protocol import Kind as Packet
from gateway.service.sftp_server.protocol import ProtocolError
from tests.fuzz.as2_seeds import split
from tests.fuzz.target import Kind, Parser, Target
from tests.fuzz.targets_containers import is_harmless
from tests.fuzz.targets_documents import expect
from tests.service.test_sftp_protocol import CONVERSATION


def form() -> Parser:
    """`boundary_of` and `extract`: the one file, or `BadMultipart` or `BadName`; then no file."""
    folder = Path(tempfile.mkdtemp())
    body, target = folder / "body", folder / "part"

    def run(data: bytes) -> bool:
        headers, content = split(data)
        kind = dict(headers).get("Content-Type", "")
        if not is_multipart(kind):
            return False
        body.write_bytes(content)
        try:
            part = extract(body, boundary_of(kind), target)
        except (BadMultipart, BadName):
            expect(not target.exists(), "a file after a refusal")
            raise
        expect(target.stat().st_size == part.size, "another size")
        target.unlink()
        return True

    return run


def head() -> Parser:
    """The head of a request: target, names, what it accepts. `BadName` is the refusal."""
    every = [_acknowledgement(each) for each in Form]

    def run(data: bytes) -> bool:
        line, _, rest = data.partition(b"\r\n")
        headers, _body = split(rest + b"\r\n\r\n")
        path, query = target_of(line)
        fields = {name.lower(): value for name, value in headers}
        wants_close(headers, b"HTTP/1.1")
        answer = head_of(200, headers, length=1, close=False, date="now")
        expect(answer.count(b"\r\n\r\n") == 1, "a header that ends the head")
        request = RequestHead(
            method="GET",
            path=path,
            query=query,
            headers=headers,
            length=0,
            peer="192.0.2.1",
            secure=True,
            client_certificate_sha256=None,
        )
        expect(chosen(every, None, request) in every, "no form")
        name = name_of(fields.get("content-disposition"), query, fields.get("content-type"))
        expect(len(name) <= MAX_NAME and is_harmless(name), f"no name: {name!r}")
        return bool(path)

    return run


def _acknowledgement(form_: Form) -> Acknowledgement:
    types = {Form.XML: "application/xml", Form.JSON: "application/json"}
    content_type = types.get(form_, f"text/{form_}; charset=utf-8")
    return Acknowledgement(**_ANY | {"form": form_, "content_type": content_type})


_ANY: Final[dict[str, Any]] = dict.fromkeys(Acknowledgement.__struct_fields__)
"""What else a form of a report has is not looked at."""


def packets() -> Parser:
    """`Decoder.feed`: the same requests in whatever pieces they come, or `ProtocolError`."""

    def run(data: bytes) -> bool:
        whole, why = _requests(data, len(data) or 1)
        pieces, why_else = _requests(data, 5)
        expect((whole, why) == (pieces, why_else), "other requests from other pieces")
        return why is None and bool(whole)

    return run


def _requests(data: bytes, size: int) -> tuple[list[object], str | None]:
    decoder = Decoder()
    found: list[object] = []
    try:
        for at in range(0, len(data), size):
            for request in decoder.feed(data[at : at + size]):
                found.append(request)
    except ProtocolError as error:
        return found, str(error)
    return found, None


def answers() -> Parser:
    """What a partner's SFTP server answers: `version`, then `answer`; `ProtocolError` otherwise."""

    def run(data: bytes) -> bool:
        stream, count = io.BytesIO(data), 0
        while len(head := stream.read(4)) == 4:
            packet = stream.read(words.packet_length(head))
            if not packet:
                break
            words.answer(packet) if count else words.version(packet)
            count += 1
        return count > 1

    return run


def conversation() -> bytes:
    """One answer of each kind."""

    def packet(kind: Packet, *parts: bytes) -> bytes:
        body = bytes((kind,)) + b"".join(parts)
        return INT.pack(len(body)) + body

    def text(value: bytes) -> bytes:
        return INT.pack(len(value)) + value

    attributes = INT.pack(0x8000000F) + bytes(8) + INT.pack(5) * 5 + INT.pack(1) + text(b"a") * 2
    name = text(b"FA-1.xml") + text(b"-rw-r--r-- 1 a b 5 Nov 24 12:00 FA-1.xml") + attributes
    return b"".join(
        [
            packet(Packet.VERSION, INT.pack(3), text(words.POSIX_RENAME), text(b"1")),
            packet(Packet.STATUS, INT.pack(1), INT.pack(4), text(b"no such"), text(b"en")),
            packet(Packet.HANDLE, INT.pack(2), text(b"handle")),
            packet(Packet.DATA, INT.pack(3), text(b"content")),
            packet(Packet.NAME, INT.pack(4), INT.pack(2), name, name),
            packet(Packet.ATTRS, INT.pack(5), attributes),
        ]
    )


def piped() -> Parser:
    """`FrameDecoder` and `read_frame` agree on what a pipe holds; `FrameError` otherwise."""

    def run(data: bytes) -> bool:
        decoder = frames.FrameDecoder(max_bytes=100_000)
        found: list[tuple[bytes, bytes]] = []
        wrong = False
        try:
            for at in range(0, len(data), 11):
                found.extend(decoder.feed(data[at : at + 11]))
        except frames.FrameError:
            wrong = True
        stream, read = io.BytesIO(data), []
        with contextlib.suppress(frames.FrameError):
            while (frame := frames.read_frame(stream, max_bytes=100_000)) is not None:
                read.append(frame)
        expect(read[: len(found)] == found, "two readers, two readings")
        return not wrong and bool(found)

    return run


_FORM: Final = (
    b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: form-data; "
    b'name="n"\r\n\r\nvalue\r\n--b\r\nContent-Disposition: form-data; name="file"; '
    b'filename="f.xml"\r\nContent-Type: application/xml\r\n\r\n<a/>\r\n--b--\r\n'
)
_FORMS: Final = [
    _FORM,
    _FORM.replace(b"boundary=b", b'boundary="b"').replace(b'name="n"', b"name=n"),
    _FORM.replace(b'filename="f.xml"', b"filename*=UTF-8''Facture%20%C3%A9t%C3%A9.xml"),
    _FORM.replace(b'filename="f.xml"', b'filename*0="a"; filename*1="b.xml"'),
]
_HEADS: Final = [
    b"/v1/interchanges?name=Facture%20%C3%A9t%C3%A9.xml\r\nContent-Type: application/xml\r\n"
    b"Accept: application/json;q=0.9, text/html, */*;q=0.1",
    b'http://gateway/v1/interchanges\r\nContent-Disposition: attachment; filename="F A.xml"\r\n'
    b"Connection: keep-alive, close",
    b"/v1/interchanges\r\nContent-Disposition: attachment; filename*=utf-8''%e2%82%ac.xml\r\n"
    b"Accept: text/csv",
    b'/v1/interchanges\r\nContent-Disposition: attachment; filename="=?utf-8?q?=C3=A9.xml?="\r\n'
    b"Content-Type: application/zip; x=y",
]
_FRAMES: Final = [
    frames.encode(frames.BOOT, b'{"flows":[]}') + frames.encode(frames.READY),
    frames.encode(frames.JOB, b"x" * 3000) + frames.encode(frames.DONE, b"{}"),
]

TARGETS: Final = (
    Target(
        name="multipart",
        kind=Kind.TEXT,
        parser=form,
        seeds=lambda: _FORMS,
        declared=(BadMultipart, BadName),
        share=8,
    ),
    Target(
        name="http-head",
        kind=Kind.TEXT,
        parser=head,
        seeds=lambda: _HEADS,
        declared=(BadName,),
        share=12,
        refused=2,
    ),
    Target(name="sftp", kind=Kind.BYTES, parser=packets, seeds=lambda: [CONVERSATION], share=12),
    Target(
        name="sftp-answers",
        kind=Kind.BYTES,
        parser=answers,
        seeds=lambda: [conversation()],
        declared=(ProtocolError,),
        share=8,
    ),
    Target(name="frames", kind=Kind.BYTES, parser=piped, seeds=lambda: _FRAMES, share=6),
)
