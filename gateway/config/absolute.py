"""Makes the paths of settings and partner files absolute; "" stands for the built-in, or for none.

Those of the settings count from the settings file, those of a partner from the partner's file;
files that begin with `$CREDENTIALS_DIRECTORY/` are where systemd puts them.
Certificates are names of files in `paths.certificates` and stay so.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from gateway import resources
from gateway.config.files import CREDENTIALS, credentials_folder
from gateway.config.settings import Settings
from gateway.model.partner import Partner

S = TypeVar("S", bound=msgspec.Struct)


def with_absolute_paths(settings: Settings, base: Path) -> Settings:
    """The settings of a file that lies in the folder `base`."""
    from gateway.core.schematron.catalogue import default_rule_packs

    paths = _resolved(
        settings.paths, base, "state", "flows", "partners", "certificates", "rule_packs"
    )
    return replace(
        settings,
        paths=replace(
            paths,
            flows=paths.flows or str(resources.data_folder("flows").absolute()),
            rule_packs=paths.rule_packs or str(default_rule_packs().absolute()),
        ),
        http=replace(
            settings.http,
            tls=_resolved(
                settings.http.tls, base, "certificate_file", "key_file", "client_ca_file"
            ),
        ),
        as2=_resolved(settings.as2, base, "password_file"),
        alerts=replace(
            settings.alerts,
            webhook=_resolved(settings.alerts.webhook, base, "token_file", "ca_file"),
            mail=_resolved(settings.alerts.mail, base, "password_file", "ca_file"),
        ),
        management=replace(
            settings.management,
            tls=_resolved(settings.management.tls, base, "certificate_file", "key_file"),
        ),
        rabbitmq=replace(
            _resolved(settings.rabbitmq, base, "password_file"),
            tls=_resolved(settings.rabbitmq.tls, base, "ca_file", "certificate_file", "key_file"),
        ),
    )


def partner_with_absolute_paths(partner: Partner, base: Path) -> Partner:
    """The partner of a file that lies in the folder `base`."""
    return replace(
        partner,
        as2=partner.as2 and _resolved(partner.as2, base, "tls_ca_file"),
        sftp_remote=partner.sftp_remote
        and _resolved(partner.sftp_remote, base, "key_file", "password_file"),
    )


def _resolved(section: S, base: Path, *names: str) -> S:
    given = {name: getattr(section, name) for name in names}
    return replace(
        section, **{name: _absolute(name, path, base) for name, path in given.items() if path}
    )


def _absolute(name: str, path: str, base: Path) -> str:
    if name.endswith("_file") and path.startswith(CREDENTIALS):
        return str(credentials_folder() / path.removeprefix(CREDENTIALS))
    return str((base / path).absolute())
