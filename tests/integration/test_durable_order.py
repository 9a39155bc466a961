"""A power cut loses nothing: the real daemon's system calls, in the order strace saw them.

`kill -9` leaves the page cache alone, so no test that kills can tell an fsync from its absence.
Here OpenSSH's client sends files, the daemon receives, judges, publishes (to files) and answers
under strace, and the trace is checked: see `tests/torture/order.py` for what comes before what.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.invoices import ubl_invoice
from gateway.service.journal import open_reader, records
from tests.attached_documents import with_attachment
from tests.gateway_process import PARTNER, GatewayProcess
from tests.torture import order, trace
from tests.torture.journal_image import Commit, commits_of, facts_of
from tests.torture.trace import Call

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(300)]

SECONDS = 120.0
ATTACHED = b"%PDF-1.7\n" + bytes(range(256)) * 2000


def require_strace(folder: Path) -> None:
    """Fail where nothing can be traced: this is the only proof of the order there is."""
    if shutil.which("strace") is None:
        pytest.fail(
            "strace is not installed: run `make test`, which installs Debian's package,"
            " or `apt-get install strace` as root."
        )
    tried = subprocess.run(
        ["strace", *trace.OPTIONS, "-o", str(folder / "probe"), "true"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if tried.returncode != 0:
        pytest.fail(
            "strace may not trace here, so the order of durable operations cannot be shown:"
            f" {tried.stderr.strip()[:500]}\nPermit ptrace: `sysctl kernel.yama.ptrace_scope=1`"
            " on the host; in a container, `--cap-add=SYS_PTRACE` and a seccomp profile that"
            " allows ptrace."
        )


class Traced:
    """A gateway that ran under strace, and what it did."""

    def __init__(self, gateway: GatewayProcess, calls: list[Call], commits: list[Commit]) -> None:
        self.calls = calls
        self.commits = commits
        self.state = str(gateway.state)
        engine = open_reader(gateway.state / "journal.sqlite")
        with engine.connect() as conn:
            found = records.list_interchanges(conn, limit=100)
            self.interchanges = {row.name: row for row in found}
            self.outbox = [row for each in found for row in records.outbox_of(conn, each.id)]
        engine.dispose()

    def payload(self, name: str) -> str:
        """Where the spool keeps the file of this name."""
        return self.stored(self.interchanges[name].sha256)

    def stored(self, sha256: str) -> str:
        """Where the spool keeps what has this sum."""
        return f"{self.state}/spool/payloads/{sha256[:2]}/{sha256}"


def wait_for_answers(gateway: GatewayProcess, count: int) -> None:
    """Until every interchange is acknowledged and nothing waits in the outbox."""
    deadline = time.monotonic() + SECONDS
    engine = open_reader(gateway.state / "journal.sqlite")
    try:
        while True:
            with engine.connect() as conn:
                counts = records.counts(conn)
            done = sum(n for s, n in counts.interchanges.items() if s.value == "acknowledged")
            if done == count and not counts.outbox:
                return
            assert time.monotonic() < deadline, f"never answered:\n{gateway.log_tail()}"
            time.sleep(0.2)
    finally:
        engine.dispose()


def read_trace(file: Path, daemon: int) -> list[Call]:
    """The calls, once strace has written down the daemon's end."""
    deadline = time.monotonic() + SECONDS
    end = f"{daemon} "
    while True:
        lines = file.read_text(encoding="latin-1").splitlines()
        if any(line.startswith(end) and "+++ exited" in line for line in lines[-50:]):
            return trace.parse(lines)
        assert time.monotonic() < deadline, "strace never wrote down the daemon's end"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """One gateway, from an empty disk to its stop, that was sent a file in each of two ways."""
    folder = tmp_path_factory.mktemp("traced")
    require_strace(folder)
    output = folder / "trace"
    gateway = GatewayProcess(
        folder / "gateway",
        judges=1,
        sftp_processes=1,
        wrapper=("strace", *trace.OPTIONS, "-o", str(output)),
    )
    try:
        gateway.start()
        for name in ("put", "renamed"):
            data = ubl_invoice(name)
            attached = with_attachment(data, ATTACHED) if name == "put" else data
            (folder / f"{name}.xml").write_bytes(attached)
        for commands in (
            [f"put {folder}/put.xml in/put.xml"],
            [f"put {folder}/renamed.xml in/renamed.part", "rename in/renamed.part in/renamed.xml"],
        ):
            done = gateway.sftp(commands)
            assert done.returncode == 0, done.stderr
        wait_for_answers(gateway, 2)
        assert gateway.stop() == 0
        calls = read_trace(output, gateway.pid)
        commits = commits_of(calls, str(gateway.state / "journal.sqlite"), facts_of)
        yield Traced(gateway, calls, commits)
    finally:
        gateway.ensure_gone()


@pytest.mark.parametrize(
    ("name", "replies_before"),
    [
        ("put.xml", order.REPLIES_TO_PUT),
        ("renamed.xml", order.REPLIES_TO_PUT_AND_RENAME),
    ],
)
def test_a_client_is_told_when_its_file_can_no_longer_be_lost(
    traced: Traced, name: str, replies_before: int
) -> None:
    """File, its name, the folders made for it and the journal are on disk before the answer."""
    order.check_receipt(
        traced.calls,
        traced.commits,
        state=traced.state,
        payload=traced.payload(name),
        interchange_id=traced.interchanges[name].id,
        replies_before=replies_before,
    )


def test_a_publication_is_durable_before_the_journal_calls_it_delivered(traced: Traced) -> None:
    """Body and headers of every message, and never sent before the journal holds it."""
    rows = {row.message_id: row for row in traced.outbox if row.destination == "broker"}
    found = Path(traced.state, "publications").rglob("*")
    files = sorted(file for file in found if file.is_file())
    assert len(files) == 2 * len(rows) > 0
    for file in files:
        order.check_delivery(
            traced.calls,
            traced.commits,
            state=traced.state,
            file=str(file),
            message_id=rows[file.name.partition(".")[0]].message_id,
        )


def test_an_attached_file_is_durable_before_the_journal_holds_the_result(traced: Traced) -> None:
    """The judge writes it, the daemon makes it durable, and only then is it spoken of."""
    sha256 = hashlib.sha256(ATTACHED).hexdigest()
    results = [row for row in traced.outbox if row.kind == "document"]
    (row,) = [row for row in results if sha256.encode() in row.body]
    order.check_attached(
        traced.calls,
        traced.commits,
        state=traced.state,
        payload=traced.stored(sha256),
        message_id=row.message_id,
    )


def test_an_acknowledgement_is_durable_before_the_journal_calls_it_delivered(
    traced: Traced,
) -> None:
    """The report in the partner's out/, likewise."""
    reports = [row for row in traced.outbox if row.destination != "broker"]
    assert len(reports) == 2
    for row in reports:
        order.check_delivery(
            traced.calls,
            traced.commits,
            state=traced.state,
            file=f"{traced.state}/sftp/{PARTNER}/out/{row.filename}",
            message_id=row.message_id,
        )
