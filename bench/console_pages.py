"""How long the console's pages take on a large journal: through a real gateway, over HTTP."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import sqlalchemy as sa

from bench.console_visits import Visitor, login, settings
from gateway.service.journal import open_reader
from gateway.service.journal.tables import searchable
from tests.broker import free_port
from tests.gateway_process import GatewayProcess

_NAME = "bench"
_DOCUMENT = (
    sa.select(
        searchable.c.partner,
        searchable.c.interchange_id,
        searchable.c.number,
        searchable.c.seller_name,
        searchable.c.buyer_name,
    )
    .where(searchable.c.number.is_not(None), searchable.c.seller_name.is_not(None))
    .order_by(searchable.c.id)
    .limit(1)
)


class PageTime(NamedTuple):
    """One page: milliseconds of its first answer, of the others, and its size."""

    page: str
    first: float
    median: float
    slowest: float
    kb: float


class _Document(NamedTuple):
    """What is looked for."""

    partner: str
    interchange: str
    number: str
    seller: str
    buyer: str


def page_times(journal: Path, folder: Path, rounds: int) -> list[PageTime]:
    """Every page, `rounds` times over, with a copy of `journal` behind it.

    In each round all pages are asked for in turn, the searches with other words each time.
    """
    port = free_port()
    gateway = GatewayProcess(folder / "gateway", judges=1, settings=settings(port))
    gateway.state.mkdir(mode=0o700)
    shutil.copyfile(journal, gateway.state / "journal.sqlite")
    (gateway.state / "journal.sqlite").chmod(0o600)
    asked = [dict(_pages(journal, number)) for number in range(rounds)]
    try:
        gateway.start()
        visitor = Visitor(port, _NAME, login(gateway, _NAME))
        times: dict[str, list[float]] = {page: [] for page in asked[0]}
        sizes = dict.fromkeys(times, 0)
        for pages in asked:
            for name, path in pages.items():
                answer = visitor.get(path)
                if answer.status != 200:
                    raise SystemExit(f"{path}: {answer.status} {answer.body[:300]!r}")
                times[name].append(1000 * answer.seconds)
                sizes[name] = max(sizes[name], len(answer.body))
        visitor.close()
    finally:
        gateway.ensure_gone()
    return [
        PageTime(name, each[0], statistics.median(each[1:]), max(each[1:]), sizes[name] / 1000)
        for name, each in times.items()
    ]


def _pages(journal: Path, number: int) -> Iterator[tuple[str, str]]:
    """Each page by what it is called; `number` chooses what is looked for."""
    with open_reader(journal).connect() as conn:
        some = _some(conn, number)
    yield "flows", "/"
    yield "live numbers", "/events"
    yield "interchanges", "/interchanges"
    yield "interchanges of a partner", f"/interchanges?partner={quote(some.partner)}"
    yield "one interchange", f"/interchanges/{some.interchange}"
    yield "search: a whole number", f"/search?text={quote(some.number)}"
    yield "search: a beginning", f"/search?text={quote(some.number[:5])}"
    yield "search: seller", f"/search?text={quote(some.seller)}"
    yield "search: buyer, and rejected", f"/search?verdict=rejected&text={quote(some.buyer[:8])}"
    yield "search: nothing fits", f"/search?text=nothing-{number}-fits"
    yield "queue", "/queue"
    yield "quarantine", "/quarantine"
    yield "alerts", "/alerts"
    yield "partners", "/partners"
    yield "rules", "/rules"
    yield "statistics by month", "/statistics"
    yield "statistics by partner", "/statistics?by=partner"
    yield "audit", "/audit"


def _some(conn: sa.Connection, number: int) -> _Document:
    """A document somewhere in the journal, none twice."""
    last = conn.execute(sa.select(sa.func.max(searchable.c.id))).scalar_one()
    place = 1 + int(last * ((number * 0.618 + 0.3) % 1))
    return _Document(*conn.execute(_DOCUMENT.where(searchable.c.id >= place)).one())
