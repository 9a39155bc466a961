"""AS2 with a real gateway: OpenSSL is the partner, and the gateway is killed at bad moments."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.model.as2 import (
    Digest,
    Failure,
    Mdn,
    Mic,
    Opened,
    Refused,
)
from gateway.samples import sample_bytes
from gateway.service.journal import open_reader, records
from gateway.service.journal.tables import As2State
from tests import as2_partner, as2_receipts
from tests.as2_partner import (
    Keys,
    Listener,
    Said,
    encrypted,
    fields_of,
    part,
    post,
    signed,
    verified,
)
from tests.as2_receipts import identity
from tests.broker import free_port
from tests.gateway_process import GatewayProcess

INVOICE = sample_bytes("ubl-invoice.xml")
SECONDS = 60.0
_numbers = itertools.count(1)


def invoice() -> bytes:
    """The sample invoice, with other bytes each time."""
    return INVOICE + b"\n<!-- %d -->\n" % next(_numbers)


def a_message_id() -> str:
    """One that was not used before."""
    return f"<{next(_numbers)}@acme.example>"


class Line:
    """A gateway and its partners, who share a key and a web server.

    acme sends by AS2 and fetches its reports by SFTP; loose uses Message-IDs again; buyer, later,
    eager and slow get their reports by AS2, all but buyer with a receipt that comes later.
    hung's server takes its time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listener = Listener()
        self.away = free_port()
        """Where acme's receipts may go too, and nobody listens until a test does."""
        self.port = free_port()
        self.us, self.them = Keys(folder, "us"), Keys(folder, "them")
        self.stranger = Keys(folder, "stranger")
        self.gateway = GatewayProcess(
            folder / "gateway",
            partners=("acme", "loose", "buyer", "later", "eager", "slow", "hung"),
            judges=1,
            sftp_processes=1,
            settings=f"[http]\nenabled = true\nport = {self.port}\n"
            '[as2]\nid = "HUB"\nidentities = ["us.pem"]\nprocesses = 1\n'
            f'mdn_url = "http://127.0.0.1:{self.port}/as2"\n'
            "[outbox]\npoll_seconds = 0.2\nretry_min_seconds = 0.1\nretry_max_seconds = 0.3\n",
        )
        home = self.gateway.folder
        (home / "certificates").mkdir()
        (home / "certificates" / "us.pem").write_bytes(self.us.pem())
        (home / "certificates" / "us.pem").chmod(0o600)
        (home / "certificates" / "them.crt").write_bytes(self.them.certificate.read_bytes())
        url = self.listener.url
        away = f"http://127.0.0.1:{self.away}/"
        self._as2("acme", "", f'[as2.receive]\nmdn_urls = ["{url("/mdn/")}", "{away}"]\n')
        self._as2("loose", "", '[as2.receive]\nduplicates = "accept"\n')
        self._as2("buyer", f'url = "{url("/buyer")}"\n', "")
        self._as2("hung", f'url = "{url("/hung")}"\n', "")
        for name in ("later", "eager", "slow"):
            send = '[as2.send]\nmdn = "async"\n'
            if name == "slow":
                send += "mdn_timeout_seconds = 1\n"
            self._as2(name, f'url = "{url(f"/{name}")}"\n', send)

    def _as2(self, name: str, keys: str, tables: str) -> None:
        file = self.gateway.folder / "partners" / f"{name}.toml"
        table = f'[as2]\nid = "{name.upper()}"\ncertificates = ["them.crt"]\n{keys}{tables}'
        file.write_text(file.read_text() + table)

    # ---- what the partner does

    def wrapped(self, payload: bytes) -> tuple[bytes, str]:
        """A message as it should be, and the MIC its receipt has to have."""
        entity = part(payload)
        return encrypted(signed(entity, self.them), self.us), mic_of(entity)

    def post(self, body: bytes, message_id: str, who: str = "ACME", **more: str | None) -> Said:
        """Send a message."""
        return post(self.port, body, who, message_id, **more)

    def send(self, who: str = "ACME", **more: str | None) -> str:
        """Send a good message; its Message-ID."""
        message_id = a_message_id()
        body, _ = self.wrapped(invoice())
        assert self.post(body, message_id, who, **more).status == 200
        return message_id

    def opened(self, came: Said) -> Opened | Refused:
        """A message of the gateway's, opened by its partner."""
        folder = self.folder / f"opened-{next(_numbers)}"
        return as2_receipts.opened(came, self.us, self.them, folder)

    def receipt(self, came: Said, **changes: Any) -> Mdn:
        """The partner's receipt for a message; `changes` to make it a bad one."""
        outcome = changes.pop("outcome", None) or self.opened(came)
        return as2_receipts.receipt(came, outcome, self.them, **changes)

    # ---- what the gateway knows

    def messages(self, message_id: str, who: str = "acme", to: str = "in") -> list[records.As2Row]:
        """What the journal holds under this Message-ID."""
        engine = open_reader(self.gateway.state / "journal.sqlite")
        try:
            with engine.connect() as conn:
                return records.as2_messages_named(conn, who, to, message_id)
        finally:
            engine.dispose()

    def needs(self, body: bytes) -> bool:
        """Whether the journal names these bytes."""
        engine = open_reader(self.gateway.state / "journal.sqlite")
        try:
            with engine.connect() as conn:
                return records.payload_references(conn, hashlib.sha256(body).hexdigest()) > 0
        finally:
            engine.dispose()

    def interchange(self, message_id: str, who: str = "acme") -> str:
        """The one interchange that this message became."""
        (row,) = self.messages(message_id, who)
        return row.interchange_id

    def sent(self, id_: str) -> tuple[records.As2Row | None, records.OutboxRow | None]:
        """The report of this interchange: as a message, and as a row of the outbox."""
        engine = open_reader(self.gateway.state / "journal.sqlite")
        try:
            with engine.connect() as conn:
                rows = records.outbox_of(conn, id_)
                found = records.as2_messages_of(conn, id_)
        finally:
            engine.dispose()
        row = [each for each in rows if each.kind == "report" and each.destination == "as2"]
        out = [each for each in found if each.direction == "out"]
        return (out[0] if out else None), (row[0] if row else None)

    def report_name(self, id_: str) -> str:
        """The file its report is to be."""
        _, row = self.sent(id_)
        assert row
        assert row.filename
        return row.filename

    def reaches(self, id_: str, state: str = "acknowledged") -> dict[str, Any]:
        """What `show` says, once the interchange stands there."""
        engine = open_reader(self.gateway.state / "journal.sqlite")
        try:

            def there() -> bool:
                with engine.connect() as conn:
                    row = records.interchange(conn, id_)
                return row is not None and row.state == state

            until(there, f"{id_} is not {state}; {self.gateway.log_tail(5)}")
        finally:
            engine.dispose()
        done = self.gateway.command("show", id_, "--json")
        assert done.returncode == 0, done.stderr
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown


