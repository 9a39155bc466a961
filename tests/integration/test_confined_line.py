"""The gateway works under what the systemd unit allows, and asks for nothing else."""

from __future__ import annotations

import json
import os
import sys
import tarfile
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from gateway.samples import SAMPLES, sample_bytes
from tests.as2_partner import Keys, encrypted, part, post, signed, verified
from tests.broker import free_port
from tests.confinement import Unit
from tests.gateway_process import GatewayProcess
from tests.integration.test_durable_order import read_trace, require_strace
from tests.test_systemd import UNIT

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(300)]

SECONDS = 120.0
OF_ROOT_ALONE = {"fchown"}
"""SQLite gives its files to whom the database belongs, if root runs it: tests may be root, the
service never is."""


class Line:
    """A gateway with a wrapper, and a partner who sends by SFTP and by AS2."""

    def __init__(self, folder: Path, wrapper: tuple[str, ...]) -> None:
        self.folder = folder
        self.us, self.them = Keys(folder, "us"), Keys(folder, "them")
        self.port = free_port()
        self.gateway = GatewayProcess(
            folder / "gateway",
            judges=1,
            sftp_processes=1,
            wrapper=wrapper,
            settings=f"[http]\nenabled = true\nport = {self.port}\n"
            '[as2]\nid = "HUB"\nidentities = ["us.pem"]\nprocesses = 1\n',
        )
        certificates = self.gateway.folder / "certificates"
        certificates.mkdir()
        (certificates / "us.pem").write_bytes(self.us.pem())
        (certificates / "us.pem").chmod(0o600)
        (certificates / "them.crt").write_bytes(self.them.certificate.read_bytes())
        partner = self.gateway.folder / "partners" / "acme.toml"
        as2 = '[as2]\nid = "ACME"\ncertificates = ["them.crt"]\n'
        partner.write_text(partner.read_text() + as2)

    def works(self) -> None:
        """Samples alone and in an archive by SFTP, one by AS2: all judged as they should be."""
        names = [sample.file for sample in SAMPLES]
        for name in names:
            (self.folder / name).write_bytes(sample_bytes(name))
        with tarfile.open(self.folder / "batch.tar.gz", "w:gz") as archive:
            for name in names:
                archive.add(self.folder / name, name)
        names.append("batch.tar.gz")
        sent = self.gateway.sftp([f"put {self.folder / name} in/{name}" for name in names])
        assert sent.returncode == 0, sent.stderr
        message = encrypted(signed(part(sample_bytes("ubl-invoice.xml")), self.them), self.us)
        answer = post(self.port, message, "ACME", "<confined@acme.example>")
        assert b"automatic-action/MDN-sent-automatically; processed\r" in verified(answer, self.us)
        self._wait_for_answers(len(names) + 1)
        verdicts = self._verdicts()
        for sample in SAMPLES:
            expected = {sample.expected_verdict: 1}
            assert verdicts[sample.file] == expected, self.gateway.log_tail()
        every = Counter(sample.expected_verdict for sample in SAMPLES)
        assert verdicts["batch.tar.gz"] == every, self.gateway.log_tail()

    def _wait_for_answers(self, count: int) -> None:
        deadline = time.monotonic() + SECONDS
        while True:
            found = json.loads(self.gateway.command("status", "--json").stdout)
            if found["interchanges"].get("acknowledged") == count and not found["outbox"]:
                return
            assert time.monotonic() < deadline, f"never answered:\n{self.gateway.log_tail()}"
            time.sleep(0.3)

    def _verdicts(self) -> dict[str, dict[str, int]]:
        """File name → how many documents in it got which verdict."""
        listed = self.gateway.command("interchanges", "--json").stdout
        return {each["name"]: each["verdicts"] for each in map(json.loads, listed.splitlines())}


def test_it_works_under_what_the_unit_allows(tmp_path: Path) -> None:
    """Its system calls, no capabilities, no code that can be written, one folder to write to."""
    confined = (sys.executable, "-m", "tests.confinement", str(UNIT))
    line = Line(tmp_path, (*confined, str(tmp_path / "gateway" / "state"), "--"))
    try:
        line.gateway.start()
        line.works()
        daemon = psutil.Process(line.gateway.pid)
        processes = [daemon, *daemon.children(recursive=True)]
        assert len(processes) == 4, "daemon, judge, crypto worker, SFTP process"
        for process in processes:
            status = Path(f"/proc/{process.pid}/status").read_text()
            held = dict(each.split(":\t", 1) for each in status.splitlines() if ":\t" in each)
            assert (held["NoNewPrivs"], held["Seccomp"]) == ("1", "2"), process
            assert os.geteuid() or int(held["CapEff"], 16) == 0, process
        assert line.gateway.stop() == 0
    finally:
        line.gateway.ensure_gone()
    log = [json.loads(each) for each in line.gateway.log_file.read_text().splitlines()]
    told = [each for each in log if each["level"] not in {"debug", "info"}]
    # Certificates of tests live for a month, which is a notice.
    assert {each["event"] for each in told} <= {"configuration_notice"}, told


def test_it_asks_for_nothing_that_the_unit_refuses(tmp_path: Path) -> None:
    """No system call of daemon, judge, crypto worker or SFTP process is outside the filter."""
    require_strace(tmp_path)
    allowed = Unit.read(UNIT).allowed_calls()
    others = "trace=!" + ",".join(f"?{call}" for call in sorted(allowed))
    output = tmp_path / "trace"
    options = ("-D", "-f", "-ttt", "--seccomp-bpf", "-e", others, "-o", str(output))
    line = Line(tmp_path, ("strace", *options))
    try:
        line.gateway.start()
        line.works()
        assert line.gateway.stop() == 0
        asked = {call.name for call in read_trace(output, line.gateway.pid)}
    finally:
        line.gateway.ensure_gone()
    assert asked <= (OF_ROOT_ALONE if os.geteuid() == 0 else set())
