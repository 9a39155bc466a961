"""The check of the directory of recipients, when flows have rules that ask it."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.cli.probes import Outcome, Result
from gateway.config.loader import Configuration, Reading
from gateway.core.directory import Directories, Directory, folder_in
from gateway.core.schematron.catalogue import Catalogue
from gateway.errors import Fault, RulePackError
from gateway.model.flow import is_partner_rules


def directory(reading: Reading, configuration: Configuration) -> Iterator[Outcome]:
    """The snapshot in force: there, unaltered, and each line of it such as rules can be answered.

    Nothing when no flow has rules that ask; what is wrong stops nobody as long as no partner sends
    by such a flow.
    """
    asking = _asking(reading)
    if not asking:
        return
    folder = folder_in(configuration.state)
    users = sorted(
        partner.name
        for partner in configuration.partners.values()
        if partner.enabled and asking.intersection(partner.flows)
    )
    whose = f"flows {', '.join(sorted(asking))}" + (f", of {', '.join(users)}" if users else "")
    try:
        found = Directories(folder).current()
        detail = _described(found) if found is not None else ""
    except RulePackError as error:
        remedy = error.remedy or "Import it again: edi-gateway directory import."
        what = f"{error.what} Whatever the B2G rules ask it stays undetermined ({whose})."
        result = Result.FAULT if users else Result.NOTICE
    else:
        if found is not None:
            yield Outcome(
                check="directory", subject=found.path.name, result=Result.OK, detail=detail
            )
            return
        what = f"There is none: B2G rules that ask it say that they did not check ({whose})."
        remedy = "Import the table of recipients: edi-gateway directory import FILE.csv."
        result = Result.NOTICE if users else Result.SKIPPED
    fault = Fault(file=str(folder), what=what, remedy=remedy)
    skipped = result is Result.SKIPPED
    yield Outcome(
        check="directory",
        subject="",
        result=result,
        detail="no partner sends by a flow that asks it" if skipped else "",
        fault=None if skipped else fault,
    )


def _asking(reading: Reading) -> set[str]:
    """The flows with rules, of any version, that ask the directory."""
    catalogue = Catalogue.load(reading.configuration.rule_packs)
    known = set(catalogue.names())
    return {
        flow.name
        for flow in reading.configuration.flows.values()
        for chain in flow.chain
        for name in chain.rules
        if not is_partner_rules(name) and name in known
        if any(version.directory for version in catalogue.versions(name))
    }


def _described(found: Directory) -> str:
    """How many it lists, since when. Raises RulePackError when a line of it says nothing."""
    count = sum(1 for _ in found.recipients())
    return f"{count} recipients, imported {found.imported:%Y-%m-%d %H:%M} UTC"
