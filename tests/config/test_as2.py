"""AS2 in settings and partner files: what is refused, what is remarked, what the daemon gets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    pkcs7,
    pkcs12,
)

from gateway.model.as2 import Digest
from tests.config.as2_folder import PARTNER, SETTINGS, As2Folder
from tests.config.certificates import certificate, key_pem, pem, rsa_key


@pytest.fixture
def folder(tmp_path: Path) -> As2Folder:
    return As2Folder(tmp_path)


def test_a_sound_configuration_gives_keys_and_certificates(folder: As2Folder) -> None:
    """Ours with their keys, theirs by partner; no key shows in a repr, or where it would."""
    configuration = folder.load()
    assert configuration.notices == ()
    (identity,) = configuration.identities
    assert identity.private_key.private_numbers() == rsa_key("ours").private_numbers()
    (theirs,) = configuration.certificates["acme"]
    assert theirs.subject.rfc4514_string() == "CN=acme"
    assert "identities=(" not in repr(configuration).replace("identities=('ours.pem',)", "")
    assert "RSAPrivateKey" not in repr(folder.reading())


def test_without_as2_its_code_is_not_loaded(tmp_path: Path) -> None:
    """A gateway that speaks no AS2 starts without it."""
    (tmp_path / "partners").mkdir()
    (tmp_path / "gateway.toml").write_text("")
    code = (
        "import sys; from gateway import config; config.load(__import__('pathlib').Path("
        f"{str(tmp_path / 'gateway.toml')!r})); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "gateway.core.as2" not in done.stdout.split()


def test_the_newest_comes_first(folder: As2Folder) -> None:
    """Of several, ours and theirs, by the day they begin; each once, expired ones too."""
    old, new = certificate("ours", days=(-400, -1)), certificate("ours", days=(-5, 900))
    folder.identity("ours.pem", old)
    folder.identity("next.pem", new, old)
    folder.settings(SETTINGS.replace('["ours.pem"]', '["ours.pem", "next.pem"]'))
    before, after = certificate("acme", days=(-9, 90)), certificate("acme", days=(-3, 99))
    folder.put("acme.pem", pem(before, after, before))
    configuration = folder.load()
    assert [each.certificate for each in configuration.identities] == [new, old]
    assert configuration.certificates["acme"] == (after, before)


# ── names and URLs ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda text: text.replace('"ACME"', '""'), "as2.id"),
        (lambda text: text.replace('"ACME"', '" ACME"'), "as2.id"),
        (lambda text: text.replace('"ACME"', '"ACMÉ"'), "as2.id"),
        (lambda text: text.replace('"ACME"', f'"{"A" * 129}"'), "as2.id"),
        (lambda text: text.replace('"ACME"', "'\"ACME\"'"), "as2.id"),
        (lambda text: text.replace('"ACME"', "'AC\\ME'"), "as2.id"),
        (lambda text: text.replace('"ACME"', '"GATEWAY"'), "as2.id"),
        (lambda text: text.replace('"acme.pem"', '"../acme.pem"'), "as2.certificates[0]"),
        (lambda text: text.replace('"acme.pem"', '"/acme.pem"'), "as2.certificates[0]"),
        (lambda text: text.replace('"acme.pem"', '".acme.pem"'), "as2.certificates[0]"),
        (lambda text: text.replace('"acme.pem"', '"none.pem"'), "as2.certificates[0]"),
        (lambda text: text.replace('"acme.pem"', '"acme.pem", "acme.pem"'), "as2.certificates"),
        (lambda text: text.replace('"acme.pem"', ""), "as2.certificates"),
        (lambda text: text.replace("https:", "ftp:"), "as2.url"),
        (lambda text: text.replace("https://", ""), "as2.url"),
        (lambda text: text.replace("as2.acme", "me:sesame@as2.acme"), "as2.url"),
        (lambda text: text.replace("example/as2", "example:port/as2"), "as2.url"),
        (lambda text: text + 'tls_ca_file = "none.pem"', "as2.tls_ca_file"),
        (lambda text: text + "[as2.receive]\ndigests = []", "as2.receive.digests"),
        (lambda text: text + '[as2.receive]\nciphers = ["des"]', "as2.receive.ciphers[0]"),
        (lambda text: text + '[as2.send]\nencrypt = "no"', "as2.send.encrypt"),
    ],
)
def test_partners_that_are_refused(
    folder: As2Folder, change: Callable[[str], str], key: str
) -> None:
    """One fault each, at its key; a password in a URL is not repeated."""
    file = folder.partner(change(PARTNER))
    fault = folder.fault()
    assert (fault.file, fault.key) == (str(file), key)
    assert "sesame" not in str(fault)


@pytest.mark.parametrize(
    ("url", "sound"),
    [
        ("https://as2.acme.example/", True),
        ("https://as2.acme.example/mdn", True),
        ("http://as2.acme.example:8080/", True),
        ("https://as2.acme.example", False),
        ("https://as2.acme.example:4080", False),
        ("https://as2.acme.example?x=/", False),
        ("https://a@as2.acme.example/", False),
        ("https:///mdn", False),
        ("https:", False),
        ("", False),
    ],
)
def test_receipts_go_to_whole_hosts_only(folder: As2Folder, url: str, sound: bool) -> None:
    """A beginning that is also one of another host's URLs is refused, and says why."""
    folder.partner(f'{PARTNER}[as2.receive]\nmdn_urls = ["{url}"]\n')
    if sound:
        assert folder.load().notices == ()
    else:
        assert folder.fault().key == "as2.receive.mdn_urls[0]"


