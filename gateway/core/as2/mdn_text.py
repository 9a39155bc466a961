"""What a receipt says to people, in English and in French.

It is read by someone whose transmission just failed, at the other company, with nothing else at
hand. So it says what came, what is wrong and what to do. It does not say *how* a decryption or a
signature failed: such details help those who try keys, and the operator here has them in the log.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from gateway.model.as2 import Failure, Opened, Refused

Language = Literal["en", "fr"]


class _Words(NamedTuple):
    en: str
    fr: str


_TAKEN: Final = _Words(
    "The message was received intact. This is not yet a verdict on the invoices in it: that "
    "follows separately.",
    "Le message a été reçu intact. Ceci n'est pas encore un verdict sur les factures qu'il "
    "contient : celui-ci suivra séparément.",
)
_CONTENT: Final = _Words(
    "File: {name}\nSize: {size} bytes\nSHA-256: {sha256}\nProtection: {protection}",
    "Fichier : {name}\nTaille : {size} octets\nSHA-256 : {sha256}\nProtection : {protection}",
)
_UNNAMED: Final = _Words("(without a name)", "(sans nom)")
_SIGNED: Final = _Words("signed", "signé")
_ENCRYPTED: Final = _Words("encrypted", "chiffré")
_COMPRESSED: Final = _Words("compressed", "compressé")
_NONE: Final = _Words("none", "aucune")
_REFUSED: Final = _Words(
    "The message was NOT taken in. Nothing of it will be processed.",
    "Le message n'a PAS été accepté. Rien n'en sera traité.",
)
_DETAIL: Final = _Words("Detail: {why}", "Détail (en anglais) : {why}")

_WHY: Final = {
    Failure.DECRYPTION: _Words(
        "It could not be decrypted. Encrypt it for the current certificate of the recipient and "
        "send it again.",
        "Il n'a pas pu être déchiffré. Chiffrez-le avec le certificat actuel du destinataire, puis "
        "renvoyez-le.",
    ),
    Failure.AUTHENTICATION: _Words(
        "Its signature is by none of the certificates agreed with you, or cannot be read. Sign it "
        "with the agreed certificate, or give the recipient your new one, and send it again.",
        "Sa signature ne correspond à aucun des certificats convenus avec vous, ou est illisible. "
        "Signez-le avec le certificat convenu, ou remettez votre nouveau certificat au "
        "destinataire, puis renvoyez-le.",
    ),
    Failure.INTEGRITY: _Words(
        "Its content is not what was signed: it changed on the way. Send it again; if that does "
        "not help, look for equipment that rewrites messages.",
        "Son contenu n'est pas celui qui a été signé : il a changé en route. Renvoyez-le ; si cela "
        "ne suffit pas, cherchez un équipement qui réécrit les messages.",
    ),
    Failure.DECOMPRESSION: _Words(
        "It could not be decompressed, or is larger than allowed. Send it again, in smaller files "
        "or without compression.",
        "Il n'a pas pu être décompressé, ou dépasse la taille permise. Renvoyez-le, en fichiers "
        "plus petits ou sans compression.",
    ),
    Failure.SECURITY: _Words(
        "It is not protected as agreed. Sign and encrypt it with agreed algorithms and send it "
        "again.",
        "Il n'est pas protégé comme convenu. Signez-le et chiffrez-le avec les algorithmes "
        "convenus, puis renvoyez-le.",
    ),
    Failure.UNEXPECTED: _Words(
        "It could not be processed. Correct it and send it again; if nothing seems wrong with "
        "it, ask the recipient.",
        "Il n'a pas pu être traité. Corrigez-le et renvoyez-le ; s'il paraît correct, "
        "adressez-vous au destinataire.",
    ),
    Failure.UNSUPPORTED_FORMAT: _Words(
        "It asks for a kind of receipt that is not made here. Ask for a receipt signed with "
        "pkcs7-signature, or an unsigned one, and send it again.",
        "Il demande une forme d'accusé qui n'est pas produite ici. Demandez un accusé signé "
        "(pkcs7-signature) ou non signé, puis renvoyez-le.",
    ),
    Failure.UNSUPPORTED_MIC: _Words(
        "It asks for a receipt by a hash algorithm that may not be used here. Ask for sha-256 and "
        "send it again.",
        "Il demande un accusé avec un algorithme de hachage qui n'est pas permis ici. Demandez "
        "sha-256, puis renvoyez-le.",
    ),
}

_TOLD: Final = frozenset({Failure.SECURITY, Failure.UNEXPECTED, Failure.UNSUPPORTED_MIC})
"""Failures whose `why` the sender reads too: it is about form, not about keys."""


def mdn_text(outcome: Opened | Refused, language: Language | None = None) -> str:
    """The text part of a receipt (RFC 3798 §3): in one language, or English then French."""
    if language is None:
        return mdn_text(outcome, "en") + "\n-- \n\n" + mdn_text(outcome, "fr")

    def words(both: _Words) -> str:
        return both.fr if language == "fr" else both.en

    if isinstance(outcome, Refused):
        lines = [words(_REFUSED), words(_WHY[outcome.failure])]
        if outcome.failure in _TOLD:
            lines += ["", words(_DETAIL).format(why=outcome.why)]
        return "\n".join(lines) + "\n"
    security = outcome.security
    protection = [
        words(word)
        for word, there in (
            (_SIGNED, security.signed),
            (_ENCRYPTED, security.encrypted),
            (_COMPRESSED, security.compressed),
        )
        if there
    ]
    content = words(_CONTENT).format(
        name=outcome.filename or words(_UNNAMED),
        size=outcome.size,
        sha256=outcome.sha256,
        protection=", ".join(protection) or words(_NONE),
    )
    return f"{words(_TAKEN)}\n\n{content}\n"
