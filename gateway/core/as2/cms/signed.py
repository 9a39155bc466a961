"""SignedData (RFC 5652 §5): whose signature it is, and whether it holds.

A signature is believed only if it was made with a certificate that the partner is configured
with. Certificates inside the message prove nothing and are not even looked at.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import BinaryIO, Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.hashes import Hash

from gateway.core.as2.cms import content_info
from gateway.core.as2.cms.algorithms import DIGESTS, HASHES, algorithm, digest_named
from gateway.core.as2.cms.ber import Reader
from gateway.core.as2.cms.der import SEQUENCE, SET, context, elements
from gateway.core.as2.cms.errors import AuthenticationFailed, CmsError, NotAllowed, NotCms
from gateway.core.as2.cms.keys import fingerprint
from gateway.core.as2.cms.signer import Signer, check_signer, read_scheme, read_signer
from gateway.model.as2 import Digest, SignatureScheme

_MAX_SIGNERS: Final = 16
_SHOWN: Final = 5

_Hashes = dict[Digest, Hash]


class _Signed(NamedTuple):
    """What a SignedData says. `named`: the digests of its head that are known here."""

    named: tuple[Digest, ...]
    signers: list[Signer]


def signature_digests(signature: bytes) -> tuple[Digest, ...]:
    """The digests a detached SignedData names, those of its signers first.

    Digests that are unknown here are left out. Raises NotCms; NotAllowed when none is left.
    """
    signed = _read(io.BytesIO(signature), _ignore)
    used = [DIGESTS.get(signer.digest.oid) for signer in signed.signers]
    digests = tuple(dict.fromkeys(digest for digest in (*used, *signed.named) if digest))
    if not digests and signed.signers:
        digest_named(signed.signers[0].digest)
    if not digests:
        raise NotAllowed("The signature names no digest.")
    return digests


def verify(
    signature: bytes,
    digest_of: Callable[[Digest], bytes],
    certificates: Sequence[x509.Certificate],
    *,
    allowed: Collection[Digest],
    on: datetime,
) -> tuple[Digest, SignatureScheme, str]:
    """Verify a detached SignedData, with or without signed attributes.

    `digest_of` gives the digest of the content that the signature stands beside, for one of
    `signature_digests`. One signer must be the owner of one of the partner's `certificates`, which
    must be valid at `on` (with a time zone); other signers do not count. Content inside the
    SignedData, which should not be there, is ignored.

    Returns how it was signed, and the fingerprint of the signer's certificate. Raises NotCms,
    NotAllowed, AuthenticationFailed, IntegrityFailed.
    """
    signed = _read(io.BytesIO(signature), _ignore)
    return _verified(signed, digest_of, certificates, allowed, on)


def verify_opaque(
    source: BinaryIO,
    sink: BinaryIO,
    certificates: Sequence[x509.Certificate],
    *,
    allowed: Collection[Digest],
    on: datetime,
) -> tuple[Digest, SignatureScheme, str]:
    """Verify a SignedData that holds its content, which is written to `sink` in one pass.

    When anything is raised, what stands in `sink` must not be used. Otherwise as `verify`.
    """
    hashing: _Hashes = {}

    def keep(named: tuple[Digest, ...], chunks: Iterator[bytes] | None) -> None:
        if chunks is None:
            raise NotCms("The signed message holds no content.")
        hashing.update((digest, Hash(HASHES[digest])) for digest in named if digest in allowed)
        for chunk in chunks:
            for one in hashing.values():
                one.update(chunk)
            sink.write(chunk)

    def digest_of(digest: Digest) -> bytes:
        if digest not in hashing:
            # RFC 5652 §5.3 lets us refuse this, and we hash but once.
            raise NotCms(f"The signer's digest {digest} is not announced before the content.")
        return hashing[digest].copy().finalize()

    return _verified(_read(source, keep), digest_of, certificates, allowed, on)


def _ignore(_named: tuple[Digest, ...], chunks: Iterator[bytes] | None) -> None:
    for _chunk in chunks or ():
        pass


def _read(
    source: BinaryIO, content: Callable[[tuple[Digest, ...], Iterator[bytes] | None], None]
) -> _Signed:
    """Read a SignedData; `content` gets the digests of its head, and what it holds."""
    reader = Reader(source)
    content_info.enter(reader, "signed")
    head = next(elements(reader.whole(reader.expect(SET))))
    known = [DIGESTS.get(algorithm(element).oid) for element in elements(head.content)]
    named = tuple(dict.fromkeys(digest for digest in known if digest))
    reader.enter(reader.expect(SEQUENCE))
    content_info.expect_data(reader)
    inside = content_info.explicit_octets(reader)
    content(named, None if inside is None else reader.octets(inside))
    if inside is not None:
        reader.leave()
    reader.leave()
    header = reader.expect(context(0), context(1), SET)
    for number in (0, 1):
        if header.tag == context(number):
            # Certificates and revocation lists.
            reader.skip(header)
            header = reader.expect(context(1), SET)
    if header.tag != SET:
        raise NotCms("The signers are missing.")
    signers = _signers(reader.whole(header))
    content_info.leave(reader)
    return _Signed(named, signers)


def _signers(encoded: bytes) -> list[Signer]:
    found = list(elements(next(elements(encoded)).content))
    if len(found) > _MAX_SIGNERS:
        raise NotCms(f"The message has more than {_MAX_SIGNERS} signers.")
    return [read_signer(element) for element in found]


def _verified(
    signed: _Signed,
    digest_of: Callable[[Digest], bytes],
    certificates: Sequence[x509.Certificate],
    allowed: Collection[Digest],
    on: datetime,
) -> tuple[Digest, SignatureScheme, str]:
    """The first signer of the partner whose signature holds; else what is wrong with the first."""
    failure: CmsError | None = None
    for signer in signed.signers:
        known = [one for one in certificates if signer.identifier.is_of(one)]
        if not known:
            continue
        try:
            return _verified_signer(signer, digest_of, known, allowed, on)
        except CmsError as error:
            failure = failure or error
    if failure is not None:
        raise failure
    names = ", ".join(str(signer.identifier) for signer in signed.signers[:_SHOWN])
    raise AuthenticationFailed(
        f"The message is signed by {names or 'nobody'}, and no certificate of the partner is that."
    )


def _verified_signer(
    signer: Signer,
    digest_of: Callable[[Digest], bytes],
    known: Sequence[x509.Certificate],
    allowed: Collection[Digest],
    on: datetime,
) -> tuple[Digest, SignatureScheme, str]:
    """Check a signer against the certificates it may mean: several may bear the same number."""
    how = read_scheme(signer)
    for digest in (how.digest, how.mask):
        if digest not in allowed:
            raise NotAllowed(f"The message is signed with {digest}, which is not allowed.")
    valid = [one for one in known if one.not_valid_before_utc <= on <= one.not_valid_after_utc]
    if not valid:
        raise AuthenticationFailed(
            f"The certificate of the signer ({signer.identifier}) is not valid:"
            f" it is from {known[0].not_valid_before_utc:%Y-%m-%d}"
            f" to {known[0].not_valid_after_utc:%Y-%m-%d}."
        )
    value = digest_of(how.digest)
    failure: CmsError | None = None
    for certificate in valid:
        try:
            check_signer(signer, how, value, certificate)
        except CmsError as error:
            failure = failure or error
        else:
            return how.digest, how.scheme, fingerprint(certificate)
    assert failure is not None
    raise failure
