"""What watches the gateway: metrics in Prometheus' form, alive or not, ready or not."""

from __future__ import annotations

import dataclasses
import datetime as dt
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from gateway.config.settings import Management, ManagementTls
from gateway.errors import AddressUnavailable
from gateway.service.certificate_watch import CertificateWatch
from gateway.service.management import ManagementServer
from gateway.service.metrics import CONTENT_TYPE, GatewayMetrics
from gateway.service.worker_jobs import PoolStatus, WorkerState, WorkerStatus
from tests.config.as2_folder import PARTNER, As2Folder
from tests.config.certificates import certificate, key_pem, pem, today

STATUS = PoolStatus(
    size=2,
    queued=3,
    workers=(
        WorkerStatus(pid=1, state=WorkerState.BUSY, seconds=1.0, jobs=1, rss_mb=40.0),
        WorkerStatus(pid=2, state=WorkerState.IDLE, seconds=1.0, jobs=1, rss_mb=40.0),
    ),
    deaths=4,
    broken=None,
)


def noon() -> dt.datetime:
    """Half a day into today."""
    return today() + dt.timedelta(hours=12)


def watch_of(folder: As2Folder, log: Any = None) -> CertificateWatch:
    """The certificates of this folder, at noon."""
    return CertificateWatch(folder.load(), log=log or structlog.get_logger(), now=noon)


