"""Our gateway, with one AS2 partner for each way of protecting messages, and what a peer is."""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest
import sqlalchemy as sa

from gateway.model.as2 import Cipher, Compression, Digest, KeyTransport, Mdn, MdnMode
from gateway.samples import sample_bytes
from gateway.service.journal import open_reader, records
from gateway.service.journal.as2_records import IN, OUT
from gateway.service.journal.tables import As2State
from tests.as2_partner import Keys
from tests.broker import free_port
from tests.gateway_process import GatewayProcess

OUR_ID = "HUB"
SECONDS = 60.0
TOOLS = Path(__file__).resolve().parents[2] / ".interop"
"""Where scripts/install-interop-tools puts the other implementations."""

_numbers = itertools.count(1)


class Scenario(NamedTuple):
    """How messages are protected, in both directions, and which receipt they ask for."""

    name: str
    sign: Digest | None = Digest.SHA256
    encrypt: Cipher | None = Cipher.AES256_CBC
    compress: Compression = Compression.NONE
    mdn: MdnMode = MdnMode.SYNC
    base64: bool = False
    """Ours only: the peer cannot read binary bodies."""
    key_transport: KeyTransport = KeyTransport.PKCS1
    """Ours only: what the peer can decrypt with."""
    language: str = "fr"
    """Of the report: what is English is ASCII."""
    one_way: bool = False
    """The peer can send so, but not receive: our reports wait for SFTP."""

    @property
    def as2_id(self) -> str:
        """The peer's AS2 name in this scenario."""
        return self.name.upper()


class Peer(Protocol):
    """Another implementation of AS2, as these tests drive it."""

    def send(self, scenario: Scenario, payload: bytes) -> str:
        """Send an invoice, and wait until the receipt satisfied the peer; its own words on that.

        Raises AssertionError when the peer has a complaint.
        """
        ...

    def received(self, scenario: Scenario, message_id: str) -> bytes:
        """The payload of a message of ours, as the peer unpacked it."""
        ...


def insist_on(peer: str) -> None:
    """Fail, not skip, when a peer is not there: untested must not look like tested."""
    reason, ready = TOOLS / peer / "why-not", TOOLS / peer / "ready"
    said = "It was never installed."
    if reason.exists():
        said = reason.read_text(errors="replace").strip()
    elif ready.exists():
        return
    pytest.fail(f"{peer} cannot be run here: {said}\n`make interop` installs it.", pytrace=False)


class Hub:
    """The real gateway, its keys and those of its partners (one pair for all of them)."""

    def __init__(
        self,
        folder: Path,
        scenarios: Sequence[Scenario],
        peer_port: int,
        mdn_port: int | None = None,
    ) -> None:
        self.port, self.peer_port, self.mdn_port = free_port(), peer_port, mdn_port or peer_port
        self.us, self.them = Keys(folder, "hub"), Keys(folder, "peer")
        self.gateway = GatewayProcess(
            folder / "gateway",
            partners=[each.name for each in scenarios],
            judges=1,
            sftp_processes=1,
            settings=f"[http]\nenabled = true\nport = {self.port}\n"
            f'[as2]\nid = "{OUR_ID}"\nidentities = ["us.pem"]\nprocesses = 1\n'
            f'mdn_url = "{self.url}"\n'
            "[outbox]\npoll_seconds = 0.2\nretry_min_seconds = 2\nretry_max_seconds = 5\n",
        )
        certificates = self.gateway.folder / "certificates"
        certificates.mkdir()
        (certificates / "us.pem").write_bytes(self.us.pem())
        os.chmod(certificates / "us.pem", 0o600)
        (certificates / "them.crt").write_bytes(self.them.certificate.read_bytes())
        for scenario in scenarios:
            self._agree(scenario)

    @property
    def url(self) -> str:
        """Where we take messages and receipts."""
        return f"http://127.0.0.1:{self.port}/as2"

    @property
    def peer_url(self) -> str:
        """Where the peer takes messages."""
        return f"http://127.0.0.1:{self.peer_port}/"

    @property
    def peer_mdn_url(self) -> str:
        """Where the peer takes receipts that come later."""
        return f"http://127.0.0.1:{self.mdn_port}/"

    def _agree(self, scenario: Scenario) -> None:
        file = self.gateway.folder / "partners" / f"{scenario.name}.toml"

        def flag(value: object) -> str:
            return "true" if value else "false"

        url = "" if scenario.one_way else f'url = "{self.peer_url}"\n'
        known = file.read_text().replace('language = "fr"', f'language = "{scenario.language}"')
        file.write_text(
            f"{known}"
            f'[as2]\nid = "{scenario.as2_id}"\ncertificates = ["them.crt"]\n{url}'
            "[as2.receive]\n"
            f"require_signature = {flag(scenario.sign)}\n"
            f"require_encryption = {flag(scenario.encrypt)}\n"
            f'mdn_urls = ["{self.peer_mdn_url}"]\n'
            "[as2.send]\n"
            f'sign = "{scenario.sign or "none"}"\nencrypt = "{scenario.encrypt or "none"}"\n'
            f'compress = "{scenario.compress}"\nmdn = "{scenario.mdn}"\n'
            f"base64 = {flag(scenario.base64)}\n"
            f'key_transport = "{scenario.key_transport}"\n'
        )

    def messages(self, scenario: Scenario, direction: str) -> list[records.As2Row]:
        """What the journal holds of this scenario's partner."""
        engine = open_reader(self.gateway.state / "journal.sqlite")
        query = sa.text(
            "SELECT message_id FROM as2_messages WHERE partner = :partner"
            " AND direction = :direction ORDER BY id"
        )
        try:
            with engine.connect() as conn:
                named = conn.execute(query, {"partner": scenario.name, "direction": direction})
                return [
                    row
                    for (message_id,) in named.fetchall()
                    for row in records.as2_messages_named(
                        conn, scenario.name, direction, message_id
                    )
                ]
        finally:
            engine.dispose()


