"""A flow as its file in flows/ describes it: what it matches, what judges it, where it goes.

The matching vocabulary is small and closed on purpose: whether two flows could ever match the
same document of the same partner can then be decided when the configuration is read.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from gateway.model.interchange import INVOICE_SYNTAXES, DocumentType, Syntax


class Attachments(StrEnum):
    """Whose conditions the files inside an invoice (BT-125) must meet: schemas/attachments.toml."""

    EN16931 = "en16931"
    CHORUS_PRO = "chorus-pro"


class FlowMatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every criterion that is given must hold; an empty one holds for every invoice.

    Lifecycle messages are for the flows that name their syntax. `profiles` are values of BT-24,
    exact, or a prefix ended by `*`. `interface_codes` are the first part of an envelope name
    (FSO1100A). With `by_name`, the flow is for those who name it: partners that list it, and the
    command line with --flow.
    """

    partners: tuple[str, ...] = ()
    interface_codes: tuple[str, ...] = ()
    syntaxes: tuple[Syntax, ...] = ()
    document_types: tuple[DocumentType, ...] = ()
    profiles: tuple[str, ...] = ()
    by_name: bool = False

    @property
    def taken_syntaxes(self) -> tuple[Syntax, ...]:
        """The syntaxes it matches."""
        return self.syntaxes or INVOICE_SYNTAXES


class Chain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which schema and rule packs judge a document of this syntax and profile.

    The first chain of the flow whose syntax and profiles fit is used; empty `profiles` fit all.
    `pdf` chains judge XML that came inside a PDF (Factur-X), and nothing else does.
    Names are those of schemas/catalogue.toml, or of Schematron beside the flow (`./acme.sch`);
    `rules` run in the order given.
    """

    syntax: Syntax
    pdf: bool = False
    profiles: tuple[str, ...] = ()
    schema: str
    rules: tuple[str, ...]


class PartnerRules(msgspec.Struct, frozen=True, kw_only=True):
    """Schematron that lies beside the flows, read: what a judge compiles, and nothing else.

    `name` is as chains name it, `./acme.sch`; `version` as the schema calls it, else the first
    digits of its sum. `sha256` covers the files it includes. `stylesheet` is XSLT.
    """

    name: str
    title: str
    version: str
    sha256: str
    stylesheet: str


class FlowFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One route through the gateway, as its file says it.

    With `envelope_names`, files must be named as the national platforms ask (core.naming); the
    members of an archive are exempt. `attachments`: the conditions that reject files inside an
    invoice; None: those of EN 16931 are only warned about, where no rule pack looks.
    `acknowledge_when`: acknowledgements leave once the broker has confirmed every result of their
    interchange, or as soon as the verdicts are committed to the journal.
    """

    name: str
    description: str = ""
    envelope_names: bool = False
    attachments: Attachments | None = None
    match: FlowMatch = FlowMatch()
    chain: tuple[Chain, ...]
    mapping: str = "en16931"
    acknowledgements: tuple[str, ...] = ("report",)
    acknowledge_when: Literal["confirmed", "committed"] = "confirmed"


class Flow(FlowFile, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A flow with the Schematron that its chains name and that lies beside it, read."""

    partner_rules: tuple[PartnerRules, ...] = ()


def is_partner_rules(name: str) -> bool:
    """Whether a chain means Schematron beside the flows by this name, and no official pack."""
    return name.startswith("./")


def profile_fits(pattern: str, profile: str) -> bool:
    """Whether BT-24 `profile` is what `pattern` (exact, or prefix ended by `*`) asks for."""
    if pattern.endswith("*"):
        return profile.startswith(pattern[:-1])
    return profile == pattern
