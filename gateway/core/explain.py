"""The gateway's own findings, in French and English.

Rules of the standards bring their own text (`core.terms` explains those). What the gateway itself
finds — a file that is not XML, a profile nobody asked for, an element the schema does not know —
is worded in schemas/findings.toml, one entry per code, so that a domain person can improve a
sentence without touching code.
"""

from __future__ import annotations

import functools
import re
import tomllib
from pathlib import Path

import msgspec

from gateway.errors import ConfigurationError
from gateway.model.verdict import Finding, Layer, Severity, Text
from gateway.resources import data_folder

_MAX_VALUE = 300
"""Characters of one value quoted from a document: enough to recognise it, not to flood a report."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


class Wording(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why it matters and how to mend it. `{name}` stands for a value of the finding."""

    explanation: Text
    remedy: Text


class Definition(Wording, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One code of our own. A variant replaces explanation and remedy for a narrower case."""

    layer: Layer
    severity: Severity = Severity.ERROR
    message: str
    variants: dict[str, Wording] = {}


def read_definitions(file: Path) -> dict[str, Definition]:
    """Every code of a findings file. Raises ConfigurationError naming file and key."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        return msgspec.convert(content, dict[str, Definition])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigurationError(
            f"{file}: {error}.",
            remedy="Reinstall the gateway, or mend the entry.",
        ) from error


@functools.cache
def definitions() -> dict[str, Definition]:
    """The codes of this installation."""
    return read_definitions(data_folder("schemas") / "findings.toml")


def own_finding(
    rule: str,
    *,
    variant: str | None = None,
    location: str | None = None,
    line: int | None = None,
    column: int | None = None,
    excerpt: str | None = None,
    terms: tuple[str, ...] = (),
    severity: Severity | None = None,
    pack: str | None = None,
    **values: object,
) -> Finding:
    """A finding of our own, worded from schemas/findings.toml.

    `values` fill the `{name}`s of the sentences; what comes from a document is cleaned of control
    characters and shortened first. Raises KeyError for a code, variant or value that is not
    there: a mistake of ours that the tests catch.
    """
    definition = definitions()[rule]
    wording: Wording = definition if variant is None else definition.variants[variant]
    shown = {name: quoted(value) for name, value in values.items()}
    return Finding(
        rule=rule,
        layer=definition.layer,
        severity=severity or definition.severity,
        message=definition.message.format_map(shown),
        pack=pack,
        location=location,
        line=line,
        column=column,
        excerpt=excerpt,
        terms=terms,
        explanation=_filled(wording.explanation, shown),
        remedy=_filled(wording.remedy, shown),
    )


def quoted(value: object) -> str:
    """A value as it may stand in a sentence: one line, no control characters, bounded."""
    if isinstance(value, tuple | list):
        return ", ".join(quoted(item) for item in value)
    text = _CONTROL.sub(" ", str(value)).strip()
    return text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 1] + "…"


def _filled(text: Text, values: dict[str, str]) -> Text:
    return Text(en=text.en.format_map(values), fr=text.fr.format_map(values))
