"""The check of Schematron beside the flows: every fault in it, by file and line."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.cli.probes import Outcome, Result
from gateway.config.loader import Reading
from gateway.model.flow import PartnerRules


def partner_rules(reading: Reading) -> Iterator[Outcome]:
    """All Schematron that flows use, compiled as a judge would.

    What is no Schematron at all is among the faults of the configuration already.
    """
    found: dict[str, PartnerRules] = {
        rules.name: rules
        for flow in reading.configuration.flows.values()
        for rules in flow.partner_rules
    }
    if not found:
        return
    from gateway.core.schematron.locked import LockedSaxon
    from gateway.core.schematron.source import SourceError, read_source

    saxon = LockedSaxon()
    for name, rules in found.items():
        path = reading.configuration.flows_folder / name
        try:
            saxon.compile_source(read_source(path))
        except SourceError as error:
            for fault in error.placed(path.parent):
                yield Outcome(check="partner rules", subject=name, result=Result.FAULT, fault=fault)
            continue
        yield Outcome(
            check="partner rules",
            subject=name,
            result=Result.OK,
            detail=f"version {rules.version}, sha256 {rules.sha256}",
        )
