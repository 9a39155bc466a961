"""The whole line over HTTP: a real gateway, an invoice by POST, its report by GET."""

from __future__ import annotations

import hashlib
import json
import time
from http.client import HTTPConnection
from pathlib import Path

from gateway.samples import SAMPLES, sample_bytes
from tests.broker import free_port
from tests.gateway_process import PARTNER, GatewayProcess

TOKEN = "a-token"


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Status and body of one request."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {"Authorization": f"Bearer {TOKEN}"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_an_invoice_goes_in_and_its_report_comes_out(tmp_path: Path) -> None:
    """202 survives a crash at once; the restarted gateway judges it and keeps the report ready."""
    port = free_port()
    gateway = GatewayProcess(tmp_path, settings=f"[http]\nenabled = true\nport = {port}\n")
    file = tmp_path / "partners" / f"{PARTNER}.toml"
    sum_ = hashlib.sha256(TOKEN.encode()).hexdigest()
    file.write_text(file.read_text() + f'[http]\ntoken_sha256 = ["{sum_}"]\n')
    sample = next(each for each in SAMPLES if each.expected_verdict == "accepted")
    try:
        gateway.start()
        status, said = ask(
            port, "POST", f"/v1/interchanges?name={sample.file}", sample_bytes(sample.file)
        )
        gateway.kill()
        assert status == 202
        told = json.loads(said)
        gateway.start()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            status, said = ask(port, "GET", told["status"])
            assert status == 200
            if json.loads(said)["state"] == "acknowledged":
                break
            time.sleep(0.2)
        described = json.loads(said)
        assert described["counts"]["verdicts"] == {"accepted": 1}
        assert described["state"] == "acknowledged"
        status, report = ask(port, "GET", told["acknowledgements"])
        assert status == 200
        assert report.startswith(b"<?xml")
        assert gateway.stop() == 0
    finally:
        gateway.ensure_gone()
