"""The words of the rehearsal of AS2, in both languages."""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.model.as2 import As2Send, Compression
from gateway.model.verdict import Language, Text


class Wrong(NamedTuple):
    """What would fail, and the way out."""

    what: Text
    remedy: Text


WORDS: Final = {
    "nothing to rehearse with": Text(
        en="we have no AS2 name, or no certificate, to rehearse with",
        fr="il nous manque un nom AS2, ou un certificat, pour faire l'essai",
    ),
    "way": Text(en="{sender} to {recipient}, {how}", fr="{sender} vers {recipient}, {how}"),
    "own certificate": Text(
        en="encrypted for its own certificate", fr="chiffré pour son propre certificat"
    ),
    "signed": Text(en="signed {digest} {scheme}", fr="signé {digest} {scheme}"),
    "not signed": Text(en="not signed", fr="non signé"),
    "not encrypted": Text(en="not encrypted", fr="non chiffré"),
    "taken": Text(en="taken, receipt sound", fr="accepté, accusé valable"),
    "made": Text(en="it can be made", fr="le message peut être produit"),
}
COMPRESSED: Final = {
    Compression.BEFORE_SIGNING: Text(
        en="compressed before-signing", fr="compressé avant la signature"
    ),
    Compression.AFTER_SIGNING: Text(
        en="compressed after-signing", fr="compressé après la signature"
    ),
}
UNMADE: Final = Wrong(
    Text(
        en="The message cannot be made: {error}.",
        fr="Le message ne peut pas être produit : {error}.",
    ),
    Text(
        en="Agree on other algorithms or certificates with the partner.",
        fr="Convenez d'autres algorithmes ou certificats avec le partenaire.",
    ),
)
REFUSED: Final = Wrong(
    Text(
        en="The message would be refused with {failure}: {why}",
        fr="Le message serait refusé avec {failure}. Détail (en anglais) : {why}",
    ),
    Text(
        en="Allow in [as2.receive] what the partner sends, or have it send otherwise.",
        fr="Autorisez dans [as2.receive] ce que le partenaire envoie, ou faites-le envoyer"
        " autrement.",
    ),
)
RECEIPT_REFUSED: Final = Wrong(
    Text(
        en="The receipt would be refused with {failure}: {why}",
        fr="L'accusé serait refusé avec {failure}. Détail (en anglais) : {why}",
    ),
    Text(
        en="Look at the dates of as2.identities: edi-gateway cert list",
        fr="Regardez les dates de as2.identities : edi-gateway cert list",
    ),
)
RECEIPT_DIFFERS: Final = Wrong(
    Text(
        en="The receipt says {disposition}, MIC {mic}; expected was {expected}.",
        fr="L'accusé dit {disposition}, MIC {mic} ; MIC attendu : {expected}.",
    ),
    Text(
        en="Report this as a bug: both sides of this exchange were the gateway's.",
        fr="Signalez cette anomalie du programme : la passerelle jouait les deux côtés de cet"
        " échange.",
    ),
)
WRONG: Final = (UNMADE, REFUSED, RECEIPT_REFUSED, RECEIPT_DIFFERS)
"""All that can fail."""


def way(sender: str, recipient: str, how: str, language: Language) -> str:
    """From whom to whom, and how it is protected."""
    return WORDS["way"].to(language).format(sender=sender, recipient=recipient, how=how)


def protection(send: As2Send, language: Language) -> str:
    """Signed, encrypted and compressed by what."""
    signed = WORDS["signed" if send.sign else "not signed"].to(language)
    parts = [
        signed.format(digest=send.sign, scheme=send.signature),
        f"{send.encrypt} {send.key_transport}"
        if send.encrypt
        else WORDS["not encrypted"].to(language),
    ]
    if send.compress in COMPRESSED:
        parts.append(COMPRESSED[send.compress].to(language))
    return ", ".join(parts)
