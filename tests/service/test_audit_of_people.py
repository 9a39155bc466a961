"""The audit: what people do is written down before it is done, and how it ended after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import defer

from gateway.service.audit import MAX_WORDS, Audit, Who
from gateway.service.control import CommandRefused, Control
from gateway.service.journal.audit_records import Deed, Outcome, deeds
from tests.service.house import House

ADA = Who(name="ada", via="console", peer="192.0.2.7")


async def written(house: House, **wanted: Any) -> list[Deed]:
    """What stands there, the newest first."""
    rows: list[Deed] = await house.journal.read("t", lambda conn: deeds(conn, limit=10, **wanted))
    return rows


@ensureDeferred
async def test_before_and_after(house: House) -> None:
    """While it is carried out it stands there as begun; then with what was answered."""
    gate: defer.Deferred[None] = defer.Deferred()

    async def slowly(arguments: dict[str, Any]) -> dict[str, Any]:
        await gate
        return {"documents": 3, "differences": ["long"], "interchange": arguments["interchange"]}

    asked = {"interchange": "0197", "password_hash": "$argon2id$secret", "reason": "mended"}
    doing = defer.Deferred.fromCoroutine(Audit(house.journal).carry_out(ADA, "x", asked, slowly))
    while not (rows := await written(house)):
        pass
    assert (rows[0].outcome, rows[0].ended_at) == (Outcome.BEGUN, None)
    gate.callback(None)
    assert (await doing)["documents"] == 3
    (row,) = await written(house)
    assert (row.by, row.via, row.peer, row.action) == ("ada", "console", "192.0.2.7", "x")
    assert (row.subject, row.interchange_id) == ("interchange 0197, reason mended", "0197")
    assert (row.outcome, row.said) == (Outcome.DONE, "documents 3")
    assert row.ended_at is not None


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(CommandRefused("No.", remedy="Ask."), Outcome.REFUSED), (ValueError("x"), Outcome.FAILED)],
)
@ensureDeferred
async def test_what_was_not_done(house: House, error: Exception, outcome: Outcome) -> None:
    """It goes on to whoever asked, and stands there."""

    async def fail(_: dict[str, Any]) -> dict[str, Any]:
        raise error

    with pytest.raises(type(error)):
        await Audit(house.journal).carry_out(ADA, "x", {}, fail)
    (row,) = await written(house)
    assert row.outcome is outcome
    assert row.said in ("No.", "x")


@ensureDeferred
async def test_long_words_are_cut(house: House) -> None:
    """However much somebody types."""
    audit = Audit(house.journal)
    await audit.note(Who(name="a" * 900, via="control"), "y", "s" * 9000)
    (row,) = await written(house)
    assert len(row.subject) == MAX_WORDS
    assert row.subject.endswith("…")
    assert len(row.by) == 200


@ensureDeferred
async def test_by_whom_about_what_and_page_by_page(house: House) -> None:
    """What is asked for by an index."""
    audit = Audit(house.journal)

    async def nothing(_: dict[str, Any]) -> dict[str, Any]:
        return {}

    for name, id_ in (("ada", "1"), ("bob", "1"), ("ada", "2")):
        who = Who(name=name, via="control")
        await audit.carry_out(who, "x", {"interchange": id_}, nothing)
    assert [row.interchange_id for row in await written(house, by="ada")] == ["2", "1"]
    assert [row.by for row in await written(house, interchange_id="1")] == ["bob", "ada"]
    newest = (await written(house))[0]
    assert [row.by for row in await written(house, before=newest.id)] == ["bob", "ada"]


@ensureDeferred
async def test_the_control_socket_says_who(house: House, tmp_path: Path) -> None:
    """The name the command tells, and the number the kernel knows."""
    seen: list[dict[str, Any]] = []

    async def note(arguments: dict[str, Any]) -> dict[str, Any]:
        seen.append(arguments)
        return {"done": 1}

    control = Control(None, tmp_path / "s", {"do": note}, log=_Silent(), audit=Audit(house.journal))
    answer = await control.answer(b'{"command":"do","who":"ada","partner":"acme"}', 1000)
    assert answer == {"ok": True, "done": 1}
    assert seen == [{"partner": "acme"}]
    (row,) = await written(house)
    assert (row.by, row.via) == ("ada (uid 1000)", "control")
    assert (row.action, row.subject) == ("do", "partner acme")


class _Silent:
    """A log nobody reads."""

    def info(self, *_: object, **__: object) -> None:
        """Nothing."""
