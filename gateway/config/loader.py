"""Reads conf/gateway.toml, the partners and the flows, and checks them against one another.

`read` goes through everything and collects what is wrong; `load` is what a daemon calls, and
raises `ConfigurationError` with the whole list. Nothing is half used: a configuration with one
fault starts nothing.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gateway import resources
from gateway.config import consistency
from gateway.config.folders import (
    catalogued,
    fault_at,
    flow_checks,
    flow_faults,
    names_in,
    overlap_faults,
    partner_checks,
    partner_faults,
    read_folder,
    touched,
)
from gateway.config.settings import Rabbitmq, Settings, Sftp
from gateway.config.strict import Checks, Complaint, convert, read_toml
from gateway.errors import ConfigurationError, Fault
from gateway.model.flow import Flow
from gateway.model.partner import Partner

DEFAULT_PASSWORD = "guest"  # noqa: S105 (what a fresh RabbitMQ takes, from loopback only)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything the files say, typed, with every path absolute.

    `partners` and `flows` are by name; disabled partners are among them. `settings` holds the
    resolved paths too. `notices` are oddities that stop nothing.
    """

    file: Path
    settings: Settings
    partners: dict[str, Partner]
    flows: dict[str, Flow]
    state: Path
    flows_folder: Path
    partners_folder: Path
    rule_packs: Path
    rabbitmq_password: str = field(repr=False)
    notices: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read, and everything wrong with it. `configuration` serves only without faults.

    `flow_files` tells for each flow the file it stands in.
    """

    configuration: Configuration
    faults: tuple[Fault, ...]
    flow_files: dict[str, Path]


def builtin_file() -> Path:
    """The settings file that belongs to this installation: every setting at its default."""
    return resources.data_folder("conf") / "gateway.toml"


def load(file: Path | None = None) -> Configuration:
    """The configuration in `file`; None: the built-in one.

    Raises `ConfigurationError` carrying every fault in the settings, partners and flows.
    """
    reading = read(file)
    _raise_for(reading.faults, f"The configuration {reading.configuration.file} cannot be used")
    return reading.configuration


def load_flows(folder: Path | None = None) -> dict[str, Flow]:
    """The flows in `folder` (None: the built-in ones), by name.

    Raises `ConfigurationError` with every fault. Partners are not looked at.
    """
    folder = folder or resources.data_folder("flows")
    names = catalogued()
    flows = read_folder(folder, Flow, flow_checks(names, partners=None))
    _raise_for((*flows.faults, *flow_faults(flows, names)), f"The flows in {folder} cannot be used")
    return flows.by_name


def load_partners(folder: Path) -> dict[str, Partner]:
    """The partners in `folder`, by name, disabled ones included.

    Raises `ConfigurationError` with every fault. Whether their flows exist is not looked at.
    """
    partners = read_folder(folder, Partner, partner_checks(flows=None))
    faults = (*partners.faults, *partner_faults(partners, {}))
    _raise_for(faults, f"The partners in {folder} cannot be used")
    return partners.by_name


def read(file: Path | None = None) -> Reading:
    """As `load`, but hands back the faults beside what could be read."""
    file = Path(file or builtin_file()).absolute()
    table, faults = read_toml(file)
    settings = Settings()
    if table is not None:
        checks: Checks = {(Sftp, "listen"): consistency.address_complaint}
        converted, more = convert(table, Settings, file=file, checks=checks)
        settings = converted or settings
        faults += more
    settings = _with_absolute_paths(settings, file.parent)
    partners_folder = Path(settings.paths.partners)
    flows_folder = Path(settings.paths.flows)

    # Names first: partners name flows, and flows name partners.
    flow_names = names_in(flows_folder)
    partner_names = names_in(partners_folder)
    names = catalogued()
    flows = read_folder(flows_folder, Flow, flow_checks(names, partners=partner_names))
    partners = read_folder(partners_folder, Partner, partner_checks(flows=flow_names))
    password, password_faults, notices = _broker_password(file, settings.rabbitmq)
    if table is None and not partners_folder.is_dir():
        partners.faults.clear()  # a guess: the settings that name the folder could not be read
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
            rabbitmq_password=password,
            notices=(*notices, *flows.notices, *partners.notices),
        ),
        faults=(
            *faults,
            *(
                fault_at(file, *found)
                for found in consistency.settings_complaints(settings)
                if not touched(faults, found[0])
            ),
            *password_faults,
            *_tls_faults(file, settings.rabbitmq),
            *flows.faults,
            *flow_faults(flows, names),
            *partners.faults,
            *partner_faults(partners, flows.by_name),
            *overlap_faults(partners, flows),
        ),
        flow_files=flows.files,
    )


def _raise_for(faults: Iterable[Fault], what: str) -> None:
    found = tuple(faults)
    if found:
        count = "1 fault" if len(found) == 1 else f"{len(found)} faults"
        raise ConfigurationError(f"{what}: {count}.", faults=found)


def _with_absolute_paths(settings: Settings, base: Path) -> Settings:
    """Relative paths count from the settings file's folder; "" stands for the built-in."""
    from gateway.core.schematron.catalogue import default_rule_packs

    paths, rabbitmq, tls = settings.paths, settings.rabbitmq, settings.rabbitmq.tls

    def resolved(path: str) -> str:
        return str((base / path).absolute()) if path else ""

    return msgspec.structs.replace(
        settings,
        paths=msgspec.structs.replace(
            paths,
            state=resolved(paths.state),
            flows=resolved(paths.flows) or str(resources.data_folder("flows").absolute()),
            partners=resolved(paths.partners),
            rule_packs=resolved(paths.rule_packs) or str(default_rule_packs().absolute()),
        ),
        rabbitmq=msgspec.structs.replace(
            rabbitmq,
            password_file=resolved(rabbitmq.password_file),
            tls=msgspec.structs.replace(
                tls,
                ca_file=resolved(tls.ca_file),
                certificate_file=resolved(tls.certificate_file),
                key_file=resolved(tls.key_file),
            ),
        ),
    )