def test_a_receipt_url_without_a_path_shows_what_it_would_let_through(folder: As2Folder) -> None:
    """The example is the attack."""
    folder.partner(f'{PARTNER}[as2.receive]\nmdn_urls = ["https://acme.example"]\n')
    fault = folder.fault()
    assert "https://acme.example.evil.example" in fault.what
    assert '"https://acme.example/"' in fault.remedy


def test_two_partners_with_the_same_names(folder: As2Folder) -> None:
    """From and To tell who it is: both the same is refused, unless one of the two is disabled."""
    other = folder.partner(PARTNER.replace('"acme"', '"zeta"'), "zeta")
    fault = folder.fault()
    assert (fault.file, fault.key) == (str(other), "as2.id")
    assert '"acme"' in fault.what
    for mended in ('id = "ACME"\nour_id = "ANOTHER"', 'id = "acme"'):
        folder.partner(other.read_text().replace('id = "ACME"', mended), "zeta")
        assert folder.reading().faults == ()
        folder.partner(PARTNER.replace('"acme"', '"zeta"'), "zeta")
    folder.partner("enabled = false\n" + other.read_text(), "zeta")
    assert folder.reading().faults == ()


def test_not_at_all_is_a_choice(folder: As2Folder) -> None:
    """TOML has no null: "none" says that we do not sign, or do not encrypt."""
    folder.partner(f'{PARTNER}[as2.send]\nsign = "none"\nencrypt = "none"\n')
    access = folder.load().partners["acme"].as2
    assert access
    assert (access.send.sign, access.send.encrypt) == (None, None)
    folder.partner(f'{PARTNER}[as2.send]\nsign = "sha-384"\n')
    access = folder.load().partners["acme"].as2
    assert access
    assert access.send.sign is Digest.SHA384
    folder.partner(f'{PARTNER}[as2.send]\nsign = "sha"\n')
    assert "none" in folder.fault().what


def test_what_is_weaker_than_the_default_is_remarked(folder: As2Folder) -> None:
    """Allowed, for some partners cannot do better, and never forgotten."""
    folder.partner(
        f"{PARTNER}[as2.receive]\nrequire_signature = false\nrequire_encryption = false\n"
        'digests = ["sha-1", "sha-256"]\nciphers = ["3des"]\n'
        '[as2.send]\nsign = "sha-1"\nencrypt = "3des"\n'
    )
    assert folder.notices() == [
        "as2.receive.require_signature",
        "as2.receive.require_encryption",
        "as2.receive.digests",
        "as2.receive.ciphers",
        "as2.send.sign",
        "as2.send.encrypt",
    ]


