"""AS2 with one partner, rehearsed on this machine: no socket, no message of theirs.

A stranger plays the partner, with a throw-away key but the names and algorithms of the partner's
file. It sends a sample the way the partner may, once with every algorithm that is allowed, and
reads our receipt; then it takes in a report of ours and answers. What does not fit is found here
and not in the first night: a key of ours that does not sign, an algorithm that is not there, a
policy that refuses what was agreed. What only the partner knows, its own key, is not rehearsed.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec.structs import replace

from gateway.cli.as2_rehearsal_words import (
    RECEIPT_DIFFERS,
    RECEIPT_REFUSED,
    REFUSED,
    UNMADE,
    WORDS,
    Wrong,
    protection,
    way,
)
from gateway.cli.cert_rotate import self_signed
from gateway.cli.probes import Outcome, Result
from gateway.config.certificates import in_use
from gateway.config.loader import Reading
from gateway.errors import Fault
from gateway.model.as2 import (
    As2Access,
    As2Limits,
    As2Receive,
    As2Send,
    Cipher,
    Digest,
    MdnMode,
    Opened,
    Packed,
)
from gateway.model.verdict import Language
from gateway.samples import SAMPLES, sample_bytes

if TYPE_CHECKING:
    from gateway.core.as2.cms import Identity

_MESSAGE_ID = "<rehearsal@edi-gateway.invalid>"
_MDN_URL = "http://edi-gateway.invalid/as2"
_STRANGER_BITS = 2048
_EVERYTHING = As2Receive(digests=tuple(Digest), ciphers=tuple(Cipher))


class _Side(NamedTuple):
    """Who signs, and under which name."""

    name: str
    identity: Identity
    encrypted_for: tuple[x509.Certificate, ...]


class _Failing(NamedTuple):
    """What would fail: the key of the partner's file to look at, the words, and what they name."""

    key: str
    wrong: Wrong
    values: Mapping[str, object]


def rehearse(
    reading: Reading, partner: str, access: As2Access, now: dt.datetime, language: Language
) -> Iterator[Outcome]:
    """An outcome for each exchange."""
    configuration = reading.configuration
    our_name = access.our_id or configuration.settings.as2.id
    identity = _signing(configuration.identities, now)
    if identity is None or not our_name:
        why = WORDS["nothing to rehearse with"].to(language)
        yield Outcome(check="as2", subject=partner, result=Result.SKIPPED, detail=why)
        return
    theirs = configuration.certificates.get(partner, ())
    stranger = throwaway_identity(access.id, now)
    us = _Side(our_name, identity, (identity.certificate,))
    them = _Side(access.id, stranger, (stranger.certificate,))
    file = str(reading.partner_files[partner])
    for send in incoming(access):
        what = way(access.id, our_name, protection(send, language), language)
        yield _outcome(file, what, _incoming(them, us, access, send, now), language)
    if not access.url:
        return
    what = way(our_name, access.id, protection(access.send, language), language)
    yield _outcome(file, what, _outgoing(us, them, access, now), language)
    real = in_use(theirs, now)
    if access.send.encrypt is not None and real is not None:
        what = way(our_name, access.id, WORDS["own certificate"].to(language), language)
        yield _outcome(file, what, _encrypted(us, access, real, now), language, "made")


def incoming(access: As2Access) -> list[As2Send]:
    """How the partner may send: between them, these use every algorithm it is allowed."""
    digests, ciphers = access.receive.digests, access.receive.ciphers
    count = max(len(digests), len(ciphers))
    return [
        replace(access.send, sign=digest, encrypt=cipher, mdn=MdnMode.SYNC, mdn_signed=True)
        for digest, cipher in islice(zip(cycle(digests), cycle(ciphers), strict=False), count)
    ]


def _incoming(
    them: _Side, us: _Side, access: As2Access, send: As2Send, now: dt.datetime
) -> _Failing | None:
    """A message of the partner's, and our receipt for it."""
    with tempfile.TemporaryDirectory() as folder:
        packed = _packed(Path(folder), them, us, send, now)
        if isinstance(packed, str):
            return _Failing("as2.receive", UNMADE, {"error": packed})
        return _exchanged(packed, them, us, access.receive, access.send, now)


def _outgoing(us: _Side, them: _Side, access: As2Access, now: dt.datetime) -> _Failing | None:
    """A report of ours, and the receipt of a partner that understands everything."""
    with tempfile.TemporaryDirectory() as folder:
        packed = _packed(Path(folder), us, them, access.send, now)
        if isinstance(packed, str):
            return _Failing("as2.send", UNMADE, {"error": packed})
        policy = replace(
            _EVERYTHING,
            require_signature=access.send.sign is not None,
            require_encryption=access.send.encrypt is not None,
        )
        return _exchanged(packed, us, them, policy, access.send, now)


