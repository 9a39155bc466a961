"""The little tree a client sees, its folders on disk, and the keys of the server."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import CapturingLogger

from gateway.config.settings import Sftp
from gateway.durable import make_folder
from gateway.errors import ConfigurationError, DeliveryFailed
from gateway.service.sftp_server import place_in_out
from gateway.service.sftp_server.expiry import sweep
from gateway.service.sftp_server.folders import in_folder, out_folder, partner_folder
from gateway.service.sftp_server.home import Home
from gateway.service.sftp_server.incoming import Incoming
from gateway.service.sftp_server.keys import authorized_key, host_key_file, host_keys
from gateway.service.sftp_server.notes import usable_name
from gateway.service.sftp_server.outgoing import Outgoing
from gateway.service.sftp_server.protocol import Attributes, OpenFlag, Status
from gateway.service.sftp_server.refusal import Refused
from gateway.spool import Spool

WRITE = OpenFlag.WRITE | OpenFlag.CREATE | OpenFlag.TRUNCATE


class NoReceipts:
    """Nothing is handed over in these tests."""

    def ask(self, *_: Any) -> None:
        """Never."""
        raise AssertionError


@pytest.fixture
def home(tmp_path: Path) -> Home:
    folders = in_folder(tmp_path, "acme"), out_folder(tmp_path, "acme")
    for folder in folders:
        make_folder(folder)
    incoming = Incoming(
        folders[0],
        settings=Sftp(),
        require_rename=False,
        spool=Spool(folders[0] / "spool"),
        receipts=NoReceipts(),
        log=CapturingLogger(),
    )
    out = Outgoing(folders[1], once_only=False, fetched=lambda _: False, log=CapturingLogger())
    return Home(incoming, out)


def listed(home: Home, path: bytes) -> list[str]:
    return [name for name, _ in home.listing(path) if name not in {".", ".."}]


@pytest.mark.parametrize(
    ("path", "real"),
    [
        (b"", b"/"),
        (b".", b"/"),
        (b"/", b"/"),
        (b"//", b"/"),
        (b"..", b"/"),
        (b"../../etc/passwd", b"/etc/passwd"),
        (b"in", b"/in"),
        (b"/in/./../out//x/", b"/out/x"),
        (b"in/../../../in/a", b"/in/a"),
    ],
)
def test_paths_are_resolved_within_the_tree(path: bytes, real: bytes) -> None:
    """There is nothing above `/`."""
    assert Home.real_path(path) == real


def test_the_tree_has_two_folders(home: Home) -> None:
    """And nothing else."""
    assert listed(home, b"/") == ["in", "out"]
    for folder in (b"/", b"/in", b"out/"):
        assert stat.S_ISDIR(home.attributes(folder).permissions or 0)


@pytest.mark.parametrize(
    "path",
    [
        b"/etc/passwd",
        b"../../../../etc/passwd",
        b"/in/../../../etc/passwd",
        b"/in/a/b",
        b"/out/../in/x/../../../etc/shadow",
        b"/in/a\0b",
        b"/in/\xff\xfe",
        b"/proc/self/environ",
    ],
)
def test_what_is_outside_does_not_exist(home: Home, path: bytes) -> None:
    """For looking, opening, removing and renaming alike."""
    attempts = [
        lambda: home.attributes(path),
        lambda: home.open(path, OpenFlag.READ),
        lambda: home.open(path, OpenFlag.WRITE),
        lambda: home.listing(path),
        lambda: home.remove(path),
        lambda: home.rename(path, b"/in/x", lambda: True),
        lambda: home.set_attributes(path, Attributes(permissions=0o777)),
    ]
    for attempt in attempts:
        with pytest.raises(Refused) as caught:
            attempt()
        assert caught.value.status in {Status.NO_SUCH_FILE, Status.PERMISSION_DENIED}
    with pytest.raises(Refused):
        home.open(path, WRITE)


@pytest.mark.parametrize("path", [b"/x", b"/out/x", b"/in/a/b", b"/", b"/in"])
def test_files_can_be_written_in_in_only(home: Home, path: bytes) -> None:
    """And only directly in it."""
    with pytest.raises(Refused):
        home.open(path, WRITE)


def test_links_in_out_are_not_followed(home: Home, tmp_path: Path) -> None:
    """Were one ever there, nobody could read through it; nor through a folder or a dot-file."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    out = out_folder(tmp_path, "acme")
    (out / "link").symlink_to(secret)
    (out / "folder").mkdir()
    (out / ".tmp-0123").write_text("unfinished")
    (out / "with space").write_text("not one of ours")
    assert listed(home, b"/out") == []
    for name in (b"link", b"folder", b".tmp-0123", b"with space", b"link/../link"):
        with pytest.raises(Refused) as caught:
            home.open(b"/out/" + name, OpenFlag.READ)
        assert caught.value.status is Status.NO_SUCH_FILE


