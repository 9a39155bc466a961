"""The single checks behind `edi-gateway check`: each tries one thing and says how it went.

Nothing is changed: no queue is declared, no port kept, no file left behind.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from gateway.config.loader import Configuration, Reading
from gateway.errors import ConfigurationError, Fault, GatewayError
from gateway.model.flow import Flow, is_partner_rules


class Result(StrEnum):
    """How a check went. Only `FAULT` makes the command fail."""

    OK = "ok"
    NOTICE = "notice"
    SKIPPED = "skipped"
    FAULT = "fault"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the command's answer. `detail` is for people; `fault` for notices as well."""

    check: str
    subject: str
    result: Result
    detail: str = ""
    fault: Fault | None = None

    def to_json(self) -> dict[str, Any]:
        """The object `check --json` prints."""
        out: dict[str, Any] = {
            "check": self.check,
            "subject": self.subject,
            "result": self.result.value,
            "detail": self.detail,
        }
        return out | (msgspec.to_builtins(self.fault) if self.fault else {})


class _Use(msgspec.Struct, frozen=True):
    """A name in a flow file, and where."""

    file: str
    key: str


def _uses(
    reading: Reading, names: Callable[[Flow], Iterator[tuple[str, str]]]
) -> dict[str, list[_Use]]:
    """Where each name stands. `names` yields (key, name) for a flow."""
    uses: dict[str, list[_Use]] = {}
    for flow_name, flow in reading.configuration.flows.items():
        for key, name in names(flow):
            file = str(reading.flow_files[flow_name])
            uses.setdefault(name, []).append(_Use(file, key))
    return uses


def _in_flow(check: str, name: str, uses: list[_Use], error: GatewayError) -> Outcome:
    first, *others = uses
    also = f" (also used at {', '.join(f'{use.file}: {use.key}' for use in others)})"
    fault = Fault(
        file=first.file,
        key=first.key,
        what=error.what + (also if others else ""),
        remedy=error.remedy or "Name another, or mend it.",
    )
    return Outcome(check=check, subject=name, result=Result.FAULT, fault=fault)


def schemas(reading: Reading) -> Iterator[Outcome]:
    """Every XSD a flow names: verified and compiled."""
    from gateway.core.schematron.catalogue import Catalogue
    from gateway.core.xsd import SchemaStore

    def named(flow: Flow) -> Iterator[tuple[str, str]]:
        for index, chain in enumerate(flow.chain):
            yield f"chain[{index}].schema", chain.schema

    uses = _uses(reading, named)
    catalogue = Catalogue.load(reading.configuration.rule_packs)
    store = SchemaStore(catalogue)
    for name, places in uses.items():
        try:
            for root in catalogue.schema(name).roots:
                store.compile(name, root)
        except GatewayError as error:
            yield _in_flow("schema", name, places, error)
        else:
            title = catalogue.schema(name).title
            yield Outcome(check="schema", subject=name, result=Result.OK, detail=title)


def rule_packs(reading: Reading, today: dt.date) -> Iterator[Outcome]:
    """Every rule pack a flow names: the versions of today and those to come, verified, compiled."""
    from gateway.core.schematron.catalogue import Catalogue
    from gateway.core.schematron.runner import RulePacks

    def named(flow: Flow) -> Iterator[tuple[str, str]]:
        for index, chain in enumerate(flow.chain):
            for place, pack in enumerate(chain.rules):
                if not is_partner_rules(pack):
                    yield f"chain[{index}].rules[{place}]", pack

    uses = _uses(reading, named)
    catalogue = Catalogue.load(reading.configuration.rule_packs)
    packs = RulePacks(catalogue)
    for name, places in uses.items():
        try:
            versions = list(catalogue.coming(name, today))
        except GatewayError as error:
            yield _in_flow("rule pack", name, places, error)
            continue
        try:
            versions.insert(0, catalogue.on(name, today))
        except GatewayError as error:
            first = places[0]
            fault = Fault(file=first.file, key=first.key, what=error.what, remedy=error.remedy)
            yield Outcome(check="rule pack", subject=name, result=Result.NOTICE, fault=fault)
        for version in versions:
            try:
                packs.compile(version)
            except GatewayError as error:
                yield _in_flow("rule pack", version, places, error)
            else:
                detail = f"version {catalogue.pack(version).version}"
                yield Outcome(check="rule pack", subject=version, result=Result.OK, detail=detail)


def mappings(reading: Reading) -> Iterator[Outcome]:
    """Every mapping a flow names, read and checked against the model."""
    from gateway.core.mapping import Mapping

    for name, places in _uses(reading, lambda flow: iter([("mapping", flow.mapping)])).items():
        try:
            Mapping.load(name)
        except GatewayError as error:
            for fault in error.faults if isinstance(error, ConfigurationError) else ():
                yield Outcome(check="mapping", subject=name, result=Result.FAULT, fault=fault)
            yield _in_flow("mapping", name, places, error)
        else:
            yield Outcome(check="mapping", subject=name, result=Result.OK)