def an_invoice() -> bytes:
    """The sample invoice, with other bytes each time."""
    return sample_bytes("ubl-invoice.xml") + b"\n<!-- interop %d -->\n" % next(_numbers)


def until(holds: Callable[[], object], otherwise: Callable[[], str]) -> None:
    """Wait, bounded."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.1)


def exchange(hub: Hub, peer: Peer, scenario: Scenario) -> None:
    """An invoice comes in and its report goes out; each side's receipt satisfies the other."""
    payload = an_invoice()
    words = peer.send(scenario, payload)
    print(f"{scenario.name}: the peer says of our receipt: {words}")
    came = _taken(hub, scenario, payload)
    if not scenario.one_way:
        _reported(hub, peer, scenario, came.interchange_id)


def _taken(hub: Hub, scenario: Scenario, payload: bytes) -> records.As2Row:
    """The invoice is in the journal once, byte for byte, and was protected as agreed."""
    came = hub.messages(scenario, IN)
    assert len(came) == 1, hub.gateway.log_tail(10)
    (row,) = came
    security = row.security
    assert row.content_sha256 == hashlib.sha256(payload).hexdigest()
    assert (security.signed, security.encrypted) == (scenario.sign, scenario.encrypt)
    assert security.compressed is (scenario.compress is not Compression.NONE)
    assert row.mdn_mode == scenario.mdn
    assert isinstance(row.mdn, Mdn)
    return row


def _reported(hub: Hub, peer: Peer, scenario: Scenario, interchange_id: str) -> None:
    """The report is with the peer byte for byte, and we verified its receipt, MIC included."""

    def sent() -> records.As2Row | None:
        rows = [row for row in hub.messages(scenario, OUT) if row.interchange_id == interchange_id]
        return rows[0] if rows else None

    def receipted() -> bool:
        row = sent()
        return row is not None and row.state is As2State.RECEIPTED

    until(receipted, lambda: f"no good receipt: {sent()}\n{hub.gateway.log_tail(10)}")
    row = sent()
    assert row is not None
    assert row.error is None
    assert row.mdn is not None
    assert row.mic is not None
    assert row.mdn_mode == scenario.mdn.value
    security = row.security
    assert (security.signed, security.encrypted) == (scenario.sign, scenario.encrypt)
    assert security.compressed is (scenario.compress is not Compression.NONE)
    got = peer.received(scenario, row.message_id)
    assert hashlib.sha256(got).hexdigest() == row.content_sha256, got[-200:]
