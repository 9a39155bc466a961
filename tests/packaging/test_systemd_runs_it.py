"""The package on a machine that a real systemd has started: what the unit promises, it keeps."""

from __future__ import annotations

import json
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.samples import SAMPLES, sample_bytes
from tests.as2_partner import Keys, encrypted, part, signed
from tests.packaging.booted import Booted, CannotBoot
from tests.packaging.machine import SETTINGS
from tests.service.sftp_gateway import make_key

UNIT = "edi-gateway"
USER = "edi-gateway"
STATE = "/var/lib/edi-gateway"
PORT, HTTP = 2222, 8080
SECONDS = 120.0
AS2_POST = """
import pathlib, sys
from tests import as2_partner
message = pathlib.Path(sys.argv[2]).read_bytes()
print(as2_partner.post(int(sys.argv[1]), message, "ACME", "<1@acme.example>").status)
"""

pytestmark = pytest.mark.timeout(900)


class Served:
    """A machine with the package, one partner, and a client beside it."""

    def __init__(self, folder: Path, package: Path, *, files: Path = Path("/")) -> None:
        self.folder = folder
        self.machine = Booted(folder, files=files)
        self.key, public = make_key(folder, "acme")
        self.us, self.them = Keys(folder, "us"), Keys(folder, "them")
        self.machine.done("dpkg", "-i", self.machine.bring(package))
        self.partner(
            "acme",
            # The same few samples, over and over.
            '[uniqueness]\nenvelope = "accept"\npayload = "accept"\ninvoice = "off"\n'
            f'[sftp]\nauthorized_keys = ["{public}"]\n'
            '[as2]\nid = "ACME"\ncertificates = ["them.crt"]\n',
        )
        self.settings("")
        certificates = "/etc/edi-gateway/certificates"
        self.machine.done("install", "-d", "-m", "0750", "-g", USER, certificates)
        self.secret(f"{certificates}/us.pem", self.us.pem().decode())
        self.secret(f"{certificates}/them.crt", self.them.certificate.read_text())

    # ---- the administrator

    def settings(self, text: str) -> None:
        """These, besides what the partner needs."""
        self.machine.path(SETTINGS).write_text(
            f'[paths]\nstate = "{STATE}"\n[judges]\nprocesses = 1\n[http]\nenabled = true\n'
            f'[as2]\nid = "HUB"\nidentities = ["us.pem"]\nprocesses = 1\n{text}'
        )

    def partner(self, name: str, text: str) -> None:
        """A file of a partner's."""
        self.machine.path(f"/etc/edi-gateway/partners/{name}.toml").write_text(
            f'name = "{name}"\nflows = ["ctc-fr-invoice"]\n{text}'
        )

    def secret(self, place: str, text: str) -> None:
        """A file that the gateway's group may read."""
        self.machine.path(place).write_text(text)
        self.machine.done("chown", f"root:{USER}", place)
        self.machine.done("chmod", "0640", place)

    def drop_in(self, text: str, unit: str = f"{UNIT}.service") -> None:
        """As `systemctl edit` writes one."""
        folder = self.machine.path(f"/etc/systemd/system/{unit}.d")
        folder.mkdir(exist_ok=True)
        (folder / "override.conf").write_text(text)
        self.machine.done("systemctl", "daemon-reload")

    def start(self) -> None:
        """And be told, if it does not."""
        done = self.machine.run("systemctl", "start", UNIT)
        assert done.returncode == 0, self.machine.log(UNIT)[-3000:]

    def shown(self, name: str) -> str:
        """A property of the unit."""
        return self.machine.done("systemctl", "show", UNIT, "--property", name, "--value").strip()

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait for it."""
        deadline = time.monotonic() + SECONDS
        while not true():
            assert time.monotonic() < deadline, f"never {what}:\n{self.machine.log(UNIT)[-3000:]}"
            time.sleep(0.2)

    def command(self, *words: str) -> str:
        """One of the gateway's, as the documents say to give it."""
        return self.machine.done("runuser", "-u", USER, "--", "edi-gateway", *words)

    def as_root(self, *words: str) -> str:
        """The same, by an administrator who forgot to."""
        return self.machine.done("edi-gateway", *words)

    # ---- the partner

    def sftp(self, *lines: str, user: str = "acme", key: Path | None = None) -> bool:
        """Whether all of it went well."""
        options = [
            *("-P", str(PORT), "-i", str(key or self.key), "-b", "-", "-o", "BatchMode=yes"),
            *("-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={self.folder}/hosts"),
            *("-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"),
        ]
        done = self.machine.beside(
            "sftp", *options, f"{user}@127.0.0.1", given="\n".join(lines) + "\n"
        )
        return done.returncode == 0

    def by_as2(self) -> str:
        """The status of a message with an invoice."""
        message = self.folder / "message"
        entity = signed(part(sample_bytes("ubl-invoice.xml"), "by-as2.xml"), self.them)
        message.write_bytes(encrypted(entity, self.us))
        words = (sys.executable, "-c", AS2_POST, str(HTTP), str(message))
        done = self.machine.beside(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def sample(self, name: str) -> str:
        """A file with it."""
        file = self.folder / name
        file.write_bytes(sample_bytes(name))
        return str(file)

    def answered(self, count: int) -> dict[str, dict[str, int]]:
        """File name → verdicts, once so many are acknowledged and nothing waits to be sent."""

        def all_are() -> bool:
            found = json.loads(self.command("status", "--json"))
            return found["interchanges"] == {"acknowledged": count} and not found["outbox"]

        self.until(all_are, f"{count} acknowledged")
        listed = map(json.loads, self.command("interchanges", "--json").splitlines())
        return {each["name"]: each["verdicts"] for each in listed}


@pytest.fixture
def served(package: Path, tmp_path: Path) -> Iterator[Served]:
    """It is installed on a machine like this one, and nothing runs."""
    with _served(tmp_path, package, Path("/")) as made:
        yield made


@contextmanager
def _served(folder: Path, package: Path, files: Path) -> Iterator[Served]:
    try:
        made = Served(folder, package, files=files)
    except CannotBoot as why:
        pytest.skip(f"no systemd can be started here: {why}")
    try:
        yield made
    finally:
        made.machine.close()


def test_it_does_its_work_in_its_sandbox(served: Served) -> None:
    """All samples, alone and in an archive, by SFTP and AS2; every process is confined."""
    does_its_work(served)


def test_a_clean_debian_has_all_it_takes(package: Path, clean_debian: Path, tmp_path: Path) -> None:
    """What it depends on it says, and the rest it brings: on this machine much more is there."""
    with _served(tmp_path, package, clean_debian) as made:
        assert made.machine.run("which", "gcc", "sftp", "openssl").stdout == ""
        does_its_work(made)


def does_its_work(served: Served) -> None:
    """Started, given the samples, looked at, and stopped."""
    served.start()
    assert served.shown("StatusText") == "0 being judged, 0 waiting, broker available"

    names = [sample.file for sample in SAMPLES]
    with tarfile.open(served.folder / "batch.tar.gz", "w:gz") as archive:
        for name in names:
            archive.add(served.sample(name), name)
    names.append("batch.tar.gz")
    assert served.sftp(*(f"put {served.folder / name} in/{name}" for name in names))
    assert served.by_as2() == "200"
    verdicts = served.answered(len(names) + 1)
    for sample in SAMPLES:
        assert verdicts[sample.file] == {sample.expected_verdict: 1}
    assert verdicts["batch.tar.gz"] == Counter(sample.expected_verdict for sample in SAMPLES)
    assert verdicts["by-as2.xml"] == {"accepted": 1}

    group = served.machine.path(f"/sys/fs/cgroup{served.shown('ControlGroup')}/cgroup.procs")
    processes = group.read_text().split()
    assert len(processes) >= 5, "daemon, judges, crypto worker, SFTP processes"
    uid = served.machine.done("id", "-u", USER).strip()
    for process in processes:
        status = Path(f"/proc/{process}/status").read_text()
        held = dict(each.split(":\t", 1) for each in status.splitlines() if ":\t" in each)
        assert (held["NoNewPrivs"], held["Seccomp"], held["CapBnd"]) == ("1", "2", "0" * 16)
        assert set(held["Uid"].split()) == {uid}
    said = served.machine.done("systemd-analyze", "security", UNIT, "--no-pager")
    assert float(said.split("exposure level for edi-gateway.service: ")[1].split()[0]) <= 2.0
    served.machine.done("systemctl", "stop", UNIT)
    assert (served.shown("Result"), served.shown("ExecMainStatus")) == ("success", "0")


def test_a_reload_takes_up_partners_and_refuses_faults(served: Served) -> None:
    """`systemctl reload` fails with what is wrong, and the gateway goes on."""
    served.start()
    key, public = make_key(served.folder, "other")
    assert not served.sftp("pwd", user="other", key=key)
    served.partner("other", f'[sftp]\nauthorized_keys = ["{public}"]\n')
    served.machine.done("systemctl", "reload", UNIT)
    assert served.sftp("pwd", user="other", key=key)

    served.partner("other", 'languages = "fr"\n')
    assert served.machine.run("systemctl", "reload", UNIT).returncode != 0
    assert "languages" in served.machine.log(UNIT)
    assert served.shown("ActiveState") == "active"
    assert served.sftp("pwd", user="other", key=key)
    assert served.shown("NRestarts") == "0"


def test_a_gateway_that_hangs_is_killed_and_started_again(served: Served) -> None:
    """By the watchdog; what was received before is answered after it."""
    served.drop_in("[Service]\nWatchdogSec=6\nTimeoutAbortSec=2\n")
    served.start()
    first = served.shown("MainPID")
    time.sleep(8)
    assert served.shown("NRestarts") == "0", "it feeds the watchdog as often as that asks"
    assert served.sftp(f"put {served.sample('ubl-invoice.xml')} in/one.xml")
    served.machine.done("kill", "-STOP", first)
    served.until(lambda: served.shown("NRestarts") == "1", "started again")
    served.until(lambda: served.shown("ActiveState") == "active", "active")
    assert served.shown("MainPID") != first
    assert "Watchdog timeout" in served.machine.done("journalctl", "--no-pager", "-o", "cat")
    assert served.answered(1) == {"one.xml": {"accepted": 1}}


def test_killed_it_comes_back_by_itself(served: Served) -> None:
    """Within seconds, and with what it had received."""
    served.start()
    assert served.sftp(f"put {served.sample('ubl-invoice.xml')} in/one.xml")
    served.machine.done("kill", "-KILL", served.shown("MainPID"))
    served.until(lambda: served.shown("NRestarts") == "1", "started again")
    served.until(lambda: served.shown("ActiveState") == "active", "active")
    assert served.sftp(f"put {served.sample('ubl-invoice.xml')} in/one.xml"), "sent again"
    assert served.answered(1) == {"one.xml": {"accepted": 1}}


def test_a_faulty_configuration_is_not_tried_again(served: Served) -> None:
    """The start fails, the log says which key, and systemd lets it be."""
    served.settings('[sftp]\nport = "two"\n')
    assert served.machine.run("systemctl", "start", UNIT).returncode != 0
    time.sleep(4)  # RestartSec is 2
    assert (served.shown("ActiveState"), served.shown("NRestarts")) == ("failed", "0")
    assert served.shown("ExecMainStatus") == "2"
    assert "sftp.port" in served.machine.log(UNIT)


def test_a_port_that_is_in_use_is_waited_for(served: Served) -> None:
    """It is tried again until whoever had the port has given it back."""
    holder = f"import socket, time; held = socket.create_server(('', {PORT})); time.sleep(600)"
    served.machine.done("systemd-run", "--unit=holder", "/usr/bin/python3", "-c", holder)
    served.until(lambda: f":{PORT}" in served.machine.done("ss", "-Htnl"), "held")
    served.machine.done("systemctl", "start", "--no-block", UNIT)
    served.until(lambda: int(served.shown("NRestarts")) >= 2, "tried again")
    assert f"port {PORT}: Address already in use" in served.machine.log(UNIT)
    assert "sftp.port" in served.machine.log(UNIT)
    served.machine.done("systemctl", "stop", "holder")
    served.until(lambda: served.shown("ActiveState") == "active", "active")
    assert served.sftp(f"put {served.sample('ubl-invoice.xml')} in/one.xml")
    assert served.answered(1) == {"one.xml": {"accepted": 1}}


def test_sockets_start_it_and_hold_callers_while_it_is_down(served: Served) -> None:
    """Whoever connects waits; nobody is refused."""
    served.machine.done("systemctl", "enable", "--now", f"{UNIT}-sftp.socket")
    assert served.shown("ActiveState") == "inactive"
    assert served.sftp(f"put {served.sample('ubl-invoice.xml')} in/one.xml")
    # It receives before it tells systemd that it is ready.
    served.until(lambda: served.shown("ActiveState") == "active", "active")
    served.machine.done("systemctl", "stop", UNIT)
    assert served.shown("ActiveState") == "inactive"
    assert served.sftp(f"put {served.sample('ubl-invoice.xml')} in/two.xml")
    assert served.answered(2) == {"one.xml": {"accepted": 1}, "two.xml": {"accepted": 1}}
    assert served.shown("NRestarts") == "0"


def test_a_credential_of_systemds_is_found(served: Served) -> None:
    """By the service, which may not read the file itself, and by commands while it runs."""
    secret = "xQ7-of-the-broker"
    store = served.machine.path("/etc/credstore")
    store.mkdir(exist_ok=True)
    (store / "broker").write_text(f"{secret}\n")
    (store / "broker").chmod(0o600)
    served.drop_in("[Service]\nLoadCredential=rabbitmq-password:/etc/credstore/broker\n")
    served.settings(
        '[rabbitmq]\nhost = "127.0.0.1"\nport = 1\nusername = "edi"\n'
        'password_file = "$CREDENTIALS_DIRECTORY/rabbitmq-password"\n'
    )
    served.start()
    assert "broker" in served.shown("StatusText")
    listing = ("runuser", "-u", USER, "--", "edi-gateway", "partner", "list")
    assert served.machine.run(*listing).stderr == ""
    assert secret not in served.machine.log(UNIT)
    served.machine.done("systemctl", "stop", UNIT)
    assert "The configuration has 1 fault" in served.machine.run(*listing).stderr


def test_an_upgrade_keeps_it_running_and_a_removal_stops_it(served: Served, newer: Path) -> None:
    """By dpkg: stopped, its files changed, and started again with what it had."""
    served.start()
    assert served.sftp(f"put {served.sample('ubl-invoice.xml')} in/one.xml")
    assert served.answered(1) == {"one.xml": {"accepted": 1}}
    first = served.shown("MainPID")
    served.machine.done(
        "dpkg", "--force-confdef", "--force-confold", "-i", served.machine.bring(newer)
    )
    assert served.shown("ActiveState") == "active"
    assert served.shown("MainPID") not in {first, "0"}
    assert served.sftp(f"put {served.sample('ubl-invoice.xml')} in/two.xml")
    assert served.answered(2) == {"one.xml": {"accepted": 1}, "two.xml": {"accepted": 1}}
    served.machine.done("dpkg", "-r", UNIT)
    assert served.machine.run("systemctl", "is-active", UNIT).stdout.strip() == "inactive"
    assert served.machine.path(f"{STATE}/journal.sqlite").exists()


def test_a_backup_by_a_unit_of_its_own_comes_back(served: Served) -> None:
    """As docs/backup.md has both: what was received is there, and belongs to the service."""
    served.machine.path("/etc/systemd/system/edi-gateway-backup.service").write_text(
        f"[Service]\nType=oneshot\nUser={USER}\nUMask=0077\n"
        "ExecStart=/opt/edi-gateway/bin/edi-gateway backup /srv/backup/edi-gateway --keep 14\n"
    )
    served.machine.done("systemctl", "daemon-reload")
    served.machine.done("install", "-d", "-m", "0700", "-o", USER, "-g", USER, "/srv/backup")
    served.start()
    assert served.sftp(f"put {served.sample('ubl-invoice.xml')} in/one.xml")
    assert served.answered(1) == {"one.xml": {"accepted": 1}}
    served.machine.done("systemctl", "start", "edi-gateway-backup")

    for number, restore in enumerate((served.command, served.as_root)):
        served.machine.done("systemctl", "stop", UNIT)
        served.machine.done("mv", STATE, f"{STATE}.{number}")
        served.machine.done("install", "-d", "-m", "0700", "-o", USER, "-g", USER, STATE)
        restore("restore", "/srv/backup/edi-gateway")
        served.start()
        assert served.answered(1) == {"one.xml": {"accepted": 1}}
        assert served.sftp(f"put {served.sample('ubl-invoice.xml')} in/one.xml"), "known already"
        assert served.answered(1) == {"one.xml": {"accepted": 1}}
        served.command("doctor")
    owners = served.machine.done("find", STATE, "-printf", "%u:%g\n").split()
    assert set(owners) == {f"{USER}:{USER}"}
