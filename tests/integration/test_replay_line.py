"""Rules change, and what was judged is judged again: on a whole gateway, up to the messages."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from bench.invoices import ubl_invoice
from gateway.core.schematron.catalogue import default_rule_packs
from tests.gateway_process import GatewayProcess
from tests.integration.test_status_line import (
    LEGAL,
    batch,
    fetched,
    lifecycle,
    put,
    read_whole,
    said,
    through,
    to_portal,
    told,
)
from tests.schematron_sources import UBL, pattern, rule, written

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(600)]

FLOW = """
name = "house"
[match]
syntaxes = ["ubl"]
[[chain]]
syntax = "ubl"
schema = "ubl-2.1"
rules = ["{rules}"]
"""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """One partner, told of each invoice, as is the portal; what came before is refused."""
    made = GatewayProcess(
        tmp_path / "gateway",
        flows=("house",),
        judges=1,
        uniqueness=True,
        settings=LEGAL,
        acknowledgements='cdar = "single"\nportal = true',
    )
    (made.folder / "flows").mkdir()
    # Beside the packs of the house lie those that lifecycle messages are held against.
    shutil.copytree(default_rule_packs(), made.folder / "packs")
    ours = '[paths]\nflows = "flows"\nrule_packs = "packs"\n'
    made.config.write_text(made.config.read_text().replace("[paths]\n", ours))
    yield made
    made.ensure_gone()


def judged_by(gateway: GatewayProcess, rules: str) -> None:
    """The flow's one rule pack."""
    (gateway.folder / "flows" / "house.toml").write_text(FLOW.format(rules=rules))


def source(folder: Path, test: str) -> Path:
    """Schematron that wants this of every invoice."""
    asserted = f'<assert id="H-1" test="{test}">Not as the house wants it.</assert>'
    return written(folder, UBL + pattern(rule("/ubl:Invoice", asserted)))


def imported(gateway: GatewayProcess, test: str, valid_from: str) -> None:
    """A version of the pack `house`."""
    file = source(gateway.folder, test)
    done = gateway.command("rules", "import", str(file), "--valid-from", valid_from)
    assert done.returncode == 0, done.stderr


def replayed(gateway: GatewayProcess, id_: str, *words: str) -> None:
    """Judged again for good, until nothing is left to do."""
    before = len(shown(gateway, id_)["transitions"])
    done = gateway.command("replay", id_, *words)
    assert done.returncode == 0, done.stderr
    deadline = time.monotonic() + 60
    while len(shown(gateway, id_)["transitions"]) < before + 2:
        assert time.monotonic() < deadline, gateway.log_tail()
        time.sleep(0.1)
    through(gateway, len(told(gateway, "interchanges")))


def shown(gateway: GatewayProcess, id_: str) -> dict[str, Any]:
    """What `show` knows of an interchange."""
    (found,) = told(gateway, "show", id_)
    return found


def id_of(gateway: GatewayProcess, name: str) -> str:
    """The interchange of this file."""
    (found,) = (each["id"] for each in told(gateway, "interchanges") if each["name"] == name)
    return str(found)


def reports(files: dict[str, bytes]) -> dict[str, dict[int, str]]:
    """The reports in out/: of each file, the state it was in by each revision."""
    found: dict[str, dict[int, str]] = {}
    for name, body in files.items():
        if name.endswith(".report.xml"):
            root = etree.fromstring(body)
            of_file = found.setdefault(str(root.findtext("{*}Interchange/{*}FileName")), {})
            revision = int(str(root.findtext("{*}Interchange/{*}Revision")))
            assert revision not in of_file, "two reports of one revision"
            of_file[revision] = str(root.findtext("{*}State/{*}Code"))
    return found


def ids(bodies: dict[str, bytes]) -> list[str | None]:
    """Of lifecycle messages."""
    return [read_whole(body).id for body in bodies.values()]


def results(gateway: GatewayProcess, id_: str) -> list[str]:
    """How consumers heard of the documents of an interchange, in that order."""
    outbox = shown(gateway, id_)["outbox"]
    return [row["routing_key"] for row in outbox if row["kind"] == "document"]


def again(invoice: bytes) -> bytes:
    """The same invoice in other bytes."""
    return invoice + b"<!-- sent once more -->"


