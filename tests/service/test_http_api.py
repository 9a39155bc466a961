"""`/v1/interchanges` over real sockets: sending, asking, fetching, and what goes wrong."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import defer, reactor, task

from gateway.errors import IntakeRefused, JournalError, SpoolError
from gateway.model.lifecycle import InterchangeState
from gateway.model.verdict import Finding, Layer, Rejected, Severity, Text
from gateway.service import http_status
from gateway.service.journal import delivery_records, records
from gateway.service.journal.delivery_records import Hold
from tests.service.api_house import DISABLED, OTHER, TOKEN, api_house
from tests.service.house import ACCEPTED, NO_PACK, REJECTED, UNREADABLE, FakeJudges
from tests.service.http_house import HOST, until

WRONG = Rejected(
    (
        Finding(
            rule="BR-CO-15",
            layer=Layer.SCHEMATRON,
            severity=Severity.ERROR,
            message="[BR-CO-15]-…",
            line=12,
            explanation=Text(en="The total is wrong.", fr="Le total est faux."),
            remedy=Text(en="Correct it.", fr="Corrigez-le."),
        ),
    )
)


def archive(**members: bytes) -> bytes:
    """A tar.gz."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(f"{name}.xml")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def multipart(*parts: tuple[str, bytes], boundary: bytes = b"frontier") -> bytes:
    """A multipart/form-data body."""
    return (
        b"".join(
            b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n"
            % (boundary, head.encode(), data)
            for head, data in parts
        )
        + b"--%s--\r\n" % boundary
    )


MULTIPART = "Content-Type: multipart/form-data; boundary=frontier"


# ---- sending


@ensureDeferred
async def test_202_means_bytes_and_journal_row_are_there(tmp_path: Path) -> None:
    """The answer names the interchange, where to ask, and where the acknowledgement will be."""
    async with api_house(tmp_path) as api:
        reply = await api.ask("POST", "/v1/interchanges?name=FA%20%C3%A9.xml", b"<a/>")
        told = json.loads(reply.body)
        where = f"/v1/interchanges/{told['id']}"
        assert (reply.status, reply.headers["location"]) == (202, where)
        assert told == {
            "id": told["id"],
            "status": where,
            "acknowledgements": f"{where}/acknowledgements",
        }
        row = await api.house.row(told["id"])
        assert (row.partner, row.name, row.transport) == ("acme", "FA é.xml", "https")
        assert api.house.spool.path(row.sha256).read_bytes() == b"<a/>"
        await until(lambda: not api.http.left_over())


@ensureDeferred
async def test_nothing_is_said_before_the_journal_row(tmp_path: Path) -> None:
    """202 waits for the commit, however long that takes."""
    async with api_house(tmp_path) as api:
        gate: defer.Deferred[None] = defer.Deferred()
        intake = api.receive
        order: list[str] = []

        async def slowly(arrival: Any, transport: Any) -> str:
            assert Path(arrival.path).read_bytes() == b"<a/>"
            id_ = await intake(arrival, transport)
            await api.house.row(id_)
            order.append("row")
            await gate
            return str(id_)

        api.receive = slowly
        asked = defer.Deferred.fromCoroutine(api.ask("POST", "/v1/interchanges", b"<a/>"))
        asked.addCallback(lambda reply: order.append("answer") or reply)
        await until(lambda: order == ["row"])
        assert not asked.called
        gate.callback(None)
        assert (await asked).status == 202
        assert order == ["row", "answer"]


@ensureDeferred
async def test_a_repeated_request_finds_its_interchange(tmp_path: Path) -> None:
    """Same partner, name and bytes: the same id. Other bytes, name or partner: another one."""
    async with api_house(tmp_path) as api:
        first = await api.send(b"<a/>")
        assert await api.send(b"<a/>") == first
        others = {
            await api.send(b"<b/>"),
            await api.send(b"<a/>", "?name=b.xml"),
            await api.send(b"<a/>", token=OTHER),
        }
        assert len(others | {first}) == 4


