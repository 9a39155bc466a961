"""A crypto worker: the child process that holds our private keys and works with them.

It opens AS2 messages and makes their receipts, packs messages of ours, and reads the receipts that
come back. Saxon is not here, so it is small and starts at once; the judges, where hostile invoices
are taken apart, hold no key. Bodies travel as files: a message of 1 GB passes through in pieces.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from gateway import durable, worker_loop
from gateway.core.as2 import (
    HeaderFault,
    MdnFault,
    build_mdn,
    mdn_text,
    open_message,
    pack,
    read_mdn,
    read_request,
)
from gateway.core.as2.cms import Identity, fingerprint
from gateway.errors import CryptoFailed
from gateway.garbage import collect_rarely, keep_large_blocks_apart
from gateway.model.as2 import As2Access, As2Limits, Headers, Mdn, MdnMode, Opened, Refused
from gateway.model.crypto import (
    SCRATCH_PREFIX,
    CryptoAnswer,
    CryptoBoot,
    CryptoJob,
    OpenAnswer,
    OpenJob,
    PackAnswer,
    PackJob,
    ReadAnswer,
    ReadJob,
    RefuseJob,
)
from gateway.spool import Spool
from gateway.worker_loop import Answer

REPORTING_UA = "edi-gateway"
"""How receipts name the program that made them (RFC 3798 §3.2.1). No version: nobody's business."""


class Partner(NamedTuple):
    """What is agreed with a partner, and its certificates, the newest first."""

    access: As2Access
    certificates: tuple[x509.Certificate, ...]
    encoded: dict[str, bytes]
    """The same in DER, by their SHA-256."""


