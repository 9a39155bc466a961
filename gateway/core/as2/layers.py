"""The layers of a message, each with the step that opens it; `opening` says which comes when.

A step gets the state, in which the layer's entity is at hand, and gives the next one, with the
entity that was inside. It raises `Stop`, `CmsError`, `Malformed` or `TooLarge` when the layer is
not good, and nothing else for anything a sender can do.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec
from cryptography import x509

from gateway.core.as2 import cms
from gateway.core.as2.fields import content_type, file_name, find
from gateway.core.as2.headers import As2Request
from gateway.core.as2.mic import choose_digest, mic_of
from gateway.core.as2.mime import (
    MAX_SIGNATURE_BYTES,
    SIGNATURE_TYPES,
    Entity,
    Malformed,
    Part,
    canonical,
    decode,
    read_entity,
    split_signed,
)
from gateway.core.as2.streams import Blob, Folder, Sink, digests
from gateway.model.as2 import (
    As2Limits,
    As2Receive,
    Cipher,
    Digest,
    Failure,
    Mic,
    Opened,
    Security,
    SignatureScheme,
)

AUTHENTICATED: Final = frozenset({Cipher.AES128_GCM, Cipher.AES192_GCM, Cipher.AES256_GCM})
"""Ciphers whose plain text is known to be what was encrypted (RFC 5084)."""


class Layer(StrEnum):
    """What an entity is. Those of CMS are called as `cms.kind_of` calls them."""

    MULTIPART_SIGNED = "multipart/signed"
    SIGNED = "signed"
    ENVELOPED = "enveloped"
    AUTH_ENVELOPED = "auth-enveloped"
    COMPRESSED = "compressed"
    PAYLOAD = "payload"


class Context(NamedTuple):
    """What stays the same while a message is opened."""

    request: As2Request
    folder: Folder
    identities: Sequence[cms.Identity]
    certificates: Sequence[x509.Certificate]
    policy: As2Receive
    limits: As2Limits
    on: dt.datetime

    @property
    def most(self) -> int:
        """Bytes of a layer: more than of a payload, which may be base64 in it and signed."""
        return self.limits.max_bytes * 3 // 2 + (10 << 20)

    def sink(self, state: State, times: int = 1) -> Sink:
        """What takes the entity inside the state's."""
        return self.folder.sink(f"layer-{state.layer + 1}", times * self.most)


class State(NamedTuple):
    """How far a message is opened."""

    entity: Entity
    security: Security = Security()
    mic: Mic | None = None
    layer: int = 0


class Stop(Exception):
    """The message is refused."""

    def __init__(self, failure: Failure, why: str) -> None:
        super().__init__(why)
        self.failure = failure


class _Hashes:
    """The hashes of a part, each computed once: its signature asks for one, its MIC mostly too."""

    def __init__(self, blob: Blob, part: Part) -> None:
        self._blob, self._part = blob, part
        self._values: dict[Digest, bytes] = {}

    def __call__(self, digest: Digest) -> bytes:
        if digest not in self._values:
            with self._blob.open(*self._part) as source:
                self._values |= digests(source, {digest})
        return self._values[digest]

    def mic(self, context: Context, signed: Digest | None) -> Mic | None:
        """The MIC over the part, if one is needed. `signed`: by what it was signed."""
        digest = choose_digest(context.request, context.policy, signed)
        return None if digest is None else mic_of(self(digest), digest)


def decrypt(state: State, context: Context) -> State:
    """Enveloped-data (RFC 5652 §6) and authenticated enveloped-data (RFC 5083)."""
    if state.security.encrypted:
        raise Stop(Failure.UNEXPECTED, "the message is encrypted twice")
    with state.entity.open_body() as source, context.sink(state) as sink:
        cipher, _transport, fingerprint = cms.decrypt(
            source, sink, context.identities, allowed=context.policy.ciphers, on=context.on
        )
    security = msgspec.structs.replace(state.security, encrypted=cipher, decrypted_with=fingerprint)
    # A wrong key for CBC gives good padding once in 256 times, and garbage: no header fields.
    failure = Failure.UNEXPECTED if cipher in AUTHENTICATED else Failure.DECRYPTION
    return _inside(state, context, sink.blob(), security, failure)


def decompress(state: State, context: Context) -> State:
    """Compressed-data (RFC 3274), on either side of the signature (RFC 5402 §3)."""
    if state.security.compressed:
        raise Stop(Failure.UNEXPECTED, "the message is compressed twice (RFC 5402 §3)")
    with state.entity.open_body() as source, context.sink(state) as sink:
        cms.decompress(source, sink, max_bytes=context.most, max_ratio=context.limits.max_ratio)
    security = msgspec.structs.replace(state.security, compressed=True)
    return _inside(state, context, sink.blob(), security, Failure.DECOMPRESSION)