@pytest.mark.parametrize(
    ("query", "fields", "name"),
    [
        ("", [], "interchange.xml"),
        ("", ["Content-Type: application/gzip"], "interchange.tar.gz"),
        ("", ["Content-Type: application/pdf; x=y"], "interchange.pdf"),
        ("?name=b.xml", [], "b.xml"),
        ("?name=b.xml", ['Content-Disposition: attachment; filename="c d.xml"'], "c d.xml"),
        ("", ["Content-Disposition: attachment; filename*=UTF-8''%C3%A9.xml"], "é.xml"),
        ("", ['Content-Disposition: attachment; filename="\xc3\xa9.xml"'], "é.xml"),
        ("", ['Content-Disposition: attachment; filename="\xe9.xml"'], "é.xml"),
        ("?name=..%2F..%2Fetc%2Fpasswd", [], "../../etc/passwd"),
        ("?name=" + "a" * 255, [], "a" * 255),
        ("", ["Content-Disposition: attachment", "Idempotency-Key: 5f2c"], "interchange.xml"),
    ],
)
@ensureDeferred
async def test_the_name_is_what_the_partner_says(
    tmp_path: Path, query: str, fields: list[str], name: str
) -> None:
    """Content-Disposition, then ?name=, then the kind of body. A name is never a path."""
    async with api_house(tmp_path) as api:
        reply = await api.ask("POST", f"/v1/interchanges{query}", b"<a/>", *fields)
        row = await api.house.row(json.loads(reply.body)["id"])
        assert row.name == name


@pytest.mark.parametrize(
    ("query", "fields", "error"),
    [
        ("?name=", [], "bad_name"),
        ("?name=a%00b", [], "bad_name"),
        ("?name=a%0Ab", [], "bad_name"),
        ("?name=a%E2%80%AEb", [], "bad_name"),
        ("?name=%FF", [], "bad_name"),
        ("?name=" + "a" * 256, [], "bad_name"),
        ("?name=" + "%C3%A9" * 128, [], "bad_name"),
        ("?" + "a=b&" * 100, [], "bad_name"),
        ("", ['Content-Disposition: attachment; filename=""'], "bad_name"),
        ("", ["Content-Disposition: " + "a;" * 1500], "bad_name"),
        ("", ["Idempotency-Key: "], "bad_idempotency_key"),
        ("", ["Idempotency-Key: " + "a" * 256], "bad_idempotency_key"),
        ("", ["Content-Type: multipart/form-data"], "bad_multipart"),
        ("", ["Content-Type: multipart/form-data; boundary=\xe9"], "bad_multipart"),
    ],
)
@ensureDeferred
async def test_what_cannot_be_a_name_is_refused_before_the_body(
    tmp_path: Path, query: str, fields: list[str], error: str
) -> None:
    """400 with what is wrong and what helps, without repeating the name."""
    async with api_house(tmp_path) as api:
        reply = await api.ask("POST", f"/v1/interchanges{query}", b"<a/>", *fields)
        told = json.loads(reply.body)
        assert (reply.status, told["error"]) == (400, error)
        assert told["message"]
        assert told["remedy"]


@ensureDeferred
async def test_an_empty_file_is_taken_in(tmp_path: Path) -> None:
    """As by SFTP: it is received, and its acknowledgement says that it is empty."""
    async with api_house(tmp_path, FakeJudges(UNREADABLE)) as api:
        id_ = await api.send(b"")
        assert (await api.house.row(id_)).size == 0
        await api.house.reaches(id_, "acknowledged")


@ensureDeferred
async def test_a_coded_body_is_refused(tmp_path: Path) -> None:
    """A Content-Encoding would make other bytes of it than the sender signed or hashed."""
    async with api_house(tmp_path) as api:
        reply = await api.ask("POST", "/v1/interchanges", b"x", "Content-Encoding: gzip")
        assert (reply.status, reply.headers["accept-encoding"]) == (415, "identity")


# ---- multipart


@pytest.mark.parametrize("size", [0, 5, 70_000, 700_000])
@ensureDeferred
async def test_a_file_in_a_form(tmp_path: Path, size: int) -> None:
    """The part with a filename is the file, wherever it stands; the form's other fields are not."""
    data = (b"\r\n--frontie\r\n-" * (size // 14 + 1))[:size]
    body = multipart(
        ('name="comment"', b"hello"), ('name="file"; filename="a b.xml"', data), ('name="z"', b"")
    )
    async with api_house(tmp_path) as api:
        reply = await api.ask("POST", "/v1/interchanges?name=no.xml", body, MULTIPART)
        assert reply.status == 202, reply
        row = await api.house.row(json.loads(reply.body)["id"])
        assert (row.name, row.size) == ("a b.xml", size)
        assert row.sha256 == hashlib.sha256(data).hexdigest()
        await until(lambda: not api.http.left_over())


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "bad_multipart"),
        (b"--frontier--\r\n", "bad_multipart"),
        (multipart(('name="a"', b"x")), "bad_multipart"),
        (multipart(('filename="a"', b"x"))[:-14], "bad_multipart"),
        (multipart(('filename="a"', b"x"))[:-4], "bad_multipart"),
        (multipart(('filename="a"', b"x"), ('filename="b"', b"y")), "bad_multipart"),
        (multipart(*[('name="a"', b"")] * 200), "bad_multipart"),
        (b"--frontier\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", "bad_multipart"),
        (b"--frontierX\r\n\r\n\r\n--frontier--", "bad_multipart"),
        (multipart(('filename=""', b"x")), "bad_name"),
        (multipart(('filename="' + "a" * 300 + '"', b"x")), "bad_name"),
    ],
)
@ensureDeferred
async def test_a_form_that_cannot_be_read_is_refused(
    tmp_path: Path, body: bytes, error: str
) -> None:
    """400; nothing is taken in and nothing left behind. Two files in one request are too many."""
    async with api_house(tmp_path) as api:
        reply = await api.ask("POST", "/v1/interchanges", body, MULTIPART)
        assert (reply.status, json.loads(reply.body)["error"]) == (400, error)
        await until(lambda: not api.http.left_over())
        assert api.judges.jobs == []