def test_out_is_read_and_emptied_by_the_partner(home: Home, tmp_path: Path) -> None:
    """List, stat, read in pieces, remove."""
    place_in_out(tmp_path, "acme", "report-1.xml", b"<report/>")
    assert listed(home, b"/out") == ["report-1.xml"]
    assert home.attributes(b"/out/report-1.xml").size == 9
    file = home.open(b"out/report-1.xml", OpenFlag.READ)
    assert file.read(1, 6) == b"report"
    assert file.read(9, 6) == b""
    file.close()
    with pytest.raises(Refused):
        home.rename(b"/out/report-1.xml", b"/in/report-1.xml", lambda: True)
    home.remove(b"/out/report-1.xml")
    assert listed(home, b"/out") == []


def test_attributes_that_mean_nothing_here_are_accepted(home: Home, tmp_path: Path) -> None:
    """Clients set times and permissions after a put; owners and sizes are another matter."""
    upload = home.open(b"/in/a.xml", WRITE)
    upload.abandon()
    place_in_out(tmp_path, "acme", "r.xml", b"x")
    for path in (b"/in/a.xml", b"/in", b"/out/r.xml"):
        home.set_attributes(path, Attributes(permissions=0o4777, mtime=5))
        with pytest.raises(Refused):
            home.set_attributes(path, Attributes(owner=True))
        with pytest.raises(Refused):
            home.set_attributes(path, Attributes(size=10))
    mode = os.stat(out_folder(tmp_path, "acme") / "r.xml").st_mode
    assert stat.S_IMODE(mode) == 0o600


@given(st.text(min_size=1, max_size=40))
def test_usable_names_hold_nothing_dangerous(name: str) -> None:
    """What is usable comes back unchanged; no separator, no control character."""
    try:
        raw = name.encode()
    except UnicodeEncodeError:
        return
    found = usable_name(raw)
    assert found in {None, name}
    if found is not None:
        assert not set(found) & {"/", "\0", "\n", "\x1b", "\x7f", "\u2028"}
        assert found not in {".", ".."}


@pytest.mark.parametrize(
    "raw", [b"", b".", b"..", b"a/b", b"a\nb", b"\x1b[31m", b"\xe9", b"x" * 256]
)
def test_unusable_names(raw: bytes) -> None:
    """Including bytes that are not UTF-8."""
    assert usable_name(raw) is None


def test_unicode_names_are_kept_as_they_are() -> None:
    """Composed and decomposed forms are two names: nothing is normalised."""
    for name in ("\u00e9.xml", "e\u0301.xml"):
        assert usable_name(name.encode()) == name
    assert usable_name(b"x" * 255) == "x" * 255


def test_placing_twice_gives_one_file(tmp_path: Path) -> None:
    """Whole, private, with nothing left beside it."""
    for _ in range(2):
        place_in_out(tmp_path, "acme", "r.xml", b"<r/>")
    out = out_folder(tmp_path, "acme")
    assert [(each.name, each.read_bytes()) for each in out.iterdir()] == [("r.xml", b"<r/>")]
    assert stat.S_IMODE((out / "r.xml").stat().st_mode) == 0o600
    assert stat.S_IMODE(out.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".hidden", "a b", "é", "x" * 201])
def test_our_own_file_names_are_checked_too(tmp_path: Path, name: str) -> None:
    """A report's name is partly made of a partner's file name."""
    with pytest.raises(DeliveryFailed):
        place_in_out(tmp_path, "acme", name, b"")


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither half a file nor a temporary one."""
    out = out_folder(tmp_path, "acme")
    make_folder(out)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            place_in_out(tmp_path, "acme", "r.xml", b"<r/>")
    assert list(out.iterdir()) == []


def test_unfinished_files_of_a_crash_are_swept(home: Home, tmp_path: Path) -> None:
    """Once they are old; what is being written now stays."""
    out = out_folder(tmp_path, "acme")
    for name, age in ((".tmp-old", 1e9), (".tmp-new", None)):
        (out / name).write_text("x")
        if age is not None:
            os.utime(out / name, (age, age))
    incoming = home._incoming
    sweep(
        incoming.notes,
        incoming.locks,
        out,
        visible_seconds=1,
        expiry_seconds=1,
        log=CapturingLogger(),
    )
    assert [each.name for each in out.iterdir()] == [".tmp-new"]


@pytest.mark.parametrize("name", ["", "..", "a/b", ".x", "é"])
def test_a_partner_that_cannot_name_a_folder_is_a_configuration_error(
    tmp_path: Path, name: str
) -> None:
    """Before anything is created."""
    with pytest.raises(ConfigurationError):
        partner_folder(tmp_path, name)


def test_host_keys_are_made_once(tmp_path: Path) -> None:
    """Private to the owner, and the same ever after."""
    first = host_keys(tmp_path)
    assert set(first) == {"ed25519", "ecdsa"}
    for kind, pem in first.items():
        load_ssh_private_key(pem.encode(), password=None)
        assert stat.S_IMODE(host_key_file(tmp_path, kind).stat().st_mode) == 0o600
    assert host_keys(tmp_path) == first


def test_an_authorized_key_that_is_none_is_a_configuration_error() -> None:
    """The message names the partner, not the line: it might be something secret."""
    with pytest.raises(ConfigurationError, match="acme") as caught:
        authorized_key("ssh-ed25519 !!secret!!", "acme")
    assert "secret" not in str(caught.value)