def mic_of(entity: bytes) -> str:
    """The Received-Content-MIC of a signed part."""
    return base64.b64encode(hashlib.sha256(entity).digest()).decode() + ", sha-256"


def until(holds: Callable[[], bool], otherwise: str) -> None:
    """Wait, bounded."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)


def field(report: bytes, name: str) -> str:
    """A field of a receipt."""
    found = re.search(rf"(?im)^{name}: *(.*?)\r?$", report.decode())
    return found[1] if found else ""


def with_body(mdn: Mdn) -> Said:
    """The receipt as an answer."""
    return Said(200, mdn.headers, mdn.body)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One gateway for all: each test sends messages of its own."""
    made = Line(tmp_path_factory.mktemp("as2"))
    try:
        made.gateway.start()
        yield made
        assert made.gateway.stop() == 0
        log = made.gateway.log_file.read_text(errors="replace")
        secret = "".join(made.us.key.read_text().splitlines()[2:4])
        assert "PRIVATE KEY" not in log
        assert secret[:40] not in log
        assert "Unhandled" not in log
        assert "Traceback" not in log
    finally:
        made.gateway.ensure_gone()
        made.listener.close()


# ---- receiving


def test_a_message_gets_a_signed_receipt_and_the_invoice_its_report(line: Line) -> None:
    """OpenSSL verifies the receipt; its MIC is the hash of the signed part; it is published."""
    payload, message_id = invoice(), a_message_id()
    body, mic = line.wrapped(payload)
    answer = line.post(body, message_id)
    assert answer.status == 200
    assert (answer.get("AS2-From"), answer.get("AS2-To")) == ("HUB", "ACME")
    report = verified(answer, line.us)
    assert field(report, "Disposition").endswith("; processed")
    assert field(report, "Original-Message-ID") == message_id
    assert field(report, "Received-Content-MIC") == mic
    id_ = line.interchange(message_id)
    shown = line.reaches(id_)
    assert shown["sha256"] == hashlib.sha256(payload).hexdigest()
    assert shown["transport"] == "as2"
    assert [each["verdict"] for each in shown["documents"]] == ["accepted"]
    assert line.report_name(id_) in line.gateway.out()
    (kept,) = shown["as2"]
    assert base64.b64decode(kept["mdn"]["body"]) == answer.body
    assert Path(kept["raw"]).read_bytes() == body
    assert kept["mic"] == mic
    published = line.gateway.state / "publications" / "edi.acknowledgements" / "none.mdn"
    assert answer.body in [file.read_bytes() for file in published.iterdir()]


