"""A partner of the site before meets the gateway: its client notices nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway_process import PARTNER, GatewayProcess

SAMPLE = Path(__file__).parents[2] / "gateway" / "samples" / "ubl-invoice.xml"

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(300)]


@pytest.fixture
def line(tmp_path: Path) -> Iterator[GatewayProcess]:
    """Not started yet."""
    made = GatewayProcess(tmp_path / "new", judges=1, sftp_processes=1)
    yield made
    made.ensure_gone()


def key(path: Path, *options: str) -> Path:
    """A key pair, by OpenSSH."""
    subprocess.run(
        ["ssh-keygen", "-q", "-N", "", "-f", path, *options],
        check=True,
        timeout=60,
    )
    return path


def test_a_client_that_pins_the_old_host_key_and_logs_in_with_its_old_key_goes_on(
    line: GatewayProcess, tmp_path: Path
) -> None:
    """OpenSSH, which knows nothing but the old server's RSA key, and refuses every other."""
    host = key(tmp_path / "ssh_host_rsa_key", "-t", "rsa", "-b", "3072")
    own = key(tmp_path / "id_ed25519", "-t", "ed25519")
    line.state.mkdir()
    done = line.command("cutover", "host-keys", str(host))
    assert done.returncode == 0, done.stderr
    old = tmp_path / "authorized_keys"
    old.write_text(f"no-pty,no-agent-forwarding {own.with_suffix('.pub').read_text()}")
    done = line.command("cutover", "authorized-keys", str(old), "--partner", PARTNER)
    assert done.returncode == 0, done.stderr
    line.know(PARTNER, own)
    words = Path(f"{host}.pub").read_text().split()
    (line.folder / "known_hosts").write_text(f"[127.0.0.1]:{line.port} {words[0]} {words[1]}\n")
    strict = ["sftp", "-o", "StrictHostKeyChecking=yes", "-o", "UpdateHostKeys=no"]
    line.start()
    sent = subprocess.run(
        [*strict, *line.sftp_command()[1:]],
        input=f"put {SAMPLE} in/invoice.xml\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert sent.returncode == 0, sent.stderr
    assert line.stop() == 0
