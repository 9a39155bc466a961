"""A tiny rule pack of our own, and a catalogue that knows it: what tests can break at will.

The stylesheet has the form of a compiled Schematron: SVRL out, one assertion per rule.
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from gateway.core.schematron.catalogue import Catalogue

DOCUMENT = b"""<?xml version="1.0" encoding="UTF-8"?>
<o:order xmlns:o="urn:test:order" xmlns:p="urn:test:part">
  <p:total currency="EUR">12\xe2\x82\xac</p:total>
  <p:line><p:amount>5</p:amount></p:line>
  <p:line><p:amount>-7</p:amount></p:line>
</o:order>
"""

ASSERTIONS = """
<xsl:for-each select="//p:amount[. &lt; 0]">
  <svrl:failed-assert test=". &gt;= 0" id="T-01" flag="fatal">
    <xsl:attribute name="location"><xsl:apply-templates select="." mode="path"/></xsl:attribute>
    <svrl:text>
       [T-01]-The amount   (BT-131) is "<xsl:value-of select="."/>".</svrl:text>
  </svrl:failed-assert>
</xsl:for-each>
"""

_STYLESHEET = """<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:svrl="http://purl.oclc.org/dsdl/svrl" xmlns:p="urn:test:part">
  <xsl:output method="xml" indent="yes"/>
  <xsl:template match="*" mode="path">
    <xsl:apply-templates select="parent::*" mode="path"/>
    <xsl:value-of select="concat('/*:', local-name(), '[namespace-uri()=''', namespace-uri(),
      ''']', '[', 1 + count(preceding-sibling::*[node-name(.) = node-name(current())]), ']')"/>
  </xsl:template>
  <xsl:template match="@*" mode="path">
    <xsl:apply-templates select="parent::*" mode="path"/>
    <xsl:value-of select="concat('/@', name())"/>
  </xsl:template>
  <xsl:template match="/">
    <svrl:schematron-output>
      <svrl:fired-rule context="/"/>
      %s
    </svrl:schematron-output>
  </xsl:template>
</xsl:stylesheet>
"""


def stylesheet(body: str = ASSERTIONS) -> bytes:
    """A rule pack whose report holds what `body`, run on the document node, makes."""
    return (_STYLESHEET % body).encode()


def catalogue(
    folder: Path,
    content: bytes | None = None,
    *,
    codes: dict[str, bytes] | None = None,
    name: str = "mini",
) -> Catalogue:
    """A catalogue with one imported pack, and the pack in its place below `folder`.

    The wheel it would be imported from is `folder`/mini-1.0-py3-none-any.whl.
    """
    content = stylesheet() if content is None else content
    codes = codes or {}
    wheel = folder / "mini-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("mini/rules/mini.xslt", content)
        archive.writestr("mini/__init__.py", "raise RuntimeError('must never be imported')")
        for file, code_list in codes.items():
            archive.writestr(f"mini/rules/{file}", code_list)
    sums = "".join(f'"{file}" = "{_sum(code_list)}"\n' for file, code_list in codes.items())
    file = folder / "catalogue.toml"
    file.write_text(
        f"""
[packages.mini]
version = "1.0"
install = "mini==1.0"
licence = "our own"
wheel = "{wheel.name}"
wheel_sha256 = "{_sum(wheel.read_bytes())}"

[packs.{name}]
title = "A rule pack for tests"
syntax = "ubl"
version = "1.0"
valid_from = 2026-01-01
valid_until = 2026-12-31
package = "mini"
path = "mini/rules/mini.xslt"
sha256 = "{_sum(content)}"

[packs.{name}.codes]
{sums}
""",
        encoding="utf-8",
    )
    loaded = Catalogue.load(folder / "packs", file=file)
    target = loaded.stored_path(loaded.pack(name))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    for code_list_name, code_list in codes.items():
        target.with_name(code_list_name).write_bytes(code_list)
    return loaded


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
