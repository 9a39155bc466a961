"""`edi-gateway cert`: the list, and how certificates are brought in, replaced and removed."""

from __future__ import annotations

import datetime as dt
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from gateway.cli.main import main
from tests.config.as2_folder import PARTNER, SETTINGS, As2Folder
from tests.config.certificates import certificate, key_pem, pem, rsa_key, today


class Command:
    """Runs `edi-gateway cert …` in a sound configuration."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = As2Folder(root), capsys
        self.mail = root / "from-mail"

    def __call__(self, *words: str | Path) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        code = main(["cert", *map(str, words), "--config", str(self.folder.file)])
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err

    def json(self) -> list[dict[str, Any]]:
        """What `list --json` says."""
        return [json.loads(line) for line in self("list", "--json")[1].splitlines()]

    def named(self) -> list[str]:
        """The files the partner's file names."""
        table = tomllib.loads(self.folder.acme.read_text())
        return list(table["as2"]["certificates"])


@pytest.fixture
def cert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, capsys)


def test_the_list_says_what_each_does_today(cert: Command) -> None:
    """Who signs and who is encrypted for; the expired verifies nothing, ours still decrypts."""
    cert.folder.identity(
        "ours.pem", certificate("ours", days=(-9, 90)), certificate("ours", days=(-300, -1))
    )
    cert.folder.put(
        "acme.pem",
        pem(
            certificate("acme", days=(-300, -1)),
            certificate("acme", days=(-30, 20)),
            certificate("acme", days=(-3, 100)),
            certificate("acme", days=(3, 100)),
        ),
    )
    found = cert.json()
    assert [(each["owner"], each["days_left"], each["uses"]) for each in found] == [
        (None, 90, ["sign", "decrypt"]),
        (None, -1, ["decrypt"]),
        ("acme", -1, []),
        ("acme", 20, ["verify"]),
        ("acme", 100, ["verify", "encrypt"]),
        ("acme", 100, []),
    ]
    assert found[2]["subject"] == "CN=acme"
    assert len(found[2]["sha256"]) == 64
    code, out, _ = cert("list")
    assert code == 0
    for words in ("signs, decrypts", "expired, still decrypts", "verifies", "not yet valid"):
        assert words in out


def test_a_list_of_none(cert: Command) -> None:
    """No AS2, no certificates."""
    cert.folder.settings("")
    cert.folder.acme.unlink()
    assert "no certificates" in cert("list")[1]
    assert cert.json() == []


# ── import ─────────────────────────────────────────────────────────────────────────────────


def test_a_partners_new_certificate_stands_beside_the_old(cert: Command) -> None:
    """Copied under a name of ours, added to the list; comments and mode of the file stay."""
    cert.folder.acme.write_text(PARTNER.replace('["acme.pem"]', '[ # theirs\n  "acme.pem",\n]'))
    cert.folder.acme.chmod(0o600)
    new = certificate("acme", days=(0, 700))
    cert.mail.write_bytes(pem(certificate("authority"), new))
    code, out, err = cert("import", cert.mail, "--partner", "acme")
    assert (code, err) == (0, "")
    assert "edi-gateway reload" in out
    old, name = cert.named()
    assert (old, name.startswith(f"acme-{today():%Y-%m-%d}-")) == ("acme.pem", True)
    assert "# theirs" in cert.folder.acme.read_text()
    assert cert.folder.acme.stat().st_mode & 0o777 == 0o600
    assert cert.folder.load().certificates["acme"][0] == new
    code, out, _ = cert("import", cert.mail, "--partner", "acme")
    assert (code, "nothing was changed" in out) == (0, True)
    assert cert.named() == [old, name]


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"rubbish", "certificate"),
        (pem(certificate("acme", key=rsa_key("weak", 1024))), "1024"),
        (key_pem("acme") + pem(certificate("acme")), "compromised"),
    ],
)
def test_what_is_no_use_is_not_brought_in(cert: Command, data: bytes, word: str) -> None:
    """Exit code 2, nothing written."""
    cert.mail.write_bytes(data)
    code, _, err = cert("import", cert.mail, "--partner", "acme")
    assert (code, word in err) == (2, True)
    assert cert.named() == ["acme.pem"]
    assert len([*cert.folder.certificates.iterdir()]) == 2


def test_a_file_that_cannot_be_edited_is_left_to_people(cert: Command) -> None:
    """An inline table: the line to write is said, and no certificate stays behind."""
    inline = PARTNER.split("[as2]")[0] + 'as2 = {id = "A", certificates = ["acme.pem"]}\n'
    cert.folder.partner(inline)
    cert.mail.write_bytes(pem(certificate("acme", days=(0, 700))))
    code, _, err = cert("import", cert.mail, "--partner", "acme")
    assert (code, "by hand" in err, "add acme-" in err) == (2, True, True)
    assert cert.folder.acme.read_text() == inline
    assert len([*cert.folder.certificates.iterdir()]) == 2