def _encrypted(
    us: _Side, access: As2Access, certificate: x509.Certificate, now: dt.datetime
) -> _Failing | None:
    """A report of ours for the partner's own certificate, which nobody here can read."""
    them = _Side(access.id, us.identity, (certificate,))
    with tempfile.TemporaryDirectory() as folder:
        packed = _packed(Path(folder), us, them, access.send, now)
        if isinstance(packed, str):
            return _Failing("as2.certificates", UNMADE, {"error": packed})
        return None


def _packed(
    folder: Path, sender: _Side, recipient: _Side, send: As2Send, now: dt.datetime
) -> Packed | str:
    """The message, or why it cannot be made."""
    from gateway.core.as2 import pack

    payload = folder / "payload.xml"
    payload.write_bytes(sample_bytes(SAMPLES[0].file))
    try:
        return pack(
            payload,
            folder,
            filename=SAMPLES[0].file,
            content_type="application/xml",
            message_id=_MESSAGE_ID,
            as2_from=sender.name,
            as2_to=recipient.name,
            url_for_async_mdn=_MDN_URL,
            send=send,
            identity=sender.identity,
            recipient_certificates=recipient.encrypted_for,
            now=now,
        )
    except (ValueError, UnsupportedAlgorithm) as error:
        return str(error)


def _exchanged(
    packed: Packed,
    sender: _Side,
    recipient: _Side,
    policy: As2Receive,
    send: As2Send,
    now: dt.datetime,
) -> _Failing | None:
    """The recipient opens the message and answers; the sender reads the receipt."""
    from gateway.core.as2 import (
        HeaderFault,
        MdnFault,
        build_mdn,
        mdn_text,
        open_message,
        read_mdn,
        read_request,
    )

    body = Path(packed.path)
    opened = open_message(
        packed.headers,
        body,
        body.parent,
        identities=[recipient.identity],
        certificates=[sender.identity.certificate],
        policy=policy,
        limits=As2Limits(),
        on=now,
    )
    if not isinstance(opened, Opened):
        refused = {"failure": opened.failure, "why": opened.why}
        return _Failing("as2.receive", REFUSED, refused)
    request = read_request(packed.headers)
    if isinstance(request, HeaderFault) or request.mdn.mode is MdnMode.NONE:
        return None
    mdn = build_mdn(
        request,
        opened,
        identity=recipient.identity,
        scheme=send.signature,
        now=now,
        message_id=_MESSAGE_ID,
        reporting_ua="edi-gateway",
        text=mdn_text(opened, "en"),
    )
    said = read_mdn(
        mdn.headers,
        mdn.body,
        [recipient.identity.certificate],
        require_signed=request.mdn.signed,
        allowed=tuple(Digest),
        on=now,
    )
    if isinstance(said, MdnFault):
        refused = {"failure": said.failure, "why": said.why}
        return _Failing("as2.send", RECEIPT_REFUSED, refused)
    if said.mic != packed.mic or not said.processed:
        differs = {"disposition": said.disposition, "mic": said.mic, "expected": packed.mic}
        return _Failing("as2.send", RECEIPT_DIFFERS, differs)
    return None


def _outcome(
    file: str, subject: str, found: _Failing | None, language: Language, good: str = "taken"
) -> Outcome:
    if found is None:
        detail = WORDS[good].to(language)
        return Outcome(check="as2", subject=subject, result=Result.OK, detail=detail)
    what = found.wrong.what.to(language).format(**found.values)
    remedy = found.wrong.remedy.to(language)
    fault = Fault(file=file, key=found.key, what=what, remedy=remedy)
    return Outcome(check="as2", subject=subject, result=Result.FAULT, fault=fault)


def _signing(identities: Sequence[Identity], now: dt.datetime) -> Identity | None:
    """The one we sign with today; if none is valid, the newest: the dates are told elsewhere."""
    used = in_use([identity.certificate for identity in identities], now)
    return next((each for each in identities if each.certificate == used), None) or next(
        iter(identities), None
    )


def throwaway_identity(name: str, now: dt.datetime) -> Identity:
    """Somebody of that name: a fresh 2048-bit key, its certificate valid since yesterday."""
    from gateway.core.as2.cms import Identity

    key = rsa.generate_private_key(65537, _STRANGER_BITS)
    return Identity(self_signed(name, key, now - dt.timedelta(days=1)), key)
