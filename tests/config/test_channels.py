"""[http], [sftp_remote] and [folder] of partner files: what is refused, and in which words."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from gateway import config, resources
from gateway.config import channel_checks
from gateway.config.strict import convert
from gateway.errors import Fault
from gateway.model.partner import Partner

TOKEN = "0123456789abcdef" * 4
KEY = ed25519.Ed25519PrivateKey.generate()
PUBLIC = (
    KEY.public_key()
    .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    .decode()
)
HEAD = 'name = "acme"\nflows = ["ctc-fr-invoice"]\n'
HTTP = f'{HEAD}[http]\ntoken_sha256 = ["{TOKEN}"]\n'
REMOTE = f"""{HEAD}
[sftp_remote]
host = "sftp.acme.example"
username = "edi"
host_key = "{PUBLIC}"
key_file = "key"
fetch_from = "out/invoices"
push_to = "in"
"""


class Folder:
    """Settings with HTTP, a key to log in with, folders to take files from."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("partners", "in", "out", "done"):
            (root / name).mkdir()
        (root / "gateway.toml").write_text("[http]\nenabled = true\n")
        self.key = root / "partners" / "key"
        self.key.write_bytes(private_key())
        self.key.chmod(0o600)
        self.folder = f'{HEAD}[folder]\ninbox = "{root}/in"\nout = "{root}/out"\n'

    def partner(self, text: str, name: str = "acme") -> Path:
        """Write a partner file."""
        path = self.root / "partners" / f"{name}.toml"
        path.write_text(text)
        return path

    def faults(self) -> tuple[Fault, ...]:
        """What is wrong."""
        return config.read(self.root / "gateway.toml").faults

    def fault(self) -> Fault:
        """The only thing that is wrong."""
        (fault,) = self.faults()
        assert fault.remedy
        return fault

    def notice(self) -> Fault:
        """The only thing that is remarked: a folder; nothing is wrong."""
        (notice,) = config.load(self.root / "gateway.toml").notices
        assert config.read(self.root / "gateway.toml").unusable == (notice,)
        assert notice.remedy
        return notice


def private_key(password: bytes | None = None) -> bytes:
    """A key as ssh-keygen writes it."""
    return KEY.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption(),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_sound_channels_pass(folder: Folder) -> None:
    """Each alone, and the paths of the partner's file are absolute."""
    for text in (HTTP, REMOTE, folder.folder):
        folder.partner(text)
        assert folder.faults() == ()
    folder.partner(REMOTE)
    remote = config.load(folder.root / "gateway.toml").partners["acme"].sftp_remote
    assert remote
    assert remote.key_file == str(folder.key)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda text: text.replace(TOKEN, "open sesame"), "http.token_sha256[0]"),
        (lambda text: text.replace(TOKEN, TOKEN.upper()), "http.token_sha256[0]"),
        (lambda text: text.replace(f'"{TOKEN}"', ""), "http.token_sha256"),
        (lambda text: text + "max_connections = 0", "http.max_connections"),
    ],
)
def test_http_that_is_refused(folder: Folder, change: Callable[[str], str], key: str) -> None:
    """No token, or something else than its hash, which is not repeated."""
    folder.partner(change(HTTP))
    fault = folder.fault()
    assert fault.key == key
    assert "sesame" not in str(fault)


def test_parties_are_named_as_invoices_name_them(folder: Folder) -> None:
    """SIREN, SIRET and VAT identifiers; what could never be met in an invoice is refused."""
    known = '["732829320", "73282932000074", "BE0123456789"]'
    folder.partner(f"{HTTP}[statuses]\nparties = {known}\n")
    partner = config.load(folder.root / "gateway.toml").partners["acme"]
    assert partner.statuses.of == "own"
    assert len(partner.statuses.parties) == 3
    folder.partner(f'{HTTP}[statuses]\nparties = ["732829320", "Acheteur SA"]\n')
    fault = folder.fault()
    assert fault.key == "statuses.parties[1]"
    assert "SIREN" in fault.what