@pytest.mark.parametrize("ours_has_a_password", [False, True])
def test_our_own_is_brought_in_with_its_key(cert: Command, ours_has_a_password: bool) -> None:
    """From PKCS#12 with a password of its own; readable by us only; the line to add is said."""
    settings = SETTINGS
    if ours_has_a_password:
        (cert.folder.root / "secret").write_text("of the gateway")
        settings += 'password_file = "secret"\n'
    cert.folder.settings(settings)
    new = certificate("next", days=(0, 700))
    seal = BestAvailableEncryption(b"of the file")
    cert.mail.write_bytes(
        pkcs12.serialize_key_and_certificates(b"x", rsa_key("next"), new, None, seal)
    )
    assert cert("import", cert.mail, "--ours")[0] == 2
    password = cert.folder.root / "password"
    password.write_text("of the file\n")
    code, out, err = cert("import", cert.mail, "--ours", "--password-file", password)
    assert (code, err) == (0, "")
    made, public = [
        next(cert.folder.certificates.glob(f"gateway-*{suffix}")) for suffix in (".pem", ".crt")
    ]
    assert made.stat().st_mode & 0o777 == 0o600
    assert (b"ENCRYPTED" in made.read_bytes()) is ours_has_a_password
    assert b"PRIVATE" not in public.read_bytes()
    line = f'identities = ["ours.pem", "{made.name}"]'
    assert line in out
    assert cert.folder.load().identities[0].certificate != new
    cert.folder.settings(settings.replace('identities = ["ours.pem"]', line))
    assert cert.folder.load().identities[0].certificate == new


# ── rotate ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("spans", "word"),
    [
        ([(-30, 300)], "no replacement yet"),
        ([(-30, 20), (10, 300)], "takes over on"),
        ([(-30, 20), (-3, 300)], "under way"),
        ([(-30, -2), (-3, 300)], "--yes"),
        ([(-30, -2)], "None is valid"),
    ],
)
def test_how_far_it_is(cert: Command, spans: list[tuple[int, int]], word: str) -> None:
    """Each state has its sentence and its next step; nothing is changed."""
    names = [f"acme-{number}.pem" for number, _ in enumerate(spans)]
    for name, days in zip(names, spans, strict=True):
        cert.folder.put(name, pem(certificate("acme", days=days)))
    listed = ", ".join(f'"{name}"' for name in names)
    cert.folder.partner(PARTNER.replace('"acme.pem"', listed))
    code, out, _ = cert("rotate", "--partner", "acme")
    assert (code, word in out) == (0, True), out
    assert cert.named() == names


def test_what_expired_is_removed_when_confirmed(cert: Command) -> None:
    """Out of the list, and the file goes; what is valid and what nobody names stays."""
    cert.folder.put("acme.pem", pem(certificate("acme", days=(-300, -1))))
    cert.folder.put("new.pem", pem(certificate("acme")))
    cert.folder.put("other.pem", b"")
    cert.folder.partner(PARTNER.replace('["acme.pem"]', '["acme.pem", "new.pem"] # both'))
    code, out, _ = cert("rotate", "--partner", "acme", "--yes")
    assert (code, "Removed" in out) == (0, True)
    assert 'certificates = ["new.pem"] # both' in cert.folder.acme.read_text()
    names = {file.name for file in cert.folder.certificates.iterdir()}
    assert names == {"ours.pem", "new.pem", "other.pem"}


def test_the_last_one_is_never_removed(cert: Command) -> None:
    """Expired, but nothing replaces it."""
    cert.folder.put("acme.pem", pem(certificate("acme", days=(-300, -1))))
    cert("rotate", "--partner", "acme", "--yes")
    assert cert.named() == ["acme.pem"]
    assert (cert.folder.certificates / "acme.pem").exists()


def test_our_expired_key_stays_on_disk(cert: Command) -> None:
    """It is no longer named; what was encrypted for it may still have to be read."""
    cert.folder.identity("old.pem", certificate("ours", days=(-300, -1)))
    cert.folder.settings(SETTINGS.replace('["ours.pem"]', '[\n  "old.pem",\n  "ours.pem",\n]'))
    code, out, _ = cert("rotate", "--ours", "--yes")
    assert (code, "rm " in out) == (0, True)
    assert (cert.folder.certificates / "old.pem").exists()
    assert cert.folder.load().settings.as2.identities == ("ours.pem",)


def test_a_new_key_of_ours(cert: Command) -> None:
    """RSA 3072, three years from the day agreed on; the public half alone is handed out."""
    day = today().date() + dt.timedelta(days=30)
    code, out, err = cert("rotate", "--ours", "--new", "--from", day.isoformat())
    assert (code, err) == (0, "")
    made = next(cert.folder.certificates.glob("gateway-*.pem"))
    assert made.stat().st_mode & 0o777 == 0o600
    handed_out = next(cert.folder.certificates.glob("gateway-*.crt")).read_bytes()
    assert b"PRIVATE" not in handed_out
    new = x509.load_pem_x509_certificate(handed_out)
    assert new.not_valid_before_utc.date() == day
    assert 365 * 3 <= (new.not_valid_after_utc - new.not_valid_before_utc).days <= 365 * 3 + 1
    assert new.subject.rfc4514_string() == "CN=GATEWAY"
    key = new.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 3072
    line = f'identities = ["ours.pem", "{made.name}"]'
    assert line in out
    cert.folder.settings(SETTINGS.replace('identities = ["ours.pem"]', line))
    uses = {each["file"].rpartition("/")[2]: each["uses"] for each in cert.json()}
    assert uses["ours.pem"] == ["sign", "decrypt"]
    assert uses[made.name] == ["decrypt"]


@pytest.mark.parametrize(
    "words",
    [
        ["--partner", "acme", "--new"],
        ["--ours", "--from", "2026-01-31"],
        ["--partner", "nobody"],
    ],
)
def test_what_makes_no_sense(cert: Command, words: list[str]) -> None:
    """Exit code 2 and the right command."""
    code, _, err = cert("rotate", *words)
    assert code == 2
    assert err


def test_a_new_key_needs_our_name(cert: Command) -> None:
    """It is what the certificate says."""
    cert.folder.settings(SETTINGS.replace('id = "GATEWAY"\n', ""))
    code, _, err = cert("rotate", "--ours", "--new")
    assert (code, "as2.id" in err) == (2, True)