# ── what partners need of the settings ─────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda text: text.replace("enabled = true", "enabled = false"), "http.enabled"),
        (lambda text: text.replace('id = "GATEWAY"', ""), "as2.id"),
        (lambda text: text.replace('["ours.pem"]', "[]"), "as2.identities"),
        (lambda text: text.replace('"ours.pem"', '"certificates/ours.pem"'), "as2.identities[0]"),
        (lambda text: text.replace('"ours.pem"', '"none.pem"'), "as2.identities[0]"),
        (lambda text: text.replace('"ours.pem"', '"acme.pem"'), "as2.identities[0]"),
        (lambda text: text.replace('"GATEWAY"', '"Ga\\"t"'), "as2.id"),
        (lambda text: text + 'password_file = "none"', "as2.password_file"),
        (lambda text: text + '[antivirus]\naddress = "clamd.ctl"', "antivirus.address"),
        (lambda text: text + '[antivirus]\naddress = "host:0"', "antivirus.address"),
        (
            lambda text: text.replace("enabled = true", 'enabled = true\nlisten = "h"'),
            "http.listen",
        ),
        (lambda text: text.replace("port = 0", "port = 7"), "http.port"),
        (lambda text: text + '[http.tls]\nclient_ca_file = "none"', "http.tls.client_ca_file"),
        (
            lambda text: text + '[http.tls]\ncertificate_file = "none"\nkey_file = "none"',
            "http.tls.certificate_file",
        ),
    ],
)
def test_settings_that_are_refused(
    folder: As2Folder, change: Callable[[str], str], key: str
) -> None:
    """One fault each, in the settings file, naming the partner where it is about one."""
    folder.settings(change(SETTINGS))
    fault = folder.fault()
    assert (fault.file, fault.key) == (str(folder.file), key)


def test_receipts_that_come_later_need_a_url_of_ours(folder: As2Folder) -> None:
    """Asked for by a partner we post to; not of one we post nothing to, or with sync receipts."""
    later = '[as2.send]\nmdn = "async"\n'
    folder.partner(PARTNER + later)
    fault = folder.fault()
    assert (fault.file, fault.key) == (str(folder.file), "as2.mdn_url")
    assert '"acme"' in fault.what
    folder.settings(f'{SETTINGS}mdn_url = "https://edi.example.com/as2"\n')
    assert folder.reading().faults == ()
    folder.settings()
    for text in (
        PARTNER.replace('url = "https://as2.acme.example/as2"\n', "") + later,
        "enabled = false\n" + PARTNER + later,
        PARTNER,
    ):
        folder.partner(text)
        assert folder.reading().faults == ()


def test_tls_needs_both_files(folder: As2Folder) -> None:
    """Each that is missing is said."""
    folder.settings(f"{SETTINGS}\n[http.tls]\nenabled = true\n")
    assert [fault.key for fault in folder.reading().faults] == [
        "http.tls.certificate_file",
        "http.tls.key_file",
    ]


@pytest.mark.parametrize("address", ["/run/clamav/clamd.ctl", "127.0.0.1:3310", "[::1]:3310"])
def test_where_the_virus_scanner_may_be(folder: As2Folder, address: str) -> None:
    """A socket's path, a host and port, IPv6 in brackets."""
    folder.settings(f'{SETTINGS}[antivirus]\naddress = "{address}"\n')
    assert folder.reading().faults == ()


def test_a_disabled_partner_needs_nothing(folder: As2Folder) -> None:
    """Neither its certificates nor our side: it is being prepared."""
    folder.partner("enabled = false\n" + PARTNER.replace("acme.pem", "none.pem"))
    folder.settings("")
    assert folder.load().certificates == {"acme": ()}


def test_paths_of_a_partner_count_from_its_file(folder: As2Folder) -> None:
    """Not from the settings or the working directory."""
    (folder.root / "partners" / "ca.pem").write_bytes(pem(certificate("authority")))
    folder.partner(f'{PARTNER}tls_ca_file = "ca.pem"\n')
    access = folder.load().partners["acme"].as2
    assert access
    assert access.tls_ca_file == str(folder.root / "partners" / "ca.pem")
    assert access.certificates == ("acme.pem",)


# ── files ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", ["pem", "der", "p7b", "p7b-pem"])
def test_a_partner_may_send_its_certificate_in_any_form(folder: As2Folder, form: str) -> None:
    """PEM, DER and PKCS#7; of a chain only its own counts, not those of who signed it."""
    own = certificate("acme", issuer="authority")
    chain = [certificate("authority"), own]
    forms: dict[str, bytes] = {
        "pem": pem(*chain),
        "der": own.public_bytes(Encoding.DER),
        "p7b": pkcs7.serialize_certificates(chain, Encoding.DER),
        "p7b-pem": pkcs7.serialize_certificates(chain, Encoding.PEM),
    }
    folder.put("acme.pem", forms[form])
    assert folder.load().certificates["acme"] == (own,)


