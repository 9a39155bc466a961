"""What operators and back offices write: TOML, JSON, Schematron, tables."""

from __future__ import annotations

import datetime as dt
import io
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.cli.directory_import import import_table
from gateway.cli.invoices_import import check_table, pages
from gateway.cli.status_example import example
from gateway.config.loader import load, load_flows, load_partners
from gateway.config.strict import convert
from gateway.core.cdar.composing import compose
from gateway.core.cdar.message_reader import MessageRead, read
from gateway.core.cdar.message_writer import write
from gateway.core.cdar.request import StatusRequest, parse_json, parse_toml
from gateway.core.cdar.statuses import STATUSES
from gateway.core.schematron.source import SourceError, compile_source
from gateway.errors import ConfigurationError
from gateway.model.job import DocumentLimits
from gateway.model.legal import LegalIdentity
from tests import schematron_sources as sources
from tests.fuzz import seeds
from tests.fuzz.target import Kind, Parser, Target
from tests.fuzz.targets_documents import expect

_NOW: Final = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
_WE: Final = LegalIdentity(name="Passerelle", id="0003", application="AAA123")


def settings() -> Parser:
    """`load`: a configuration, or `ConfigurationError` with every fault."""
    file = Path(tempfile.mkdtemp()) / "gateway.toml"
    (file.parent / "partners").mkdir()

    def run(data: bytes) -> bool:
        file.write_bytes(data)
        load(file)
        return True

    return run


def _folder(loaded: Callable[[Path], object], name: str) -> Callable[[], Parser]:
    def made() -> Parser:
        folder = Path(tempfile.mkdtemp())

        def run(data: bytes) -> bool:
            (folder / name).write_bytes(data)
            loaded(folder)
            return True

        return run

    return made


partners = _folder(load_partners, "example.toml")
flows = _folder(load_flows, "example.toml")


def status_request() -> Parser:
    """A request for a status: the message, or faults; ValueError and RecursionError: no request."""

    def run(data: bytes) -> bool:
        json_like = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
        table = parse_json(data) if json_like else parse_toml(data)
        request, faults = convert(table, StatusRequest, file=Path("request"))
        if request is None or faults:
            return False
        message = compose(request, _WE, _NOW)
        if isinstance(message, list):
            expect(bool(message), "refused without a word")
            return False
        again = read(write(message), DocumentLimits())
        expect(isinstance(again, MessageRead), "a message that cannot be read")
        return True

    return run


def requests() -> list[bytes]:
    """One example of each status, as TOML and as JSON."""
    import json
    import tomllib

    found = [example(code) for code in STATUSES]
    as_json = [json.dumps(tomllib.loads(text), default=str) for text in found[:6]]
    return [text.encode() for text in (*found, *as_json)]


def schematron() -> Parser:
    """`compile_source`: XSLT, or `SourceError` with every fault."""
    folder = Path(tempfile.mkdtemp())
    (folder / "part.sch").write_text(sources.pattern(sources.rule("o:order", "")), encoding="utf-8")

    def run(data: bytes) -> bool:
        file = folder / "house.sch"
        file.write_bytes(data)
        compile_source(file)
        return True

    return run


def schematron_sources() -> list[bytes]:
    """Schematron with variables, functions, abstract patterns, phases and an include."""
    body = (
        '<let name="limit" value="5"/>'
        '<phase id="f"><active pattern="a"/></phase>'
        '<pattern id="a"><rule context="p:line"><let name="x" value="p:amount"/>'
        '<assert id="R-1" test="$x &gt; $limit" flag="warning">Too <value-of select="$x"/></assert>'
        '<report id="R-2" test="matches(., \'[0-9]+\')">found <name/></report></rule></pattern>'
        '<pattern abstract="true" id="b"><rule context="$c"><assert test="$t">no</assert></rule>'
        '</pattern><pattern is-a="b" id="c"><param name="c" value="p:part"/>'
        '<param name="t" value="true()"/></pattern>'
    )
    function = (
        '<xsl:function name="o:f"><xsl:param name="a"/><xsl:sequence select="$a + 1"/>'
        "</xsl:function>"
        '<pattern><rule context="p:total"><assert test="o:f(1) = 2">no</assert></rule></pattern>'
    )
    simple = sources.pattern(sources.rule("o:order", '<assert test="true()">no</assert>'))
    texts = [body, function, simple, '<include href="part.sch"/>' + simple]
    return [sources.schema(text).encode() for text in texts]


def invoices_table() -> Parser:
    """`check_table` and `pages`: rows and bad rows, or `ConfigurationError`."""

    def run(data: bytes) -> bool:
        table = _text(data)
        checked = check_table(table)
        expect(sum(map(len, pages(table))) == checked.rows, "another number of rows")
        return checked.rows > 0

    return run


def directory_table() -> Parser:
    """`import_table`: a snapshot, or `ConfigurationError`."""
    folder = Path(tempfile.mkdtemp())

    def run(data: bytes) -> bool:
        into = folder / "directory"
        try:
            found = import_table(_text(data), into, now=_NOW, without_bad_rows=True)
            expect(len(list(into.iterdir())) == 1, "something left behind")
        finally:
            shutil.rmtree(into, ignore_errors=True)
        return found.recipients > 0

    return run


def _text(data: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")


_INVOICES: Final = [
    b"seller;number;issue_date\n000123455;FA-1;31/03/2025\nFR40000123455;FA-2;2025-04-01\n",
    b'\xef\xbb\xbfseller,number,year\r\n00012345500012,"FA,1",2025\r\nx,y,z\r\n',
]
_DIRECTORY: Final = [
    b"siret;active;public;service_code_required;engagement_required;either_required;service_codes\n"
    b"00012345500012;oui;non;1;0;true;A|B\n00047110200015;1;1;0;0;0;\n00047110200015;1;1;0;0;0;\n",
]

TARGETS: Final = (
    Target(
        name="settings",
        kind=Kind.TEXT,
        parser=settings,
        seeds=lambda: seeds.settings_files("settings"),
        declared=(ConfigurationError,),
        share=1,
    ),
    Target(
        name="partner",
        kind=Kind.TEXT,
        parser=partners,
        seeds=lambda: seeds.settings_files("partners"),
        declared=(ConfigurationError,),
        share=8,
    ),
    Target(
        name="flow",
        kind=Kind.TEXT,
        parser=flows,
        seeds=lambda: seeds.settings_files("flows"),
        declared=(ConfigurationError,),
        share=3,
    ),
    Target(
        name="status-request",
        kind=Kind.TEXT,
        parser=status_request,
        seeds=requests,
        declared=(ValueError, RecursionError),
        share=10,
    ),
    Target(
        name="schematron",
        kind=Kind.XML,
        parser=schematron,
        seeds=schematron_sources,
        declared=(SourceError,),
        seconds=10,
        share=4,
    ),
    Target(
        name="invoices-table",
        kind=Kind.TEXT,
        parser=invoices_table,
        seeds=lambda: _INVOICES,
        declared=(ConfigurationError,),
        share=6,
    ),
    Target(
        name="directory-table",
        kind=Kind.TEXT,
        parser=directory_table,
        seeds=lambda: _DIRECTORY,
        declared=(ConfigurationError,),
        share=6,
    ),
)
