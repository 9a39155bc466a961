"""Tries a rule pack on sample invoices before it judges anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.core.routing import ROOTS
from gateway.core.schematron.catalogue_entries import Artefact, PackEntry
from gateway.core.schematron.locked import LockedSaxon, saxon_error
from gateway.core.schematron.preparation import prepared
from gateway.core.schematron.svrl import NothingChecked, violations
from gateway.core.xml import ParsedXml, parse
from gateway.errors import ConfigurationError, RulePackError
from gateway.model.interchange import Syntax
from gateway.model.job import DocumentLimits


class Trial(NamedTuple):
    """How a pack did on one sample. `rules`: what it found; None: it is not about such a one."""

    sample: str
    syntax: Syntax
    rules: tuple[str, ...] | None


def tried(
    entry: PackEntry, stylesheet: bytes, files: Mapping[str, bytes], samples: Mapping[str, bytes]
) -> tuple[Trial, ...]:
    """Run the pack on each sample, which is an invoice without fault.

    Raises RulePackError when it does not compile, or fails on one of them.
    """
    codes = {name: files[name] for name in entry.codes}
    text, parameters = prepared(Artefact(entry, stylesheet, codes))
    saxon = LockedSaxon()
    try:
        executable = saxon.compile(text)
    except saxon_error() as error:
        raise RulePackError(
            f"{entry.name} does not compile: {' '.join(str(error).split())[:1000]}",
            remedy="Mend it, or ask its makers for XSLT that Saxon-HE runs.",
        ) from error
    nodes = []
    for parameter, content in parameters.items():
        nodes.append(saxon.processor().parse_xml(xml_text=content, encoding="UTF-8"))
        executable.set_parameter(parameter, nodes[-1])
    return tuple(_trial(entry, saxon, executable, name, data) for name, data in samples.items())


def syntax_of(name: str, trials: tuple[Trial, ...], wanted: Syntax | None) -> Syntax:
    """The syntax a pack is for: the one whose samples it has something to say about.

    Raises ConfigurationError when there is none, not just one, or not the one that is wanted.
    """
    found = sorted({trial.syntax for trial in trials if trial.rules is not None})
    if not found or (wanted is not None and wanted not in found):
        what = f"{wanted.upper()} " if wanted else ""
        samples = ", ".join(trial.sample for trial in trials)
        raise ConfigurationError(
            f"No rule of {name} applies to our {what}samples ({samples}): nothing was tried.",
            remedy="Look at the namespaces and contexts of its rules.",
        )
    if wanted is None and len(found) > 1:
        raise ConfigurationError(
            f"The rules of {name} apply to {' and '.join(found)}.",
            remedy="Say with --syntax what they are for, and import them once for each, by --name.",
        )
    return wanted or found[0]


def _trial(entry: PackEntry, saxon: LockedSaxon, executable: Any, name: str, data: bytes) -> Trial:
    parsed = parse(data, DocumentLimits())
    if not isinstance(parsed, ParsedXml) or parsed.root.tag not in ROOTS:
        raise ValueError(f"{name} is no sample")
    syntax, _ = ROOTS[parsed.root.tag]
    node = saxon.processor().parse_xml(xml_text=parsed.data.decode(), encoding="UTF-8")
    try:
        report: str | None = executable.transform_to_string(xdm_node=node)
    except saxon_error() as error:
        raise RulePackError(
            f"{entry.name} fails on our sample {name}: {' '.join(str(error).split())[:1000]}",
            remedy="Mend it: rules must judge a good invoice without failing.",
        ) from error
    try:
        found = violations((report or "").encode())
    except NothingChecked:
        return Trial(name, syntax, None)
    except RulePackError as error:
        raise RulePackError(
            f"{entry.name} on our sample {name}: {error.what}",
            remedy="Import Schematron, or a stylesheet made of it that answers in SVRL.",
        ) from error
    return Trial(name, syntax, tuple(dict.fromkeys(each.rule for each in found)))
