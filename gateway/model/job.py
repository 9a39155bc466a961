"""What the daemon asks of a judge (a worker process), and the limits it judges within."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec

from gateway.model.container import ContainerLimits
from gateway.model.flow import Flow
from gateway.model.verdict import Finding, Judgement, Layer, PackReference


class DocumentLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How large and how deep one XML document may be, counted after decompression.

    `max_bytes`: 100 MB is the limit of Chorus Pro and of AFNOR's BR-FR-19.
    """

    max_bytes: Annotated[int, msgspec.Meta(ge=1)] = 100_000_000
    max_depth: Annotated[int, msgspec.Meta(ge=1)] = 100
    max_elements: Annotated[int, msgspec.Meta(ge=1)] = 5_000_000


class WorkerBoot(msgspec.Struct, frozen=True, kw_only=True):
    """First frame a judge receives.

    `rule_packs` is the folder `rules import` fills, `directory` that of `directory import`; "":
    there is none.
    """

    flows: tuple[Flow, ...]
    rule_packs: str
    scratch: str
    directory: str = ""
    limits: DocumentLimits = DocumentLimits()
    containers: ContainerLimits = ContainerLimits()


class JudgeJob(msgspec.Struct, frozen=True, kw_only=True, tag="judge"):
    """One payload to judge, or one member of an archive.

    `path` is the file to read, `name` the name its sender gave it, `archive` the name of the
    archive it is a member of, if it is. `unpack_to`: where the members go when the payload turns
    out to be an archive, in at most `disk_bytes` of room; None: it must not be one, for archives
    inside archives are refused. `partner_flows` are the flows the partner may use (None: every
    flow, for the command line). `flow` forces a flow and skips routing. `layers` restricts the
    checks. `on` is the day whose versions of the rule packs judge. `files_to`: where the files
    attached to the invoice (BT-125) go, each named by its SHA-256, when it is accepted; None:
    nowhere.
    """

    path: str
    name: str
    sha256: str
    size: int
    partner: str | None
    partner_flows: tuple[str, ...] | None
    on: dt.date
    archive: str | None = None
    unpack_to: str | None = None
    disk_bytes: int | None = None
    flow: str | None = None
    layers: tuple[Layer, ...] | None = None
    files_to: str | None = None

    @property
    def envelope(self) -> str:
        """The name the interchange was sent under: that of the archive, for a member."""
        return self.archive or self.name


class Unpacked(msgspec.Struct, frozen=True, kw_only=True):
    """The payload was an archive: its members are in `JudgeJob.unpack_to`, listed in a manifest.

    `refused`: why the archive as a whole cannot be used; then no member is. `no_room`: why it
    could not be unpacked for now, the disk being too full; nobody's fault, to be tried again.
    """

    members: int = 0
    documents: int = 0
    refused: Finding | None = None
    no_room: str | None = None


class JudgeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge answers: exactly one of the two."""

    judgement: Judgement | None = None
    unpacked: Unpacked | None = None


class SvrlJob(msgspec.Struct, frozen=True, kw_only=True, tag="svrl"):
    """The SVRL report of one rule pack on a document, into a new file of at most `most_bytes`.

    `pack` is the very version that judged it, as its judgement names it.
    """

    document: JudgeJob
    pack: PackReference
    into: str
    most_bytes: int


class SvrlAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How many bytes were written."""

    size: int


class MessageJob(msgspec.Struct, frozen=True, kw_only=True, tag="messages"):
    """Lifecycle messages (CDAR) of ours to check before they leave, by the rules of day `on`."""

    messages: tuple[bytes, ...]
    on: dt.date


class MessageAnswer(msgspec.Struct, frozen=True):
    """What is wrong with each message, in their order; nothing where it is valid."""

    findings: tuple[tuple[Finding, ...], ...]