def test_rules_of_another_day_change_one_verdict(gateway: GatewayProcess) -> None:
    """Of a batch one invoice is accepted after all: it alone is told of, once; then back again."""
    imported(gateway, "cbc:ID", "2026-01-01")
    imported(gateway, "cbc:ID != 'R-1'", "2026-06-01")
    judged_by(gateway, "house")
    gateway.start()
    members = {f"{number}.xml": ubl_invoice(number, lines=2) for number in ("K-1", "R-1")}
    put(gateway, "batch.tar.gz", batch(members))
    through(gateway, 1)
    id_ = id_of(gateway, "batch.tar.gz")
    first: Counter[Any] = Counter({("K-1", "200", ()): 1, ("R-1", "213", ("REJ_SEMAN",)): 1})
    assert said(lifecycle(fetched(gateway))) == said(to_portal(gateway)) == first

    replayed(gateway, id_, "--rules", "2026-03-01")
    accepted = first + Counter({("R-1", "200", ()): 1})
    files = fetched(gateway)
    assert said(lifecycle(files)) == said(to_portal(gateway)) == accepted
    assert reports(files) == {"batch.tar.gz": {1: "IN_INTEGRE_PARTIEL", 2: "IN_INTEGRE"}}

    replayed(gateway, id_)  # by the rules of the day it came
    files = fetched(gateway)
    assert said(lifecycle(files)) == accepted + Counter({("R-1", "213", ("REJ_SEMAN",)): 1})
    assert said(to_portal(gateway)) == said(lifecycle(files))
    told_ids = ids(lifecycle(files)) + ids(to_portal(gateway))
    assert len(told_ids) == len(set(told_ids)) == 8
    assert reports(files)["batch.tar.gz"][3] == "IN_INTEGRE_PARTIEL"
    assert Counter(results(gateway, id_)) == {"house.ubl.accepted": 4, "house.ubl.rejected": 2}
    assert gateway.stop() == 0


def test_a_partners_rule_is_mended_and_tightened_again(gateway: GatewayProcess) -> None:
    """Keys of an invoice are taken and given back with its verdict, and no message comes twice."""
    flows = gateway.folder / "flows"
    source(flows, "cbc:ID != 'R-1'")
    judged_by(gateway, "./house.sch")
    gateway.start()
    invoice = ubl_invoice("R-1", lines=2)
    put(gateway, "r.xml", invoice)
    through(gateway, 1)
    id_ = id_of(gateway, "r.xml")
    expected: Counter[Any] = Counter({("R-1", "213", ("REJ_SEMAN",)): 1})
    assert said(lifecycle(fetched(gateway))) == expected

    source(flows, "cbc:ID")
    assert gateway.stop() == 0
    gateway.start()
    done = gateway.command("replay", id_)
    assert done.returncode == 0, done.stderr
    gateway.kill()
    gateway.start()
    through(gateway, 1)
    expected["R-1", "200", ()] += 1
    assert said(lifecycle(fetched(gateway))) == said(to_portal(gateway)) == expected

    replayed(gateway, id_)  # it holds its own keys, and repeats nobody
    assert said(lifecycle(fetched(gateway))) == said(to_portal(gateway)) == expected
    put(gateway, "r-again.xml", again(invoice))
    through(gateway, 2)
    expected["R-1", "213", ("DOUBLON",)] += 1
    assert said(lifecycle(fetched(gateway))) == said(to_portal(gateway)) == expected

    source(flows, "cbc:ID != 'R-1'")
    assert gateway.stop() == 0
    gateway.start()
    replayed(gateway, id_)
    expected["R-1", "213", ("REJ_SEMAN",)] += 1
    assert said(lifecycle(fetched(gateway))) == said(to_portal(gateway)) == expected
    (document,) = shown(gateway, id_)["documents"]
    assert document["verdict"] == "rejected"

    source(flows, "cbc:ID")
    assert gateway.stop() == 0
    gateway.start()
    put(gateway, "r-new.xml", again(again(invoice)))  # its keys are free
    through(gateway, 3)
    expected["R-1", "200", ()] += 1
    files = fetched(gateway)
    assert said(lifecycle(files)) == said(to_portal(gateway)) == expected
    told_ids = ids(lifecycle(files)) + ids(to_portal(gateway))
    assert len(told_ids) == len(set(told_ids)) == 10
    assert reports(files) == {
        "r.xml": {1: "IN_REJETE", 2: "IN_INTEGRE", 3: "IN_INTEGRE", 4: "IN_REJETE"},
        "r-again.xml": {1: "IN_REJETE"},
        "r-new.xml": {1: "IN_INTEGRE"},
    }
    assert results(gateway, id_) == [
        "house.ubl.rejected",
        "house.ubl.accepted",
        "house.ubl.accepted",
        "house.ubl.rejected",
    ]
