"""A message that came → the payload in it, or why there is none.

An AS2 message is an entity in wrappings: encrypted, compressed, signed, in any order that the
sender and RFC 4130 §5, RFC 5402 §3 like. Opening it is a walk. The state is the entity at hand and
what is known so far; the entity's Content-Type, and for CMS the bytes themselves, say which layer
it is; the layer's step gives the next state. It ends at the payload or at a refusal:

  what the entity is                          step              what a bad one is called
  ------------------------------------------  ----------------  --------------------------------
  multipart/signed                            verify            authentication-failed
  application/pkcs7-mime: signed-data         verify_opaque     authentication-failed
  application/pkcs7-mime: enveloped-data      decrypt           decryption-failed
  application/pkcs7-mime: auth-enveloped      decrypt           decryption-failed
  application/pkcs7-mime: compressed-data     decompress        decompression-failed
  another multipart/*, message/*, a lone      (none)            unexpected-processing-error
    signature
  anything else                               payload           unexpected-processing-error

Three rules keep an unsigned message from being taken for a signed one. A step leads only *into*
what it verified, so beside a signature there is nothing. Each protection stands at most once, so
what `Security` says of it is said of the whole payload. And what the partner file requires is
asked at the payload, of what was done and not of what was announced.

Every layer is a blob, and where that is a file, it is deleted as soon as the next one is there.
After a refusal there is none left. An OSError is ours and not the sender's: it leaves as it is, the
message can be opened again, and the folder is clean.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from cryptography import x509

from gateway.core.as2 import cms
from gateway.core.as2.fields import FieldError, content_type, find, transfer_encoding
from gateway.core.as2.headers import As2Request, HeaderFault, read_request
from gateway.core.as2.layers import (
    Context,
    Layer,
    State,
    Stop,
    decompress,
    decrypt,
    payload,
    verify,
    verify_opaque,
)
from gateway.core.as2.mic import NoCommonDigest, choose_digest
from gateway.core.as2.mime import PLAIN_ENCODINGS, SIGNATURE_TYPES, Entity, Malformed, decode
from gateway.core.as2.streams import Blob, Folder, TooLarge
from gateway.model.as2 import As2Limits, As2Receive, Failure, Headers, Opened, Refused

STEPS: Final[dict[Layer, Callable[[State, Context], State]]] = {
    Layer.MULTIPART_SIGNED: verify,
    Layer.SIGNED: verify_opaque,
    Layer.ENVELOPED: decrypt,
    Layer.AUTH_ENVELOPED: decrypt,
    Layer.COMPRESSED: decompress,
}
"""What opens which layer. At the payload the walk ends."""

FAILURE_OF_LAYER: Final = {
    Layer.MULTIPART_SIGNED: Failure.AUTHENTICATION,
    Layer.SIGNED: Failure.AUTHENTICATION,
    Layer.ENVELOPED: Failure.DECRYPTION,
    Layer.AUTH_ENVELOPED: Failure.DECRYPTION,
    Layer.COMPRESSED: Failure.DECOMPRESSION,
    Layer.PAYLOAD: Failure.UNEXPECTED,
}
"""What a layer is refused as when its bytes are not what they should be."""

FAILURE_OF_ERROR: Final[tuple[tuple[type[cms.CmsError], Failure], ...]] = (
    (cms.DecryptionFailed, Failure.DECRYPTION),
    (cms.AuthenticationFailed, Failure.AUTHENTICATION),
    (cms.IntegrityFailed, Failure.INTEGRITY),
    (cms.DecompressionFailed, Failure.DECOMPRESSION),
    (cms.NotAllowed, Failure.SECURITY),
)

ADVICE: Final = {
    Failure.DECRYPTION: "The sender must encrypt for the current certificate of this gateway.",
    Failure.AUTHENTICATION: "Compare the certificate the sender signs with with those of its "
    "partner file, and their validity.",
    Failure.INTEGRITY: "The bytes changed after they were signed; the sender must send again.",
    Failure.DECOMPRESSION: "The sender must compress again, with zlib as RFC 3274 has it.",
    Failure.SECURITY: "The sender must protect the message as agreed; see `receive` in its "
    "partner file.",
    Failure.UNEXPECTED: "The sender must send one file as RFC 4130 has it.",
    Failure.UNSUPPORTED_FORMAT: "The sender must ask for a pkcs7-signature or an unsigned receipt.",
    Failure.UNSUPPORTED_MIC: "The sender must ask for a MIC by one of these, or allow sha-1 in "
    "its partner file.",
}

_CMS_TYPES: Final = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_ANNOUNCED: Final = {
    "signed-data": Layer.SIGNED,
    "compressed-data": Layer.COMPRESSED,
    "authenveloped-data": Layer.AUTH_ENVELOPED,
}
_MAX_WHY: Final = 500


def open_message(
    headers: Headers,
    body: Path | bytes,
    into: Path,
    *,
    identities: Sequence[cms.Identity],
    certificates: Sequence[x509.Certificate],
    policy: As2Receive,
    limits: As2Limits,
    on: dt.datetime,
) -> Opened | Refused:
    """Take a message out of its wrappings (RFC 4130 §5).

    `body` is its file, or its bytes where they are in memory anyway; `headers` are those of the
    HTTP request; `identities` our keys, `certificates` those the partner signs with, `on` the time
    their validity is asked for. The payload is a new file in `into`, a folder for this message
    alone; the caller deletes it, and syncs it if it must last.

    Raises OSError and MemoryError only: then the trouble is ours.
    """
    request = read_request(headers, limits.max_header_bytes)
    if isinstance(request, HeaderFault):
        return Refused(failure=Failure.UNEXPECTED, why=str(request))
    refusal = _not_worth_opening(headers, request, policy)
    if refusal is not None:
        return refusal
    folder = Folder(into)
    context = Context(request, folder, identities, certificates, policy, limits, on)
    blob = Blob(body)
    state = State(Entity(headers, blob, 0, 0, blob.size))
    layer = Layer.PAYLOAD
    try:
        while (layer := _announced(state, limits)) is not Layer.PAYLOAD:
            if layer is not Layer.MULTIPART_SIGNED:
                state = _decoded(state, context)
                layer = _kind(state)
            state = STEPS[layer](state, context)
        return payload(state, context)
    except Stop as stop:
        failure, why = stop.failure, str(stop)
    except cms.CmsError as error:
        failure, why = _failure(error, layer), str(error)
    except Malformed as error:
        failure, why = FAILURE_OF_LAYER[layer], str(error)
    except (TooLarge, FieldError) as error:
        failure, why = Failure.UNEXPECTED, str(error)
    except (OSError, MemoryError):
        folder.clear()
        raise
    except Exception as error:
        # A mistake of ours that their bytes brought out: the sender gets an answer all the same.
        failure, why = Failure.UNEXPECTED, f"unforeseen: {error!r}"
    folder.clear()
    where = f"layer {state.layer + 1}, {layer}" if state.layer < limits.max_layers else "layers"
    why = f"In {where}: {why[:_MAX_WHY].rstrip('.')}. {ADVICE[failure]}"
    return Refused(failure=failure, why=why, security=state.security)


def _announced(state: State, limits: As2Limits) -> Layer:
    """The layer by its Content-Type. Raises Stop for what AS2 has no use for, and FieldError."""
    value = content_type(state.entity.headers)
    media_type = value.value if value else ""
    if media_type in SIGNATURE_TYPES:
        raise Stop(Failure.UNEXPECTED, "there is a signature, but not what it signs")
    if media_type == "multipart/signed":
        layer = Layer.MULTIPART_SIGNED
    elif media_type.startswith(("multipart/", "message/")):
        raise Stop(Failure.UNEXPECTED, f"the content is {media_type:.80}, not one file")
    elif value and media_type in _CMS_TYPES:
        smime_type = value.parameters.get("smime-type", "").lower()
        layer = _ANNOUNCED.get(smime_type, Layer.ENVELOPED)
    else:
        return Layer.PAYLOAD
    if state.layer == limits.max_layers:
        raise Stop(Failure.UNEXPECTED, f"there are more than {limits.max_layers} layers")
    return layer


def _kind(state: State) -> Layer:
    """The layer by its bytes: smime-type is often wrong or missing (RFC 5751 §3.2.2)."""
    with state.entity.open_body() as source:
        return Layer(cms.kind_of(source))


def _decoded(state: State, context: Context) -> State:
    """The state with the transfer encoding of CMS taken off.

    Multiparts have none (RFC 2045 §6.4); what a product writes there is that of a part.
    """
    entity = state.entity
    if transfer_encoding(entity.headers) in PLAIN_ENCODINGS:
        return state
    with context.folder.sink(f"layer-{state.layer + 1}-decoded", context.most) as sink:
        decode(entity, sink)
    context.folder.drop(entity.blob)
    return state._replace(entity=Entity(entity.headers, sink.blob(), 0, 0, sink.size))


def _failure(error: cms.CmsError, layer: Layer) -> Failure:
    """The table's words. Of compressions only zlib is known; that has nothing to do with safety."""
    if layer is Layer.COMPRESSED:
        return Failure.DECOMPRESSION
    for kind, failure in FAILURE_OF_ERROR:
        if isinstance(error, kind):
            return failure
    return FAILURE_OF_LAYER[layer]


def _not_worth_opening(headers: Headers, request: As2Request, policy: As2Receive) -> Refused | None:
    """Why the header fields alone refuse the message."""
    if request.refusal is not None:
        return request.refusal
    try:
        choose_digest(request, policy, None)
        encoding = find(headers, "Content-Encoding") or "identity"
    except NoCommonDigest:
        failure = Failure.UNSUPPORTED_MIC
        why = f"The receipt requires a MIC by an algorithm other than {', '.join(policy.digests)}."
    except FieldError as error:
        failure, why = Failure.UNEXPECTED, f"Content-Encoding: {error}."
    else:
        if encoding.lower() == "identity":
            return None
        failure, why = Failure.UNEXPECTED, "HTTP's Content-Encoding is not used here."
    return Refused(failure=failure, why=f"{why} {ADVICE[failure]}")
