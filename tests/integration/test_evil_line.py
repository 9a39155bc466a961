"""The evil corpus end to end: every file is answered as its pair says, and the line stays up."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.evil.cases import Case, all_cases
from tests.evil.pairs import expected
from tests.gateway_process import GatewayProcess

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(600)]

MAX_FILE = 25_000_000
"""Bytes the SFTP server takes here. What is larger would only make the test slow."""

WHOLE_GROUPS = {"archives", "pdfs"}
EVERY = 3
"""Of the other groups one case in so many is sent: they differ in what the judge reads."""

TOO_LARGE = "text-50-mb"
"""Sent in any case, to be refused for its size."""

Answer = list[tuple[str, list[str]]]
"""Verdict and rule codes of each document of a file."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway without a broker and without imported rule packs."""
    (tmp_path / "no-packs").mkdir()
    process = GatewayProcess(tmp_path / "gateway")
    process.config.write_text(
        process.config.read_text()
        .replace("[paths]\n", '[paths]\nrule_packs = "../no-packs"\n')
        .replace("[sftp]\n", f"[sftp]\nmax_file_bytes = {MAX_FILE}\n")
    )
    process.start()
    try:
        yield process
    finally:
        process.ensure_gone()


def chosen() -> list[Case]:
    """Every archive and PDF, and some of each other group."""
    cases = all_cases()
    others = [case for case in cases if case.group not in WHOLE_GROUPS]
    some = [case for at, case in enumerate(others) if at % EVERY == 0 or case.stem == TOO_LARGE]
    return [case for case in cases if case.group in WHOLE_GROUPS] + some


def answer_by_pair(case: Case) -> Answer:
    """What the pair says; in a flow that does not ask for names, every name is a good one."""
    if case.group == "names":
        return [("accepted", [])]
    return [
        (document["verdict"], [finding["rule"] for finding in document.get("finding", ())])
        for document in expected(case.pair)
    ]


def answer_by_report(report: etree._Element) -> Answer:
    """What the acknowledgement says."""
    return [
        (
            document.get("verdict", ""),
            [finding.get("rule", "") for finding in document.iter("{*}Finding")],
        )
        for document in report.iter("{*}Document")
    ]


def listed(gateway: GatewayProcess, most: int) -> list[dict[str, Any]]:
    """What `interchanges` says of each."""
    lines = gateway.command("interchanges", "--json", "--limit", str(most)).stdout.splitlines()
    return [json.loads(line) for line in lines]


def test_the_evil_corpus_is_answered_and_harms_nobody(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    """Each file ends with its acknowledgement, by the same judges that started.

    Files beyond the server's limit are refused while they are sent. Nothing is undetermined or
    quarantined, nothing is left in the scratch folder, and the daemon stops as it should.
    """
    cases: dict[str, Case] = {}
    commands = []
    too_large = []
    for case in chosen():
        path = case.ready(tmp_path / "made")
        name = case.file_name if case.group == "names" else f"{case.group}-{case.file_name}"
        # A leading "-": the batch goes on after the server has refused one.
        commands.append(f'-put "{path}" "in/{name}"')
        if path.stat().st_size > MAX_FILE:
            too_large.append(name)
        else:
            cases[name] = case
    assert len(cases) + len(too_large) == len(commands), "two cases of one name"
    assert f"xml-{TOO_LARGE}.xml" in too_large

    sent = gateway.sftp(commands)
    assert sent.returncode == 0, sent.stderr
    assert sent.stderr.count("write remote") == len(too_large), sent.stderr
    deadline = time.monotonic() + 300
    while len(gateway.out()) < len(cases):
        assert time.monotonic() < deadline, gateway.log_tail()
        time.sleep(0.5)

    received = tmp_path / "received"
    received.mkdir()
    assert gateway.sftp([f"get out/* {received}/"]).returncode == 0
    reports = {}
    for path in received.iterdir():
        report = etree.fromstring(path.read_bytes())
        reports[report.findtext(".//{*}FileName")] = report
    assert set(reports) == set(cases)
    differing = {
        name: (answer_by_report(reports[name]), answer_by_pair(case))
        for name, case in cases.items()
        if answer_by_report(reports[name]) != answer_by_pair(case)
    }
    assert differing == {}
    assert {report.findtext(".//{*}Provisional") for report in reports.values()} == {"false"}

    rows = listed(gateway, len(commands) + 1)
    assert {row["name"] for row in rows} == set(cases)
    # A report can be fetched a moment before the journal knows that it is there.
    while {row["state"] for row in rows} != {"acknowledged"}:
        assert time.monotonic() < deadline, rows
        time.sleep(0.5)
        rows = listed(gateway, len(commands) + 1)
    assert list((gateway.state / "scratch").iterdir()) == []

    assert gateway.stop() == 0
    log = [json.loads(line) for line in gateway.log_file.read_text().splitlines()]
    events = [entry["event"] for entry in log]
    stopping = events.index("stopping")
    ended = [entry for entry in log[:stopping] if entry["event"] == "worker_ended"]
    # One that kept too much memory is replaced while it is idle; no judge ends otherwise.
    assert len(ended) == events[:stopping].count("worker_replaced"), ended
    assert [entry for entry in log if entry["level"] in {"error", "critical"}] == []
