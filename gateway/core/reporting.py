"""SVRL for whoever asks afterwards: by the very version of a pack that judged a document.

What a judgement keeps are findings; the report as the ISO skeleton writes it, with the rules that
fired and the tests that failed, is made again from the document when somebody wants it. Same bytes
and same version give the same report, but where the rules ask the directory of recipients: there
the newest snapshot answers.
"""

from __future__ import annotations

from gateway.core.case import Tools
from gateway.core.schematron.versions import key_of, of_sum
from gateway.core.xml import ParsedXml
from gateway.errors import RulePackError
from gateway.model.flow import is_partner_rules
from gateway.model.verdict import PackReference


def report_on(tools: Tools, parsed: ParsedXml, wanted: PackReference) -> bytes:
    """The whole report of that version. Raises RulePackError when it is gone or fails."""
    version = _version(tools, wanted)
    try:
        tools.attachments.keep_away(parsed, (version,))
        return tools.packs.svrl(version, parsed)
    finally:
        tools.packs.release()


def _version(tools: Tools, wanted: PackReference) -> str:
    """What that version is called. Raises RulePackError."""
    if is_partner_rules(wanted.pack):
        if tools.packs.reference(wanted.pack).sha256 == wanted.sha256:
            return wanted.pack
    else:
        versions = tools.catalogue.versions(wanted.pack)
        found = of_sum(versions, wanted.sha256)
        if found is not None:
            return key_of(found, versions)
    raise RulePackError(
        f"The rules {wanted.pack} {wanted.version} that judged this document are not here any"
        f" more: no version has the SHA-256 {wanted.sha256[:12]}….",
        remedy="Import that version again, or have the document judged again (replay).",
    )
