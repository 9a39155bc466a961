"""`edi-gateway cutover`: what partners know of the site before, brought in whole or not at all."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from gateway.cli.cutover_keys import lines_of
from gateway.cli.main import main
from gateway.config.loader import load
from gateway.service.sftp_server import keys, ssh
from tests.config.as2_folder import PARTNER, As2Folder
from tests.config.certificates import certificate, rsa_key


class Command:
    """Runs `edi-gateway cutover …` in a sound configuration."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = As2Folder(root), capsys
        self.state = root / "state"
        self.state.mkdir(exist_ok=True)

    def __call__(self, *words: str | Path) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        code = main(["cutover", *map(str, words), "--config", str(self.folder.file)])
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err

    def partner(self) -> dict[str, Any]:
        """The partner's file."""
        return tomllib.loads(self.folder.acme.read_text())


@pytest.fixture
def cutover(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, capsys)


def made(folder: Path, kind: str, *options: str) -> Path:
    """A key pair, by OpenSSH; its private half."""
    if shutil.which("ssh-keygen") is None:
        pytest.fail("ssh-keygen is missing: apt-get install openssh-client")
    path = folder / f"{kind}-{len(list(folder.iterdir()))}"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "old site", "-f", path, *options],
        check=True,
        timeout=60,
    )
    return path


def public(private: Path) -> str:
    """The public half: type and key."""
    return " ".join(Path(f"{private}.pub").read_text().split()[:2])


def fingerprint(private: Path) -> str:
    """As OpenSSH prints it."""
    done = subprocess.run(
        ["ssh-keygen", "-lf", f"{private}.pub"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.split()[1]


# ---- host keys


@pytest.mark.ssh
def test_the_server_shows_the_old_host_keys(cutover: Command, tmp_path: Path) -> None:
    """RSA too, also as PEM, which older sites have; what the gateway lacks it makes."""
    old = tmp_path / "old"
    old.mkdir()
    rsa, ed25519 = made(old, "rsa", "-b", "2048", "-m", "PEM"), made(old, "ed25519")
    code, out, err = cutover("host-keys", rsa, ed25519, "--state-dir", cutover.state)
    assert (code, err) == (0, "")
    assert fingerprint(rsa) in out
    assert fingerprint(ed25519) in out
    shown = {key.get_name(): key for key in ssh.load_host_keys(keys.host_keys(cutover.state))}
    assert set(shown) == {"ssh-rsa", "ssh-ed25519", "ecdsa-sha2-nistp256"}
    for private in (rsa, ed25519):
        kind, encoded = public(private).split()
        assert shown[kind].get_base64() == encoded
        path = keys.host_key_file(cutover.state, kind.removeprefix("ssh-"))
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.stat().st_uid == cutover.state.stat().st_uid
        assert public(path) == f"{kind} {encoded}"


@pytest.mark.ssh
def test_host_keys_that_are_there_stay_unless_it_is_said(cutover: Command, tmp_path: Path) -> None:
    """Partners of the gateway may know them; and of two files, none is taken then."""
    old = tmp_path / "old"
    old.mkdir()
    before = keys.host_keys(cutover.state)
    rsa, ed25519 = made(old, "rsa", "-b", "2048"), made(old, "ed25519")
    words: tuple[str | Path, ...] = ("host-keys", rsa, ed25519, "--state-dir", cutover.state)
    code, _, err = cutover(*words)
    assert code == 2
    assert "--replace" in err
    assert keys.host_keys(cutover.state) == before
    code, out, _ = cutover(*words, "--replace", "--json")
    assert code == 0
    told = [json.loads(line) for line in out.splitlines()]
    assert [each["kind"] for each in told] == ["rsa", "ed25519"]
    assert told[1]["fingerprint"] == fingerprint(ed25519)
    after = keys.host_keys(cutover.state)
    assert after["ecdsa"] == before["ecdsa"]
    assert after["ed25519"] != before["ed25519"]


@pytest.mark.ssh
def test_what_is_no_host_key_is_refused(cutover: Command, tmp_path: Path) -> None:
    """A public half, a password, a weak key, two of a kind, a file that is not there."""
    old = tmp_path / "old"
    old.mkdir()
    sound, weak = made(old, "ed25519"), made(old, "rsa", "-b", "1024")
    locked = old / "locked"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "a password", "-f", locked],
        check=True,
        timeout=60,
    )
    for files, said in (
        ([f"{sound}.pub"], "no private key"),
        ([locked], "without a password"),
        ([weak], "2048 bits"),
        ([sound, made(old, "ed25519")], "of one kind"),
        ([old / "nowhere"], "cannot be read"),
    ):
        code, _, err = cutover("host-keys", *files, "--state-dir", cutover.state)
        assert code == 2
        assert said in err
    assert not (cutover.state / "keys").exists()


# ---- authorized_keys


@pytest.mark.ssh
def test_whoever_was_let_in_is_let_in(cutover: Command, tmp_path: Path) -> None:
    """Comments of the partner's file stay; a line that kept somebody out is left to a human."""
    old = tmp_path / "old"
    old.mkdir()
    plain, narrowed, limited = (made(old, "ed25519") for _ in range(3))
    file = old / "authorized_keys"
    file.write_text(
        "# of the old site\n\n"
        f"{public(plain)} erp@acme\n"
        f'restrict,command="internal-sftp -d /in" {public(narrowed)} batch "job"\n'
        f'from="192.0.2.0/24" {public(limited)}\n'
        "ssh-dss AAAA old\n"
        f"{public(plain)} again\n"
    )
    cutover.folder.partner(PARTNER + "# kept as it is\n")
    code, out, err = cutover("authorized-keys", file, "--partner", "acme")
    assert (code, err) == (1, "")
    assert "line 5: left out: its option from has no equivalent here" in out
    assert "line 6: left out" in out
    assert "2 added" in out
    assert cutover.partner()["sftp"]["authorized_keys"] == [
        f"{public(plain)} erp@acme",
        f"{public(narrowed)} batch-job-",
    ]
    assert "# kept as it is" in cutover.folder.acme.read_text()
    load(cutover.folder.file)

    third = made(old, "ed25519")
    file.write_text(f"{public(plain)}\n{public(third)}\n")
    code, out, _ = cutover("authorized-keys", file, "--partner", "acme", "--json")
    assert code == 0
    told = [json.loads(line) for line in out.splitlines()]
    assert [each["result"] for each in told] == ["known", "added"]
    assert told[1]["key"] == fingerprint(third)
    assert len(cutover.partner()["sftp"]["authorized_keys"]) == 3


