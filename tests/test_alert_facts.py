"""What the daemon's parts tell the alerts: each fact from whoever knows it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from msgspec.structs import replace
from twisted.internet import task

from gateway.daemon.alerting import _Asking, alert_metrics
from gateway.daemon.parts import Parts
from gateway.model.interchange import Environment
from gateway.service.alerting.kinds import AlertKind
from gateway.service.delivery_watch import Deliveries
from gateway.service.worker_jobs import WorkerState
from tests.config.as2_folder import PARTNER, SETTINGS, As2Folder
from tests.config.certificates import certificate, pem, today
from tests.service.alerting import standing


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    """A partner with an old certificate and its successor, who was promised an hour."""
    folder = As2Folder(tmp_path)
    folder.settings(
        f"{SETTINGS}[alerts]\nreject_percent = 50\nreject_documents = 1\n"
        '[alerts.webhook]\nurl = "https://hook.example/"\n'
    )
    folder.put("old.pem", pem(certificate("acme", days=(-300, 2))))
    folder.put("new.pem", pem(certificate("acme", days=(-1, 99))))
    partner = PARTNER.replace('"acme.pem"', '"new.pem", "old.pem"')
    folder.partner(partner.replace("\nflows", "\nsla_minutes = 60\nflows"))
    clock: Any = task.Clock()
    return Parts(clock, folder.load(), log=structlog.get_logger())


@pytest.fixture
def asking(parts: Parts) -> _Asking:
    """What asks them."""
    return _Asking(parts, parts._configuration)


def test_who_has_not_looked_says_nothing(parts: Parts, asking: _Asking) -> None:
    """Until the watches have; then it is what they saw."""
    facts = asking.facts()
    assert facts.standing is None
    assert facts.deliveries is None
    parts.standing_watch.seen = seen = standing()
    parts.delivery_watch.seen = deliveries = Deliveries()
    facts = asking.facts()
    assert facts.standing is seen
    assert facts.deliveries is deliveries


def test_the_last_certificate_of_each(
    parts: Parts, asking: _Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not those that have successors; the listeners' when they have some."""
    found = {
        (each.subject, each.partner, each.file): each.until for each in asking.facts().expiries
    }
    assert set(found) == {("ours", "", "ours.pem"), ("", "acme", "new.pem")}
    assert found["", "acme", "new.pem"] - today() > dt.timedelta(days=98)
    for name in ("http", "management"):
        monkeypatch.setattr(parts, name, SimpleNamespace(certificate_until=today()))
    assert {("https", ""), ("management", "")} < {
        (each.subject, each.partner) for each in asking.facts().expiries
    }


def test_workers_are_broken_since_that_was_noticed(
    parts: Parts, asking: _Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not anew at each look, nor at each try to start them; and no more when one works again."""

    def stand(broken: str | None, *states: WorkerState) -> None:
        workers = [SimpleNamespace(state=state) for state in states]
        found = SimpleNamespace(broken=broken, workers=workers)
        monkeypatch.setattr(parts.workers, "status", lambda: found)

    assert asking.facts().broken == {}
    stand("no memory")
    first = asking.facts().broken
    assert set(first) == {"judges"}
    assert asking.facts().broken == first
    stand(None, WorkerState.BOOTING, WorkerState.BOOTING)
    assert asking.facts().broken == first
    stand(None, WorkerState.BOOTING, WorkerState.IDLE)
    assert asking.facts().broken == {}


def test_who_goes_live_brings_no_rejections_of_his_trials(parts: Parts, asking: _Asking) -> None:
    """What was rejected while a partner tried things out does not count once it is in earnest."""
    trying = replace(parts.roster["acme"], environment=Environment.TEST)
    live = replace(trying, environment=Environment.PRODUCTION)
    parts.roster.replace({"acme": trying})
    parts.line_metrics.verdicts["f", "acme", "rejected"] += 90
    assert asking.facts().rejections == {}
    parts.roster.replace({"acme": live})
    assert asking.facts().rejections["f"].judged == 0
    parts.line_metrics.verdicts["f", "acme", "rejected"] += 1
    assert asking.facts().rejections["f"].rejected == 1


def test_rejections_promises_and_limits(parts: Parts, asking: _Asking) -> None:
    """What the line counts, what partners' files say, what the settings say."""
    asking.facts()
    parts.line_metrics.verdicts["f", "acme", "rejected"] += 3
    parts.line_metrics.verdicts["f", "acme", "accepted"] += 1
    facts = asking.facts()
    assert (facts.rejections["f"].judged, facts.rejections["f"].rejected) == (4, 3)
    parts.roster.replace({"acme": replace(parts.roster["acme"], environment=Environment.TEST)})
    assert asking.facts().rejections == {}
    assert facts.promised == {"acme": 60}
    assert (facts.warning_days, facts.late_hours) == (30, 24)


def test_the_metric_has_every_kind(parts: Parts) -> None:
    """0 when it is known that none is on; nothing before."""
    on, _ = alert_metrics(parts.alerts)
    assert on.samples == []
    parts.alerts.on = {}
    on, _ = alert_metrics(parts.alerts)
    assert {sample.labels["kind"]: sample.value for sample in on.samples} == dict.fromkeys(
        (kind.value for kind in AlertKind), 0
    )
