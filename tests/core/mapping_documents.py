"""What the mapping tests share: the pairs in tests/data/mapping, read by the gateway's parser."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from lxml import etree

from gateway.core.mapping import Mapping, MappingResult
from gateway.core.xml import ParsedXml, locate, parse
from gateway.model.interchange import Syntax
from gateway.model.invoice import canonical_json
from gateway.model.job import DocumentLimits

DATA = Path(__file__).parent.parent / "data" / "mapping"
PAIRS = ("full", "credit-note", "extended")


@functools.cache
def mapping() -> Mapping:
    """The mapping on board, loaded once."""
    return Mapping.load("en16931")


def read(data: bytes) -> MappingResult:
    """The canonical invoice of a document, with findings placed as the pipeline places them."""
    parsed = parse(data, DocumentLimits())
    assert isinstance(parsed, ParsedXml), parsed
    name = etree.QName(parsed.root)
    syntax = Syntax.CII if name.localname == "CrossIndustryInvoice" else Syntax.UBL
    return mapping().to_canonical(parsed.root, syntax, functools.partial(locate, parsed))


def document(name: str) -> bytes:
    """A file of tests/data/mapping."""
    return (DATA / name).read_bytes()


def content(result: MappingResult) -> dict[str, Any]:
    """The JSON a consumer would get, decoded, without what depends on the syntax."""
    decoded: dict[str, Any] = msgspec.json.decode(canonical_json(result.invoice))
    decoded.pop("source")
    return decoded


def has_no_place(path: str) -> bool:
    """Whether the table says why there is no term for what stands at a path."""
    ends = [end for entry in mapping().table.no_place.values() for end in entry.paths]
    plain = re.sub(r"\[[0-9]+\]", "", path)
    return any(plain == end or plain.endswith(f"/{end}") for end in ends)


def written_in(content: dict[str, Any], form: str) -> dict[str, Any]:
    """The content without the terms that have no place in that kind of document."""
    without = {
        ".".join(mapping().table.property_path(key))
        for key, term in mapping().table.terms.items()
        if not term.texts(form)
    }

    def pruned(node: Any, path: str) -> Any:
        if isinstance(node, list):
            return [pruned(one, path) for one in node]
        if not isinstance(node, dict):
            return node
        inside = {key: f"{path}.{key}".removeprefix(".") for key in node}
        return {key: pruned(node[key], at) for key, at in inside.items() if at not in without}

    kept: dict[str, Any] = pruned(content, "")
    return kept


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its path; list positions are left out."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}" if path else key)
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value, path)
    else:
        yield path, node
