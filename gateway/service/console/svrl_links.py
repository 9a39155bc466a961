"""Where the SVRL reports on a document are to be had: one for each rule pack that judged it."""

from __future__ import annotations

from gateway.core.acknowledgement.markup import Html, element
from gateway.service.console.elements import lines
from gateway.service.console.visit import ROOT
from gateway.service.journal import records
from gateway.service.svrl_reports import packs_of


def svrl_links(document: records.DocumentRow) -> Html | None:
    """The links, by pack and version; None when no pack judged."""
    here = f"{ROOT}/interchanges/{document.interchange_id}/documents/{document.ordinal}/svrl"
    links = [
        element("a", f"{each.pack} {each.version}", href=f"{here}/{each.sha256}", download="")
        for each in packs_of(document)
    ]
    return lines(*links) if links else None
