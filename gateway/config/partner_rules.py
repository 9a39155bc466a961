"""Schematron that an operator lays beside a flow: which files belong to which chains.

`NAME.sch` beside `NAME.toml` judges every document of that flow, `NAME.ubl.sch` and `NAME.cii.sch`
those of one syntax; a chain may name further ones (`./acme.sch`) in its rules. They run after the
official packs unless the chain says otherwise. Files are read here, once: every judge compiles the
same text, whatever happens to the file afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from msgspec.structs import asdict, replace

from gateway.config.strict import Complaint, FieldCheck, did_you_mean
from gateway.errors import Fault
from gateway.model.flow import Chain, Flow, FlowFile, PartnerRules, is_partner_rules

_FORM = re.compile(r"\./(?:[A-Za-z0-9_-][\w.-]*/)*[A-Za-z0-9_-][\w.-]*\.sch")


def rules_complaint(packs: Collection[str]) -> FieldCheck:
    """A field check: a rule pack of the catalogue, or a file that lies beside the flows."""

    def check(name: str) -> Complaint | None:
        if name in packs or _FORM.fullmatch(name):
            return None
        if is_partner_rules(name) or name.endswith((".sch", ".xslt", ".xsl")):
            return Complaint(
                f'"{name}" is not the name of Schematron beside the flows.',
                'Write ./NAME.sch: a file in the folder of the flows, or below it ("edi-gateway '
                'rules import" takes in stylesheets).',
            )
        what = f'There is no rule pack "{name}" in schemas/catalogue.toml.'
        return Complaint(what, did_you_mean(name, packs))

    return check


class PartnerRuleFiles:
    """The Schematron of one folder of flows; each file is read once. `faults`: what is wrong."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, PartnerRules | None] = {}
        self._part_of: set[str] = set()
        self.faults: list[Fault] = []

    def added_to(self, flow: FlowFile, file: Path) -> Flow:
        """The flow with the files that lie beside it in its chains, and all of them read."""
        chains = tuple(
            replace(chain, rules=(*chain.rules, *self._beside(chain, file))) for chain in flow.chain
        )
        names = [name for chain in chains for name in chain.rules if is_partner_rules(name)]
        read = [self._rules(name) for name in dict.fromkeys(names)]
        rules = tuple(each for each in read if each is not None)
        return Flow(**(asdict(flow) | {"chain": chains, "partner_rules": rules}))

    def strays(self) -> Iterator[Fault]:
        """Schematron of the folder that judges nothing: a file misnamed is a rule not applied."""
        try:
            names = sorted(path.name for path in self._folder.glob("*.sch"))
        except OSError:
            return
        for name in names:
            if f"./{name}" not in self._read and name not in self._part_of:
                yield Fault(
                    file=str(self._folder / name),
                    what="These rules judge nothing: no flow has this name, and no chain names it.",
                    remedy=f'Name it as a flow, or add "./{name}" to the rules of a chain.',
                )

    def _beside(self, chain: Chain, file: Path) -> Iterator[str]:
        for suffix in ("", f".{chain.syntax.value}"):
            name = f"{file.stem}{suffix}.sch"
            # A flow file may itself be called acme.ubl.toml: then acme.ubl.sch is its own.
            mine = not suffix or not file.with_name(f"{file.stem}{suffix}.toml").exists()
            if mine and file.with_name(name).exists() and f"./{name}" not in chain.rules:
                yield f"./{name}"

    def _rules(self, name: str) -> PartnerRules | None:
        if name not in self._read:
            self._read[name] = self._from_file(name)
        return self._read[name]

    def _from_file(self, name: str) -> PartnerRules | None:
        from gateway.core.schematron.source import SourceError, read_source  # late: needs lxml

        path = self._folder / name
        try:
            source = read_source(path)
        except SourceError as error:
            self.faults += error.placed(path.parent)
            return None
        inside = Path(name).parent
        self._part_of.update((inside / part).as_posix() for part in source.contents)
        return PartnerRules(
            name=name,
            title=source.title,
            version=source.release or source.sha256[:12],
            sha256=source.sha256,
            stylesheet=source.stylesheet,
        )
