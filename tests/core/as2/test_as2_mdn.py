"""Receipts: what ours look like, and what is read from other products'."""

from __future__ import annotations

import base64
import email
import email.policy
import subprocess
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from gateway.core.as2 import (
    DISPOSITIONS,
    MAX_MDN_BYTES,
    MdnFault,
    disposition,
    is_mdn,
    mdn_text,
    parse_disposition,
    read_mdn,
)
from gateway.core.as2.mdn_reading import parse_mic
from gateway.model.as2 import (
    Digest,
    Failure,
    Headers,
    Mdn,
    MdnRead,
    Mic,
    Opened,
    Refused,
    Security,
    SignatureScheme,
)
from tests.core.as2.parties import NOW, SYNC, folder, header_fields, party, pem, receipt
from tests.core.as2.wrappings import mic, multipart, within

OPENED = Opened(
    path="/spool/payload",
    sha256="ab" * 32,
    size=1234,
    filename="été.xml",
    content_type="text/xml",
    security=Security(signed=Digest.SHA256),
    mic=mic(b"x"),
)
ASKED = header_fields("text/xml", **SYNC)
UNSIGNED = header_fields("text/xml", Disposition_Notification_To="x")


def parsed(mdn: Mdn) -> EmailMessage:
    """The receipt as Python's own mail parser has it."""
    head = "".join(f"{name}: {value}\r\n" for name, value in mdn.headers).encode()
    message = email.message_from_bytes(head + b"\r\n" + mdn.body, policy=email.policy.HTTP)
    assert isinstance(message, EmailMessage)
    return message


def read(mdn_headers: Headers, body: bytes, *, require_signed: bool = False) -> MdnRead | MdnFault:
    """The receipt of the gateway or the supplier."""
    return read_mdn(
        mdn_headers,
        body,
        [party("supplier").certificate, party("gateway").certificate],
        require_signed=require_signed,
        allowed=tuple(Digest),
        on=NOW,
    )


def test_what_an_unsigned_receipt_is() -> None:
    """multipart/report of a text and a disposition-notification, names swapped (RFC 4130 §7.4)."""
    mdn = receipt(UNSIGNED, OPENED)
    message = parsed(mdn)
    assert (message["AS2-From"], message["AS2-To"]) == ("gateway", "supplier")
    assert (message["AS2-Version"], message["MIME-Version"]) == ("1.2", "1.0")
    assert message["Message-ID"] == "<mdn-1@gateway.example>"
    assert dict(mdn.headers)["Date"] == "Tue, 24 Nov 2026 12:00:00 GMT"
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "disposition-notification"
    text, notification = message.iter_parts()
    assert isinstance(text, EmailMessage)
    assert text.get_content_type() == "text/plain"
    assert "été.xml" in text.get_content()
    assert notification.get_content_type() == "message/disposition-notification"
    fields = notification.get_payload()[0]  # type: ignore[index]
    assert dict(fields.items()) == {  # type: ignore[union-attr]
        "Reporting-UA": "edi-gateway",
        "Original-Recipient": "rfc822; gateway",
        "Final-Recipient": "rfc822; gateway",
        "Original-Message-ID": "<1@supplier.example>",
        "Disposition": "automatic-action/MDN-sent-automatically; processed",
        "Received-Content-MIC": str(OPENED.mic),
    }
    assert mdn.body.isascii()
    assert max(map(len, mdn.body.split(b"\r\n"))) < 200


def test_signed_when_asked_and_possible() -> None:
    """The signature is over the report with its header fields; without a key there is none."""
    signed, keyless, plain = (
        receipt(ASKED, OPENED),
        receipt(ASKED, OPENED, identity=None),
        receipt(UNSIGNED, OPENED),
    )
    assert parsed(signed).get_content_type() == "multipart/signed"
    assert parsed(signed).get_param("micalg") == "sha-256"
    assert parsed(signed).get_param("protocol") == "application/pkcs7-signature"
    assert [parsed(each).get_content_type() for each in (keyless, plain)] == [
        "multipart/report"
    ] * 2


