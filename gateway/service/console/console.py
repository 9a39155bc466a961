"""All pages, behind their gate, as routes of the HTTP server."""

from __future__ import annotations

from gateway.service.console import notices
from gateway.service.console.account import Account
from gateway.service.console.acting import Acting
from gateway.service.console.alerts_page import AlertsPage
from gateway.service.console.audit_page import AuditPage
from gateway.service.console.document import DocumentPage
from gateway.service.console.downloads import Downloads
from gateway.service.console.flows_page import FlowsPage
from gateway.service.console.gate import Gate
from gateway.service.console.holds_page import HoldsPage
from gateway.service.console.interchange import InterchangePage
from gateway.service.console.interchange_list import InterchangeList
from gateway.service.console.layout import assets
from gateway.service.console.live import LiveNumbers
from gateway.service.console.login import Login
from gateway.service.console.partner_page import PartnerPage
from gateway.service.console.partners_page import PartnersPage
from gateway.service.console.proving import Proving
from gateway.service.console.quarantine_page import QuarantinePage
from gateway.service.console.queue import QueuePage
from gateway.service.console.replay_page import ReplayPage
from gateway.service.console.replays_page import ReplaysPage
from gateway.service.console.rules_page import RulesPage
from gateway.service.console.search_page import SearchPage
from gateway.service.console.sending import Sending
from gateway.service.console.sources import Sources
from gateway.service.console.statistics_page import StatisticsPage
from gateway.service.console.users_page import UsersPage
from gateway.service.console.visit import ROOT, Route, Visit, asset, go_to
from gateway.service.http_server import Answer, Handler


def pages(sources: Sources, *, late_hours: int) -> list[Route]:
    """Every page there is."""
    proving = Proving(sources)
    return [
        Route(method="GET", path=ROOT, page=_home, open=True),
        Route(method="GET", path=f"{ROOT}/assets/{{name}}", page=_asset, open=True),
        *Login(sources, proving).routes(),
        *Account(sources, proving).routes(),
        *FlowsPage(sources, late_hours=late_hours).routes(),
        *LiveNumbers(sources).routes(),
        *InterchangeList(sources).routes(),
        *InterchangePage(sources).routes(),
        *DocumentPage(sources).routes(),
        *Downloads(sources).routes(),
        *Acting(sources).routes(),
        *SearchPage(sources).routes(),
        *StatisticsPage(sources).routes(),
        *QueuePage(sources).routes(),
        *AlertsPage(sources).routes(),
        *QuarantinePage(sources).routes(),
        *HoldsPage(sources).routes(),
        *PartnersPage(sources).routes(),
        *PartnerPage(sources).routes(),
        *RulesPage(sources).routes(),
        *ReplaysPage(sources).routes(),
        *ReplayPage(sources).routes(),
        *AuditPage(sources).routes(),
        *UsersPage(sources, proving).routes(),
        *Sending(sources).routes(),
    ]


def console_routes(sources: Sources, *, late_hours: int) -> dict[str, Handler]:
    """For the listener: everything below `ROOT`."""
    gate = Gate(pages(sources, late_hours=late_hours), sources)
    return {ROOT: gate, f"{ROOT}/": gate}


async def _home(visit: Visit) -> Answer:
    return go_to(f"{ROOT}/")


async def _asset(visit: Visit) -> Answer:
    found = assets().get(visit.words["name"])
    return notices.not_found(visit.language) if found is None else asset(*found)
