"""Reads conf/gateway.toml, the partners and the flows, and checks them against one another.

`read` goes through everything and collects what is wrong; `load` is what a daemon calls, and
raises `ConfigurationError` with the whole list. Nothing is half used: a configuration with one
fault starts nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gateway import resources
from gateway.config import as2_checks, consistency, settings_checks
from gateway.config.absolute import with_absolute_paths
from gateway.config.alert_checks import alert_complaints, alert_notices
from gateway.config.certificates import read_certificates
from gateway.config.channel_faults import (
    channel_faults,
    channel_notices,
    surroundings,
    unusable_folders,
)
from gateway.config.configuration import Configuration, Reading
from gateway.config.files import (
    Secret,
    authorities_complaint,
    open_to_all,
    pair_complaint,
    read_secret,
)
from gateway.config.folders import (
    catalogued,
    fault_at,
    flow_checks,
    flow_faults,
    names_in,
    overlap_faults,
    partner_faults,
    read_flows,
    read_partners,
    touched,
)
from gateway.config.settings import Antivirus, As2, Http, Management, Rabbitmq, Settings, Sftp
from gateway.config.strict import Checks, Complaint, convert, read_toml
from gateway.errors import ConfigurationError, Fault
from gateway.model.flow import Flow
from gateway.model.partner import Partner

__all__ = [
    "Configuration",
    "Reading",
    "builtin_file",
    "load",
    "load_flows",
    "load_partners",
    "raise_for",
    "read",
    "read_beside",
]

SETTINGS_CHECKS: Checks = {
    (Sftp, "listen"): consistency.address_complaint,
    (Http, "listen"): consistency.address_complaint,
    (Management, "listen"): consistency.address_complaint,
    (As2, "id"): as2_checks.own_name_complaint,
    (As2, "identities"): as2_checks.file_name_complaint,
    (As2, "mdn_url"): as2_checks.own_url_complaint,
    (Antivirus, "address"): settings_checks.antivirus_complaint,
}
DEFAULT_PASSWORD = "guest"  # noqa: S105 (what a fresh RabbitMQ takes, from loopback only)


def builtin_file() -> Path:
    """The settings file that belongs to this installation: every setting at its default."""
    return resources.data_folder("conf") / "gateway.toml"


def load(file: Path | None = None) -> Configuration:
    """The configuration in `file`; None: the built-in one.

    Raises `ConfigurationError` carrying every fault in the settings, partners and flows.
    """
    reading = read(file)
    raise_for(reading.faults, f"The configuration {reading.configuration.file} cannot be used")
    return reading.configuration


def load_flows(folder: Path | None = None, *, rule_packs: Path | None = None) -> dict[str, Flow]:
    """The flows in `folder` (None: the built-in ones), by name.

    `rule_packs`: the folder of imported packs (None: the default one). Partners are not looked at.
    Raises `ConfigurationError` with every fault.
    """
    folder = folder or resources.data_folder("flows")
    names = catalogued(rule_packs)
    flows = read_flows(folder, flow_checks(names, partners=None))
    raise_for((*flows.faults, *flow_faults(flows, names)), f"The flows in {folder} cannot be used")
    return flows.by_name


def load_partners(folder: Path) -> dict[str, Partner]:
    """The partners in `folder`, by name, disabled ones included.

    Raises `ConfigurationError` with every fault. Whether their flows exist is not looked at.
    """
    partners = read_partners(folder, flows=None)
    faults = (
        *partners.faults,
        *partner_faults(partners, {}),
        *channel_faults(partners, Settings().as2.id),
    )
    raise_for(faults, f"The partners in {folder} cannot be used")
    return partners.by_name


def read(file: Path | None = None) -> Reading:
    """As `load`, but hands back the faults beside what could be read."""
    file = Path(file or builtin_file()).absolute()
    table, faults = read_toml(file)
    settings = Settings()
    if table is not None:
        converted, more = convert(table, Settings, file=file, checks=SETTINGS_CHECKS)
        settings = converted or settings
        faults += more
    settings = with_absolute_paths(settings, file.parent)
    return read_beside(file, settings, faults, guessed=table is None)


def read_beside(
    file: Path,
    settings: Settings,
    faults: Sequence[Fault] = (),
    *,
    guessed: bool = False,
) -> Reading:
    """Flows, partners and certificates that go with the settings of `file`, and all that is wrong.

    `faults` are those of the settings; `guessed`: they could not be read, and these are the
    defaults.
    """
    partners_folder = Path(settings.paths.partners)
    flows_folder = Path(settings.paths.flows)

    # Names first: partners name flows, and flows name partners.
    flow_names = names_in(flows_folder)
    partner_names = names_in(partners_folder)
    names = catalogued(Path(settings.paths.rule_packs))
    flows = read_flows(flows_folder, flow_checks(names, partners=partner_names))
    partners = read_partners(partners_folder, flows=flow_names)
    if guessed and not partners_folder.is_dir():
        partners.faults.clear()  # a guess: the settings that name the folder could not be read
    password = _broker_password(settings.rabbitmq)
    complaints = [*_settings_faults(settings, password, partners.by_name)]
    certificates = read_certificates(file, settings, partners, dt.datetime.now(dt.UTC))
    unusable = tuple(unusable_folders(partners))
    return Reading(
        configuration=Configuration(
            file=file,
            settings=settings,
            partners=partners.by_name,
            flows=flows.by_name,
            state=Path(settings.paths.state),
            flows_folder=flows_folder,
            partners_folder=partners_folder,
            rule_packs=Path(settings.paths.rule_packs),
            rabbitmq_password=password.value,
            identities=certificates.identities,
            certificates=certificates.by_partner,
            held=tuple(certificates.held),
            notices=(
                *(fault_at(file, *found) for found in _settings_notices(settings, password)),
                *flows.notices,
                *partners.notices,
                *channel_notices(partners),
                *unusable,
                *certificates.notices,
            ),
        ),
        faults=(
            *faults,
            *(fault_at(file, *found) for found in complaints if not touched(faults, found[0])),
            *flows.faults,
            *flow_faults(flows, names),
            *partners.faults,
            *partner_faults(partners, flows.by_name),
            *channel_faults(partners, settings.as2.id),
            *surroundings(partners),
            *certificates.faults,
            *overlap_faults(partners, flows),
        ),
        flow_files=flows.files,
        partner_files=partners.files,
        unusable=unusable,
    )


def raise_for(faults: Iterable[Fault], what: str) -> None:
    """Raises `ConfigurationError` with these faults, if there are any."""
    found = tuple(faults)
    if found:
        count = "1 fault" if len(found) == 1 else f"{len(found)} faults"
        raise ConfigurationError(f"{what}: {count}.", faults=found)


def _settings_faults(
    settings: Settings, password: Secret, partners: dict[str, Partner]
) -> Iterator[tuple[str, Complaint]]:
    yield from settings_checks.settings_complaints(settings)
    yield from alert_complaints(settings.alerts)
    if password.fault:
        yield "rabbitmq.password_file", password.fault
    yield from settings_checks.needed_by_partners(settings, partners)
    for section, tls, names, whose in (
        ("rabbitmq", settings.rabbitmq.tls, "ca_file", "the broker's"),
        ("http", settings.http.tls, "client_ca_file", "the certificates of clients"),
    ):
        authorities = getattr(tls, names)
        if authorities and (complaint := authorities_complaint(authorities, whose)):
            yield f"{section}.tls.{names}", complaint
        if tls.certificate_file and tls.key_file:
            complaint = pair_complaint(tls.certificate_file, tls.key_file)
            if complaint:
                yield f"{section}.tls.certificate_file", complaint
    own = settings.management.tls
    if own.certificate_file and own.key_file:
        complaint = pair_complaint(own.certificate_file, own.key_file)
        if complaint:
            yield "management.tls.certificate_file", complaint


def _settings_notices(settings: Settings, password: Secret) -> Iterator[tuple[str, Complaint]]:
    if password.notice:
        yield "rabbitmq.password_file", password.notice
    yield from alert_notices(settings.alerts)
    for section, key_file in (
        ("http", settings.http.tls.key_file),
        ("management", settings.management.tls.key_file),
    ):
        if key_file and (complaint := open_to_all(Path(key_file))):
            yield f"{section}.tls.key_file", complaint
    if complaint := settings_checks.open_management(settings):
        yield "management.listen", complaint


def _broker_password(rabbitmq: Rabbitmq) -> Secret:
    if not rabbitmq.password_file:
        return Secret(DEFAULT_PASSWORD)
    return read_secret(Path(rabbitmq.password_file), "the broker's password")