# ---- what the gateway cannot take


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (IntakeRefused("The gateway is short of disk.", remedy="3 MB left"), "short of disk"),
        (JournalError("disk I/O error at /var/lib"), "could not store"),
        (SpoolError("no /var/lib/spool"), "could not store"),
    ],
)
@ensureDeferred
async def test_what_is_not_durable_is_not_received(
    tmp_path: Path, error: Exception, said: str
) -> None:
    """503 with Retry-After; the partner is told nothing of our insides, the log is."""
    async with api_house(tmp_path) as api:

        async def refuse(*_: Any) -> str:
            raise error

        api.receive = refuse
        reply = await api.ask("POST", "/v1/interchanges", b"<a/>")
        assert (reply.status, reply.headers["retry-after"]) == (503, "60")
        assert said in json.loads(reply.body)["message"]
        assert b"/var" not in reply.body
        assert b"MB" not in reply.body
        await until(lambda: not api.http.left_over())


# ---- who asks


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {TOKEN}",
        f"Bearer {DISABLED}",
        f"Bearer {TOKEN} ",  # harmless: white space around it
        f"bearer {TOKEN}",
    ],
)
@ensureDeferred
async def test_only_a_valid_token_gets_in(tmp_path: Path, authorization: str | None) -> None:
    """401 with a challenge, for every path alike; a disabled partner is nobody."""
    fields = [f"Authorization: {authorization}"] if authorization else []
    good = authorization is not None and TOKEN in authorization and "Basic" not in authorization
    async with api_house(tmp_path) as api:
        id_ = await api.send()
        for method, path in [
            ("POST", "/v1/interchanges"),
            ("GET", f"/v1/interchanges/{id_}"),
            ("GET", "/v1/interchanges/nonsense"),
        ]:
            reply = await api.ask(method, path, b"", *fields, token=None)
            assert (reply.status != 401) is good
            if not good:
                assert reply.headers["www-authenticate"].startswith("Bearer")


@ensureDeferred
async def test_guessing_is_slowed_down(tmp_path: Path) -> None:
    """After some wrong tokens 429 comes, logged; who was right before is served meanwhile."""
    async with api_house(tmp_path) as api:
        await api.send()
        statuses = [
            (await api.ask("POST", "/v1/interchanges", b"", token=f"guess-{n}")).status
            for n in range(8)
        ]
        assert statuses == [401] * 5 + [429] * 3
        reply = await api.ask("POST", "/v1/interchanges", b"", token=OTHER)
        assert reply.status == 429, "a token not seen here before is not even looked at"
        assert int(reply.headers["retry-after"]) >= 1
        await api.send()
        said = [call.kwargs for call in api.house.said.calls]
        failed = [each for each in said if each.get("event") == "http_login_failed"]
        assert [each["failures"] for each in failed] == [1, 5], "a line when it begins, and ends"
        assert not [each for each in said if each.get("event") == "http_refused"]
        assert "guess" not in str(said)


@ensureDeferred
async def test_other_methods_are_refused(tmp_path: Path) -> None:
    """405 with Allow."""
    async with api_house(tmp_path) as api:
        reply = await api.ask("PUT", "/v1/interchanges", b"x")
        assert (reply.status, reply.headers["allow"]) == (405, "POST")
        reply = await api.ask("DELETE", "/v1/interchanges/x")
        assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")


# ---- asking


