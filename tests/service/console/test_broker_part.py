"""The broker's own queues on the queue's page: numbers, or why there are none, in words."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from msgspec.structs import replace
from pytest_twisted import ensureDeferred

from gateway.model.verdict import Language
from gateway.service.broker_queues import BrokerQueues, Depth, Known
from gateway.service.console.users import Role
from tests.service.console.rig import console_rig

ANSWERED = BrokerQueues(
    known=Known.ANSWERED,
    queues=(
        Depth(queue="edi.documents.accepted", messages=12345, consumers=0),
        Depth(queue="edi.documents.rejected", messages=0, consumers=2),
        Depth(queue="edi.acknowledgements", error="404 NOT_FOUND <no queue>"),
    ),
)


@ensureDeferred
async def test_beside_ours(tmp_path: Path) -> None:
    """Depth and consumers of each; who takes nothing, and what the broker does not show."""
    async with console_rig(tmp_path) as rig:
        at = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=7)
        rig.broker_queues = replace(ANSWERED, at=at)
        reply = await rig.ask("GET", "/console/queue", login=rig.login(Role.VIEWER))
        assert reply.status == 200
        assert "Waiting to be sent" in reply.text
        part = reply.text.partition("<h2>At the broker</h2>")[2].partition("<h2>")[0]
        first, second, third = part.split("<tr")[2:]
        assert "edi.documents.accepted" in first
        assert "12,345" in first
        assert "nobody takes them" in first
        assert "nobody takes them" not in second
        assert "unknown" in third
        assert "404 NOT_FOUND &lt;no queue&gt;" in third
        assert "As of <time" in part
        refused = await rig.ask("GET", "/console/queue", login=rig.login(Role.OPERATOR, "acme"))
        assert refused.status == 403


@pytest.mark.parametrize(
    ("found", "english", "french"),
    [
        (BrokerQueues(known=Known.FILES), "There is no broker", "Pas de courtier"),
        (
            BrokerQueues(known=Known.AWAY, error="RabbitMQ at <here>: refused."),
            "RabbitMQ at &lt;here&gt;: refused.",
            "Le courtier est absent",
        ),
        (BrokerQueues(known=Known.BLOCKED), "short of memory", "manque de mémoire"),
        (BrokerQueues(known=Known.ASKED), "is being asked", "est interrogé"),
        (
            BrokerQueues(known=Known.SILENT, error="no answer within 3 s"),
            "no answer within 3 s",
            "n'a pas dit",
        ),
    ],
    ids=lambda each: each.known.value if isinstance(each, BrokerQueues) else "",
)
@ensureDeferred
async def test_why_there_are_no_numbers(
    tmp_path: Path, found: BrokerQueues, english: str, french: str
) -> None:
    """In words, in both languages, on a page that has everything else."""
    async with console_rig(tmp_path) as rig:
        rig.broker_queues = found
        login = rig.login(Role.VIEWER)
        for language, words in ((Language.EN, english), (Language.FR, french)):
            login[1].language = language
            reply = await rig.ask("GET", "/console/queue", login=login)
            assert reply.status == 200
            assert words.replace("'", "&#x27;") in reply.text
            assert "<table" not in reply.text
