"""Tries a rule pack on sample invoices before it judges anybody's.

What the pack does wrong is an answer, not an exception: whoever distrusts a pack that may never
end has it tried in a process of its own, and gets the answer from there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from gateway.core.facts import ROOTS
from gateway.core.schematron.catalogue_entries import Artefact, PackEntry
from gateway.core.schematron.locked import LockedSaxon, saxon_error
from gateway.core.schematron.preparation import prepared
from gateway.core.schematron.svrl import NothingChecked, violations
from gateway.core.xml import ParsedXml, parse
from gateway.errors import ConfigurationError, RulePackError
from gateway.model.interchange import Syntax
from gateway.model.job import DocumentLimits


class Attempt(msgspec.Struct, frozen=True):
    """A pack to try. `codes`: its code lists; `samples`: name → an invoice without fault."""

    entry: PackEntry
    stylesheet: bytes
    codes: dict[str, bytes]
    samples: dict[str, bytes]


class Trial(NamedTuple):
    """How a pack did on one sample. `rules`: what it found; None: it is not about such a one."""

    sample: str
    syntax: Syntax
    rules: tuple[str, ...] | None


class TrialAnswer(msgspec.Struct, frozen=True):
    """How it did on all of them; else `what` is wrong with it, and the `remedy`.

    `uncompiled`: what Saxon said about a stylesheet that does not compile.
    """

    trials: tuple[Trial, ...] = ()
    what: str = ""
    remedy: str = ""
    uncompiled: str = ""


def tried(attempt: Attempt) -> TrialAnswer:
    """Compile the pack and run it on each sample, up to its first failure."""
    name = attempt.entry.name
    try:
        text, parameters = prepared(Artefact(attempt.entry, attempt.stylesheet, attempt.codes))
        if attempt.entry.path.endswith(".sch"):
            text = attempt.stylesheet.decode()  # whose lines are known to be those of the source
        saxon = LockedSaxon()
        try:
            executable = saxon.compile(text)
        except saxon_error() as error:
            return TrialAnswer(
                what=f"{name} does not compile: {' '.join(str(error).split())[:1000]}",
                remedy="Mend it, or ask its makers for XSLT that Saxon-HE runs.",
                uncompiled=str(error),
            )
        nodes = []
        for parameter, content in parameters.items():
            nodes.append(saxon.processor().parse_xml(xml_text=content, encoding="UTF-8"))
            executable.set_parameter(parameter, nodes[-1])
        trials = tuple(
            _trial(name, saxon, executable, sample, data)
            for sample, data in attempt.samples.items()
        )
    except RulePackError as error:
        return TrialAnswer(what=error.what, remedy=error.remedy)
    return TrialAnswer(trials)


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


def _trial(name: str, saxon: LockedSaxon, executable: Any, sample: str, data: bytes) -> Trial:
    parsed = parse(data, DocumentLimits())
    if not isinstance(parsed, ParsedXml) or parsed.root.tag not in ROOTS:
        raise ValueError(f"{sample} is no sample")
    syntax, _ = ROOTS[parsed.root.tag]
    node = saxon.processor().parse_xml(xml_text=parsed.data.decode(), encoding="UTF-8")
    try:
        report: str | None = executable.transform_to_string(xdm_node=node)
    except saxon_error() as error:
        raise RulePackError(
            f"{name} fails on our sample {sample}: {' '.join(str(error).split())[:1000]}",
            remedy="Mend it: rules must judge a good invoice without failing.",
        ) from error
    try:
        found = violations((report or "").encode())
    except NothingChecked:
        return Trial(sample, syntax, None)
    except RulePackError as error:
        raise RulePackError(
            f"{name} on our sample {sample}: {error.what}",
            remedy="Import Schematron, or a stylesheet made of it that answers in SVRL.",
        ) from error
    return Trial(sample, syntax, tuple(dict.fromkeys(each.rule for each in found)))
