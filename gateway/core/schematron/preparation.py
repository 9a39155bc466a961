"""A pack made ready to be compiled: what it would open is handed to it instead."""

from __future__ import annotations

from typing import Final

from lxml import etree

from gateway.core.schematron.catalogue import Artefact
from gateway.core.schematron.compiler import Rewriting, rewrite
from gateway.errors import RulePackError

DIRECTORY: Final = "directory"
"""The parameter of a pack that stands for the directory: a `let` of its schema."""

_XSL: Final = "http://www.w3.org/1999/XSL/Transform"


def rewriting(artefact: Artefact) -> Rewriting:
    """What `RulePacks` runs for the pack, or why it runs the pack as shipped.

    Raises RulePackError as `prepared` does.
    """
    return rewrite(*prepared(artefact))


def stylesheets(artefact: Artefact) -> tuple[str, ...]:
    """What `RulePacks` may run for the pack: as shipped, and rewritten. Raises RulePackError."""
    return prepared(artefact)[0], rewriting(artefact).stylesheet


def prepared(artefact: Artefact) -> tuple[str, dict[str, str]]:
    """The stylesheet as text, and the parameters that stand for the code lists it reads.

    Only `document('<code list>')` inside XSLT instructions is replaced, by a global parameter;
    all else stays as shipped. Raises RulePackError when the bytes are no stylesheet, or do not
    read a code list the catalogue names, or the directory that it says they ask.
    """
    name = artefact.entry.name
    try:
        root = _parse(artefact.stylesheet)
        contents = {
            file: etree.tostring(_parse(content), encoding="unicode")
            for file, content in artefact.codes.items()
        }
    except etree.XMLSyntaxError as error:
        raise RulePackError(
            f"The rule pack {name} is not XML: {error}.",
            remedy="Compare the pack's sum: edi-gateway rules.",
        ) from error
    parameters = {}
    for number, (file, content) in enumerate(contents.items(), start=1):
        parameter = f"gateway-codes-{number}"
        if not _replace(root, f"document('{file}')", f"${parameter}"):
            raise RulePackError(
                f"The rule pack {name} does not read {file}, as the catalogue says.",
                remedy="Take the file out of [packs." + name + ".codes] of the catalogue.",
            )
        etree.SubElement(root, f"{{{_XSL}}}param", name=parameter)
        parameters[parameter] = content
    asks = (each.get("name") == DIRECTORY for each in root.iterchildren(f"{{{_XSL}}}param"))
    if artefact.entry.directory and not any(asks):
        raise RulePackError(
            f"The rule pack {name} does not ask the directory, as the catalogue says.",
            remedy=f"Take `directory` out of [packs.{name}] of the catalogue.",
        )
    return etree.tostring(root, encoding="unicode"), parameters


def _parse(content: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    return etree.fromstring(content, parser)


def _replace(root: etree._Element, call: str, reference: str) -> bool:
    replaced = False
    for element in root.iter(f"{{{_XSL}}}*"):
        for attribute, value in element.items():
            if call in str(value):
                element.set(attribute, str(value).replace(call, reference))
                replaced = True
    return replaced
