"""[alerts]: whom it tells must be whole, and what is secret is never repeated."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from gateway.config.alert_checks import url_complaint
from tests.config.as2_folder import SETTINGS, As2Folder

MAIL = """[alerts.mail]
host = "smtp.example.com"
sender = "gw@example.com"
recipients = ["a@example.com"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> As2Folder:
    return As2Folder(tmp_path)


def secret(folder: As2Folder, name: str, text: str, mode: int = 0o600) -> None:
    """A file beside the settings."""
    file = folder.root / name
    file.write_text(text)
    file.chmod(mode)


def test_what_is_whole_is_taken(folder: As2Folder) -> None:
    """Files count from the settings' folder."""
    secret(folder, "token", "t\n")
    secret(folder, "password", "p\n")
    trustme.CA().cert_pem.write_to_path(str(folder.root / "ca.pem"))
    folder.settings(
        f'{SETTINGS}[alerts.webhook]\nurl = "https://hook.example/x"\ntoken_file = "token"\n'
        f'ca_file = "ca.pem"\n{MAIL}username = "u"\npassword_file = "password"\n'
        'ca_file = "ca.pem"\n'
    )
    alerts = folder.load().settings.alerts
    assert alerts.webhook.token_file == str(folder.root / "token")
    assert alerts.mail.password_file == str(folder.root / "password")
    assert alerts.webhook.ca_file == alerts.mail.ca_file == str(folder.root / "ca.pem")
    assert folder.notices() == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[alerts.webhook]\nurl = "ftp://h/s3cret"\n', "alerts.webhook.url"),
        ('[alerts.webhook]\nurl = "h/s3cret"\n', "alerts.webhook.url"),
        ('[alerts.webhook]\nurl = "https://u:s3cret@h/"\n', "alerts.webhook.url"),
        ('[alerts.webhook]\ntoken_file = "token"\n', "alerts.webhook.url"),
        (
            '[alerts.webhook]\nurl = "https://h/"\ntoken_file = "absent"\n',
            "alerts.webhook.token_file",
        ),
        ('[alerts.webhook]\nurl = "https://h/"\nca_file = "token"\n', "alerts.webhook.ca_file"),
        ('[alerts.mail]\nrecipients = ["a@example.com"]\n', "alerts.mail.host"),
        (MAIL.replace('sender = "gw@example.com"\n', ""), "alerts.mail.sender"),
        (MAIL.replace("gw@", "gw\\r\\nBcc: x@"), "alerts.mail.sender"),
        (MAIL.replace("recipients = [", "#"), "alerts.mail.recipients"),
        (MAIL.replace('"a@example.com"', '"everybody"'), "alerts.mail.recipients"),
        (f'{MAIL}username = "u"\n', "alerts.mail.password_file"),
        (f'{MAIL}password_file = "token"\n', "alerts.mail.username"),
        (f'{MAIL}username = "u"\npassword_file = "empty"\n', "alerts.mail.password_file"),
        (f'{MAIL}tls = "none"\n', "alerts.mail.tls"),
        ('[alerts]\nlanguage = "de"\n', "alerts.language"),
        ("[alerts]\nreject_percent = 101\n", "alerts.reject_percent"),
    ],
)
def test_what_is_not_whole_is_a_fault(folder: As2Folder, text: str, key: str) -> None:
    """By its key, and without what may be a secret."""
    secret(folder, "token", "s3cret\n")
    secret(folder, "empty", "")
    folder.settings(SETTINGS + text)
    fault = folder.fault()
    assert fault.key == key
    assert "s3cret" not in str(fault)


@pytest.mark.parametrize(
    ("url", "good"),
    [
        *(("https://h/x?y=z", True), ("http://127.0.0.1:8080/", True), ("", True)),
        *(("https://", False), ("https://h:99999/", False), ("https://h/ö", False)),
        *(("https://h/a b", False), ("https://h:0/", False)),
    ],
)
def test_a_url_is_http_or_https(url: str, good: bool) -> None:
    """Nothing else is asked of it: it is the operator's."""
    assert (url_complaint(url) is None) == good


def test_remarks(folder: As2Folder) -> None:
    """A file for everybody to read; an alert for everybody on the way to read. Not on loopback."""
    secret(folder, "token", "t\n", 0o644)
    folder.settings(
        f'{SETTINGS}[alerts.webhook]\nurl = "http://hook.example/"\ntoken_file = "token"\n'
    )
    assert folder.notices() == ["alerts.webhook.token_file", "alerts.webhook.url"]
    folder.settings(f'{SETTINGS}[alerts.webhook]\nurl = "http://127.0.0.1/"\n')
    assert folder.notices() == []


def test_without_tls_on_this_machine(folder: As2Folder) -> None:
    """A mail server of its own needs none."""
    folder.settings(f'{SETTINGS}{MAIL.replace("smtp.example.com", "127.0.0.1")}tls = "none"\n')
    assert folder.load().settings.alerts.mail.tls == "none"
