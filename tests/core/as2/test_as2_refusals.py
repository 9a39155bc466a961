"""What is not taken, and how that is called: each word of RFC 4130 §7.5.3, and hostile senders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.as2 import MdnFault, cms, open_message, read_mdn
from gateway.model.as2 import (
    As2Limits,
    As2Receive,
    Cipher,
    Digest,
    Failure,
)
from tests.core.as2.parties import (
    LAX,
    NOW,
    SYNC,
    folder,
    header_fields,
    opened,
    party,
    receipt,
    refused,
    taken,
)
from tests.core.as2.wrappings import (
    BODY,
    COMPRESSED,
    ENTITY,
    ENVELOPED,
    SIGNED,
    compressed,
    detached,
    encrypted,
    multipart,
    within,
)

layers = pytest.mark.usefixtures("layers")

STRICT = As2Receive()
GARBAGE = b"\x30\x80garbage"
OPAQUE = "application/pkcs7-mime; smime-type=signed-data"
OTHER = b"<Invoice>\r\n<!-- other -->\r\n</Invoice>\r\n"


def in_envelope(data: bytes) -> dict[str, Any]:
    """A message that is encrypted as agreed."""
    return {"media_type": ENVELOPED, "body": encrypted(data, Cipher.AES256_CBC)}


def signed(data: bytes) -> bytes:
    """The multipart/signed entity of these bytes."""
    return within(SIGNED, multipart(data))


GOOD = multipart(ENTITY)
SIGNATURE = GOOD[
    GOOD.index(b"Content-Type: application/pkcs7-signature") : GOOD.index(b"\r\n--b--")
]

REFUSALS: dict[str, tuple[Failure, dict[str, Any]]] = {
    "not CMS": (Failure.DECRYPTION, {"media_type": ENVELOPED, "body": GARBAGE}),
    "empty": (Failure.DECRYPTION, {"media_type": ENVELOPED, "body": b""}),
    "damaged base64": (
        Failure.DECRYPTION,
        {"media_type": ENVELOPED, "body": b"MIAG*", "Content_Transfer_Encoding": "base64"},
    ),
    "cut off": (
        Failure.DECRYPTION,
        {"media_type": ENVELOPED, "body": encrypted(ENTITY)[:-40]},
    ),
    "not MIME inside": (Failure.DECRYPTION, in_envelope(b"<a/>")),
    "not MIME inside, but authentic": (
        Failure.UNEXPECTED,
        {"media_type": ENVELOPED, "body": encrypted(b"<a/>", Cipher.AES256_GCM)},
    ),
    "by a stranger": (
        Failure.AUTHENTICATION,
        in_envelope(within(SIGNED, multipart(ENTITY, who="stranger"))),
    ),
    "no signature in it": (
        Failure.AUTHENTICATION,
        {"media_type": SIGNED, "body": multipart(ENTITY).replace(detached(ENTITY), GARBAGE)},
    ),
    "not CMS, announced as signed": (
        Failure.AUTHENTICATION,
        {"media_type": OPAQUE, "body": GARBAGE},
    ),
    "other content": (
        Failure.INTEGRITY,
        in_envelope(within(SIGNED, GOOD.replace(BODY, OTHER))),
    ),
    "other header fields": (
        Failure.INTEGRITY,
        {"media_type": SIGNED, "body": GOOD.replace(b"a.xml", b"b.xml")},
    ),
    "damaged compression": (
        Failure.DECOMPRESSION,
        {
            "media_type": COMPRESSED,
            "body": compressed(ENTITY)[:-30] + b"\xff" * 30,
        },
    ),
    "not CMS, announced as compressed": (
        Failure.DECOMPRESSION,
        {"media_type": COMPRESSED, "body": GARBAGE},
    ),
    "not MIME in the compression": (
        Failure.DECOMPRESSION,
        {"media_type": COMPRESSED, "body": compressed(b"<a/>")},
    ),
    "not signed": (Failure.SECURITY, in_envelope(ENTITY) | {"policy": STRICT}),
    "not encrypted": (
        Failure.SECURITY,
        {"media_type": SIGNED, "body": GOOD, "policy": STRICT},
    ),
    "neither": (Failure.SECURITY, {"media_type": "text/xml", "body": BODY, "policy": STRICT}),
    "only compressed": (
        Failure.SECURITY,
        {"media_type": COMPRESSED, "body": compressed(ENTITY), "policy": STRICT},
    ),
    "3DES": (
        Failure.SECURITY,
        {
            "media_type": ENVELOPED,
            "body": encrypted(signed(ENTITY), Cipher.TRIPLE_DES),
            "policy": STRICT,
        },
    ),
    "SHA-1": (
        Failure.SECURITY,
        in_envelope(within(SIGNED, multipart(ENTITY, Digest.SHA1))) | {"policy": STRICT},
    ),
    "several files": (
        Failure.UNEXPECTED,
        {"media_type": "multipart/related; boundary=b", "body": b"--b\r\n\r\n\r\n--b--"},
    ),
    "a signature alone": (
        Failure.UNEXPECTED,
        {"media_type": "application/pkcs7-signature", "body": detached(ENTITY)},
    ),
    "a mail": (Failure.UNEXPECTED, {"media_type": "message/rfc822", "body": ENTITY}),
    "unknown transfer encoding": (
        Failure.UNEXPECTED,
        {"media_type": "text/xml", "body": BODY, "Content_Transfer_Encoding": "x-uue"},
    ),
    "damaged payload encoding": (
        Failure.UNEXPECTED,
        {"media_type": "text/xml", "body": b"***", "Content_Transfer_Encoding": "base64"},
    ),
    "HTTP compression": (
        Failure.UNEXPECTED,
        {"media_type": "text/xml", "body": BODY, "Content_Encoding": "gzip"},
    ),
    "too large": (
        Failure.UNEXPECTED,
        {"media_type": "text/xml", "body": BODY, "limits": As2Limits(max_bytes=10)},
    ),
    "pgp receipt": (
        Failure.UNSUPPORTED_FORMAT,
        {
            "media_type": "text/xml",
            "body": BODY,
            "Disposition_Notification_Options": "signed-receipt-protocol=required, pgp-signature",
        },
    ),
    "md5 receipt": (
        Failure.UNSUPPORTED_MIC,
        {
            "media_type": "text/xml",
            "body": BODY,
            "Disposition_Notification_Options": "signed-receipt-micalg=required, md5",
        },
    ),
}

WORDS = {
    Failure.DECRYPTION: "processed/Error: decryption-failed",
    Failure.AUTHENTICATION: "processed/Error: authentication-failed",
    Failure.INTEGRITY: "processed/Error: integrity-check-failed",
    Failure.DECOMPRESSION: "processed/Error: decompression-failed",
    Failure.SECURITY: "processed/Error: insufficient-message-security",
    Failure.UNEXPECTED: "processed/Error: unexpected-processing-error",
    Failure.UNSUPPORTED_FORMAT: "failed/Failure: unsupported format",
    Failure.UNSUPPORTED_MIC: "failed/Failure: unsupported MIC-algorithms",
}


@layers
@pytest.mark.parametrize("case", REFUSALS)
def test_refusals_and_their_receipts(tmp_path: Path, case: str) -> None:
    """Each failure has its word in the receipt, no MIC, and a sentence for the operator."""
    failure, message = REFUSALS[case]
    message = {"policy": LAX, "limits": None} | SYNC | message
    body, media_type, policy, limits = (
        message.pop(name) for name in ("body", "media_type", "policy", "limits")
    )
    headers = header_fields(media_type, **message)
    outcome = refused(tmp_path, headers, body, policy=policy, limits=limits)
    assert outcome.failure is failure, outcome.why
    assert outcome.why.endswith(".")
    assert "sender" in outcome.why or "ask for" in outcome.why

    mdn = receipt(headers, outcome)
    assert f"\r\nDisposition: automatic-action/MDN-sent-automatically; {WORDS[failure]}\r\n" in (
        mdn.body.decode("ascii")
    )
    read = read_mdn(
        mdn.headers,
        mdn.body,
        [party("gateway").certificate],
        require_signed=failure is not Failure.UNSUPPORTED_FORMAT and case != "md5 receipt",
        allowed=tuple(Digest),
        on=NOW,
    )
    assert not isinstance(read, MdnFault)
    assert not read.processed
    assert read.disposition.endswith(WORDS[failure])
    assert read.mic is None
    assert "NOT taken in" in read.text
    assert "n'a PAS été accepté" in read.text


def test_every_failure_has_a_case() -> None:
    """No word of the table is untested."""
    assert {failure for failure, _ in REFUSALS.values()} == set(Failure)


@layers
def test_security_says_how_far_it_came(tmp_path: Path) -> None:
    """The operator sees that the message was decrypted before its signature failed."""
    outcome = refused(
        tmp_path, header_fields(ENVELOPED), encrypted(within(SIGNED, GOOD.replace(BODY, OTHER)))
    )
    assert outcome.security.encrypted is Cipher.AES128_CBC
    assert outcome.security.signed is None
    assert outcome.why.startswith("In layer 2, multipart/signed: ")


DISGUISES = {
    "no delimiter": b"nothing",
    "another boundary": GOOD.replace(b"--b", b"--c"),
    "not closed": GOOD.removesuffix(b"\r\n--b--\r\nepilogue"),
    "one part": b"--b\r\n" + ENTITY + b"\r\n--b--",
    "two signatures": GOOD.replace(b"\r\n--b--", b"\r\n--b\r\n" + SIGNATURE + b"\r\n--b--"),
    "content behind it": GOOD.replace(b"\r\n--b--", b"\r\n--b\r\n" + ENTITY + b"\r\n--b--"),
    "content before the content": GOOD.replace(b"--b\r\n", b"--b\r\n" + ENTITY + b"\r\n--b\r\n", 1),
    "signature first": b"--b\r\n" + SIGNATURE + b"\r\n--b\r\n" + ENTITY + b"\r\n--b--",
    "the signature is text": GOOD.replace(b"application/pkcs7-signature", b"text/plain"),
    "no signature bytes": b"--b\r\n" + ENTITY + b"\r\n--b\r\n"
    b"Content-Type: application/pkcs7-signature\r\n\r\n\r\n--b--",
    "a huge signature": b"--b\r\n" + ENTITY + b"\r\n--b\r\n"
    b"Content-Type: application/pkcs7-signature\r\n\r\n" + b"0" * 3_000_000 + b"\r\n--b--",
    "a signature without header fields": b"--b\r\n" + ENTITY + b"\r\n--b\r\nx\r\n--b--",
}  # fmt: skip


@layers
@pytest.mark.parametrize("case", DISGUISES)
def test_what_only_looks_signed(tmp_path: Path, case: str) -> None:
    """A multipart/signed is one content and its one signature, or it is refused."""
    for policy in (LAX, STRICT):
        outcome = refused(tmp_path, header_fields(SIGNED), DISGUISES[case], policy=policy)
        assert outcome.failure is Failure.AUTHENTICATION, outcome.why


@layers
@pytest.mark.parametrize(
    "wrapping",
    [
        "multipart/mixed; boundary=m",
        "multipart/alternative; boundary=m",
        "multipart/unknown; boundary=m",
    ],
)
def test_a_signed_part_beside_others_signs_nothing(tmp_path: Path, wrapping: str) -> None:
    """What is beside the signed part would travel on its reputation."""
    body = b"--m\r\n" + ENTITY + b"\r\n--m\r\n" + signed(ENTITY) + b"\r\n--m--\r\n"
    for policy in (LAX, STRICT):
        headers = header_fields(wrapping)
        assert refused(tmp_path, headers, body, policy=policy).failure is Failure.UNEXPECTED
        inside = encrypted(within(wrapping, body))
        outcome = refused(tmp_path, header_fields(ENVELOPED), inside, policy=policy)
        assert outcome.failure is Failure.UNEXPECTED


@layers
def test_preamble_and_epilogue_are_not_content(tmp_path: Path) -> None:
    """They are not signed, and nothing of them is delivered."""
    body = ENTITY + b"\r\n" + GOOD + b"\r\n" + ENTITY
    outcome = taken(tmp_path, header_fields(SIGNED), body)
    assert Path(outcome.path).read_bytes() == BODY


@layers
def test_signed_twice_and_encrypted_twice(tmp_path: Path) -> None:
    """Each protection once: what is said of it is said of the whole payload."""
    twice = multipart(signed(ENTITY))
    first, last = twice.index(b"--b"), twice.rindex(b"--b--")
    twice = twice[:first] + b"--c" + twice[first + 3 : last] + b"--c--"
    middle = twice.rindex(b"--b\r\n")
    twice = twice[:middle] + b"--c" + twice[middle + 3 :]
    for media_type, body, word in (
        (SIGNED.replace("=b", "=c"), twice, "signed twice"),
        (ENVELOPED, encrypted(within(ENVELOPED, encrypted(ENTITY))), "encrypted twice"),
        (COMPRESSED, compressed(within(COMPRESSED, compressed(ENTITY))), "compressed twice"),
    ):
        outcome = refused(tmp_path, header_fields(media_type), body)
        assert outcome.failure is Failure.UNEXPECTED
        assert word in outcome.why


@layers
def test_no_more_layers_than_allowed(tmp_path: Path) -> None:
    """The limit counts wrappings, the payload is none."""
    body = encrypted(signed(ENTITY))
    taken(tmp_path, header_fields(ENVELOPED), body, limits=As2Limits(max_layers=2))
    outcome = refused(tmp_path, header_fields(ENVELOPED), body, limits=As2Limits(max_layers=1))
    assert "more than 1 layers" in outcome.why


@layers
def test_a_thousand_multiparts_in_one_another(tmp_path: Path) -> None:
    """Depth costs nothing: the second is not opened."""
    body = ENTITY
    for number in range(1000):
        body = f"--{number}\r\n".encode() + body + f"\r\n--{number}--\r\n".encode()
        body = within(f"multipart/signed; boundary={number}", body)
    for media_type in ("multipart/signed; boundary=999", "multipart/mixed; boundary=999"):
        refused(tmp_path, header_fields(media_type), body)


@layers
def test_header_bombs_inside(tmp_path: Path) -> None:
    """Header sections without end are not read to theirs, wherever they stand."""
    for bomb in (b"A: " + b"x" * 1_000_000 + b"\r\n\r\n", b"A: b\r\n" * 5_000 + b"\r\n"):
        for media_type, body in (
            (ENVELOPED, encrypted(bomb + BODY)),
            (SIGNED, multipart(bomb + BODY)),
            (COMPRESSED, compressed(bomb + BODY)),
        ):
            refused(tmp_path, header_fields(media_type), body)


@layers
def test_decompression_bombs(tmp_path: Path) -> None:
    """Little that becomes much stops at the limit."""
    body = compressed(b"Content-Type: text/xml\r\n\r\n" + bytes(30_000_000))
    assert len(body) < 100_000
    outcome = refused(tmp_path, header_fields(COMPRESSED), body)
    assert outcome.failure is Failure.DECOMPRESSION


@layers
def test_an_invalid_certificate_signs_nothing(tmp_path: Path) -> None:
    """The time that is passed in decides whether a certificate is valid."""
    body = folder(tmp_path) / "body"
    body.write_bytes(GOOD)
    for days, failure in ((0, None), (31, Failure.AUTHENTICATION)):
        outcome = open_message(
            header_fields(SIGNED),
            body,
            folder(tmp_path),
            identities=[],
            certificates=[party("supplier").certificate],
            policy=LAX,
            limits=As2Limits(),
            on=NOW.replace(day=24) + days * (NOW - NOW.replace(day=23)),
        )
        assert getattr(outcome, "failure", None) is failure


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    order=st.sampled_from(["signed", "enveloped", "both", "compressed"]),
    at=st.integers(0, 10_000),
    data=st.binary(max_size=6),
    cut=st.booleans(),
)
def test_any_damage_is_a_refusal_or_the_same_content(
    tmp_path: Path, order: str, at: int, data: bytes, cut: bool
) -> None:
    """Bytes changed or cut off anywhere: never an exception; if signed, never new content."""
    media_type, body = {
        "signed": (SIGNED, GOOD),
        "enveloped": (ENVELOPED, ENVELOPED_GOOD),
        "both": (ENVELOPED, BOTH_GOOD),
        "compressed": (COMPRESSED, COMPRESSED_GOOD),
    }[order]
    at %= len(body)
    damaged = body[:at] + data + (b"" if cut else body[at + len(data) // 2 :])
    outcome = opened(tmp_path, header_fields(media_type), damaged)
    if order in {"signed", "both"} and not hasattr(outcome, "failure"):
        assert Path(outcome.path).read_bytes() == BODY


ENVELOPED_GOOD = encrypted(ENTITY)
BOTH_GOOD = encrypted(signed(ENTITY))
COMPRESSED_GOOD = compressed(ENTITY)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    media_type=st.sampled_from(["text/xml", SIGNED, ENVELOPED, COMPRESSED, OPAQUE]) | st.text(),
    body=st.binary(max_size=200)
    | st.lists(st.sampled_from([b"--b", b"\r\n", ENTITY, SIGNATURE])).map(b"".join),
    encoding=st.sampled_from(["binary", "base64", "quoted-printable", "x"]),
)
def test_any_bytes_are_an_outcome(
    tmp_path: Path, media_type: str, body: bytes, encoding: str
) -> None:
    """Whatever comes, no exception leaves and no mistake of ours is hidden behind a refusal."""
    headers = header_fields(media_type, Content_Transfer_Encoding=encoding)
    opened(tmp_path, headers, body)


@layers
def test_a_full_disk_is_not_the_senders_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An OSError leaves as it is, so that the message is tried again; the folder is clean."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    body = folder(tmp_path) / "body"
    body.write_bytes(encrypted(ENTITY))
    monkeypatch.setattr(cms, "decrypt", full)
    into = folder(tmp_path)
    with pytest.raises(OSError, match="No space"):
        open_message(
            header_fields(ENVELOPED), body, into, identities=[], certificates=[], policy=LAX,
            limits=As2Limits(), on=NOW,
        )  # fmt: skip
    assert list(into.iterdir()) == []


@layers
def test_a_mistake_of_ours_is_still_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody foresaw is unexpected-processing-error, and says so to the operator."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    body = folder(tmp_path) / "body"
    body.write_bytes(encrypted(ENTITY))
    monkeypatch.setattr(cms, "decrypt", broken)
    into = folder(tmp_path)
    outcome = open_message(
        header_fields(ENVELOPED), body, into, identities=[], certificates=[], policy=LAX,
        limits=As2Limits(), on=NOW,
    )  # fmt: skip
    assert getattr(outcome, "failure", None) is Failure.UNEXPECTED
    assert "unforeseen: ZeroDivisionError" in str(outcome)
    assert list(into.iterdir()) == []
