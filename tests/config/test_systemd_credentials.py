"""Secrets that systemd brings (LoadCredential=): every file of a setting may be one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import config
from gateway.config.absolute import partner_with_absolute_paths, with_absolute_paths
from gateway.config.settings import As2, Http, HttpTls, Paths, Rabbitmq, RabbitmqTls, Settings
from gateway.errors import ConfigurationError
from gateway.model.partner import Partner, SftpRemote

GIVEN = "$CREDENTIALS_DIRECTORY/secret"
SETTINGS = f'[rabbitmq]\nhost = "h"\nusername = "u"\npassword_file = "{GIVEN}"\n'


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as systemd makes it for the service."""
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o500)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


def settings_file(tmp_path: Path) -> Path:
    """One that names the credential."""
    file = tmp_path / "gateway.toml"
    file.write_text(SETTINGS)
    (tmp_path / "partners").mkdir()
    return file


def test_a_password_comes_from_where_systemd_put_it(tmp_path: Path, credentials: Path) -> None:
    """It is read like any other file, and is as little shown."""
    credentials.chmod(0o700)
    (credentials / "secret").write_text("pass word\n")
    (credentials / "secret").chmod(0o400)
    configuration = config.load(settings_file(tmp_path))
    assert configuration.rabbitmq_password == "pass word"
    assert "pass word" not in repr(configuration)
    assert configuration.notices == ()


def test_a_credential_that_is_not_there_is_told_with_the_way_out(
    tmp_path: Path, credentials: Path
) -> None:
    """Nobody is sent to write a file where only systemd may."""
    with pytest.raises(ConfigurationError) as caught:
        config.load(settings_file(tmp_path))
    (fault,) = caught.value.faults
    assert fault.key == "rabbitmq.password_file"
    assert str(credentials / "secret") in fault.what
    assert "LoadCredential=secret:" in fault.remedy


def test_every_file_of_a_setting_may_be_a_credential(credentials: Path) -> None:
    """Passwords and keys of the settings and of a partner; folders are never brought."""
    settings = with_absolute_paths(
        Settings(
            paths=Paths(state=GIVEN),
            http=Http(tls=HttpTls(certificate_file=GIVEN, key_file=GIVEN, client_ca_file=GIVEN)),
            as2=As2(password_file=GIVEN),
            rabbitmq=Rabbitmq(
                password_file=GIVEN,
                tls=RabbitmqTls(ca_file=GIVEN, certificate_file=GIVEN, key_file=GIVEN),
            ),
        ),
        Path("/etc/edi-gateway"),
    )
    remote = SftpRemote(host="h", username="u", host_key="k", key_file=GIVEN, password_file=GIVEN)
    partner = partner_with_absolute_paths(
        Partner(name="acme", flows=("a",), sftp_remote=remote), Path("/etc/edi-gateway/partners")
    )
    assert partner.sftp_remote is not None
    tls, broker = settings.http.tls, settings.rabbitmq
    assert {
        *(tls.certificate_file, tls.key_file, tls.client_ca_file, settings.as2.password_file),
        *(broker.password_file, broker.tls.ca_file, broker.tls.certificate_file),
        *(broker.tls.key_file, partner.sftp_remote.key_file, partner.sftp_remote.password_file),
    } == {str(credentials / "secret")}
    assert settings.paths.state == f"/etc/edi-gateway/{GIVEN}"


def test_commands_beside_the_service_look_where_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service is told by systemd; others know the folder by the unit's name."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    settings = with_absolute_paths(Settings(as2=As2(password_file=GIVEN)), Path("/etc"))
    assert settings.as2.password_file == "/run/credentials/edi-gateway.service/secret"
