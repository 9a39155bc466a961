"""What two gateways can agree on: every option by name, cases that combine them, what must follow.

A case is one value of each option. `covering` gives few cases in which any three values of
different options stand together somewhere; `product` all combinations of what goes over the wire.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from gateway.model.as2 import (
    STRONG_CIPHERS,
    STRONG_DIGESTS,
    As2Access,
    As2Receive,
    As2Send,
    Cipher,
    Compression,
    Digest,
    KeyTransport,
    MdnMode,
    SignatureScheme,
)
from tests.service.as2.one_gateway import url
from tests.service.as2.two_gateways import LEFT_PORT, RIGHT_PORT

MDN_TIMEOUT: Final = 60.0
WIDE: Final = As2Receive(
    require_signature=False,
    require_encryption=False,
    digests=tuple(Digest),
    ciphers=tuple(Cipher),
    mdn_urls=(url(LEFT_PORT),),
)
"""Takes anything, SHA-1 and 3DES too."""
STRICT: Final = As2Receive(mdn_urls=(url(LEFT_PORT),))
"""As a partner file has it when it says nothing."""

NAMES: Final = (
    ("LEFT", "RIGHT"),
    ("left, with spaces", 'right "quoted" \\ back'),
    ("<" + "l" * 126 + ">", "r@right.example;x=y"),
)
FILENAMES: Final = ("invoice.xml", "été 2026; n°1.xml")
PAYLOADS: Final = (
    b"<Invoice>\r\n  <ID>FA-1</ID>\r\n</Invoice>\r\n",
    b"",
    bytes(range(256)) * 3,
    b"\n--=_edi_\r\n\r--\n\r\n.\r\n From \r",
    b"".join(b"<line>%d</line>\n" % number for number in range(5_000)),
)


class Case(NamedTuple):
    """One agreement and one file. `own_id`: our name stands in the partner file, not in as2.id."""

    sign: Digest | None
    signature: SignatureScheme
    encrypt: Cipher | None
    key_transport: KeyTransport
    compress: Compression
    base64: bool
    mdn: MdnMode
    mdn_signed: bool
    receipts: SignatureScheme
    left: As2Receive
    right: As2Receive
    names: tuple[str, str]
    own_id: bool
    filename: str
    payload: bytes
    in_spool: bool

    def agreed(self, *, mended: bool = False) -> tuple[As2Access, As2Access]:
        """What left's partner file says, and what right's; `mended`: both take anything."""
        ours, theirs = self.names
        left = As2Access(
            id=theirs,
            our_id=ours if self.own_id else "",
            url=url(RIGHT_PORT),
            receive=WIDE if mended else self.left,
            send=As2Send(
                sign=self.sign,
                signature=self.signature,
                encrypt=self.encrypt,
                key_transport=self.key_transport,
                compress=self.compress,
                base64=self.base64,
                mdn=self.mdn,
                mdn_signed=self.mdn_signed,
                mdn_timeout_seconds=MDN_TIMEOUT,
            ),
        )
        right = As2Access(
            id=ours,
            our_id=theirs if self.own_id else "",
            receive=WIDE if mended else self.right,
            send=As2Send(signature=self.receipts),
        )
        return left, right

    @property
    def wrapped(self) -> tuple[str, KeyTransport | None]:
        """What the message is from outside, and how its key travels."""
        if self.encrypt is not None:
            gcm = self.encrypt.endswith("gcm")
            return "authenveloped-data" if gcm else "enveloped-data", self.key_transport
        late = self.compress is Compression.AFTER_SIGNING or self.sign is None
        if self.compress is not Compression.NONE and late:
            return "compressed-data", None
        return "application/xml" if self.sign is None else "multipart/signed", None

    @property
    def taken(self) -> bool:
        """Whether right takes such a message."""
        strong = self.sign in STRONG_DIGESTS and self.encrypt in STRONG_CIPHERS
        return strong or self.right is WIDE

    @property
    def vouched(self) -> bool:
        """Whether left believes right's receipt, if it asks for one and right took the message.

        It is signed with the hash function of the MIC, which is that of the message.
        """
        return not (self.mdn_signed and self.sign is Digest.SHA1 and self.left is STRICT)

    @property
    def delivered(self) -> bool:
        """Whether left has then delivered it."""
        return self.taken and (self.mdn is MdnMode.NONE or self.vouched)


OPTIONS: Final[Mapping[str, Sequence[Any]]] = {
    "sign": (None, *Digest),
    "signature": tuple(SignatureScheme),
    "encrypt": (None, *Cipher),
    "key_transport": tuple(KeyTransport),
    "compress": tuple(Compression),
    "base64": (False, True),
    "mdn": tuple(MdnMode),
    "mdn_signed": (True, False),
    "receipts": tuple(SignatureScheme),
    "left": (WIDE, STRICT),
    "right": (WIDE, STRICT),
    "names": NAMES,
    "own_id": (False, True),
    "filename": FILENAMES,
    "payload": PAYLOADS,
    "in_spool": (False, True),
}
ON_THE_WIRE: Final = tuple(OPTIONS)[:9]
"""The options that decide how messages and receipts are made."""


def case(chosen: Mapping[str, int]) -> Case:
    """The case with these values, each by its number."""
    return Case(**{name: OPTIONS[name][index] for name, index in chosen.items()})


def covering(strength: int) -> list[Case]:
    """Cases in which any `strength` values of different options come together; always the same.

    Greedy: each case begins with a combination that is not covered yet, and takes of every other
    option, one after the other, the value that covers most with those it has.
    """
    names = list(OPTIONS)
    left = {
        combination
        for together in itertools.combinations(names, strength)
        for combination in itertools.product(
            *([(name, index) for index in range(len(OPTIONS[name]))] for name in together)
        )
    }
    waiting = sorted(left)
    cases = []
    while waiting:
        if waiting[-1] not in left:
            waiting.pop()
            continue
        chosen = dict(waiting[-1])
        for name in names:
            if name not in chosen:
                chosen[name] = max(
                    range(len(OPTIONS[name])),
                    key=lambda index: _gained(left, chosen, names, name, index, strength),
                )
        left -= set(itertools.combinations([(name, chosen[name]) for name in names], strength))
        cases.append(case(chosen))
    return cases


def _gained(
    left: set[tuple[tuple[str, int], ...]],
    chosen: Mapping[str, int],
    names: Sequence[str],
    name: str,
    index: int,
    strength: int,
) -> int:
    """How much a value covers, with the others that are chosen, that nothing covered before."""
    at = names.index(name)
    before = [(each, chosen[each]) for each in names[:at] if each in chosen]
    behind = [(each, chosen[each]) for each in names[at + 1 :] if each in chosen]
    return sum(
        (*early, (name, index), *late) in left
        for early_count in range(strength)
        for early in itertools.combinations(before, early_count)
        for late in itertools.combinations(behind, strength - 1 - early_count)
    )


def product() -> Iterator[Case]:
    """Every combination of what goes over the wire; the other options take turns."""
    others = [name for name in OPTIONS if name not in ON_THE_WIRE]
    ranges = [range(len(OPTIONS[name])) for name in ON_THE_WIRE]
    for number, indices in enumerate(itertools.product(*ranges)):
        chosen = dict(zip(ON_THE_WIRE, indices, strict=True))
        for place, name in enumerate(others):
            # Each in a step of its own, so that they do not always meet the same values.
            chosen[name] = number // (2 * place + 1) % len(OPTIONS[name])
        yield case(chosen)