def test_openssl_verifies_a_receipt(tmp_path: Path) -> None:
    """The openssl command takes the receipt as it travels, for either signature scheme."""
    place = folder(tmp_path)
    (place / "gateway.pem").write_bytes(pem(party("gateway")))
    for scheme in SignatureScheme:
        mdn = receipt(ASKED, OPENED, scheme=scheme)
        content_type = dict(mdn.headers)["Content-Type"]
        (place / "mdn").write_bytes(b"MIME-Version: 1.0\r\n" + within(content_type, mdn.body))
        done = subprocess.run(
            [
                *("openssl", "cms", "-verify", "-in", "mdn"),
                *("-CAfile", "gateway.pem", "-attime", str(int(NOW.timestamp()))),
                *("-purpose", "any"),
            ],
            cwd=place,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert b"Original-Message-ID: <1@supplier.example>" in done.stdout


def test_the_same_message_gets_the_same_receipt() -> None:
    """All but the signature follows from the arguments."""
    assert receipt(UNSIGNED, OPENED) == receipt(UNSIGNED, OPENED)
    other = receipt(UNSIGNED, OPENED, message_id="<mdn-2@gateway.example>")
    assert receipt(UNSIGNED, OPENED).headers[-1] != other.headers[-1]


def test_the_mic_is_spelled_as_the_sender_spells_it() -> None:
    """Many products compare the texts."""
    options = "signed-receipt-protocol=optional, pkcs7-signature; signed-receipt-micalg=optional, "
    for name in ("sha256", "SHA-256", "Sha256"):
        headers = header_fields(
            "text/xml",
            Disposition_Notification_To="x",
            Disposition_Notification_Options=options + f"md5, {name}",
        )
        body = receipt(headers, OPENED, identity=None).body.decode()
        assert f"\r\nReceived-Content-MIC: {mic(b'x').value}, {name}\r\n" in body


def test_names_with_spaces_are_quoted() -> None:
    """In the headers and in the recipient fields."""
    headers = tuple(
        (name, '"The Gateway"' if name == "AS2-To" else value) for name, value in UNSIGNED
    )
    mdn = receipt(headers, OPENED)
    assert dict(mdn.headers)["AS2-From"] == '"The Gateway"'
    assert b'\r\nFinal-Recipient: rfc822; "The Gateway"\r\n' in mdn.body


def test_no_field_of_ours_spans_lines() -> None:
    """A Message-ID or name with a line break would let somebody write fields of their own."""
    with pytest.raises(ValueError, match="lines"):
        receipt(UNSIGNED, OPENED, reporting_ua="a\r\nDisposition: b")
    with pytest.raises(ValueError, match="lines"):
        receipt(UNSIGNED, OPENED, message_id="a\r\nb: c")


def test_the_words() -> None:
    """Both languages say what came, that it is no verdict, or what the sender should do."""
    english, french = mdn_text(OPENED, "en"), mdn_text(OPENED, "fr")
    for text in (english, french):
        assert all(word in text for word in ("été.xml", "1234", "ab" * 32))
    assert "not yet a verdict on the invoices" in english
    assert "pas encore un verdict sur les factures" in french
    assert mdn_text(OPENED).startswith(english)
    assert mdn_text(OPENED).endswith(french)


@pytest.mark.parametrize("failure", Failure)
def test_a_message_that_was_not_taken_has_no_mic(failure: Failure) -> None:
    """Not even where the outcome knows one (RFC 4130 §7.4.3)."""
    outcome = Refused(failure=failure, why="", mic=OPENED.mic)
    assert b"Received-Content-MIC" not in receipt(ASKED, outcome).body


@pytest.mark.parametrize("failure", Failure)
def test_the_words_of_every_failure(failure: Failure) -> None:
    """Each says something of its own; how keys or signatures failed is not told to the sender."""
    outcome = Refused(failure=failure, why="the inner reason.")
    others = {mdn_text(Refused(failure=each, why=""), "en") for each in Failure}
    assert len(others) == len(Failure)
    told = "the inner reason." in mdn_text(outcome, "fr")
    assert told == (failure in {Failure.SECURITY, Failure.UNEXPECTED, Failure.UNSUPPORTED_MIC})
    assert "send it again" in mdn_text(outcome, "en").lower()


@pytest.mark.parametrize("failure", DISPOSITIONS)
def test_dispositions_are_read_as_they_are_written(failure: Failure | None) -> None:
    """The table in both directions."""
    parsed_field = parse_disposition(disposition(failure))
    assert parsed_field is not None
    assert parsed_field.processed == (failure is None)
    assert parsed_field.description == (failure or "")


@pytest.mark.parametrize(
    ("text", "processed"),
    [
        ("automatic-action/MDN-sent-automatically; processed", True),
        ("automatic-action/MDN-sent-automatically;processed", True),
        ("Automatic-Action/mdn-sent-automatically ;  Processed", True),
        ("processed", True),
        ("a/b; processed/warning: authentication-failed, processing continued", True),
        ("a/b; processed/Warning", True),
        ("a/b; processed/error: decryption-failed", False),
        ("a/b; processed / Error : x; y", False),
        ("a/b; failed/Failure: unsupported format", False),
        ("a/b; failed", False),
        ("a/b; displayed", False),
        ("", None),
        ("???", None),
    ],
)
def test_dispositions_of_others(text: str, processed: bool | None) -> None:
    """Any case, any spacing; a warning is no failure."""
    read_field = parse_disposition(text)
    assert (read_field.processed if read_field else None) == processed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eA==, sha-256", Mic("eA==", Digest.SHA256)),
        ("eA==,sha1", Mic("eA==", Digest.SHA1)),
        ("eA= =  ,  SHA512 ", Mic("eA==", Digest.SHA512)),
        ("eA==, md5", None),
        ("eA==", None),
        ("e*==, sha1", None),
        ("", None),
    ],
)
def test_mics_of_others(text: str, expected: Mic | None) -> None:
    """Spelling and spacing vary; what cannot be compared is no MIC."""
    assert parse_mic(text) == expected


