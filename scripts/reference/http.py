"""The HTTP interface for partners as a page, from docs/openapi.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from scripts.reference.markdown import prose, table
from scripts.reference.schemas import Contract, Node, schema_section, type_words

FILE = Path(__file__).parents[2] / "docs" / "openapi.yaml"
_HEAD = """\
# HTTP

The interface for partners' programs. This page is made from the contract,
[openapi.yaml](../openapi.yaml) (OpenAPI {version}), by `python -m scripts.reference`; tests hold
the contract against a real server. How a partner gets its token: [HTTP](../configuration.md#http).

{description}
"""


def http_page() -> str:
    """The page."""
    contract = Contract(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    document = contract.document
    parts = [
        _HEAD.format(
            version=document["openapi"], description=str(document["info"]["description"]).rstrip()
        )
    ]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                shared = item.get("parameters", [])
                parts += _operation(contract, f"{method.upper()} {path}", operation, shared)
    parts.append("## Objects\n")
    parts += (schema_section(name, contract) for name in document["components"]["schemas"])
    return "\n".join(part for part in parts if part)


def _operation(
    contract: Contract, title: str, operation: Node, shared: list[Node]
) -> Iterator[str]:
    yield f"## `{title}`\n"
    yield f"{operation['summary']}\n"
    if "description" in operation:
        yield f"{operation['description'].rstrip()}\n"
    parameters = [contract.resolved(each) for each in [*shared, *operation.get("parameters", [])]]
    yield table(
        ("parameter", "in", "type", "meaning"),
        (
            (
                f"`{each['name']}`",
                each["in"],
                type_words(each["schema"]),
                prose(each.get("description", "")),
            )
            for each in parameters
        ),
    )
    bodies = operation.get("requestBody", {}).get("content", {})
    if bodies:
        yield f"Body: {', '.join(f'`{kind}`' for kind in bodies)}.\n"
    yield table(
        ("answer", "meaning", "headers", "body"),
        (_answer(status, contract.resolved(each)) for status, each in _sorted(operation)),
    )


def _sorted(operation: Node) -> list[tuple[str, Node]]:
    return sorted(operation["responses"].items())


def _answer(status: str, response: Node) -> tuple[str, str, str, str]:
    bodies = []
    for kind, content in response.get("content", {}).items():
        words = type_words(content.get("schema", {}))
        bodies.append(f"`{kind}`" + (f": {words}" if words.startswith("`") else ""))
    headers = ", ".join(f"`{name}`" for name in response.get("headers", {}))
    return status, prose(response["description"]), headers, ", ".join(bodies)