def test_the_same_message_again_gets_the_same_receipt(line: Line) -> None:
    """Byte for byte, header fields included; and also when it was encrypted anew meanwhile."""
    payload, message_id = invoice(), a_message_id()
    body, _ = line.wrapped(payload)
    first = line.post(body, message_id)
    assert verified(first, line.us)
    anew, _ = line.wrapped(payload)
    assert anew != body
    for again in (line.post(body, message_id), line.post(anew, message_id)):
        assert (again.status, again.body) == (200, first.body)
        assert again.get("Content-Type") == first.get("Content-Type")
        assert again.get("Message-ID") == first.get("Message-ID")
    assert len(line.messages(message_id)) == 1
    # They lie in the spool, but as nobody's: those are swept one day.
    assert not line.needs(anew)


def test_a_sender_that_vanishes_before_its_receipt_finds_it_later(line: Line) -> None:
    """Nobody took the answer. Sent again, twice: one interchange, and the same receipt."""
    payload, message_id = invoice(), a_message_id()
    connection = HTTPConnection("127.0.0.1", line.port, timeout=60)
    body, mic = line.wrapped(payload)
    connection.request("POST", "/as2", body, fields_of("ACME", message_id))
    connection.close()
    until(lambda: bool(line.messages(message_id)), "what came whole is not taken")
    id_ = line.interchange(message_id)
    line.reaches(id_)
    first, second = (line.post(line.wrapped(payload)[0], message_id) for _ in range(2))
    assert field(verified(first, line.us), "Received-Content-MIC") == mic
    assert first.body == second.body
    assert len(line.messages(message_id)) == 1
    assert line.interchange(message_id) == id_


def test_the_same_message_many_times_at_once(line: Line) -> None:
    """Impatient senders repeat themselves: one interchange, and one receipt for all of them."""
    payload, message_id = invoice(), a_message_id()
    bodies = [line.wrapped(payload)[0] for _ in range(3)] * 2
    with ThreadPoolExecutor(len(bodies)) as pool:
        answers = list(pool.map(lambda body: line.post(body, message_id), bodies))
    assert {each.status for each in answers} == {200}
    assert len({each.body for each in answers}) == 1
    assert len(line.messages(message_id)) == 1


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "a/b\\\\c.xml", ".hidden", "%2e%2e%2fx", "é" * 200 + ".xml"]
)
def test_a_file_name_is_only_a_word(line: Line, name: str) -> None:
    """Whatever the sender calls it, its report lies in its own `out/`."""
    message_id = a_message_id()
    body = encrypted(signed(part(invoice(), name), line.them), line.us)
    assert line.post(body, message_id).status == 200
    id_ = line.interchange(message_id)
    line.reaches(id_)
    assert line.report_name(id_) in line.gateway.out()