def test_a_token_belongs_to_one_partner(folder: Folder) -> None:
    """Two with the same are refused; also when one of the two is only being prepared."""
    folder.partner(HTTP)
    other = folder.partner("enabled = false\n" + HTTP.replace("acme", "zeta"), "zeta")
    fault = folder.fault()
    assert (fault.file, fault.key) == (str(other), "http.token_sha256[0]")
    assert TOKEN not in str(fault)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda text: text.replace(PUBLIC, f"sftp.acme.example {PUBLIC}"), "sftp_remote.host_key"),
        (lambda text: text.replace(PUBLIC, PUBLIC[:40]), "sftp_remote.host_key"),
        (lambda text: text.replace('key_file = "key"', ""), "sftp_remote"),
        (lambda text: text + 'password_file = "key"', "sftp_remote"),
        (lambda text: text.replace('"key"', '"none"'), "sftp_remote.key_file"),
        (lambda text: text.replace('"key"', '"acme.toml"'), "sftp_remote.key_file"),
        (
            lambda text: text.replace('key_file = "key"', 'password_file = "none"'),
            "sftp_remote.password_file",
        ),
        (lambda text: text.replace("out/invoices", "../out"), "sftp_remote.fetch_from"),
        (lambda text: text.replace("out/invoices", "in"), "sftp_remote.push_to"),
        (lambda text: text + 'move_to = "out/../done"', "sftp_remote.move_to"),
        (lambda text: text + 'move_to = "out\\\\done"', "sftp_remote.move_to"),
        (lambda text: text + 'move_to = "out/invoices/"', "sftp_remote.move_to"),
        (lambda text: text + 'marker_suffix = "/ok"', "sftp_remote.marker_suffix"),
        (lambda text: text + 'marker_suffix = ".."', "sftp_remote.marker_suffix"),
        (
            lambda text: text.replace('fetch_from = "out/invoices"', "") + 'marker_suffix = ".ok"',
            "sftp_remote.marker_suffix",
        ),
        (lambda text: text.split("fetch_from")[0], "sftp_remote"),
    ],
)
def test_remote_servers_that_are_refused(
    folder: Folder, change: Callable[[str], str], key: str
) -> None:
    """An unknown host key, no way or two ways to log in, paths that lead out, nothing to do."""
    folder.partner(change(REMOTE))
    assert folder.fault().key == key


def test_an_encrypted_key_is_refused(folder: Folder) -> None:
    """Nobody is there to type its password."""
    folder.key.write_bytes(private_key(b"open sesame"))
    folder.partner(REMOTE)
    assert "encrypted" in folder.fault().what


def test_a_key_that_others_may_read_is_remarked(folder: Folder) -> None:
    """A notice, with the command."""
    folder.key.chmod(0o644)
    folder.partner(REMOTE)
    (notice,) = config.load(folder.root / "gateway.toml").notices
    assert (notice.key, "chmod" in notice.remedy) == ("sftp_remote.key_file", True)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda text: re.sub(r'".*/in"', '"in"', text), "folder.inbox"),
        (lambda text: re.sub(r'".*/in"', '""', text), "folder.inbox"),
        (lambda text: text.replace("/out", "/in/../in"), "folder.out"),
        (lambda text: text + 'move_to = "done"', "folder.move_to"),
    ],
)
def test_folders_that_are_refused(folder: Folder, change: Callable[[str], str], key: str) -> None:
    """Not said in full, or the inbox again."""
    folder.partner(change(folder.folder))
    assert folder.fault().key == key


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda text: text.replace("/in", "/none"), "folder.inbox"),
        (lambda text: text.replace("/in", "/gateway.toml"), "folder.inbox"),
        (lambda text: text.replace("/out", "/none"), "folder.out"),
        (lambda text: text + f'move_to = "{os.devnull}"', "folder.move_to"),
    ],
)
def test_folders_that_are_not_there_stop_nothing(
    folder: Folder, change: Callable[[str], str], key: str
) -> None:
    """Not mounted today, or no folder: a notice; the gateway starts for the other partners."""
    file = folder.partner(change(folder.folder))
    notice = folder.notice()
    assert (notice.file, notice.key) == (str(file), key)


def test_an_inbox_belongs_to_one_partner(folder: Folder) -> None:
    """Nobody could say whose the files are."""
    folder.partner(folder.folder)
    folder.partner(folder.folder.replace('"acme"', '"zeta"'), "zeta")
    assert folder.fault().key == "folder.inbox"


def test_a_folder_that_is_closed_to_us(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who we are, whose it is, and three ways to open it."""
    monkeypatch.setattr(channel_checks, "_may", lambda path, _mode: path.name != "in")
    folder.partner(folder.folder)
    notice = folder.notice()
    assert notice.key == "folder.inbox"
    assert f"(id {os.geteuid()}) may not" in notice.what
    assert all(word in notice.remedy for word in ("chgrp", "2770", "setfacl"))


def test_a_sticky_inbox(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """As /tmp is: files of others could be read and never removed."""
    (folder.root / "in").chmod(0o1777)
    folder.partner(folder.folder)
    monkeypatch.setattr(channel_checks.os, "geteuid", lambda: 64999)
    assert "sticky" in folder.notice().what


def test_a_disabled_partner_needs_no_folder(folder: Folder) -> None:
    """It is being prepared."""
    folder.partner("enabled = false\n" + folder.folder.replace("/in", "/none"))
    assert folder.faults() == ()
    assert config.load(folder.root / "gateway.toml").notices == ()


def test_the_example_is_sound_when_uncommented() -> None:
    """Each commented key of the example has a value the gateway would take."""
    text = (resources.data_folder("conf") / "partners" / "example.toml").read_text()
    live = re.sub(r"^# (\[|[a-z0-9_]+ = )", r"\1", text, flags=re.MULTILINE)
    partner, faults = convert(tomllib.loads(live), Partner, file=Path("example.toml"))
    assert faults == ()
    assert partner
    assert partner.as2
    assert partner.folder
    assert partner.sftp_remote
