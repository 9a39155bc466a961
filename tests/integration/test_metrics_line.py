"""What a real gateway says of itself to Prometheus, after real files went through it."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.samples import SAMPLES, sample_bytes
from tests.as2_partner import Keys
from tests.broker import free_port
from tests.documented_metrics import documented
from tests.gateway_process import PARTNER, GatewayProcess

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(300)]

CONDITIONAL = {"edi_gateway_status_requests_total"}
"""There with a broker and a queue alone: tests/test_docs_metrics.py looks at them."""


class Scraped:
    """One page: types by name as series have it, and all samples."""

    def __init__(self, port: int) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        self.types: dict[str, str] = {}
        self.labels: dict[str, set[str]] = {}
        self.values: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        for family in text_string_to_metric_families(text):
            name = family.name + ("_total" if family.type == "counter" else "")
            self.types[name] = family.type
            for sample in family.samples:
                self.labels.setdefault(name, set()).update(set(sample.labels) - {"le"})
                self.values[sample.name, tuple(sorted(sample.labels.items()))] = sample.value

    def value(self, name: str, **labels: str) -> float:
        """One sample; 0 where there is none yet."""
        return self.values.get((f"edi_gateway_{name}", tuple(sorted(labels.items()))), 0.0)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    """After one accepted and one rejected invoice by SFTP, both answered."""
    folder = tmp_path_factory.mktemp("metrics")
    port, http = free_port(), free_port()
    us, tls = Keys(folder, "us"), Keys(folder, "localhost")
    gateway = GatewayProcess(
        folder / "gateway",
        judges=1,
        sftp_processes=1,
        settings=f"[management]\nenabled = true\nport = {port}\n"
        f"[http]\nenabled = true\nport = {http}\n"
        f'[http.tls]\nenabled = true\ncertificate_file = "{tls.certificate}"\n'
        f'key_file = "{tls.key}"\n'
        '[as2]\nid = "HUB"\nidentities = ["us.pem"]\nprocesses = 1\n',
    )
    certificates = gateway.folder / "certificates"
    certificates.mkdir()
    ours = certificates / "us.pem"
    ours.touch(0o600)
    ours.write_bytes(us.pem())
    try:
        gateway.start()
        for sample in SAMPLES[:2]:
            file = folder / sample.file
            file.write_bytes(sample_bytes(sample.file))
            done = gateway.sftp([f"put {file} in/{sample.file}"])
            assert done.returncode == 0, done.stderr
        yield _answered(port)
    finally:
        gateway.ensure_gone()


def _answered(port: int) -> Scraped:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        page = Scraped(port)
        labels = {"destination": "sftp", "outcome": "delivered"}
        if page.value("delivery_attempts_total", **labels) >= 2:
            time.sleep(1)
            return Scraped(port)
        time.sleep(0.2)
    raise AssertionError("no report was delivered")


def test_it_is_what_the_page_of_metrics_says(page: Scraped) -> None:
    """Each name with its type, both ways; each label of each series."""
    told = {each.name: each for each in documented() if each.name not in CONDITIONAL}
    assert page.types == {name: each.type for name, each in told.items()}
    for name, labels in page.labels.items():
        assert labels == set(told[name].labels), name


def test_what_went_through_was_counted(page: Scraped) -> None:
    """Files, bytes, verdicts, rule families, stages."""
    sizes = [len(sample_bytes(sample.file)) for sample in SAMPLES[:2]]
    assert page.value("received_files_total", channel="sftp", partner=PARTNER) == 2
    assert page.value("received_bytes_total", channel="sftp") == sum(sizes)
    flow = "ctc-fr-invoice"
    production = {"environment": "production", "flow": flow}
    for verdict in ("accepted", "rejected"):
        assert page.value("documents_total", verdict=verdict, **production) == 1
    assert page.value("rejections_total", layer="schematron", family="BR-CO", **production) == 1
    assert page.value("interchanges_closed_total", flow=flow, state="settled") == 2
    for stage in ("judged", "settled", "published", "acknowledged"):
        assert page.value("stage_seconds_count", stage=stage, flow=flow) == 2, stage
        assert 0 < page.value("stage_seconds_sum", stage=stage, flow=flow) < 120
    assert page.value("judging_step_seconds_count", step="schematron") == 2
    assert page.value("disk_free_bytes") > 0
    assert page.value("broker_available") == 1


def test_no_label_is_what_the_partner_chose(page: Scraped) -> None:
    """Neither names of files nor numbers of invoices."""
    values = {value for _, labels in page.values for _, value in labels}
    assert PARTNER in values
    for sample in SAMPLES[:2]:
        assert not any(Path(sample.file).stem in value for value in values)
