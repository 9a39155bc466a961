"""The line from a watched folder to its report, with a real clamd, and a power cut in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from gateway.samples import sample_bytes
from tests.clamd import VIRUS, RealClamd
from tests.gateway_process import PARTNER, GatewayProcess

pytestmark = pytest.mark.clamd

FILES = 30
INFECTED = 3


def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait, bounded."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def element(report: Path, name: str) -> str | None:
    """The text of the first element of this name."""
    return etree.parse(str(report)).findtext(f".//{{*}}{name}")


def test_every_file_of_the_folder_is_scanned_and_answered_once_whatever_happens(
    tmp_path: Path,
) -> None:
    """Thirty invoices and three viruses, and the gateway is killed while it takes them."""
    clamd = RealClamd(tmp_path / "clamd")
    gateway = GatewayProcess(
        tmp_path / "gateway", settings=f'[antivirus]\naddress = "{clamd.socket}"\n'
    )
    inbox, out = tmp_path / "inbox", tmp_path / "out"
    inbox.mkdir()
    out.mkdir()
    partner = gateway.folder / "partners" / f"{PARTNER}.toml"
    partner.write_text(
        f'{partner.read_text()}[folder]\ninbox = "{inbox}"\nout = "{out}"\nquiet_seconds = 0.2\n'
    )
    clamd.start()
    try:
        gateway.start()
        for number in range(FILES + INFECTED):
            data = sample_bytes("ubl-invoice.xml") + b"<!-- %d -->" % number
            if number >= FILES:
                data += b"<!-- " + VIRUS + b" -->"
            (inbox / f"{number}.part").write_bytes(data)
            (inbox / f"{number}.part").rename(inbox / f"{number}.xml")
        until(lambda: len(list(inbox.glob("*.xml"))) < FILES)
        gateway.kill()
        gateway.start()
        until(lambda: len(list(out.glob("*.xml"))) >= FILES + INFECTED)
        assert gateway.stop() == 0
    finally:
        gateway.ensure_gone()
        clamd.stop()
    assert not list(inbox.glob("*.xml"))
    reports = sorted(out.iterdir())
    assert len(reports) == FILES + INFECTED
    said = {element(r, "FileName"): (element(r, "Antivirus"), element(r, "Code")) for r in reports}
    assert len(said) == FILES + INFECTED
    for number in range(FILES + INFECTED):
        expected = ("Clean", "IN_INTEGRE") if number < FILES else ("Found", "IN_REJETE")
        assert said[f"{number}.xml"] == expected
