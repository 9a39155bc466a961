"""`edi-gateway partner`: what is shown, what is written, and what a check finds."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from gateway.cli.main import main
from tests.config.as2_folder import PARTNER, SETTINGS, As2Folder
from tests.config.certificates import certificate, key_pem, pem

PUBLIC = (
    ed25519.Ed25519PrivateKey.generate()
    .public_key()
    .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    .decode()
)


class Command:
    """Runs `edi-gateway partner …` in a sound configuration."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = As2Folder(root), capsys

    def __call__(self, *words: str | Path) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        code = main(["partner", *map(str, words), "--config", str(self.folder.file)])
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err

    def json(self, *words: str) -> list[dict[str, Any]]:
        """The objects on standard output."""
        return [json.loads(line) for line in self(*words, "--json")[1].splitlines()]


@pytest.fixture
def partner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    monkeypatch.setenv("LC_ALL", "C")  # `check` speaks the language of the environment
    return Command(tmp_path, capsys)


def test_the_list(partner: Command) -> None:
    """Everybody, with channels and the number of faults; the others' faults on standard error."""
    partner.folder.partner('name = "zeta"\nenabled = false\n[sftp]\n', "zeta")
    code, out, err = partner("list")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[2:]] == ["acme", "zeta"]
    partner.folder.partner('name = "zeta"\nflows = ["nowhere"]\n[sftp]\n', "zeta")
    acme, zeta = partner.json("list")
    assert (acme["channels"], acme["faults"], zeta["faults"]) == (["as2"], 0, 2)
    assert "edi-gateway check" in partner("list")[2]


def test_an_empty_list(partner: Command) -> None:
    """Says how to begin."""
    partner.folder.acme.unlink()
    assert "partner add" in partner("list")[1]


def test_one_partner_is_shown_without_its_secrets(partner: Command) -> None:
    """Settings, certificates and notices; hashes of passwords and tokens only as being there."""
    hashed = bcrypt.hashpw(b"x", bcrypt.gensalt(10)).decode()
    partner.folder.partner(
        f"{PARTNER}\n[as2.receive]\nrequire_encryption = false\n"
        f'[sftp]\npassword_hash = "{hashed}"\n[http]\ntoken_sha256 = ["{"0" * 64}"]\n'
    )
    code, out, _ = partner("show", "acme")
    assert code == 0
    assert "CN=acme" in out
    assert "as2.receive.require_encryption no" in " ".join(out.split())
    assert "notice" in out
    (shown,) = partner.json("show", "acme")
    assert shown["certificates_held"][0]["subject"] == "CN=acme"
    assert shown["sftp"]["password_hash"] == "(set)"
    for text in (out, json.dumps(shown)):
        assert hashed not in text
        assert "0" * 64 not in text


def test_a_partner_that_is_not_there(partner: Command) -> None:
    """Exit code 2, and the name that is most like it."""
    for action in ("show", "check"):
        code, _, err = partner(action, "acne")
        assert (code, '"acme"' in err) == (2, True)


# ── add ────────────────────────────────────────────────────────────────────────────────────


def test_add_writes_a_file_that_works(partner: Command, tmp_path: Path) -> None:
    """With comments, a key and AS2; the certificate goes to the others; and what comes next."""
    key, cert = tmp_path / "key.pub", tmp_path / "from-mail.cer"
    key.write_text(f"# theirs\n{PUBLIC} it@zeta\n")
    cert.write_bytes(certificate("zeta").public_bytes(serialization.Encoding.DER))
    code, out, err = partner(
        "add", "zeta", "--flow", "ctc-fr-invoice", "--description", 'Zeta "SA"\u00e9',
        "--sftp-key", key, "--as2-id", "ZETA CORP", "--certificate", cert,
        "--url", "https://as2.zeta.example/",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "partner check zeta" in out
    file = partner.folder.root / "partners" / "zeta.toml"
    assert file.stat().st_mode & 0o777 == 0o640
    assert file.read_text().count("#") > 6
    added = partner.folder.load().partners["zeta"]
    assert added.description == 'Zeta "SA"é'
    assert added.sftp
    assert added.as2
    assert added.sftp.authorized_keys == (f"{PUBLIC} it@zeta",)
    assert added.as2.id == "ZETA CORP"
    (name,) = added.as2.certificates
    assert name.startswith("zeta-")
    assert (partner.folder.certificates / name).read_bytes().startswith(b"-----BEGIN CERT")


def test_add_without_a_way_to_send(partner: Command) -> None:
    """The file is written disabled, and says what is missing."""
    code, out, _ = partner("add", "zeta", "--flow", "ctc-fr-invoice", "--lang", "en")
    assert (code, "enabled = true" in out) == (0, True)
    assert not partner.folder.load().partners["zeta"].enabled


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["acme", "--flow", "ctc-fr-invoice"], "already"),
        (["Zeta", "--flow", "ctc-fr-invoice"], "not a usable name"),
        (["zeta"], "ctc-fr-invoice, en16931-invoice"),
        (["zeta", "--flow", "nowhere"], '"nowhere"'),
        (["zeta", "--flow", "ctc-fr-invoice", "--flow", "en16931-invoice"], "could both match"),
        (["zeta", "--flow", "ctc-fr-invoice", "--url", "https://z.example"], "--as2-id"),
        (["zeta", "--flow", "ctc-fr-invoice", "--as2-id", "Z", "--url", "z"], "URL"),
        (["zeta", "--flow", "ctc-fr-invoice", "--as2-id", "Z"], "No certificate"),
        (["zeta", "--flow", "ctc-fr-invoice", "--as2-id", "Z", "--certificate", "none"], "none"),
        (["zeta", "--flow", "ctc-fr-invoice", "--sftp-key", "none"], "none"),
    ],
)
def test_what_cannot_be_added_leaves_nothing_behind(
    partner: Command, words: list[str], told: str
) -> None:
    """Exit code 2, the reason, and the folders as they were."""

    def there() -> list[tuple[Path, bytes]]:
        files = [*partner.folder.root.rglob("*.*")]
        return sorted((file, file.read_bytes()) for file in files if file.is_file())

    before = there()
    code, out, err = partner("add", *words)
    assert (code, out) == (2, "")
    assert told in err
    assert there() == before