def verify_opaque(state: State, context: Context) -> State:
    """Signed-data that holds what is signed (RFC 5751 §3.4.2)."""
    _only_signature(state)
    with state.entity.open_body() as source, context.sink(state) as sink:
        signed = cms.verify_opaque(
            source,
            sink,
            context.certificates,
            allowed=context.policy.digests,
            on=context.on,
        )
    blob = sink.blob()
    hashes = _Hashes(blob, Part(0, blob.size))
    state = state._replace(mic=hashes.mic(context, signed[0]))
    return _inside(state, context, blob, _signed(state, signed), Failure.UNEXPECTED)


def verify(state: State, context: Context) -> State:
    """multipart/signed (RFC 1847, RFC 5751 §3.4.3): the content stays where it is."""
    _only_signature(state)
    entity = state.entity
    part, signature_part = split_signed(entity)
    signature = _signature(
        read_entity(entity.blob, *signature_part, context.limits.max_header_bytes)
    )
    blob = entity.blob
    hashes = _Hashes(blob, part)
    try:
        signed = _verified(signature, hashes, context)
    except cms.IntegrityFailed:
        # Line breaks may have been changed on the way, and what was signed was canonical.
        with blob.open(*part) as source, context.sink(state, 2) as sink:
            changed = canonical(source, sink)
        if not changed:
            raise
        blob = sink.blob()
        part = Part(0, blob.size)
        hashes = _Hashes(blob, part)
        signed = _verified(signature, hashes, context)
    if blob is not entity.blob:
        context.folder.drop(entity.blob)
    return State(
        _entity(blob, part, context, Failure.UNEXPECTED),
        _signed(state, signed),
        hashes.mic(context, signed[0]),
        state.layer + 1,
    )


def _verified(
    signature: bytes, hashes: _Hashes, context: Context
) -> tuple[Digest, SignatureScheme, str]:
    """The signature, checked over the bytes of the part. Raises CmsError."""
    return cms.verify(
        signature, hashes, context.certificates, allowed=context.policy.digests, on=context.on
    )


def _signature(entity: Entity) -> bytes:
    """The second part of a multipart/signed, decoded. Raises Malformed."""
    value = content_type(entity.headers)
    if value is None or value.value not in SIGNATURE_TYPES:
        raise Malformed("the second part of the multipart/signed is no pkcs7-signature")
    if entity.end - entity.body > 2 * MAX_SIGNATURE_BYTES:
        raise Malformed("the signature is larger than any")
    sink = io.BytesIO()
    decode(entity, sink)
    return sink.getvalue()


def _only_signature(state: State) -> None:
    if state.security.signed:
        raise Stop(Failure.UNEXPECTED, "the message is signed twice")


def _signed(state: State, signed: tuple[Digest, SignatureScheme, str]) -> Security:
    digest, scheme, signer = signed
    return msgspec.structs.replace(state.security, signed=digest, signature=scheme, signer=signer)


def _inside(
    state: State, context: Context, blob: Blob, security: Security, failure: Failure
) -> State:
    """The next state, when a step wrote the entity inside to a blob of its own."""
    context.folder.drop(state.entity.blob)
    entity = _entity(blob, Part(0, blob.size), context, failure)
    return State(entity, security, state.mic, state.layer + 1)


def _entity(blob: Blob, part: Part, context: Context, failure: Failure) -> Entity:
    """The entity inside. Where there is none, the step before is told to have failed as given."""
    try:
        return read_entity(blob, *part, context.limits.max_header_bytes)
    except Malformed as error:
        raise Stop(failure, f"what is inside is no MIME entity: {error}") from error


def payload(state: State, context: Context) -> Opened:
    """The innermost entity: what the partner file requires is met, or it is not delivered."""
    entity, security = state.entity, state.security
    missing = [
        word
        for word, required, there in (
            ("signed", context.policy.require_signature, security.signed),
            ("encrypted", context.policy.require_encryption, security.encrypted),
        )
        if required and not there
    ]
    if missing:
        raise Stop(Failure.SECURITY, f"the message is not {' and not '.join(missing)}")
    path = context.folder.new("payload")
    with context.folder.sink(path.name, context.limits.max_bytes, Digest.SHA256) as sink:
        decode(entity, sink)
    blob = sink.blob()
    mic = state.mic
    if mic is None:
        wrapped = security.encrypted or security.compressed
        whole = Part(entity.start, entity.end)
        over = _Hashes(entity.blob, whole) if wrapped else _Hashes(blob, Part(0, blob.size))
        mic = over.mic(context, None)
    context.folder.drop(entity.blob)
    blob.save(path)
    field = find(entity.headers, "Content-Type")
    return Opened(
        path=str(path),
        sha256=sink.hexdigest(),
        size=sink.size,
        filename=file_name(entity.headers),
        content_type=field or ("text/plain" if state.layer else "application/octet-stream"),
        security=security,
        mic=mic,
    )