def _broker_password(
    file: Path, rabbitmq: Rabbitmq
) -> tuple[str, tuple[Fault, ...], tuple[Fault, ...]]:
    """The password, faults, notices. A line end after the password does not count."""
    key = "rabbitmq.password_file"
    if not rabbitmq.password_file:
        return DEFAULT_PASSWORD, (), ()
    secret = Path(rabbitmq.password_file)
    try:
        password = secret.read_bytes().decode().rstrip("\r\n")
        open_to_all = bool(secret.stat().st_mode & 0o007)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        complaint = Complaint(
            f"{secret} cannot be read: {why}.",
            "Put the broker's password in it, one line, readable by the gateway's user only.",
        )
        return "", (fault_at(file, key, complaint),), ()
    if not password:
        complaint = Complaint(f"{secret} is empty.", "Put the broker's password in it, one line.")
        return "", (fault_at(file, key, complaint),), ()
    if open_to_all:
        complaint = Complaint(f"{secret} is open to every user.", f"Run: chmod o= {secret}")
        return password, (), (fault_at(file, key, complaint),)
    return password, (), ()


def _tls_faults(file: Path, rabbitmq: Rabbitmq) -> Iterator[Fault]:
    """PEM files that OpenSSL does not take. An encrypted key is refused, nobody could unlock it."""
    tls = rabbitmq.tls
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.ca_file:
        try:
            context.load_verify_locations(cafile=tls.ca_file)
        except (OSError, ssl.SSLError) as error:
            complaint = Complaint(
                f"{tls.ca_file} holds no usable CA certificate: {error.strerror or error}.",
                "Name a PEM file with the certificate of the authority that signed the broker's.",
            )
            yield fault_at(file, "rabbitmq.tls.ca_file", complaint)
    if tls.certificate_file and tls.key_file:
        try:
            context.load_cert_chain(tls.certificate_file, tls.key_file, password=lambda: "")
        except (OSError, ssl.SSLError) as error:
            complaint = Complaint(
                f"{tls.certificate_file} and {tls.key_file} are no usable pair: "
                f"{error.strerror or error}.",
                "Name the PEM files of a certificate and of its own key, the key not encrypted.",
            )
            yield fault_at(file, "rabbitmq.tls.certificate_file", complaint)
