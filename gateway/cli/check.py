"""edi-gateway check: everything that could keep the gateway from working, in one list.

Reads settings, flows, partners and certificates; verifies and compiles every schema and rule pack
a flow names, the Schematron beside it, and the directory that B2G rules ask; loads the mappings;
looks at the state directory and the ports; logs in to the broker. It goes on after a fault, so that
one run shows them all.

Exit code: 0 all well, 1 a check failed, 2 the configuration itself has faults.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import getpass
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from gateway.cli import (
    broker_probe,
    certificate_probe,
    directory_probe,
    options,
    partner_probe,
    probes,
)
from gateway.cli.probes import Outcome, Result
from gateway.config.credentials import hash_password
from gateway.config.folders import touched
from gateway.config.loader import Reading, read
from gateway.errors import ConfigurationError, Fault, GatewayError
from gateway.model.verdict import Language, Text

WORDS: Final = {
    "configuration": Text(en="configuration", fr="configuration"),
    "folder": Text(en="folder", fr="dossier"),
    "partner": Text(en="partner", fr="partenaire"),
    "certificate": Text(en="certificate", fr="certificat"),
    "as2": Text(en="as2", fr="as2"),
    "connection": Text(en="connection", fr="connexion"),
    "ok": Text(en="ok", fr="ok"),
    "notice": Text(en="notice", fr="avis"),
    "skipped": Text(en="skipped", fr="omis"),
    "fault": Text(en="FAULT", fr="ERREUR"),
}
"""Checks and results as people read them; those that `partner check` does not have stay codes."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `check`."""
    options.add_configuration(parser)
    parser.add_argument("--no-broker", action="store_true", help="do not connect to the broker")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object per line on standard output"
    )
    parser.add_argument(
        "--hash-password",
        action="store_true",
        help="ask for a password and print its hash for a partner file; check nothing",
    )


def run(args: argparse.Namespace) -> int:
    """Do it. Raises `ConfigurationError` for a password that cannot be hashed."""
    if args.hash_password:
        print(hash_password(_ask_password()))
        return 0
    found = outcomes(
        options.configuration_file(args), args.state_dir, with_broker=not args.no_broker
    )
    return report(found, as_json=args.json)


def outcomes(
    config: Path | None, state: Path | None = None, *, with_broker: bool
) -> Iterator[Outcome]:
    """Every check, in order, as it is done. `state` replaces the state directory."""
    try:
        reading = read(config)
    except ConfigurationError as error:
        fault = Fault(file=str(config or ""), what=error.what, remedy=error.remedy)
        yield Outcome(check="configuration", subject="", result=Result.FAULT, fault=fault)
        return
    configuration = reading.configuration
    if state is not None:
        configuration = dataclasses.replace(configuration, state=state.resolve())
    yield from _configuration(reading)
    yield from probes.folders(reading)
    yield from certificate_probe.certificates(reading, dt.datetime.now(dt.UTC))
    yield from _guarded("schema", lambda: probes.schemas(reading))
    today = dt.datetime.now(dt.UTC).date()  # as judging has it: the day of receipt, in UTC
    yield from _guarded("rule pack", lambda: probes.rule_packs(reading, today))
    yield from _guarded("partner rules", lambda: partner_probe.partner_rules(reading))
    yield from _guarded("directory", lambda: directory_probe.directory(reading, configuration))
    yield from _guarded("mapping", lambda: probes.mappings(reading))
    own = [fault for fault in reading.faults if fault.file == str(configuration.file)]
    for section, check, probe in (
        ("paths", "state directory", probes.state),
        ("sftp", "sftp", probes.sftp_port),
        ("http", "http", probes.http_port),
        ("management", "management", probes.management_port),
        ("rabbitmq", "broker", broker_probe.broker),
    ):
        if check == "broker" and not with_broker:
            why = "--no-broker"
        elif touched(own, section):
            why = f"[{section}] has faults"
        else:
            yield probe(configuration)
            continue
        yield Outcome(check=check, subject="", result=Result.SKIPPED, detail=why)


def report(found: Iterable[Outcome], *, as_json: bool, language: Language = Language.EN) -> int:
    """Print the outcomes as they come, and a last line that sums them up; the exit code."""
    faults = notices = 0
    misconfigured = False
    for outcome in found:
        faults += outcome.result is Result.FAULT
        notices += outcome.result is Result.NOTICE
        if outcome.result is Result.FAULT and outcome.check == "configuration":
            misconfigured = True
        text = (
            json.dumps(outcome.to_json(), ensure_ascii=False)
            if as_json
            else _for_people(outcome, language)
        )
        print(text, flush=True)
    result = Result.FAULT if faults else Result.OK
    if as_json:
        summary = {"check": "summary", "result": result, "faults": faults, "notices": notices}
        print(json.dumps(summary))
    elif language is Language.FR:
        print(f"\nErreurs : {faults}, avis : {notices}.")
    else:
        print(f"\n{_counted(faults, 'fault')}, {_counted(notices, 'notice')}.")
    return 2 if misconfigured else int(faults > 0)


def _configuration(reading: Reading) -> Iterator[Outcome]:
    configuration = reading.configuration
    for result, faults in (
        (Result.FAULT, reading.faults),
        (Result.NOTICE, [each for each in configuration.notices if each not in reading.unusable]),
    ):
        for fault in faults:
            yield Outcome(check="configuration", subject=fault.file, result=result, fault=fault)
    if not reading.faults:
        enabled = sum(partner.enabled for partner in configuration.partners.values())
        yield Outcome(
            check="configuration",
            subject=str(configuration.file),
            result=Result.OK,
            detail=f"{_counted(len(configuration.flows), 'flow')} in {configuration.flows_folder}, "
            f"{_counted(len(configuration.partners), 'partner')} in "
            f"{configuration.partners_folder}, {enabled} enabled",
        )


def _guarded(check: str, probe: Callable[[], Iterator[Outcome]]) -> Iterator[Outcome]:
    """A probe that breaks down is a fault as well, and the next one still runs."""
    try:
        yield from probe()
    except GatewayError as error:
        fault = Fault(file="", what=error.what, remedy=error.remedy)
        yield Outcome(check=check, subject="", result=Result.FAULT, fault=fault)


def _for_people(outcome: Outcome, language: Language) -> str:
    word = WORDS[outcome.result.value].to(language)
    check = WORDS[outcome.check].to(language) if outcome.check in WORDS else outcome.check
    subject = "" if outcome.fault and outcome.fault.file == outcome.subject else outcome.subject
    parts = ": ".join(part for part in (subject, outcome.detail) if part)
    line = f"{word:8} {check:16} {parts}".rstrip()
    if outcome.fault:
        line += "\n" + "\n".join(f"         {part}" for part in str(outcome.fault).splitlines())
    return line


def _counted(number: int, noun: str) -> str:
    return options.some(number, noun) if number else f"no {noun}s"


def _ask_password() -> str:
    """From the terminal, twice and unseen; from a pipe, its first line."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ", stream=sys.stderr)
    if getpass.getpass("Again: ", stream=sys.stderr) != password:
        raise ConfigurationError("The two differ.", remedy="Run the command again.")
    return password