@ensureDeferred
async def test_how_an_interchange_stands(tmp_path: Path) -> None:
    """State, flow, verdicts and findings in words, in the partner's language or the one asked."""
    async with api_house(tmp_path, FakeJudges(WRONG)) as api:
        id_ = await api.send(b"<a/>")
        await api.house.reaches(id_, "acknowledged")
        told = await api.get(f"/v1/interchanges/{id_}")
        assert (told["id"], told["name"], told["size"]) == (id_, "a.xml", 4)
        assert (told["state"], told["flow"], told["cause"]) == (
            "acknowledged",
            "ctc-fr-invoice",
            None,
        )
        assert told["counts"] == {
            "total": 1,
            "open": 0,
            "states": {"published": 1},
            "verdicts": {"rejected": 1},
        }
        [document] = told["documents"]
        assert (document["verdict"], document["findings_total"]) == ("rejected", 1)
        assert document["findings"][0]["explanation"] == "Le total est faux."
        assert document["findings"][0]["line"] == 12
        told = await api.get(f"/v1/interchanges/{id_}?lang=en")
        assert told["documents"][0]["findings"][0]["remedy"] == "Correct it."
        assert told["next"] is None


@ensureDeferred
async def test_many_documents_come_in_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`next` leads through all of them, once each, in the language asked for."""
    monkeypatch.setattr(http_status, "PAGE", 2)
    async with api_house(tmp_path) as api:
        id_ = await api.send(archive(a=b"<a/>", b=b"<b/>", c=b"<c/>", d=b"<d/>", e=b"<e/>"))
        await api.house.reaches(id_, "acknowledged")
        path, seen = f"/v1/interchanges/{id_}?lang=en", []
        while path:
            told = await api.get(path)
            seen += [document["name"] for document in told["documents"]]
            assert len(told["documents"]) <= 2
            path = told["next"]
            assert path is None or path.endswith("lang=en")
        assert seen == ["a.xml", "b.xml", "c.xml", "d.xml", "e.xml"]


@ensureDeferred
async def test_our_own_failures_are_not_told(tmp_path: Path) -> None:
    """What is held is held; that a rule pack is missing is for the operator."""
    async with api_house(tmp_path, FakeJudges(NO_PACK)) as api:
        id_ = await api.send()
        await api.house.reaches(id_, InterchangeState.QUARANTINED)
        told = await api.get(f"/v1/interchanges/{id_}?lang=en")
        assert told["state"] == "quarantined"
        assert "pack" not in json.dumps(told)
        assert "nothing has to be sent again" in told["cause"]
        assert "nothing has to be sent again" in told["documents"][0]["cause"]


@pytest.mark.parametrize("query", ["lang=de", "after=x", "after=-1", "after=" + "9" * 30])
@ensureDeferred
async def test_a_query_that_means_nothing(tmp_path: Path, query: str) -> None:
    """400, not a guess."""
    async with api_house(tmp_path) as api:
        id_ = await api.send()
        reply = await api.ask("GET", f"/v1/interchanges/{id_}?{query}")
        assert (reply.status, json.loads(reply.body)["error"]) == (400, "bad_query")


@ensureDeferred
async def test_another_partners_interchange_is_not_there(tmp_path: Path) -> None:
    """404, as for an id nobody has: no partner learns what another one sent."""
    async with api_house(tmp_path) as api:
        id_ = await api.send()
        await api.house.reaches(id_, "acknowledged")
        unknown = "0197d5a0-0000-7000-8000-000000000000"
        told = [
            (await api.ask("GET", f"/v1/interchanges/{path}", token=OTHER))
            for path in (
                *(id_, f"{id_}/acknowledgements", unknown, f"{unknown}/acknowledgements"),
                *("", "x", f"{id_}/x", f"{id_}/acknowledgements/", "../x", id_.upper()),
            )
        ]
        assert {(reply.status, reply.body) for reply in told} == {(404, told[0].body)}


# ---- fetching


@pytest.mark.parametrize("inline_bytes", [1_000_000, 10])
@ensureDeferred
async def test_the_report_is_fetched(tmp_path: Path, inline_bytes: int) -> None:
    """404 "not yet" until it is there; then the file, also when it lies in the spool."""
    judges = FakeJudges(REJECTED)
    judges.gate = defer.Deferred()
    async with api_house(tmp_path, judges, inline_bytes=inline_bytes) as api:
        id_ = await api.send()
        path = f"/v1/interchanges/{id_}/acknowledgements"
        reply = await api.ask("GET", path)
        assert (reply.status, json.loads(reply.body)["error"]) == (404, "not_yet")
        assert int(reply.headers["retry-after"]) >= 1
        judges.gate.callback(None)
        # No broker, no partner's folder: that it lies ready is the delivery.
        await api.house.reaches(id_, "acknowledged")
        reply = await api.ask("GET", path)
        assert (reply.status, reply.headers["content-type"]) == (200, "application/xml")
        assert reply.headers["content-disposition"].endswith('.report.xml"')
        assert b"BR-CO-15" in reply.body
        [row] = [row for row in await api.house.outbox(id_, "report") if row.destination == "https"]
        assert (row.payload is not None) is (inline_bytes == 10)


@ensureDeferred
async def test_a_later_report_replaces_a_provisional_one(tmp_path: Path) -> None:
    """The newest is what is fetched."""
    async with api_house(tmp_path, FakeJudges(ACCEPTED)) as api:
        id_ = await api.send()
        await api.house.reaches(id_, "acknowledged")
        [row] = [r for r in await api.house.outbox(id_, "report") if r.destination == "https"]
        later = records.Outgoing(
            publication=row.publication(),
            interchange_id=id_,
            ordinal=0,
            kind="report",
            destination="https",
            partner="acme",
            filename="later-r2.report.xml",
        )
        later = msgspec.structs.replace(
            later,
            publication=msgspec.structs.replace(
                later.publication, message_id="later", body=b"<later/>"
            ),
        )
        await api.house.journal.write("t", lambda c: records.add_outbox_many(c, [later]))
        for _ in range(100):
            reply = await api.ask("GET", f"/v1/interchanges/{id_}/acknowledgements")
            assert reply.status == 200
            if reply.body == b"<later/>":
                break
            await task.deferLater(reactor, 0.05)
        assert reply.body == b"<later/>"
        assert 'filename="later-r2.report.xml"' in reply.headers["content-disposition"]


@ensureDeferred
async def test_a_report_that_is_held_cannot_be_fetched(tmp_path: Path) -> None:
    """Whoever holds a partner holds this way too, until it is let go."""
    async with api_house(tmp_path, FakeJudges(ACCEPTED)) as api:
        hold = Hold(
            partner="acme",
            flow="",
            destination="",
            reason="r",
            placed_by="me",
            placed_at=api.house.now(),
        )
        journal = api.house.journal
        await journal.write("t", lambda conn: delivery_records.place_hold(conn, hold))
        id_ = await api.send()
        await api.house.reaches(id_, "settled")
        await task.deferLater(reactor, 0.2)
        path = f"/v1/interchanges/{id_}/acknowledgements"
        reply = await api.ask("GET", path)
        assert (reply.status, json.loads(reply.body)["error"]) == (404, "not_yet")
        now = api.house.now()
        await journal.write("t", lambda conn: delivery_records.lift_hold(conn, hold, now))
        await api.house.reaches(id_, "acknowledged")
        assert (await api.ask("GET", path)).status == 200


@ensureDeferred
async def test_a_closed_journal_is_said_to_be_away(tmp_path: Path) -> None:
    """503, and nothing of it in words."""
    async with api_house(tmp_path) as api:
        id_ = await api.send()

        async def away(*_: Any) -> Any:
            raise JournalError("disk image is malformed")

        api.house.journal.read = away  # type: ignore[method-assign]
        reply = await api.ask("GET", f"/v1/interchanges/{id_}")
        assert reply.status == 503
        assert b"malformed" not in reply.body
        del api.house.journal.read  # type: ignore[method-assign]


@ensureDeferred
async def test_one_partner_has_so_many_requests_at_once(tmp_path: Path) -> None:
    """429 beyond `http.max_connections` of its file; the other partner is served."""
    async with api_house(tmp_path) as api:
        gate: defer.Deferred[None] = defer.Deferred()
        intake = api.receive

        async def wait(arrival: Any, transport: Any) -> str:
            if arrival.partner == "acme":
                await gate
            return str(await intake(arrival, transport))

        api.receive = wait
        held = [defer.Deferred.fromCoroutine(api.send(b"<a/>", f"?name={n}")) for n in range(8)]
        await until(lambda: api.http.server.under_way("acme") == 8)
        assert (await api.ask("POST", "/v1/interchanges", b"x")).status == 429
        await api.send(b"<a/>", token=OTHER)
        gate.callback(None)
        assert len(set(await defer.gatherResults(held))) == 8


@ensureDeferred
async def test_the_body_of_a_get_is_refused(tmp_path: Path) -> None:
    """Nothing is asked for in a body."""
    async with api_house(tmp_path) as api:
        assert (await api.ask("GET", "/v1/interchanges/x", b"body")).status == 413


@ensureDeferred
async def test_a_token_is_asked_for_before_the_body(tmp_path: Path) -> None:
    """Whoever has none is not told to go on sending."""
    async with api_house(tmp_path) as api:
        [reply] = await api.http.ask(
            b"POST /v1/interchanges HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert reply.status == 401
