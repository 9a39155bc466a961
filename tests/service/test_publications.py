"""Publications as files, and the headers they share with RabbitMQ."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from pytest_twisted import ensureDeferred
from twisted.internet import defer, reactor

from gateway.errors import BrokerUnavailable
from gateway.model.publication import Exchange
from gateway.service.message_headers import headers_for, properties_of
from gateway.service.publications import FilePublisher, paths_of, safe_name
from tests.publishing import INTERCHANGE, MOMENT, SHA256, a_publication


@pytest_twisted.async_yield_fixture
async def publisher(tmp_path: Path) -> AsyncIterator[FilePublisher]:
    """A started publisher whose root is `publications` in the test's folder."""
    one = FilePublisher(reactor, tmp_path / "publications")
    await one.start()
    yield one
    await one.stop()


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@ensureDeferred
async def test_body_and_headers_lie_side_by_side(publisher: FilePublisher, tmp_path: Path) -> None:
    """The body is the very bytes; beside it everything a broker would hand over with it."""
    sent = a_publication(body=b'{"invoice_number": "FA-\xc3\xa9"}')
    await publisher.publish(sent)
    folder = tmp_path / "publications" / "edi.documents" / "ctc-fr-invoice.ubl.accepted"
    assert (folder / f"{sent.message_id}.json").read_bytes() == sent.body
    described = json.loads((folder / f"{sent.message_id}.headers.json").read_text("utf-8"))
    assert described == {
        "exchange": "edi.documents",
        "routing_key": "ctc-fr-invoice.ubl.accepted",
        "mandatory": True,
        "properties": properties_of(sent),
        "headers": sent.headers,
    }
    assert len(files(tmp_path)) == 2


@ensureDeferred
async def test_acknowledgement_is_an_xml_file(publisher: FilePublisher, tmp_path: Path) -> None:
    """The suffix tells what the body is."""
    sent = a_publication(
        0,
        exchange=Exchange.ACKNOWLEDGEMENTS,
        routing_key="none.report",
        body=b"<InterchangeReport/>",
        content_type="application/xml; charset=utf-8",
        filename="F.xml-report.xml",
    )
    await publisher.publish(sent)
    body, headers = paths_of(tmp_path / "publications", sent)
    assert body.suffix == ".xml"
    assert body.read_bytes() == b"<InterchangeReport/>"
    assert json.loads(headers.read_text())["headers"]["filename"] == "F.xml-report.xml"


@ensureDeferred
async def test_publishing_again_leaves_one_copy(publisher: FilePublisher, tmp_path: Path) -> None:
    """At-least-once with a stable id: a second delivery is the same file, not another one."""
    sent = a_publication()
    await publisher.publish(sent)
    once = files(tmp_path)
    await publisher.publish(sent)
    assert files(tmp_path) == once


@ensureDeferred
async def test_many_at_once(publisher: FilePublisher, tmp_path: Path) -> None:
    """Messages written side by side in several folders all arrive, and no partial file stays."""
    many = [a_publication(n, routing_key=f"flow{n % 5}.ubl.accepted") for n in range(1, 101)]
    await defer.gatherResults(
        [defer.Deferred.fromCoroutine(publisher.publish(each)) for each in many]
    )
    expected = [path for each in many for path in paths_of(tmp_path / "publications", each)]
    assert files(tmp_path) == sorted(str(path.relative_to(tmp_path)) for path in expected)


