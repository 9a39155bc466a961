"""The crypto workers as the AS2 service sees them: a job goes in, its answer comes out."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TypeVar

import msgspec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from gateway.config import Configuration
from gateway.errors import WorkerDied
from gateway.model.as2 import As2Limits
from gateway.model.crypto import (
    SCRATCH_PREFIX,
    Counterpart,
    CryptoAnswer,
    CryptoBoot,
    CryptoJob,
    Key,
    OpenAnswer,
    OpenJob,
    PackAnswer,
    PackJob,
    ReadAnswer,
    ReadJob,
    RefuseJob,
)
from gateway.service.judges import Workers

_PROGRAM = b"gateway.crypto_worker"


def clear_after_the_dead(scratch: Path) -> None:
    """Remove what crypto workers that are no more left in their folders. Blocks."""
    for folder in scratch.glob(f"{SCRATCH_PREFIX}*"):
        if not _is_crypto_worker(folder.name.removeprefix(SCRATCH_PREFIX)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_crypto_worker(process: str) -> bool:
    """One that died a moment ago has no command line any more; its number may be another's."""
    try:
        return _PROGRAM in Path("/proc", process, "cmdline").read_bytes()
    except OSError:
        return False


T = TypeVar("T", OpenAnswer, PackAnswer, ReadAnswer)


def crypto_boot(configuration: Configuration) -> bytes:
    """The boot frame: our keys, the partners' certificates, and what is agreed with each."""
    as2 = configuration.settings.as2
    boot = CryptoBoot(
        keys=tuple(
            Key(
                certificate=identity.certificate.public_bytes(Encoding.DER),
                private_key=identity.private_key.private_bytes(
                    Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
                ),
            )
            for identity in configuration.identities
        ),
        partners={
            name: Counterpart(
                access=partner.as2,
                certificates=tuple(
                    certificate.public_bytes(Encoding.DER)
                    for certificate in configuration.certificates.get(name, ())
                ),
            )
            for name, partner in configuration.partners.items()
            if partner.as2 is not None and partner.enabled
        },
        limits=As2Limits(max_bytes=as2.max_bytes, max_ratio=as2.max_ratio),
        spool=str(Path(configuration.state) / "spool"),
        scratch=str(Path(configuration.state) / "scratch"),
    )
    return msgspec.msgpack.encode(boot)


class Crypto:
    """Speaks the crypto workers' language (MessagePack) to their pool.

    Its methods raise `WorkerDied`, `WorkerTimeout` or `WorkersBroken` when the worker failed, and
    `GatewayError` with its words when it could not do the job for a reason of our own.
    """

    def __init__(self, workers: Workers, *, large_bytes: int) -> None:
        self._workers = workers
        self._large_bytes = large_bytes
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(CryptoAnswer).decode

    async def open(self, job: OpenJob, size: int) -> OpenAnswer:
        """Take a message of `size` bytes out of its wrappings, and make its receipt."""
        return await self._run(job, OpenAnswer, size)

    async def refuse(self, job: RefuseJob) -> OpenAnswer:
        """The receipt for a message that is refused unopened."""
        return await self._run(job, OpenAnswer, 0)

    async def pack(self, job: PackJob, size: int) -> PackAnswer:
        """Make a message of a file of `size` bytes."""
        return await self._run(job, PackAnswer, size)

    async def read(self, job: ReadJob) -> ReadAnswer:
        """What a receipt says."""
        return await self._run(job, ReadAnswer, 0)

    async def _run(self, job: CryptoJob, kind: type[T], size: int) -> T:
        raw = await self._workers.run(
            self._encode(job), partner=job.partner, alone=size >= self._large_bytes
        )
        try:
            answer = self._decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise WorkerDied(
                f"A crypto worker answered with something unreadable: {error}.",
                remedy="Its program may have been replaced while it ran: restart the gateway.",
            ) from error
        if not isinstance(answer, kind):
            raise WorkerDied(
                f"A crypto worker answered with {type(answer).__name__}, not {kind.__name__}.",
                remedy="This is a fault in the gateway; please report it.",
            )
        return answer
