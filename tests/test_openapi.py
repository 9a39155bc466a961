"""docs/openapi.yaml, the contract with partners, against a real server.

Every operation is made to give every status the document has for it; each answer is held against
its schema and headers, and a status, header or property the document lacks is a failure.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import referencing
import referencing.jsonschema
import yaml
from pytest_twisted import ensureDeferred
from twisted.internet import reactor, task

from gateway.errors import IntakeRefused, JournalError
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.verdict import Severity
from gateway.service import http_answers, http_server, http_status
from gateway.service.http_server import channel, limits
from gateway.service.http_server import request as http_request
from gateway.service.journal.purge_records import begin_purge
from tests.service.api_house import TOKEN, ApiHouse, api_house
from tests.service.house import ACCEPTED, NO_PACK, REJECTED, UNREADABLE, FakeJudges
from tests.service.http_house import HOST, Reply

FILE = Path(__file__).parents[1] / "docs" / "openapi.yaml"
CONTRACT: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
BASE = "https://contract.invalid/openapi.yaml"
RESOURCE = referencing.jsonschema.DRAFT202012.create_resource(CONTRACT)
REGISTRY: Any = referencing.Registry().with_resource(BASE, RESOURCE)

OPERATIONS = [
    (path, method)
    for path, item in CONTRACT["paths"].items()
    for method in item
    if method != "parameters"
]
SEND, STATUS, REPORT = [path for path, _ in OPERATIONS]


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """What a node means: itself, or what its `$ref` names."""
    while "$ref" in node:
        found: Any = CONTRACT
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


def check(value: Any, schema: dict[str, Any]) -> None:
    """Hold a value against a schema of the document. Raises `ValidationError`."""
    # References inside count from the document, whichever node they stand in.
    jsonschema.Draft202012Validator(
        _absolute(schema),
        registry=REGISTRY,
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    ).validate(value)


def _absolute(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: f"{BASE}{value}" if key == "$ref" else _absolute(value)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [_absolute(each) for each in node]
    return node


def check_answer(reply: Reply, response: dict[str, Any]) -> None:
    """Hold an answer against the description of its status."""
    response = resolved(response)
    for name, header in response.get("headers", {}).items():
        header = resolved(header)
        value: Any = reply.headers.get(name.lower())
        assert value is not None or not header.get("required"), name
        if value is not None:
            if resolved(header["schema"]).get("type") == "integer":
                value = int(value)
            check(value, header["schema"])
    kind = reply.headers["content-type"].partition(";")[0]
    content = response["content"]
    assert kind in content, f"{reply.status} as {kind}"
    body = json.loads(reply.body) if kind == "application/json" else reply.body.decode()
    check(body, content[kind].get("schema", {}))


class Partner:
    """A partner that knows how to get every answer."""

    def __init__(self, api: ApiHouse, id_: str) -> None:
        self.api = api
        self.id = id_

    def target(self, path: str) -> str:
        """The path with an id in it."""
        return path.replace("{id}", self.id)

    async def plainly(self, path: str, method: str, *fields: str, **options: Any) -> Reply:
        """An ordinary request."""
        body = b"<a/>" if method == "post" else b""
        return await self.api.ask(method.upper(), self.target(path), body, *fields, **options)

    async def raw(self, path: str, method: str, *fields: bytes, target: bytes = b"") -> Reply:
        """The beginning of a request, as bytes."""
        where = self.target(path).encode() + target
        start = b"%s %s HTTP/1.1\r\n" % (method.upper().encode(), where)
        token = f"Authorization: Bearer {TOKEN}\r\n".encode()
        head = start + HOST + token + b"".join(field + b"\r\n" for field in fields)
        [reply] = await self.api.http.ask(head + b"\r\n" if fields else start + HOST)
        return reply

    async def working(self, path: str, method: str) -> Reply:
        """200 or 202."""
        return await self.plainly(path, method)

    async def bad(self, path: str, method: str) -> Reply:
        """400."""
        if path == REPORT:
            return await self.raw(path, method, b"no colon")
        return await self.plainly(f"{path}?name=a%00b&lang=no", method)

    async def nobody(self, path: str, method: str) -> Reply:
        """401."""
        return await self.plainly(path, method, token=None)

    async def missing(self, path: str, method: str) -> Reply:
        """404."""
        self.id = "0197d5a0-0000-7000-8000-000000000000"
        return await self.plainly(path, method)

    async def slow(self, path: str, method: str) -> Reply:
        """408."""
        return await self.raw(path, method)

    async def purged(self, path: str, method: str) -> Reply:
        """410."""
        house, id_ = self.api.house, self.id

        def purge(conn: Any) -> None:
            begin_purge(conn, id_, by="alice", archive=None, now=house.now())

        await house.journal.write("t", purge)
        return await self.plainly(path, method)

    async def large(self, path: str, method: str) -> Reply:
        """413."""
        return await self.raw(path, method, b"Content-Length: 999999999")

    async def long(self, path: str, method: str) -> Reply:
        """414."""
        return await self.raw(path, method, b"X: y", target=b"?" + b"a" * 5000)

    async def coded(self, path: str, method: str) -> Reply:
        """415."""
        return await self.plainly(path, method, "Content-Encoding: br")

    async def expecting(self, path: str, method: str) -> Reply:
        """417."""
        return await self.plainly(path, method, "Expect: magic")

    async def guessing(self, path: str, method: str) -> Reply:
        """429."""
        for guess in range(6):
            reply = await self.plainly(path, method, token=f"guess-{guess}")
        return reply

    async def heady(self, path: str, method: str) -> Reply:
        """431."""
        return await self.raw(path, method, *[b"X: " + b"a" * 1000] * 5)

    async def faulty(self, path: str, method: str) -> Reply:
        """500."""
        return await self.failing(path, method, RuntimeError("a bug"))

    async def away(self, path: str, method: str) -> Reply:
        """503."""
        error = IntakeRefused("Full.") if method == "post" else JournalError("away")
        return await self.failing(path, method, error)

    async def failing(self, path: str, method: str, error: Exception) -> Reply:
        """An answer while what is behind the API fails."""

        async def fail(*_: Any) -> Any:
            raise error

        self.api.receive = fail
        journal: Any = self.api.house.journal
        journal.read = fail
        try:
            return await self.plainly(path, method)
        finally:
            del journal.read


WAYS: dict[str, Callable[[Partner, str, str], Awaitable[Reply]]] = {
    "200": Partner.working,
    "202": Partner.working,
    "400": Partner.bad,
    "401": Partner.nobody,
    "404": Partner.missing,
    "408": Partner.slow,
    "410": Partner.purged,
    "413": Partner.large,
    "414": Partner.long,
    "415": Partner.coded,
    "417": Partner.expecting,
    "429": Partner.guessing,
    "431": Partner.heady,
    "500": Partner.faulty,
    "503": Partner.away,
}


@asynccontextmanager
async def partner(folder: Path, *verdicts: Any) -> AsyncIterator[Partner]:
    """A partner with an interchange that is through."""
    judges = FakeJudges(*(verdicts or [REJECTED]))
    async with api_house(folder, judges, max_header_bytes=4000, idle_timeout_seconds=1) as api:
        id_ = await api.send(b"<first/>")
        last = "quarantined" if NO_PACK in verdicts else "acknowledged"
        await api.house.reaches(id_, last)
        for _ in range(200):  # the report leaves a moment later
            if (await api.ask("GET", f"/v1/interchanges/{id_}/acknowledgements")).status != 404:
                break
            await task.deferLater(reactor, 0.02)
        yield Partner(api, id_)


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        pytest.param(path, method, status, id=f"{method} {path} {status}")
        for path, method in OPERATIONS
        for status in CONTRACT["paths"][path][method]["responses"]
    ],
)
@ensureDeferred
async def test_every_status_is_given_as_described(
    tmp_path: Path, path: str, method: str, status: str
) -> None:
    """Each status of each operation, by a request that earns it."""
    async with partner(tmp_path) as someone:
        reply = await WAYS[status](someone, path, method)
        assert str(reply.status) == status
        check_answer(reply, CONTRACT["paths"][path][method]["responses"][status])


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
@ensureDeferred
async def test_no_status_is_given_that_is_not_described(
    tmp_path: Path, path: str, method: str
) -> None:
    """Whatever a client does to an operation, the document has the answer."""
    responses = CONTRACT["paths"][path][method]["responses"]
    for way in dict.fromkeys(WAYS.values()):
        folder = tmp_path / way.__name__
        folder.mkdir()
        async with partner(folder) as someone:
            reply = await way(someone, path, method)
            assert str(reply.status) in responses, way.__name__
            check_answer(reply, responses[str(reply.status)])


def statuses_in_the_code() -> set[int]:
    """Every status the server and the API have words for."""
    prepared = [
        answer.status
        for module in (channel, http_request)
        for answer in vars(module).values()
        if isinstance(answer, http_server.Answer)
    ]
    made = [
        http_answers.unavailable("x").status,
        http_answers.bad_request("x", "y", "z").status,
        http_answers.no_interchange().status,
    ]
    return {*prepared, *made}


def test_every_prepared_refusal_is_described() -> None:
    """A refusal that is added to the server must be added to the document, for every operation."""
    for path, method in OPERATIONS:
        described = {int(status) for status in CONTRACT["paths"][path][method]["responses"]}
        # What has no id cannot be missing.
        assert statuses_in_the_code() - described <= ({404} if path == SEND else set())


@pytest.mark.parametrize("path", CONTRACT["paths"])
@ensureDeferred
async def test_other_methods_are_answered_as_the_document_says(tmp_path: Path, path: str) -> None:
    """405 with Allow for what is not described; HEAD is like GET."""
    async with partner(tmp_path) as someone:
        for method in ("get", "post", "put", "delete", "patch", "options", "trace"):
            if (path, method) in OPERATIONS:
                continue
            reply = await someone.plainly(path, method)
            assert reply.status == 405
            check_answer(reply, CONTRACT["components"]["responses"]["WrongMethod"])


@pytest.mark.parametrize("verdict", [ACCEPTED, REJECTED, UNREADABLE, NO_PACK])
@ensureDeferred
async def test_every_kind_of_interchange_is_described(tmp_path: Path, verdict: Any) -> None:
    """Accepted, rejected, refused or held: the answer keeps to its schema."""
    async with partner(tmp_path, verdict) as someone:
        for path, method in OPERATIONS[1:]:
            reply = await someone.plainly(path, method)
            assert reply.status == 200
            check_answer(reply, CONTRACT["paths"][path][method]["responses"]["200"])


def test_words_and_numbers_are_those_of_the_code() -> None:
    """States, severities, page sizes, and the statuses that ask for patience."""
    schemas = CONTRACT["components"]["schemas"]
    assert schemas["Interchange"]["properties"]["state"]["enum"] == list(InterchangeState)
    assert schemas["DocumentState"]["enum"] == list(DocumentState)
    assert schemas["Finding"]["properties"]["severity"]["enum"] == list(Severity)
    documents = schemas["Interchange"]["properties"]["documents"]
    assert documents["maxItems"] == http_status.PAGE
    assert schemas["Document"]["properties"]["findings"]["maxItems"] == http_status.FINDINGS
    assert limits.BUSY_RETRY_SECONDS >= 1


def test_the_checks_notice_a_change() -> None:
    """The schemas do refuse what is not as described."""
    good = {"error": "x", "message": "m", "remedy": ""}
    schema = {"$ref": "#/components/schemas/Error"}
    check(good, schema)
    for bad in ({**good, "more": 1}, {"error": "x"}, {**good, "error": "X y"}):
        with pytest.raises(jsonschema.ValidationError):
            check(bad, schema)
