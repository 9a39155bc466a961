"""What the daemon asks of a judge (a worker process), and the limits it judges within."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec

from gateway.model.flow import Flow
from gateway.model.verdict import Layer


class DocumentLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How large and how deep one XML document may be, counted after decompression.

    `max_bytes`: 100 MB is the limit of Chorus Pro and of AFNOR's BR-FR-19.
    """

    max_bytes: Annotated[int, msgspec.Meta(ge=1)] = 100_000_000
    max_depth: Annotated[int, msgspec.Meta(ge=1)] = 100
    max_elements: Annotated[int, msgspec.Meta(ge=1)] = 5_000_000


class WorkerBoot(msgspec.Struct, frozen=True, kw_only=True):
    """First frame a judge receives. `rule_packs` is the folder `rules import` fills."""

    flows: tuple[Flow, ...]
    rule_packs: str
    scratch: str
    limits: DocumentLimits = DocumentLimits()


class JudgeJob(msgspec.Struct, frozen=True, kw_only=True):
    """One payload to judge.

    `path` is the payload in the spool, `name` the name its sender gave it. `partner_flows` are
    the flows the partner may use (None: every flow, for the command line). `flow` forces a flow
    and skips routing. `layers` restricts the checks. `on` is the date on which the rule packs
    must be valid.
    """

    path: str
    name: str
    sha256: str
    size: int
    partner: str | None
    partner_flows: tuple[str, ...] | None
    on: dt.date
    flow: str | None = None
    layers: tuple[Layer, ...] | None = None