def test_a_certificate_is_taken_back_with_the_file(partner: Command, tmp_path: Path) -> None:
    """An AS2 id that is taken: neither the partner's file nor its certificate stays."""
    cert = tmp_path / "zeta.pem"
    cert.write_bytes(pem(certificate("zeta")))
    code, _, err = partner(
        "add", "zeta", "--flow", "ctc-fr-invoice", "--as2-id", "ACME", "--certificate", cert
    )
    assert (code, 'partner "acme"' in err) == (2, True)
    assert len([*partner.folder.certificates.iterdir()]) == 2
    assert not (partner.folder.root / "partners" / "zeta.toml").exists()


def test_other_faults_do_not_keep_a_partner_out(partner: Command) -> None:
    """Only what the new file brings counts."""
    partner.folder.settings(SETTINGS + "[log]\nlevel = 5\n")
    assert partner("add", "zeta", "--flow", "ctc-fr-invoice")[0] == 0


def test_a_private_key_is_not_repeated(partner: Command, tmp_path: Path) -> None:
    """Nor written anywhere."""
    for option in ("--sftp-key", "--certificate"):
        wrong = tmp_path / "wrong"
        wrong.write_bytes(key_pem("zeta") + pem(certificate("zeta")))
        words = ["--as2-id", "Z"] if option == "--certificate" else []
        code, _, err = partner("add", "zeta", "--flow", "ctc-fr-invoice", *words, option, wrong)
        assert (code, "compromised" in err) == (2, True)
        assert wrong.read_text().splitlines()[1] not in err


def test_the_built_in_configuration_is_not_written_to(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a settings file of one's own there is no place for a partner."""
    monkeypatch.delenv("EDI_GATEWAY_CONFIG", raising=False)
    monkeypatch.setattr("gateway.cli.options.SYSTEM_CONFIGURATION", Path("/nonexistent"))
    assert main(["partner", "add", "zeta", "--flow", "ctc-fr-invoice"]) == 2
    assert "--config" in capsys.readouterr().err


# ── check ──────────────────────────────────────────────────────────────────────────────────


def test_check_rehearses_every_algorithm(partner: Command) -> None:
    """Exit code 0: the file, the days, each digest and cipher it may use, and a report of ours."""
    partner.folder.settings(f'{SETTINGS}mdn_url = "https://edi.example.com/as2"\n')
    partner.folder.partner(
        f'{PARTNER}[as2.receive]\ndigests = ["sha-256", "sha-512"]\n'
        'ciphers = ["aes128-cbc", "aes256-gcm", "3des"]\n'
        '[as2.send]\nmdn = "async"\ncompress = "before-signing"\nsignature = "pss"\n'
        'key_transport = "oaep"\n'
    )
    code, out, _ = partner("check", "acme")
    assert code == 0, out
    outcomes = partner.json("check", "acme")
    subjects = [each["subject"] for each in outcomes if each["check"] == "as2"]
    assert len(subjects) == 5
    assert "signed sha-256 pss, aes128-cbc oaep, compressed before-signing" in subjects[0]
    assert "sha-512" in subjects[1]
    assert "3des" in subjects[2]
    assert {each["check"] for each in outcomes} == {
        "configuration", "certificate", "as2", "summary",
    }  # fmt: skip
    assert "300 days left" in out


def test_check_finds_what_would_be_refused(partner: Command) -> None:
    """Our certificate has expired: receipts would not be believed; exit code 1, with a remedy."""
    partner.folder.identity("ours.pem", certificate("ours", days=(-400, -1)))
    code, out, _ = partner("check", "acme")
    assert code == 1
    assert "The receipt would be refused" in out
    assert "edi-gateway cert list" in out


def test_check_tells_the_faults_of_file_and_settings(partner: Command) -> None:
    """Exit code 2; other partners' faults are left out, the rehearsal too."""
    partner.folder.partner(PARTNER.replace("acme.pem", "none.pem"))
    partner.folder.partner('name = "zeta"\nflows = ["nowhere"]\n', "zeta")
    code, out, _ = partner("check", "acme")
    assert code == 2
    assert "none.pem" in out
    assert "nowhere" not in out
    assert "the partner's file has faults" in out
    partner.folder.partner("name = 5", "beta")
    assert partner("check", "beta")[0] == 2


def test_check_of_a_partner_without_a_channel(partner: Command) -> None:
    """It cannot send anything: exit code 1."""
    partner.folder.partner(PARTNER.split("[as2]")[0])
    code, out, _ = partner("check", "acme")
    assert (code, "no channel" in out) == (1, True)


def test_check_of_a_disabled_partner(partner: Command) -> None:
    """Said, and rehearsed all the same: that is when one wants to know."""
    partner.folder.partner("enabled = false\n" + PARTNER)
    outcomes = partner.json("check", "acme")
    assert [each["result"] for each in outcomes if each["check"] == "partner"] == ["notice"]
    assert any(each["check"] == "as2" and each["result"] == "ok" for each in outcomes)
    assert tomllib.loads(partner.folder.acme.read_text())["enabled"] is False