def test_who_asks_for_no_receipt_gets_none(line: Line) -> None:
    """A bare 200 for what was taken, 422 for what was not."""
    no = {"Disposition_Notification_To": None, "Disposition_Notification_Options": None}
    message_id = a_message_id()
    answer = line.post(line.wrapped(invoice())[0], message_id, **no)
    assert (answer.status, answer.get("AS2-From")) == (200, "")
    (row,) = line.messages(message_id)
    assert row.mdn is None
    answer = line.post(unsigned(line, part(invoice())), a_message_id(), **no)
    assert (answer.status, answer.get("AS2-From")) == (422, "")


def test_an_unknown_mic_algorithm_is_a_failure_with_a_receipt(line: Line) -> None:
    """The message is not taken: its sender could not use the receipt."""
    options = "signed-receipt-protocol=required, pkcs7-signature; signed-receipt-micalg=required,x"
    message_id = a_message_id()
    answer = line.post(
        line.wrapped(invoice())[0], message_id, Disposition_Notification_Options=options
    )
    assert answer.status == 200
    assert Failure.UNSUPPORTED_MIC.value.encode() in answer.body
    assert line.messages(message_id) == []


def test_a_worker_that_dies_is_replaced(line: Line) -> None:
    """Its keys were on no command line and in no environment; the next message is taken."""
    (worker,) = workers(line.gateway.pid)
    for name in ("cmdline", "environ"):
        assert b"PRIVATE" not in (Path("/proc") / str(worker) / name).read_bytes()
    os.kill(worker, signal.SIGKILL)
    body, message_id = line.wrapped(invoice())[0], a_message_id()
    until(lambda: line.post(body, message_id).status == 200, "no message is taken any more")
    assert len(line.messages(message_id)) == 1


def workers(daemon: int) -> list[int]:
    """The crypto workers of this gateway."""
    children = Path(f"/proc/{daemon}/task/{daemon}/children").read_text().split()
    return [
        int(each)
        for each in children
        if b"gateway.crypto_worker" in Path(f"/proc/{each}/cmdline").read_bytes()
    ]


@pytest.mark.parametrize(("who", "taken"), [("acme", False), ("loose", True)])
def test_other_content_under_a_known_message_id(line: Line, who: str, taken: bool) -> None:
    """It is refused with a receipt that says so, or is a message of its own if that was agreed."""
    message_id = a_message_id()
    first, second = line.wrapped(invoice())[0], line.wrapped(invoice())[0]
    assert line.post(first, message_id, who.upper()).status == 200
    answer = line.post(second, message_id, who.upper())
    disposition = field(verified(answer, line.us), "Disposition")
    assert disposition.endswith("processed" if taken else "unexpected-processing-error")
    rows = line.messages(message_id, who)
    assert len({row.interchange_id for row in rows}) == (2 if taken else 1)
    assert line.needs(second) is taken


def wrong_key(line: Line, entity: bytes) -> bytes:
    """Encrypted for somebody else."""
    return encrypted(signed(entity, line.them), line.stranger)


def stranger(line: Line, entity: bytes) -> bytes:
    """Signed by somebody else."""
    return encrypted(signed(entity, line.stranger), line.us)


def tampered(line: Line, entity: bytes) -> bytes:
    """Changed after it was signed."""
    whole = signed(entity, line.them)
    assert whole.count(b"<cbc:ID>") > 0
    return encrypted(whole.replace(b"<cbc:ID>", b"<cbc:ID>9", 1), line.us)


def unsigned(line: Line, entity: bytes) -> bytes:
    """Encrypted only."""
    return encrypted(entity, line.us)


@pytest.mark.parametrize(
    ("wrap", "failure"),
    [
        (wrong_key, Failure.DECRYPTION),
        (stranger, Failure.AUTHENTICATION),
        (tampered, Failure.INTEGRITY),
        (unsigned, Failure.SECURITY),
    ],
)
def test_a_refused_message_may_come_again_under_its_message_id(
    line: Line, wrap: Callable[[Line, bytes], bytes], failure: Failure
) -> None:
    """The signed receipt names what failed; once the sender mended it, the message is taken."""
    payload, message_id = invoice(), a_message_id()
    answer = line.post(wrap(line, part(payload)), message_id)
    assert answer.status == 200
    report = verified(answer, line.us)
    assert field(report, "Disposition").endswith(f"processed/Error: {failure}")
    assert field(report, "Received-Content-MIC") == ""
    assert line.messages(message_id) == []
    good, mic = line.wrapped(payload)
    assert field(verified(line.post(good, message_id), line.us), "Received-Content-MIC") == mic
    assert line.interchange(message_id)


