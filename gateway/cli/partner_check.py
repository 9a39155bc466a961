"""`edi-gateway partner check`: what would fail for one partner, without sending anything.

The checks of a start, as far as they are about this partner; the days of its certificates; and a
rehearsal of AS2, in which a stranger with a throw-away key plays the partner. Its own servers are
reached if that is asked for (`partner_reach`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final

from gateway.cli import certificate_probe, check, probes
from gateway.cli.probes import Outcome, Result
from gateway.config.loader import Reading
from gateway.config.strict import did_you_mean
from gateway.errors import ConfigurationError, Fault
from gateway.model.verdict import Language, Text

WORDS: Final = {
    "no faults": Text(
        en="no faults; flows, without overlap: {flows}",
        fr="aucune erreur ; flux, sans recouvrement : {flows}",
    ),
    "no flows": Text(en="none", fr="aucun"),
    "disabled": Text(
        en="The partner is disabled: nobody can send as it.",
        fr="Le partenaire est désactivé : personne ne peut envoyer en son nom.",
    ),
    "enable": Text(
        en="Set enabled = true when all else is ready.",
        fr="Mettez enabled = true quand tout le reste est prêt.",
    ),
    "no channel": Text(
        en="The partner has no channel: it cannot send anything.",
        fr="Le partenaire n'a aucun canal : il ne peut rien envoyer.",
    ),
    "add a channel": Text(
        en="Add a table [sftp], [as2], [http], [sftp_remote] or [folder].",
        fr="Ajoutez une table [sftp], [as2], [http], [sftp_remote] ou [folder].",
    ),
    "not rehearsed": Text(
        en="the partner's file has faults", fr="le fichier du partenaire a des erreurs"
    ),
}


def run(
    reading: Reading, name: str, *, as_json: bool, language: Language, connect: bool = False
) -> int:
    """0 all well, 1 something would fail, 2 the configuration has faults."""
    found = outcomes(reading, name, dt.datetime.now(dt.UTC), language, connect=connect)
    return check.report(found, as_json=as_json, language=language)


def outcomes(
    reading: Reading, name: str, now: dt.datetime, language: Language, *, connect: bool = False
) -> Iterator[Outcome]:
    """Every check, in order. What the loader says of the files stays as it is, in English.

    `connect`: the partner's own servers too.
    """
    configuration = reading.configuration
    file = reading.partner_files.get(name, configuration.partners_folder / f"{name}.toml")
    faults = [*_about(reading.faults, str(file))]
    if name not in configuration.partners and not faults:
        raise ConfigurationError(
            f'There is no partner "{name}".', remedy=did_you_mean(name, configuration.partners)
        )
    for result, found in (
        (Result.FAULT, faults),
        (Result.FAULT, [*_about(reading.faults, str(configuration.file))]),
        (
            Result.NOTICE,
            [
                each
                for each in _about(configuration.notices, str(file))
                if each not in reading.unusable
            ],
        ),
    ):
        for fault in found:
            yield Outcome(check="configuration", subject=fault.file, result=result, fault=fault)
    yield from probes.folders(reading, file=str(file))
    partner = configuration.partners.get(name)
    if partner is None:
        return
    if not faults:
        flows = ", ".join(partner.flows) or WORDS["no flows"].to(language)
        yield Outcome(
            check="configuration",
            subject=str(file),
            result=Result.OK,
            detail=WORDS["no faults"].to(language).format(flows=flows),
        )
    if not partner.enabled:
        fault = Fault(
            file=str(file),
            key="enabled",
            what=WORDS["disabled"].to(language),
            remedy=WORDS["enable"].to(language),
        )
        yield Outcome(check="partner", subject=name, result=Result.NOTICE, fault=fault)
    yield from _channels(reading, name, str(file), language)
    owners = {None, name} if partner.as2 else {name}
    yield from certificate_probe.certificates(reading, now, owners=owners, language=language)
    if partner.as2 is not None:
        from gateway.cli.as2_rehearsal import rehearse

        if faults:
            why = WORDS["not rehearsed"].to(language)
            yield Outcome(check="as2", subject=name, result=Result.SKIPPED, detail=why)
        else:
            yield from rehearse(reading, name, partner.as2, now, language)
    if connect:
        from gateway.cli.partner_reach import CHECK, reach

        if faults:
            why = WORDS["not rehearsed"].to(language)
            yield Outcome(check=CHECK, subject=name, result=Result.SKIPPED, detail=why)
        else:
            yield from reach(reading, name, now, language)


def _channels(reading: Reading, name: str, file: str, language: Language) -> Iterator[Outcome]:
    partner = reading.configuration.partners[name]
    ways = (partner.sftp, partner.as2, partner.http, partner.sftp_remote, partner.folder)
    if any(way is not None for way in ways):
        return
    fault = Fault(
        file=file,
        what=WORDS["no channel"].to(language),
        remedy=WORDS["add a channel"].to(language),
    )
    yield Outcome(check="partner", subject=name, result=Result.FAULT, fault=fault)


def _about(faults: tuple[Fault, ...], file: str) -> Iterator[Fault]:
    return (fault for fault in faults if fault.file == file)
