"""docs/metrics.md says what `GET /metrics` gives: each name, type and label, both ways."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import structlog
from msgspec.structs import replace
from prometheus_client import ProcessCollector
from prometheus_client.core import Metric
from twisted.internet import task

from gateway.config.settings import Http, HttpTls, Management, Rabbitmq
from gateway.daemon.parts import Parts
from gateway.daemon.watching import metrics_of
from gateway.service.standing_metrics import Disk, Standing
from tests.config.as2_folder import As2Folder
from tests.config.certificates import today
from tests.documented_metrics import Documented, documented


def labels_of(metric: Metric) -> tuple[str, ...]:
    """Those its series have, also before there is one."""
    return tuple(getattr(metric, "_labelnames", ()))


def exposed(metric: Metric) -> Documented:
    """As it stands on the page."""
    name = metric.name + ("_total" if metric.type == "counter" else "")
    return Documented(name, metric.type, labels_of(metric))


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    """A gateway with everything switched on that has metrics; nothing of it is started."""
    folder = As2Folder(tmp_path)
    configuration = folder.load()
    settings = replace(
        configuration.settings,
        management=Management(enabled=True),
        http=Http(enabled=True, tls=HttpTls()),
        rabbitmq=Rabbitmq(host="127.0.0.1", requests_queue="requests"),
    )
    clock: Any = task.Clock()
    return Parts(
        clock,
        dataclasses.replace(configuration, settings=settings, state=tmp_path),
        log=structlog.get_logger(),
    )


def test_every_metric_is_described_and_none_that_is_not_there(parts: Parts) -> None:
    """Name, type and labels."""
    parts.standing_watch.seen = Standing(
        at=today(),
        unfinished={},
        quarantined=None,
        unanswered={},
        mdns={},
        disk=Disk(1, 2, 3),
    )
    parts.standing_watch._https_until = today
    ours = [exposed(metric) for metric in metrics_of(parts).collect()]
    process = [exposed(metric) for metric in ProcessCollector(registry=None).collect()]
    assert sorted(ours + process) == sorted(documented())
    assert len({each.name for each in documented()}) == len(documented())


def test_the_words_say_what_it_is() -> None:
    """Each row has some, and words for every label's values or a name that says it."""
    text = (Path(__file__).parent.parent / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|[^|]*\| (.*) \|$", text, re.MULTILINE)
    assert len(rows) == len(documented())
    assert all(len(words) > 8 for _, words in rows)