class Desk:
    """The keys, the partners, and the work on them."""

    def __init__(self, boot: CryptoBoot) -> None:
        self._identities = tuple(_identity(key.certificate, key.private_key) for key in boot.keys)
        self._partners = {
            name: Partner(
                counterpart.access,
                tuple(x509.load_der_x509_certificate(der) for der in counterpart.certificates),
                {hashlib.sha256(der).hexdigest(): der for der in counterpart.certificates},
            )
            for name, counterpart in boot.partners.items()
        }
        self._limits: As2Limits = boot.limits
        self._spool = Spool(Path(boot.spool))
        self._scratch = Path(boot.scratch) / f"{SCRATCH_PREFIX}{os.getpid()}"
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="disk")

    def answered(self, job: CryptoJob) -> CryptoAnswer:
        """Do what is asked. Raises CryptoFailed when our own set-up stands in the way."""
        try:
            return self._done(job)
        except OSError as error:
            raise CryptoFailed(
                f"A file could not be read or written: {error}.",
                remedy="Check the space and the rights of the file system of paths.state.",
            ) from error

    def _done(self, job: CryptoJob) -> CryptoAnswer:
        match job:
            case OpenJob():
                return self._open(job)
            case PackJob():
                return self._pack(job)
            case ReadJob():
                return self._read(job)
            case RefuseJob():
                outcome, partner = job.outcome, self._partner(job.partner)
                mdn = self._receipt(job.headers, outcome, partner, job.now, job.mdn_id)
                return OpenAnswer(outcome=outcome, mdn=mdn)

    def _open(self, job: OpenJob) -> OpenAnswer:
        partner = self._partner(job.partner)
        self._scratch.mkdir(mode=0o700, exist_ok=True)
        body, on_disk = self._body(job)
        try:
            outcome = open_message(
                job.headers,
                body if job.body is None else job.body,
                self._scratch,
                identities=self._identities,
                certificates=partner.certificates,
                policy=partner.access.receive,
                limits=self._limits,
                on=job.now,
            )
            # The receipt first: what it cannot be made for has no place in the spool.
            mdn = self._receipt(job.headers, outcome, partner, job.now, job.mdn_id)
            if isinstance(outcome, Opened):
                on_disk.result()
                outcome = self._kept(job, body, outcome)
        finally:
            wait([on_disk])
            self._clear()
        signer = outcome.security.signer
        return OpenAnswer(outcome=outcome, mdn=mdn, certificate=partner.encoded.get(signer or ""))

    def _body(self, job: OpenJob) -> tuple[Path, Future[None]]:
        """The body as a file, and when it is fsynced: the disk works while we compute."""
        if job.body is None:
            done: Future[None] = Future()
            done.set_result(None)
            return Path(job.path), done
        path = self._scratch / "body"
        return path, self._disk.submit(_written, path, job.body)

    def _kept(self, job: OpenJob, body: Path, outcome: Opened) -> Opened:
        """Put body and payload into the spool. Raises OSError and `SpoolError`.

        Whoever hears of it makes them somebody's in the journal; until then they are nobody's,
        and after some time they are swept.
        """
        payload = Path(outcome.path)
        _sync(payload)
        other = self._disk.submit(self._spool.adopt, body, job.sha256, body.stat().st_size)
        self._spool.adopt(payload, outcome.sha256, outcome.size)
        other.result()
        return msgspec.structs.replace(outcome, path=str(self._spool.path(outcome.sha256)))

    def _clear(self) -> None:
        with os.scandir(self._scratch) as left:
            for entry in left:
                os.unlink(entry.path)

    def _receipt(
        self,
        headers: Headers,
        outcome: Opened | Refused,
        partner: Partner,
        now: dt.datetime,
        mdn_id: str,
    ) -> Mdn | None:
        request = read_request(headers, self._limits.max_header_bytes)
        if isinstance(request, HeaderFault) or request.mdn.mode is MdnMode.NONE:
            return None
        return build_mdn(
            request,
            outcome,
            identity=self._signing(now, outcome.security.decrypted_with),
            scheme=partner.access.send.signature,
            now=now,
            message_id=mdn_id,
            reporting_ua=REPORTING_UA,
            text=mdn_text(outcome),
        )

    def _pack(self, job: PackJob) -> PackAnswer:
        partner = self._partner(job.partner)
        identity = self._signing(job.now, job.known_to_partner)
        recipients = [each for each in partner.certificates if _valid(each, job.now)][:1]
        send = partner.access.send
        try:
            packed = pack(
                Path(job.path),
                Path(job.into),
                filename=job.filename,
                content_type=job.content_type,
                message_id=job.message_id,
                as2_from=job.our_id,
                as2_to=partner.access.id,
                url_for_async_mdn=job.mdn_url,
                send=send,
                identity=identity,
                recipient_certificates=recipients,
                now=job.now,
            )
        except ValueError as error:
            raise CryptoFailed(
                f"No message can be made for {job.partner}: {error}.",
                remedy="Run `edi-gateway cert list`: a certificate may have expired or be missing.",
            ) from error
        _sync(Path(packed.path))
        return PackAnswer(
            packed=packed,
            signed_with=identity.fingerprint if send.sign and identity else None,
            encrypted_for=fingerprint(recipients[0]) if send.encrypt else None,
        )

    def _read(self, job: ReadJob) -> ReadAnswer:
        partner = self._partner(job.partner)
        read = read_mdn(
            job.headers,
            job.body,
            partner.certificates,
            require_signed=partner.access.send.mdn_signed,
            allowed=partner.access.receive.digests,
            on=job.now,
        )
        if isinstance(read, MdnFault):
            return ReadAnswer(read=None, fault=f"{read.failure.value}: {read.why}")
        return ReadAnswer(read=read, certificate=partner.encoded.get(read.signer or ""))

    def _partner(self, name: str) -> Partner:
        try:
            return self._partners[name]
        except KeyError:
            raise CryptoFailed(
                f"Partner {name} has no AS2 access.",
                remedy="Give its file an [as2] table, and run: edi-gateway reload",
            ) from None

    def _signing(self, now: dt.datetime, known: str | None) -> Identity | None:
        """The identity to sign with: the newest valid one that the partner surely knows.

        While our certificate is being replaced the partner has the old one for a while: whichever
        it encrypts for, it has. Not knowing, the newest is taken.
        """
        valid = [each for each in self._identities if _valid(each.certificate, now)]
        for each in valid:
            if each.fingerprint == known:
                return each
        return valid[0] if valid else None


def build(boot_payload: bytes) -> Answer:
    """What answers the jobs of a worker that was booted so. Raises ValueError for unusable keys."""
    desk = Desk(msgspec.msgpack.decode(boot_payload, type=CryptoBoot))
    jobs = msgspec.msgpack.Decoder(CryptoJob)
    encode = msgspec.msgpack.Encoder().encode
    return lambda payload: encode(desk.answered(jobs.decode(payload)))


def _identity(certificate: bytes, private_key: bytes) -> Identity:
    key = load_der_private_key(private_key, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("an AS2 identity has an RSA key")  # noqa: TRY004 - a bad value
    return Identity(x509.load_der_x509_certificate(certificate), key)


def _valid(certificate: x509.Certificate, now: dt.datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _written(path: Path, data: bytes) -> None:
    """A new file, on disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        durable.fsync(file.fileno(), "as2.body")


def _sync(path: Path) -> None:
    """The daemon gives the file its name in the spool; its bytes have to be on disk before."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        durable.fsync(fd, "as2.payload")
    finally:
        os.close(fd)


def main() -> int:
    """Entry point of `python -m gateway.crypto_worker`."""
    os.umask(0o027)  # what it stores is the gateway's and its group's
    keep_large_blocks_apart()
    collect_rarely()
    return worker_loop.main(build)


if __name__ == "__main__":
    sys.exit(main())