def test_an_unknown_sender_is_told_nothing(line: Line) -> None:
    """Status 403 and plain words: no receipt is signed for somebody we do not know."""
    answer = line.post(line.wrapped(invoice())[0], a_message_id(), "NOBODY")
    assert answer.status == 403
    assert answer.get("Content-Type").startswith("text/plain")
    assert b"NOBODY" not in answer.body


# ---- receipts that go to a URL


def test_a_receipt_goes_to_the_agreed_url(line: Line) -> None:
    """The POST is answered with an empty-handed 200; the signed receipt follows, once."""
    body, mic = line.wrapped(invoice())
    message_id = a_message_id()
    url = line.listener.url("/mdn/one")
    answer = line.post(body, message_id, Receipt_Delivery_Option=url)
    assert answer.status == 200
    assert answer.get("Content-Type").startswith("text/plain")
    (came,) = line.listener.wait("/mdn/one")
    report = verified(came, line.us)
    assert field(report, "Original-Message-ID") == message_id
    assert field(report, "Received-Content-MIC") == mic
    line.reaches(line.interchange(message_id))
    assert len(line.listener.at("/mdn/one")) == 1
    line.post(body, message_id, Receipt_Delivery_Option=url)
    assert {each.body for each in line.listener.wait("/mdn/one", 2)} == {came.body}


def test_a_refusal_goes_to_the_url_too(line: Line) -> None:
    """Who asks for receipts elsewhere hears there that its message was not taken."""
    url = line.listener.url("/mdn/no")
    line.post(unsigned(line, part(invoice())), a_message_id(), Receipt_Delivery_Option=url)
    (came,) = line.listener.wait("/mdn/no")
    assert field(verified(came, line.us), "Disposition").endswith(Failure.SECURITY)


def test_a_receipt_goes_nowhere_else(line: Line) -> None:
    """Status 403 before the body is read, and no request to that URL, nor a row."""
    message_id = a_message_id()
    url = line.listener.url("/elsewhere")
    answer = line.post(line.wrapped(invoice())[0], message_id, Receipt_Delivery_Option=url)
    assert answer.status == 403
    assert line.messages(message_id) == []
    assert line.listener.at("/elsewhere") == []


def test_receipts_and_reports_survive_a_kill(line: Line) -> None:
    """SIGKILL right behind the answers; the listener comes up last, and gets the receipt still."""
    body, mic = line.wrapped(invoice())
    later_id = a_message_id()
    url = f"http://127.0.0.1:{line.away}/mdn"
    assert line.post(body, later_id, Receipt_Delivery_Option=url).status == 200
    line.listener.answers["/later"] = line.listener.answers["/buyer"] = lambda _: Said(200, (), b"")
    begun = {name: len(line.listener.at(f"/{name}")) for name in ("later", "buyer")}
    sending = {name: line.send(name.upper()) for name in begun}
    for name, number in begun.items():
        line.listener.wait(f"/{name}", number + 1)
    now_id = a_message_id()
    answer = line.post(line.wrapped(invoice())[0], now_id)
    line.gateway.kill()
    assert field(verified(answer, line.us), "Original-Message-ID") == now_id
    line.gateway.start()
    away = Listener(line.away)
    try:
        came = away.wait("/mdn")[0]
    finally:
        away.close()
    assert field(verified(came, line.us), "Received-Content-MIC") == mic
    for message_id in (later_id, now_id):
        line.reaches(line.interchange(message_id))
    first = line.listener.at("/buyer")[begun["buyer"]]
    line.listener.answers["/buyer"] = lambda came: with_body(line.receipt(came))
    line.reaches(line.interchange(sending["buyer"], "buyer"))
    last = line.listener.at("/buyer")[-1]
    assert (last.get("Message-ID"), last.body) == (first.get("Message-ID"), first.body)
    receipt = line.receipt(line.listener.at("/later")[begun["later"]])
    assert receipt_post(line, receipt).status == 200
    line.reaches(line.interchange(sending["later"], "later"))


