"""Schematron to test with: a schema around the patterns at hand, for the order of `mini_packs`."""

from __future__ import annotations

from pathlib import Path

from gateway.core.schematron.locked import LockedSaxon
from gateway.core.schematron.source import compile_source, read_source
from gateway.core.schematron.svrl import Violation, violations
from gateway.model.flow import PartnerRules
from tests import mini_packs

_SCHEMA = """<?xml version="1.0" encoding="UTF-8"?>
<schema xmlns="http://purl.oclc.org/dsdl/schematron"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform" queryBinding="xslt2" {attributes}>
<ns prefix="o" uri="urn:test:order"/><ns prefix="p" uri="urn:test:part"/>
{body}
</schema>
"""
NAME = "./house.sch"
"""What `rules` are called."""
HEAD_LINES = 4
"""Lines before the first one of the body."""

_OASIS = "urn:oasis:names:specification:ubl:schema:xsd"
UBL = f"""<ns prefix="cbc" uri="{_OASIS}:CommonBasicComponents-2"/>
<ns prefix="cac" uri="{_OASIS}:CommonAggregateComponents-2"/>
<ns prefix="ubl" uri="{_OASIS}:Invoice-2"/>
"""
"""The prefixes of UBL, for the body of a schema."""


def schema(body: str, attributes: str = "") -> str:
    """A schema that holds `body`."""
    return _SCHEMA.format(body=body, attributes=attributes)


def pattern(rules: str, attributes: str = "") -> str:
    """A pattern."""
    return f"<pattern {attributes}>{rules}</pattern>"


def rule(context: str, assertions: str) -> str:
    """A rule."""
    return f'<rule context="{context}">{assertions}</rule>'


def written(folder: Path, body: str, attributes: str = "", *, name: str = "house.sch") -> Path:
    """The schema as a file."""
    path = folder / name
    path.write_text(schema(body, attributes), encoding="utf-8")
    return path


def fired(
    path: Path, document: bytes = mini_packs.DOCUMENT, *, phase: str | None = None
) -> tuple[Violation, ...]:
    """What the schema in `path` finds in the document."""
    saxon = LockedSaxon()
    executable = saxon.compile(compile_source(path, phase=phase))
    node = saxon.processor().parse_xml(xml_text=document.decode())
    return violations(executable.transform_to_string(xdm_node=node).encode())


def rules(folder: Path, body: str, attributes: str = "") -> PartnerRules:
    """Rules as a configuration holds them."""
    source = read_source(written(folder, body, attributes))
    return PartnerRules(
        name=NAME,
        title=source.title,
        version="1",
        sha256=source.sha256,
        stylesheet=source.stylesheet,
    )