def weak() -> x509.Certificate:
    """A certificate with a key that is too short."""
    return certificate("acme", key=rsa_key("weak", 1024))


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (lambda: b"", "no certificate"),
        (lambda: b"\x30\x80rubbish", "certificate"),
        (lambda: key_pem("acme") + pem(certificate("acme")), "compromised"),
        (lambda: pem(weak()), "1024"),
        (lambda: pem(certificate("acme", key=ec.generate_private_key(ec.SECP256R1()))), "RSA"),
    ],
)
def test_certificates_that_are_refused(
    folder: As2Folder, data: Callable[[], bytes], word: str
) -> None:
    """Unreadable, with a private key, too weak, of another kind."""
    folder.put("acme.pem", data())
    fault = folder.fault()
    assert (fault.key, word in fault.what) == ("as2.certificates[0]", True), fault.what


def test_our_key_may_have_a_password(folder: As2Folder) -> None:
    """PEM or PKCS#12, opened with as2.password_file; the password shows nowhere."""
    settings = f'{SETTINGS}password_file = "password"\n'
    folder.settings(settings)
    secret = folder.root / "password"
    secret.write_text("open sesame\n")
    secret.chmod(0o600)
    ours = certificate("ours")
    store = pkcs12.serialize_key_and_certificates(
        b"ours", rsa_key("ours"), ours, None, BestAvailableEncryption(b"open sesame")
    )
    for data in (store, key_pem("ours", b"open sesame") + pem(ours), key_pem("ours") + pem(ours)):
        folder.put("ours.pem", data)
        configuration = folder.load()
        assert configuration.identities[0].certificate == ours
        assert "sesame" not in repr(configuration)
    folder.put("ours.pem", store)
    secret.write_text("another")
    fault = folder.fault()
    assert (fault.key, "another" in fault.what) == ("as2.identities[0]", False)


def test_a_key_that_belongs_to_another_certificate(folder: As2Folder) -> None:
    """Said, not loaded."""
    folder.identity("ours.pem", certificate("ours"), key="other")
    assert "belongs" in folder.fault().what


def test_a_key_that_others_may_read_is_remarked(folder: As2Folder) -> None:
    """A notice with the command that mends it."""
    path = folder.identity("ours.pem", certificate("ours"))
    path.chmod(0o644)
    (notice,) = folder.load().notices
    assert (notice.key, notice.remedy) == ("as2.identities[0]", f"Run: chmod o= {path}")


def test_our_own_certificate_in_a_partners_place(folder: As2Folder) -> None:
    """It happens: the file to hand out is brought in. Remarked."""
    ours = certificate("ours")
    folder.identity("ours.pem", ours)
    folder.put("acme.pem", pem(ours))
    assert folder.notices() == ["as2.certificates[0]"]


# ── dates ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("spans", "keys", "word"),
    [
        ([(-300, 300)], [], ""),
        ([(-300, 10)], ["as2.certificates[0]"], "10 days"),
        ([(-300, 10), (-5, 300)], [], ""),
        ([(-300, 10), (5, 300)], [], ""),
        ([(-300, -2), (-5, 300)], ["as2.certificates[0]"], "expired"),
        ([(-300, -2)], ["as2.certificates"], "valid today"),
        ([(3, 300)], ["as2.certificates"], "valid today"),
        ([(-300, -2), (3, 300)], ["as2.certificates"], "valid today"),
    ],
)
def test_dates_are_remarked_in_time(
    folder: As2Folder, spans: list[tuple[int, int]], keys: list[str], word: str
) -> None:
    """Before the last one expires, when one did, when none is valid: never a fault."""
    names = [f"acme-{number}.pem" for number, _ in enumerate(spans)]
    for name, days in zip(names, spans, strict=True):
        folder.put(name, pem(certificate("acme", days=days)))
    listed = ", ".join(f'"{name}"' for name in names)
    folder.partner(PARTNER.replace('"acme.pem"', listed))
    notices = folder.load().notices
    assert [notice.key for notice in notices] == keys
    assert all(word in notice.what and "acme" in notice.remedy for notice in notices)


def test_our_own_dates_are_remarked_too(folder: As2Folder) -> None:
    """With the command that makes the next one."""
    folder.identity("ours.pem", certificate("ours", days=(-9, 3)))
    (notice,) = folder.load().notices
    assert (notice.file, notice.key) == (str(folder.file), "as2.identities[0]")
    assert "rotate --ours" in notice.remedy
    folder.settings(SETTINGS + "expiry_warning_days = 2\n")
    assert folder.load().notices == ()