# ---- sending


def test_a_report_is_delivered_by_a_receipt_that_vouches_for_it(line: Line) -> None:
    """Every bad answer means the same bytes under the same Message-ID again, until a good one."""
    answered: list[str] = []
    row_seen: list[tuple[Any, Any]] = []
    grown: list[int] = []
    waiting: list[Callable[[Said], Said | Iterator[bytes]]] = [
        lambda _: Said(500, (), b"down"),
        lambda _: Said(200, (), b""),
        lambda came: with_body(line.receipt(came, outcome=wrong_mic(line.opened(came)))),
        lambda came: with_body(line.receipt(came, outcome=no_mic(line.opened(came)))),
        lambda came: with_body(line.receipt(came, identity=None)),
        lambda came: with_body(line.receipt(came, identity=identity(line.stranger))),
        lambda came: with_body(line.receipt(_renamed(came), outcome=line.opened(came))),
        lambda came: with_body(
            line.receipt(came, outcome=Refused(failure=Failure.UNEXPECTED, why="no"))
        ),
        lambda _: endless(grown, Said(200, (), b"")),
        lambda came: with_body(line.receipt(came)),
    ]

    def answering(came: Said) -> Said | Iterator[bytes]:
        answered.append(came.get("Message-ID"))
        row_seen.append(line.sent(id_))
        return waiting[min(len(answered), len(waiting)) - 1](came)

    before = peak_kb(line.gateway.pid)
    body, _ = line.wrapped(invoice())
    message_id = a_message_id()
    gate: list[str] = []

    def held(came: Said) -> Said | Iterator[bytes]:
        until(lambda: bool(gate), "the test did not go on")
        return answering(came)

    already = len(line.listener.at("/buyer"))
    line.listener.answers["/buyer"] = held
    line.post(body, message_id, "BUYER")
    id_ = line.interchange(message_id, "buyer")
    gate.append(id_)
    line.reaches(id_)
    time.sleep(0.5)  # longer than the longest pause between attempts
    came = line.listener.at("/buyer")[already:]
    assert len(came) == len(waiting)
    assert len({(each.get("Message-ID"), each.body) for each in came}) == 1
    for _, row in row_seen:
        assert row.delivered_at is None, "delivered before there was a good receipt"
    outcome = line.opened(came[-1])
    assert isinstance(outcome, Opened)
    assert Path(outcome.path).read_bytes().startswith(b"<?xml")
    message, row = line.sent(id_)
    assert message
    assert row
    assert row.delivered_at
    assert message.state is As2State.RECEIPTED
    assert message.mic == str(outcome.mic)
    assert message.error is None
    assert message.mdn
    assert message.mdn_at
    assert sum(grown) < 50_000_000, "the gateway went on reading an answer without end"
    assert peak_kb(line.gateway.pid) - before < 60_000


def wrong_mic(outcome: Opened | Refused) -> Opened:
    """As if other bytes had been received."""
    assert isinstance(outcome, Opened)
    return _changed(outcome, Mic(base64.b64encode(bytes(32)).decode(), Digest.SHA256))


def no_mic(outcome: Opened | Refused) -> Opened:
    """As if nothing had been computed."""
    assert isinstance(outcome, Opened)
    return _changed(outcome, None)


def _changed(outcome: Opened, mic: Mic | None) -> Opened:
    return msgspec.structs.replace(outcome, mic=mic)


def _renamed(came: Said) -> Said:
    fields = [each for each in came.headers if each[0].lower() != "message-id"]
    return came._replace(headers=(*fields, ("Message-ID", "<another@hub.example>")))


def endless(grown: list[int], _: Said) -> Iterator[bytes]:
    """An answer of 200 MB."""
    piece = bytes(100_000)
    for _number in range(2000):
        grown.append(len(piece))
        yield piece