def test_lines_are_read_as_openssh_reads_them() -> None:
    """Options may hold blanks and commas in quotes; a certificate authority is no key."""
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDxwSuVRu0zPQeSwJvUQHMbdFbWPAi1iJCHqYzBbGcWx"
    found = list(
        lines_of(
            f'command="a, from=b \\" c",no-pty {key} me\n'
            f"cert-authority {key}\n"
            f'no-pty,expiry-time="20300101" {key}\n'
            f"   {key}\n"
            "ssh-ed25519\n"
        )
    )
    assert [(line.number, line.key, bool(line.why)) for line in found] == [
        (1, f"{key} me", False),
        (2, "", True),
        (3, "", True),
        (4, key, False),
        (5, "", True),
    ]


def test_keys_of_a_partner_that_is_not_there_change_nothing(
    cutover: Command, tmp_path: Path
) -> None:
    """The error names the partner."""
    code, _, err = cutover("authorized-keys", tmp_path / "keys", "--partner", "acmee")
    assert code == 2
    assert '"acmee"' in err


# ---- the keystore of another AS2 product


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    """Our key, two partners, with a password in a file of its own."""
    ours = certificate("us", days=(-9, 90))
    others = [
        pkcs12.PKCS12Certificate(certificate(name, days=(-9, 200)), alias)
        for name, alias in (("renewed", b"acme prod"), ("emca", b"emca"))
    ]
    path = tmp_path / "as2_certs.p12"
    path.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"us", rsa_key("us"), ours, others, BestAvailableEncryption(b"changeit")
        )
    )
    (tmp_path / "password").write_text("changeit\n")
    return path


def test_a_keystore_is_listed_first(cutover: Command, keystore: Path) -> None:
    """By alias, which is what the next command names; nothing is changed by looking."""
    before = sorted(cutover.folder.root.rglob("*"))
    code, out, _ = cutover("keystore", keystore, "--password-file", keystore.with_name("password"))
    assert code == 0
    assert re.search(r"^acme prod +CN=renewed +2[\d-]+$", out.replace(" \n", "\n"), re.M)
    assert re.search(r"^us +CN=us +2[\d-]+ +ours$", out, re.M)
    assert sorted(cutover.folder.root.rglob("*")) == before


def test_each_entry_goes_where_it_belongs(cutover: Command, keystore: Path) -> None:
    """A partner's certificate beside those it has; ours into a file of its own, with the key."""
    words: tuple[str | Path, ...] = (
        *("keystore", keystore, "--password-file", keystore.with_name("password")),
        *("--partner", "acme=acme prod", "--ours"),
    )
    code, out, err = cutover(*words)
    assert (code, err) == (0, "")
    (name,) = set(cutover.partner()["as2"]["certificates"]) - {"acme.pem"}
    assert name.startswith("acme-")
    assert "PRIVATE" not in (cutover.folder.certificates / name).read_text()
    (own,) = (each for each in cutover.folder.certificates.glob("gateway-*.pem"))
    assert "PRIVATE KEY" in own.read_text()
    assert own.name in out
    held = [each for each in load(cutover.folder.file).held if each.owner == "acme"]
    assert len(held) == 2


def test_partners_stay_as_they_are_where_ours_cannot_be_taken(
    cutover: Command, keystore: Path
) -> None:
    """It is there already: nothing of the command is done, not only the second half of it."""
    words = ("keystore", keystore, "--password-file", keystore.with_name("password"))
    assert cutover(*words, "--ours")[0] == 0
    before = {each.name: each.read_bytes() for each in cutover.folder.certificates.iterdir()}
    partner = cutover.folder.acme.read_text()
    code, out, err = cutover(*words, "--partner", "acme=acme prod", "--ours")
    assert (code, out) == (2, "")
    assert "is there already" in err
    assert cutover.folder.acme.read_text() == partner
    after = {each.name: each.read_bytes() for each in cutover.folder.certificates.iterdir()}
    assert after == before


def test_a_keystore_is_taken_whole_or_not_at_all(cutover: Command, keystore: Path) -> None:
    """An alias, a partner or a password that does not exist."""
    password = keystore.with_name("password")
    before = cutover.folder.acme.read_text()
    for more, said in (
        (("--partner", "acme=nobody"), "It has: us, acme prod, emca"),
        (("--partner", "acme=acme prod", "--partner", "emca=emca"), '"emca"'),
    ):
        code, _, err = cutover("keystore", keystore, "--password-file", password, *more)
        assert code == 2
        assert said in err
    password.write_text("wrong\n")
    code, _, err = cutover("keystore", keystore, "--password-file", password)
    assert code == 2
    assert "--password-file" in err
    assert cutover.folder.acme.read_text() == before
    assert sorted(each.name for each in cutover.folder.certificates.iterdir()) == [
        "acme.pem",
        "ours.pem",
    ]