def folders(reading: Reading, *, file: str | None = None) -> Iterator[Outcome]:
    """Partners' folders on this machine that cannot be used; of one partner file, or of all."""
    for fault in reading.unusable:
        if file in (None, fault.file):
            yield Outcome(check="folder", subject=fault.file, result=Result.FAULT, fault=fault)


def state(configuration: Configuration) -> Outcome:
    """Whether the state directory, or what it would be made in, takes files; and has room."""
    folder = configuration.state

    def fault(what: str, remedy: str) -> Outcome:
        complaint = Fault(file=str(configuration.file), key="paths.state", what=what, remedy=remedy)
        return Outcome(
            check="state directory", subject=str(folder), result=Result.FAULT, fault=complaint
        )

    there = folder
    with contextlib.suppress(OSError):
        while not there.exists() and there != there.parent:
            there = there.parent
    user = f"the user that runs the gateway (this is user id {os.geteuid()})"
    if not there.is_dir():
        return fault(f"{there} is not a folder.", "Move it away, or name another paths.state.")
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix=".check-") as probe:
            probe.write(b"durable?")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return fault(
            f"{there} cannot be written to by {user}: {error.strerror}.",
            f"Run: install -d -m 0750 -o USER {folder} - with the gateway's user; or run this "
            "check as that user.",
        )
    free_mb = shutil.disk_usage(there).free // 1_000_000
    least = configuration.settings.intake.min_free_mb
    if free_mb < least:
        return fault(
            f"Only {free_mb} MB are free, intake.min_free_mb asks for {least}: every file would "
            "be refused.",
            "Make room, or put paths.state on a larger file system.",
        )
    detail = f"{free_mb} MB free" if there == folder else f"will be made in {there}"
    return Outcome(check="state directory", subject=str(folder), result=Result.OK, detail=detail)


def sftp_port(configuration: Configuration) -> Outcome:
    """Whether the SFTP server could listen."""
    sftp = configuration.settings.sftp
    return _listening(configuration, "sftp", sftp.listen, sftp.port, enabled=sftp.enabled)


def http_port(configuration: Configuration) -> Outcome:
    """Whether the HTTP listener could listen."""
    http = configuration.settings.http
    return _listening(configuration, "http", http.listen, http.port, enabled=http.enabled)


def management_port(configuration: Configuration) -> Outcome:
    """Whether the listener for what watches the gateway could listen."""
    management = configuration.settings.management
    return _listening(
        configuration,
        "management",
        management.listen,
        management.port,
        enabled=management.enabled,
    )


def _listening(
    configuration: Configuration, section: str, listen: str, port: int, *, enabled: bool
) -> Outcome:
    """Whether the port is free. One in use is a notice: a gateway may be running."""
    subject = f"{listen} port {port}"
    if not enabled:
        return Outcome(check=section, subject=subject, result=Result.SKIPPED, detail="switched off")
    family = socket.AF_INET6 if ":" in listen else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((listen, port))
    except OSError as error:
        result, key, what, remedy = _not_listening(error, port)
        fault = Fault(
            file=str(configuration.file), key=f"{section}.{key}", what=what, remedy=remedy
        )
        return Outcome(check=section, subject=subject, result=result, fault=fault)
    lent = _lent_to_others(port)
    if lent is None:
        return Outcome(check=section, subject=subject, result=Result.OK, detail="free")
    return Outcome(
        check=section,
        subject=subject,
        result=Result.NOTICE,
        fault=Fault(
            file=str(configuration.file),
            key=f"{section}.port",
            what=f"The port is one of those that this machine lends to outgoing connections"
            f" ({lent.start} to {lent.stop - 1}): one may have it when the gateway starts again.",
            remedy=f"Choose one below {lent.start}, or add it to what is kept out of them"
            " (sysctl net.ipv4.ip_local_reserved_ports).",
        ),
    )


def _lent_to_others(port: int, kernel: Path = Path("/proc/sys/net/ipv4")) -> range | None:
    """The ports that Linux gives to outgoing connections, if this is one of them.

    None as well where the kernel does not say.
    """
    try:
        first, last = map(int, (kernel / "ip_local_port_range").read_text().split())
        kept = (kernel / "ip_local_reserved_ports").read_text().strip()
        for each in filter(None, kept.split(",")):
            low, _, high = each.partition("-")
            if int(low) <= port <= int(high or low):
                return None
    except (OSError, ValueError):
        return None
    lent = range(first, last + 1)
    return lent if port in lent else None


def _not_listening(error: OSError, port: int) -> tuple[Result, str, str, str]:
    if error.errno == errno.EADDRINUSE:
        return (
            Result.NOTICE,
            "port",
            "The port is in use.",
            "Nothing to do if that is the gateway, running; else choose another port.",
        )
    if error.errno == errno.EACCES:
        return (
            Result.FAULT,
            "port",
            f"This user may not listen on port {port}.",
            "Choose a port from 1024 on, or give the service CAP_NET_BIND_SERVICE.",
        )
    return (
        Result.FAULT,
        "listen",
        f"Listening is not possible: {error.strerror}.",
        "Name an address of this machine.",
    )