def peak_kb(pid: int) -> int:
    """The most memory the process ever had."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1])


def test_a_receipt_that_comes_later_delivers_the_report(line: Line) -> None:
    """The row waits, sent once; one that nobody signed changes nothing, the good one delivers."""
    line.listener.answers["/later"] = lambda _: Said(200, (), b"")
    already = len(line.listener.at("/later"))
    message_id = line.send("LATER")
    came = line.listener.wait("/later", already + 1)[-1]
    assert came.get("Receipt-Delivery-Option") == f"http://127.0.0.1:{line.port}/as2"
    id_ = line.interchange(message_id, "later")

    def waits() -> bool:
        message, _ = line.sent(id_)
        return message is not None and message.state is As2State.SENT

    until(waits, "it is not marked as sent")
    forged = receipt_post(line, line.receipt(came, identity=None))
    assert forged.status == 400
    message, row = line.sent(id_)
    assert message
    assert (message.state, message.mdn) == (As2State.SENT, None)
    assert row
    assert row.delivered_at is None
    wrong = receipt_post(line, line.receipt(came, outcome=wrong_mic(line.opened(came))))
    assert wrong.status == 200
    message, row = line.sent(id_)
    assert message
    assert message.state is As2State.REFUSED
    assert row
    assert row.delivered_at is None
    good = receipt_post(line, line.receipt(came))
    assert good.status == 200
    line.reaches(id_)
    message, row = line.sent(id_)
    assert message
    assert message.state is As2State.RECEIPTED
    assert row
    assert row.delivered_at
    assert receipt_post(line, line.receipt(came)).status == 200


def receipt_post(line: Line, mdn: Mdn) -> Said:
    """The partner posts a receipt to our URL."""
    connection = HTTPConnection("127.0.0.1", line.port, timeout=as2_partner.TIMEOUT)
    try:
        connection.request("POST", "/as2", mdn.body, dict(mdn.headers))
        response = connection.getresponse()
        return Said(response.status, tuple(response.getheaders()), response.read())
    finally:
        connection.close()


def test_a_receipt_before_the_answer_counts_as_well(line: Line) -> None:
    """Some servers post the receipt first and answer the message then: it is delivered once."""

    def answering(came: Said) -> Said:
        assert receipt_post(line, line.receipt(came)).status == 200
        return Said(200, (), b"")

    line.listener.answers["/eager"] = answering
    id_ = line.interchange(line.send("EAGER"), "eager")
    line.reaches(id_)
    time.sleep(0.5)
    message, row = line.sent(id_)
    assert message
    assert row
    assert (message.state, row.state.value) == (As2State.RECEIPTED, "delivered")
    assert row.last_error is None
    assert len(line.listener.at("/eager")) == 1


def test_a_receipt_that_does_not_come_is_asked_for_again(line: Line) -> None:
    """When the agreed time is over: the same bytes under the same Message-ID."""
    id_ = line.interchange(line.send("SLOW"), "slow")
    first, second = line.listener.wait("/slow", 2)[:2]
    assert (first.get("Message-ID"), first.body) == (second.get("Message-ID"), second.body)
    assert receipt_post(line, line.receipt(second)).status == 200
    line.reaches(id_)


def test_a_partner_whose_server_hangs_holds_nobody_back(line: Line) -> None:
    """Others get their reports meanwhile; when it answers at last, its receipt counts."""
    gate = threading.Event()

    def hanging(came: Said) -> Said:
        gate.wait(20)
        return with_body(line.receipt(came))

    line.listener.answers["/hung"] = hanging
    line.listener.answers["/buyer"] = lambda came: with_body(line.receipt(came))
    ids = [line.interchange(line.send("HUNG"), "hung") for _ in range(2)]
    try:
        time.sleep(1.5)  # they are judged, and their reports on the way
        begun = time.monotonic()
        line.reaches(line.interchange(line.send("BUYER"), "buyer"))
        assert time.monotonic() - begun < 12
        assert not any(row.delivered_at for _, row in map(line.sent, ids) if row)
    finally:
        gate.set()
    for id_ in ids:
        line.reaches(id_)
        message, row = line.sent(id_)
        assert message
        assert row
        assert (message.state, row.state.value) == (As2State.RECEIPTED, "delivered")
    assert len(line.listener.at("/hung")) == 2
