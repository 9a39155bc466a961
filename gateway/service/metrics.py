"""What `GET /metrics` shows, for Prometheus: gathered when it is asked for, kept nowhere.

Names begin with `edi_gateway_`. Labels never hold what a partner chooses freely: what flows,
partners and files are called is the operator's word. Counters count from the start of this process.
docs/metrics.md lists all of them, and a test compares it with what a gateway says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from gateway.service.certificate_watch import CertificateWatch
from gateway.service.worker_jobs import PoolStatus, WorkerState

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4


class GatewayMetrics(Collector):
    """Asks each part for its numbers.

    `pools` are the worker pools by name, `as2` how many messages came to which end, `unmapped` how
    many values had no place in the canonical invoice by flow, `gauges` what else is counted at this
    moment: name → (help, number). `statuses`: how many statuses partners
    told, by how they stand. `more` gives what another part measures by itself.
    """

    def __init__(
        self,
        *,
        certificates: CertificateWatch,
        pools: Mapping[str, Callable[[], PoolStatus]],
        as2: Counter[str],
        unmapped: Counter[str],
        gauges: Mapping[str, tuple[str, Callable[[], float]]],
        statuses: Counter[str] | None = None,
        more: Callable[[], Iterable[Metric]] = tuple,
    ) -> None:
        self._certificates = certificates
        self._pools = pools
        self._as2 = as2
        self._unmapped = unmapped
        self._statuses = Counter[str]() if statuses is None else statuses
        self._gauges = gauges
        self._more = more
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format 0.0.4."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        yield self._expiry()
        yield from self._workers()
        messages = CounterMetricFamily(
            "edi_gateway_as2_messages",
            "AS2 messages that came in, by what became of them: received, resent (taken before),"
            " refused (the receipt says no), postponed (the sender is to send again).",
            labels=["outcome"],
        )
        for outcome, number in sorted(self._as2.items()):
            messages.add_metric([outcome], number)
        yield messages
        unmapped = CounterMetricFamily(
            "edi_gateway_unmapped_values",
            "Values of accepted documents that the canonical invoice has no place for.",
            labels=["flow"],
        )
        for flow, number in sorted(self._unmapped.items()):
            unmapped.add_metric([flow], number)
        yield unmapped
        statuses = CounterMetricFamily(
            "edi_gateway_statuses",
            "Statuses that lifecycle messages told, by how they stand: recorded, late or unexpected"
            " (out of order), imported-invoice (another system accepted it), repeated,"
            " unknown-invoice, not-believed, flux; linked: the invoice"
            " came after its status.",
            labels=["standing"],
        )
        for standing, number in sorted(self._statuses.items()):
            statuses.add_metric([standing], number)
        yield statuses
        for name, (words, number_now) in self._gauges.items():
            yield GaugeMetricFamily(f"edi_gateway_{name}", words, value=number_now())
        yield from self._more()

    def _expiry(self) -> Metric:
        expiry = GaugeMetricFamily(
            "edi_gateway_certificate_expiry_days",
            "Days until an AS2 certificate expires, below 0 when it has. owner is ours or partner.",
            labels=["owner", "partner", "file", "serial"],
        )
        # A file may hold a certificate twice; a series may stand here once only.
        seen = {}
        for held, days in self._certificates.days_left():
            certificate = held.certificate
            labels = (
                "ours" if held.owner is None else "partner",
                held.owner or "",
                held.file.name,
                f"{certificate.serial_number:x}",
            )
            seen[labels] = days
        for labels, days in seen.items():
            expiry.add_metric(labels, days)
        return expiry

    def _workers(self) -> Iterator[Metric]:
        workers = GaugeMetricFamily(
            "edi_gateway_workers", "Worker processes by state.", labels=["pool", "state"]
        )
        queued = GaugeMetricFamily(
            "edi_gateway_worker_queue", "Jobs that wait for a worker.", labels=["pool"]
        )
        deaths = CounterMetricFamily(
            "edi_gateway_worker_deaths",
            "Workers that ended other than as they were told to; each is started anew.",
            labels=["pool"],
        )
        broken = GaugeMetricFamily(
            "edi_gateway_workers_broken", "1 when no worker of the pool starts.", labels=["pool"]
        )
        for name, ask in self._pools.items():
            status = ask()
            states = Counter(worker.state for worker in status.workers)
            for state in WorkerState:
                workers.add_metric([name, state.value], states[state])
            queued.add_metric([name], status.queued)
            deaths.add_metric([name], status.deaths)
            broken.add_metric([name], status.broken is not None)
        yield from (workers, queued, deaths, broken)


def request_metrics(outcomes: Counter[str]) -> Iterator[Metric]:
    """What became of the statuses a back office asked for."""
    requests = CounterMetricFamily(
        "edi_gateway_status_requests",
        "Requests for statuses that came from the queue, by what became of them: accepted,"
        " repeated (taken before), refused (among the dead letters), postponed (comes again).",
        labels=["outcome"],
    )
    for outcome, number in sorted(outcomes.items()):
        requests.add_metric([outcome], number)
    yield requests


def sftp_metrics(deaths: int) -> Iterator[Metric]:
    """The processes of the SFTP server."""
    yield CounterMetricFamily(
        "edi_gateway_sftp_process_deaths",
        "SFTP processes that ended by themselves; each is started anew.",
        value=deaths,
    )


def login_metrics(channels: Mapping[str, Counter[str]]) -> Iterator[Metric]:
    """Logins that came to nothing, by channel."""
    logins = CounterMetricFamily(
        "edi_gateway_logins",
        "Passwords and tokens that were wrong (failed), or not looked at because too many before"
        " them were wrong (put-off).",
        labels=["channel", "outcome"],
    )
    for channel, outcomes in channels.items():
        for outcome in ("failed", "put-off"):
            logins.add_metric([channel, outcome], outcomes[outcome])
    yield logins