@ensureDeferred
async def test_files_and_their_folders_are_synced_before_success(
    publisher: FilePublisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both files reach the disk before their names appear, and the folder after."""
    events: list[str] = []
    fsync, rename = os.fsync, os.rename

    def name_of(handle: int) -> str:
        return Path(os.readlink(f"/proc/self/fd/{handle}")).name

    def recording_fsync(handle: int) -> None:
        events.append(f"sync {name_of(handle)}")
        fsync(handle)

    def recording_rename(old: str, new: str, **folders: int | None) -> None:
        events.append(f"name {Path(new).name}")
        rename(old, new, **folders)

    sent = a_publication()
    id_ = sent.message_id
    monkeypatch.setattr(os, "fsync", recording_fsync)
    monkeypatch.setattr(os, "rename", recording_rename)
    await publisher.publish(sent)
    assert events == [
        "sync publications",
        "sync edi.documents",
        f"sync .{id_}.headers.json.part",
        f"name {id_}.headers.json",
        f"sync .{id_}.json.part",
        f"name {id_}.json",
        "sync ctc-fr-invoice.ubl.accepted",
    ]


@ensureDeferred
async def test_disk_that_refuses_is_the_brokers_absence(
    publisher: FilePublisher, tmp_path: Path
) -> None:
    """The outbox keeps the row and tries again; the operator reads where and why."""
    (tmp_path / "publications" / "edi.documents").write_text("a file where a folder should be")
    with pytest.raises(BrokerUnavailable, match=r"edi\.documents.*Make room or mend"):
        await publisher.publish(a_publication())
    (tmp_path / "publications" / "edi.documents").unlink()
    await publisher.publish(a_publication())


@ensureDeferred
async def test_available_from_start_to_stop(tmp_path: Path) -> None:
    """It has the face of a broker that is there at once and goes when told."""
    publisher = FilePublisher(reactor, tmp_path / "new" / "publications")
    told: list[bool] = []
    publisher.on_available = lambda: told.append(publisher.available)
    assert not publisher.available
    await publisher.start()
    assert told == [True]
    await publisher.stop()
    assert not publisher.available
    with pytest.raises(BrokerUnavailable):
        await publisher.publish(a_publication())
    await publisher.stop()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ctc-fr-invoice.ubl.accepted", "ctc-fr-invoice.ubl.accepted"),
        ("../../etc/passwd", "_.._.._etc_passwd"),
        ("..", "_.."),
        (".", "_."),
        ("", "_"),
        (".hidden", "_.hidden"),
        ("a/b\\c\0d\n", "a_b_c_d_"),
        ("é", "_"),
    ],
)
def test_names_become_one_harmless_component(name: str, expected: str) -> None:
    """Routing keys and ids come partly from configuration and documents: never a path."""
    assert safe_name(name) == expected


@given(routing_key=st.text(max_size=400))
def test_no_routing_key_leaves_the_folder(routing_key: str) -> None:
    """Whatever the routing key, both files lie exactly two folders below the root."""
    root = Path("/srv/publications")
    for path in paths_of(root, a_publication(routing_key=routing_key)):
        assert path.parent.parent == root / "edi.documents"
        assert ".." not in path.parts
        assert len(os.fsencode(path.parent.name)) <= 255
        assert Path(os.path.normpath(path)) == path


def test_headers_are_cloudevents_and_ours() -> None:
    """The attributes CloudEvents 1.0 requires, under the prefix of its AMQP binding, and ours."""
    assert headers_for(
        message_id="5f2c",
        type="edi.document.invoice",
        time=dt.datetime(2026, 3, 2, 10, 30, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        interchange_id=INTERCHANGE,
        ordinal=3,
        partner="acme",
        flow="ctc-fr-invoice",
        sha256=SHA256,
    ) == {
        "cloudEvents:specversion": "1.0",
        "cloudEvents:id": "5f2c",
        "cloudEvents:source": "/edi-gateway",
        "cloudEvents:type": "edi.document.invoice",
        "cloudEvents:time": "2026-03-02T09:30:00.000Z",
        "cloudEvents:subject": f"{INTERCHANGE}/3",
        "partner": "acme",
        "flow": "ctc-fr-invoice",
        "document-id": f"{INTERCHANGE}/3",
        "sha256": SHA256,
    }


def test_message_about_an_interchange_names_no_document() -> None:
    """Ordinal 0 is the interchange itself; an acknowledgement carries its file name."""
    headers = a_publication(0, filename="CSO1100A.xml").headers
    assert headers["cloudEvents:subject"] == INTERCHANGE
    assert headers["filename"] == "CSO1100A.xml"
    assert "document-id" not in headers


def test_time_without_zone_is_our_mistake() -> None:
    """A naive time would be published as if it were UTC."""
    with pytest.raises(ValueError, match="zone"):
        headers_for(
            message_id="1",
            type="t",
            time=MOMENT.replace(tzinfo=None),
            interchange_id="i",
            ordinal=0,
            partner="p",
            flow="f",
            sha256=SHA256,
        )