FIELDS = (
    "Reporting-UA: Other Product\r\n"
    "original-message-id: <7@gateway.example>\r\n"
    "Disposition: automatic-action/MDN-sent-automatically; processed\r\n"
    "Received-content-MIC:  eA==,sha1\r\n"
)
REPORT = "multipart/report; Report-Type=disposition-notification; boundary=r"


def report(fields: str = FIELDS, encoding: str = "7bit", text: bytes | None = b"h\xe9") -> bytes:
    """The body of a receipt of another product."""
    content = fields.encode()
    if encoding == "base64":
        content = base64.encodebytes(content)
    readable = b"--r\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n%b\r\n" % (text or b"")
    return (
        (b"" if text is None else readable)
        + b"--r\r\nContent-Type: message/disposition-notification\r\n"
        + f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode()
        + content
        + b"\r\n--r--\r\n"
    )


READ = MdnRead(
    original_message_id="<7@gateway.example>",
    processed=True,
    disposition="automatic-action/MDN-sent-automatically; processed",
    mic=Mic("eA==", Digest.SHA1),
    signer=None,
    text="hé",
)


@pytest.mark.parametrize("encoding", ["7bit", "binary", "base64"])
def test_receipts_of_others(encoding: str) -> None:
    """No recipients, other case and spacing, parts in base64, text in latin-1."""
    headers = (("content-type", REPORT),)
    assert read(headers, report(encoding=encoding)) == READ
    stray = (*headers, ("Content-Transfer-Encoding", "base64"))
    assert read(stray, report(encoding=encoding)) == READ, "a multipart has no encoding of its own"
    alone = (("Content-Type", "message/disposition-notification"), *stray[1:])
    assert read(alone, base64.encodebytes(FIELDS.encode())) == structs.replace(READ, text="")
    assert is_mdn(headers, report())


def test_a_receipt_needs_no_text() -> None:
    """The part for people may be missing, or be no text."""
    assert read((("Content-Type", REPORT),), report(text=None)) == structs.replace(READ, text="")


SIGNED_REPORT = within(REPORT, report())
SIGNED = 'multipart/signed; boundary="b"; protocol="application/pkcs7-signature"; micalg=sha1'


def test_signed_receipts_of_others() -> None:
    """The signature is verified, and names its signer; the same with every line break bare."""
    headers = (("Content-Type", SIGNED),)
    for body in (multipart(SIGNED_REPORT), multipart(SIGNED_REPORT, Digest.SHA1)):
        got = read(headers, body, require_signed=True)
        assert isinstance(got, MdnRead)
        assert got.signer == party("supplier").fingerprint
        assert got.text == "hé"
    assert is_mdn(headers, multipart(SIGNED_REPORT)[:300])
    assert not is_mdn(headers, multipart(within("text/xml", b"x")))
    assert not is_mdn((("Content-Type", "text/xml"),), b"")
    bare = multipart(SIGNED_REPORT).replace(SIGNED_REPORT, SIGNED_REPORT.replace(b"\r\n", b"\n"))
    assert isinstance(read(headers, bare), MdnRead)


