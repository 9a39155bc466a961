"""Messages on RabbitMQ as a page, from docs/asyncapi.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from scripts.reference.markdown import prose, table
from scripts.reference.schemas import Contract, Node, schema_section, type_words

FILE = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"
_HEAD = """\
# Messages

What the gateway publishes to RabbitMQ, and what it takes from there. This page is made from the
contract, [asyncapi.yaml](../asyncapi.yaml) (AsyncAPI {version}), by
`python -m scripts.reference`; tests hold the contract against a real broker. How to connect it:
[the broker](../configuration.md#the-broker).

{description}
"""


def messages_page() -> str:
    """The page."""
    contract = Contract(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    document = contract.document
    parts = [
        _HEAD.format(
            version=document["asyncapi"],
            description=str(document["info"]["description"]).rstrip(),
        ),
        "## Exchanges and queues\n",
    ]
    for name, channel in document["channels"].items():
        parts += _channel(name, channel)
    parts.append("## Kinds of messages\n")
    for name, message in document["components"]["messages"].items():
        parts += _message(name, message)
    parts.append("## Objects\n")
    parts += (schema_section(name, contract) for name in document["components"]["schemas"])
    return "\n".join(part for part in parts if part)


def _channel(name: str, channel: Node) -> Iterator[str]:
    yield f"### `{name}`\n"
    yield f"{channel['title']}.\n"
    if "description" in channel:
        yield f"{str(channel['description']).rstrip()}\n"
    yield table(("property", "value"), _facts(channel))
    yield table(
        ("part of the routing key", "values"),
        ((f"`{part}`", _values(each)) for part, each in channel.get("parameters", {}).items()),
    )


def _facts(channel: Node) -> Iterator[tuple[str, str]]:
    binding = channel.get("bindings", {}).get("amqp", {})
    exchange = binding.get("exchange")
    if exchange:
        yield "exchange", f"`{exchange['name']}`, {exchange['type']}"
        yield "routing key", f"`{channel['address']}`"
    elif channel["address"]:
        yield "queue", f"`{channel['address']}`, {channel.get('x-queue-type', 'classic')}"
    bound = channel.get("x-binding")
    if bound:
        yield "bound to", f"`{bound['exchange']}` with `{bound['routingKey']}`"
    if "x-setting" in channel:
        yield "named by", f"`{channel['x-setting']}`"
    yield "messages", ", ".join(f"`{name}`" for name in channel["messages"])


def _values(parameter: Node) -> str:
    said = [f"`{value}`" for value in parameter.get("enum", [])]
    return ", ".join(said) or prose(str(parameter.get("description", "")))


def _message(name: str, message: Node) -> Iterator[str]:
    yield f"### `{name}`: {message['title']}\n"
    if "description" in message:
        yield f"{str(message['description']).rstrip()}\n"
    rows = [
        ("type", f"`{message['name']}`"),
        ("content type", f"`{message['contentType']}`"),
        ("headers", type_words(message["headers"]) if "headers" in message else ""),
        ("body", type_words(message["payload"])),
        ("properties", type_words(message["x-amqp-properties"])),
    ]
    yield table(("property", "value"), (row for row in rows if row[1]))