def metrics_of(certificates: CertificateWatch, as2: Counter[str] | None = None) -> GatewayMetrics:
    """With one pool and one gauge."""
    return GatewayMetrics(
        certificates=certificates,
        pools={"crypto": lambda: STATUS},
        as2=as2 if as2 is not None else Counter(),
        unmapped=Counter({"ctc-fr-invoice": 12}),
        gauges={"interchanges_waiting": ("Waiting.", lambda: 7)},
    )


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """(name, labels) → value, read by Prometheus' own reader."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


@pytest.fixture
def folder(tmp_path: Path) -> As2Folder:
    """Ours, and a partner with an old certificate, a new one, and the new one once more."""
    made = As2Folder(tmp_path)
    old, new = certificate("acme", days=(-300, -2)), certificate("acme", days=(-9, 9))
    made.put("old.pem", pem(old))
    made.put("new.pem", pem(new))
    made.put("again.pem", pem(new))
    made.partner(PARTNER.replace('"acme.pem"', '"old.pem", "new.pem", "again.pem"'))
    return made


def test_days_to_expiry_of_every_certificate_in_use(folder: As2Folder) -> None:
    """One series for each: ours and theirs, the expired one below zero; of disabled ones none."""
    watch = watch_of(folder)
    found = {
        labels: days
        for (name, labels), days in samples(metrics_of(watch).text()).items()
        if name == "edi_gateway_certificate_expiry_days"
    }
    days = {
        (dict(labels)["owner"], dict(labels)["partner"], dict(labels)["file"]): []
        for labels in found
    }
    for labels, left in found.items():
        kept = dict(labels)
        days[kept["owner"], kept["partner"], kept["file"]].append(round(left))
    assert {key: sorted(each) for key, each in days.items()} == {
        ("ours", "", "ours.pem"): [300],
        ("partner", "acme", "old.pem"): [-2],
        ("partner", "acme", "new.pem"): [9],
        ("partner", "acme", "again.pem"): [9],
    }
    serials = {f"{held.certificate.serial_number:x}" for held in folder.load().held}
    assert {dict(labels)["serial"] for labels in found} == serials
    folder.partner(PARTNER.replace('name = "acme"', 'name = "acme"\nenabled = false'))
    watch.take(folder.load())
    assert b'partner="acme"' not in metrics_of(watch).text()


def test_other_numbers(folder: As2Folder) -> None:
    """Messages by outcome, workers by state, what waits; and the process itself."""
    found = samples(metrics_of(watch_of(folder), Counter(received=5, refused=1)).text())
    assert found["edi_gateway_as2_messages_total", (("outcome", "received"),)] == 5
    assert found["edi_gateway_as2_messages_total", (("outcome", "refused"),)] == 1
    pool = ("pool", "crypto")
    assert found["edi_gateway_workers", (pool, ("state", "busy"))] == 1
    assert found["edi_gateway_workers", (pool, ("state", "booting"))] == 0
    assert found["edi_gateway_worker_queue", (pool,)] == 3
    assert found["edi_gateway_worker_deaths_total", (pool,)] == 4
    assert found["edi_gateway_workers_broken", (pool,)] == 0
    assert found["edi_gateway_interchanges_waiting", ()] == 7
    assert found["edi_gateway_unmapped_values_total", (("flow", "ctc-fr-invoice"),)] == 12
    assert found["process_start_time_seconds", ()] > 0


@pytest.mark.parametrize(("days", "warned"), [(29, True), (30, False), (-1, True)])
def test_who_watches_is_warned_in_time(tmp_path: Path, days: int, warned: bool) -> None:
    """By a line for the last certificate of each owner, below as2.expiry_warning_days."""
    folder = As2Folder(tmp_path)
    folder.put("acme.pem", pem(certificate("acme", days=(-9, days))))
    said = structlog.testing.CapturingLogger()
    watch_of(folder, structlog.wrap_logger(said, processors=[])).warn()
    lines = [call.kwargs for call in said.calls if call.method_name == "warning"]
    assert [(each["event"], each["partner"]) for each in lines] == (
        [("certificate_expiry", "acme")] if warned else []
    )
    assert all("cert import FILE --partner acme" in each["remedy"] for each in lines)


def test_a_reload_may_change_when_to_warn(tmp_path: Path) -> None:
    """The setting of the configuration in force counts."""
    configuration = As2Folder(tmp_path).load()
    said = structlog.testing.CapturingLogger()
    log = structlog.wrap_logger(said, processors=[])
    watch = CertificateWatch(configuration, log=log, now=noon)
    watch.warn()
    assert said.calls == []
    as2 = replace(configuration.settings.as2, expiry_warning_days=1000)
    settings = replace(configuration.settings, as2=as2)
    watch.take(dataclasses.replace(configuration, settings=settings))
    watch.warn()
    assert {call.kwargs["partner"] for call in said.calls} == {None, "acme"}


@asynccontextmanager
async def served(
    folder: As2Folder, unready: Callable[[], str], port: int = 0, tls: ManagementTls | None = None
) -> AsyncIterator[ManagementServer]:
    """A listener on loopback."""
    server = ManagementServer(
        reactor,
        Management(enabled=True, port=port, tls=tls or ManagementTls()),
        metrics=metrics_of(watch_of(folder)),
        unready=unready,
        log=structlog.get_logger(),
        incoming=folder.root,
        in_thread=deferToThread,
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def fetched(server: ManagementServer, path: str, method: str = "GET") -> tuple[int, str, str]:
    """Status, content type and body."""

    def fetch() -> tuple[int, str, str]:
        url = f"http://127.0.0.1:{server.port}{path}"
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, method=method), timeout=10
            ) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"] or "", error.read().decode()

    found: tuple[int, str, str] = await deferToThread(fetch)
    return found


@ensureDeferred
async def test_how_long_its_certificate_is_good(folder: As2Folder) -> None:
    """Of the one it shows; without TLS there is none."""
    async with served(folder, str) as server:
        assert server.certificate_until is None
    folder.put("here.pem", pem(certificate("here", days=(-1, 30))) + key_pem("here"))
    file = str(folder.certificates / "here.pem")
    tls = ManagementTls(enabled=True, certificate_file=file, key_file=file)
    async with served(folder, str, tls=tls) as server:
        until = server.certificate_until
        assert until is not None
        assert dt.timedelta(days=29) <= until - today() <= dt.timedelta(days=31)


@ensureDeferred
async def test_the_pages(folder: As2Folder) -> None:
    """Three of them, to be read only; ready is said when it is so, else why not."""
    why = [""]
    async with served(folder, lambda: why[0]) as server:
        status, kind, body = await fetched(server, "/metrics")
        assert (status, kind) == (200, CONTENT_TYPE)
        assert "edi_gateway_certificate_expiry_days{" in body
        assert (await fetched(server, "/livez"))[0] == 200
        assert await fetched(server, "/readyz") == (200, "text/plain; charset=utf-8", "ready\n")
        why[0] = "The gateway is stopping."
        status, _, body = await fetched(server, "/readyz")
        assert (status, body) == (503, "The gateway is stopping.\n")
        assert (await fetched(server, "/livez"))[0] == 200
        assert (await fetched(server, "/"))[0] == 404
        assert (await fetched(server, "/metrics", "POST"))[0] == 405


@ensureDeferred
async def test_a_port_that_is_taken_is_a_fault(folder: As2Folder) -> None:
    """Named by its key."""
    async with served(folder, str) as server:
        with pytest.raises(AddressUnavailable, match="cannot listen") as caught:
            async with served(folder, str, server.port):
                pass
        assert "management.port" in caught.value.remedy