GOOD = multipart(SIGNED_REPORT)


@pytest.mark.parametrize(
    ("media_type", "body", "failure"),
    [
        (REPORT, report(), Failure.SECURITY),
        (SIGNED, GOOD.replace(b"; processed", b"; failed"), Failure.INTEGRITY),
        (SIGNED, multipart(SIGNED_REPORT, who="stranger"), Failure.AUTHENTICATION),
        (SIGNED, GOOD[:-20], Failure.UNEXPECTED),
        (SIGNED, b"--b\r\n\r\n\r\n--b--", Failure.UNEXPECTED),
        (SIGNED, GOOD.replace(b"pkcs7-signature", b"x"), Failure.UNEXPECTED),
        (SIGNED, multipart(within("text/plain", b"")), Failure.UNEXPECTED),
    ],
)
def test_receipts_that_must_be_signed(media_type: str, body: bytes, failure: Failure) -> None:
    """Unsigned, changed, by a stranger, or no multipart/signed of a report."""
    got = read((("Content-Type", media_type),), body, require_signed=True)
    assert isinstance(got, MdnFault)
    assert got.failure is failure


def test_a_digest_that_is_not_allowed() -> None:
    """A receipt signed over SHA-1 counts only where the partner file allows it."""
    got = read_mdn(
        (("Content-Type", SIGNED),),
        multipart(SIGNED_REPORT, Digest.SHA1),
        [party("supplier").certificate],
        require_signed=False,
        allowed=(Digest.SHA256,),
        on=NOW,
    )
    assert isinstance(got, MdnFault)
    assert got.failure is Failure.SECURITY


@pytest.mark.parametrize(
    "body",
    [
        report("Disposition: a/b; processed\r\n"),
        report("Original-Message-ID: <1@x>\r\n"),
        report("Original-Message-ID: <1@x>\r\nDisposition: ???\r\n"),
        report(FIELDS + "Original-Message-ID: <other@x>\r\n"),
        report("not a field\r\n"),
        report(encoding="uuencode"),
        report()[:-10],
        b"--r\r\nContent-Type: text/plain\r\n\r\nprocessed\r\n--r--",
        report().removesuffix(b"--r--\r\n") + report(),
        b"--r\r\n\r\n\r\n" * 20 + b"--r--",
        b"x" * (MAX_MDN_BYTES + 1),
        b"",
    ],
)
def test_what_is_no_receipt(body: bytes) -> None:
    """Fields missing, said twice or unreadable; cut off, too many parts, too large, empty."""
    got = read((("Content-Type", REPORT),), body)
    assert isinstance(got, MdnFault)
    assert "unforeseen" not in got.why


@settings(max_examples=200, deadline=None)
@given(
    media_type=st.sampled_from([REPORT, SIGNED, "text/html"]) | st.text(),
    body=st.sampled_from([GOOD, report()]),
    at=st.integers(0, 5000),
    data=st.binary(max_size=5),
)
def test_any_bytes_are_a_receipt_or_a_fault(
    media_type: str, body: bytes, at: int, data: bytes
) -> None:
    """Whatever comes, no exception leaves."""
    at %= len(body)
    headers = (("Content-Type", media_type),)
    got = read(headers, body[:at] + data + body[at + len(data) :])
    assert "unforeseen" not in str(got)
    is_mdn(headers, body[:at] + data)


def test_changing_any_byte_of_a_signed_receipt_is_noticed() -> None:
    """No byte of the report can change without the signature failing."""
    start = GOOD.index(SIGNED_REPORT)
    for at in range(start, start + len(SIGNED_REPORT), 7):
        changed = GOOD[:at] + bytes([GOOD[at] ^ 1]) + GOOD[at + 1 :]
        got = read((("Content-Type", SIGNED),), changed, require_signed=True)
        assert isinstance(got, MdnFault)
