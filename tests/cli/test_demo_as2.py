"""The demo's AS2 exchange with a hub that is honest, and with hubs that are not."""

from __future__ import annotations

import base64
import datetime as dt
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.cli import demo, demo_as2
from gateway.cli.demo_as2 import Exchange, Keys
from gateway.core.as2 import build_mdn, mdn_text, open_message
from gateway.core.schematron.catalogue import default_rule_packs
from gateway.model.as2 import (
    As2Limits,
    As2Receive,
    Cipher,
    Digest,
    Failure,
    Mdn,
    Mic,
    Opened,
    Refused,
    SignatureScheme,
)
from gateway.samples.sendings import by_as2
from tests.as2_partner import Listener, Said
from tests.core.as2.parties import request_of

OTHER_MIC = Mic(base64.b64encode(bytes(32)).decode(), Digest.SHA256)


class Hub:
    """The other end: opens the message for real, and answers as a test wants it to."""

    def __init__(self, root: Path, keys: Keys) -> None:
        self._root, self._keys = root, keys
        self._listener = Listener()
        self.opened: Opened | None = None

    def close(self) -> None:
        """Answer nobody any more."""
        self._listener.close()

    def exchange(self, answering: Callable[[Mdn], Said]) -> Exchange:
        """The demo's exchange, `answering` made of the honest receipt."""
        return self._exchange(lambda came: answering(self._receipt(came)))

    def changed(self, **changes: Any) -> Exchange:
        """The demo's exchange, the receipt made with other arguments for `build_mdn`."""
        return self._exchange(lambda came: plainly(self._receipt(came, **changes)))

    def _exchange(self, answering: Callable[[Said], Said]) -> Exchange:
        self._listener.answers["/as2"] = answering
        folder = self._root / demo_as2.FOLDER
        return demo_as2.exchange(self._listener.port, by_as2(), folder, self._keys)

    def _receipt(self, came: Said, **changes: Any) -> Mdn:
        now = dt.datetime.now(dt.UTC)
        body, into = self._root / "came", self._root / "into"
        body.write_bytes(came.body)
        into.mkdir()
        opened = open_message(
            came.headers,
            body,
            into,
            identities=[self._keys.hub],
            certificates=[self._keys.partner.certificate],
            policy=As2Receive(digests=(Digest.SHA256,), ciphers=(Cipher.AES256_CBC,)),
            limits=As2Limits(),
            on=now,
        )
        assert isinstance(opened, Opened), opened
        self.opened = opened
        arguments: dict[str, Any] = {
            "request": request_of(came.headers),
            "outcome": opened,
            "identity": self._keys.hub,
            "scheme": SignatureScheme.PKCS1,
            "now": now,
            "message_id": "<receipt@demo-hub.invalid>",
            "reporting_ua": "edi-gateway",
        }
        arguments |= {
            name: change(arguments[name]) if callable(change) else change
            for name, change in changes.items()
        }
        request, outcome = arguments.pop("request"), arguments.pop("outcome")
        return build_mdn(request, outcome, text=mdn_text(outcome), **arguments)


def plainly(mdn: Mdn) -> Said:
    """The receipt as it is."""
    return Said(200, mdn.headers, mdn.body)


@pytest.fixture(scope="module")
def keys() -> Keys:
    return demo_as2.make_keys()


@pytest.fixture
def hub(tmp_path: Path, keys: Keys) -> Iterator[Hub]:
    hub = Hub(tmp_path, keys)
    yield hub
    hub.close()


def without_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that does not have the command."""
    monkeypatch.setattr(shutil, "which", lambda _: None)


def test_an_honest_receipt_is_shown_and_verified(hub: Hub, tmp_path: Path) -> None:
    """Signed and encrypted as promised; disposition, both hashes, and OpenSSL's own words."""
    exchange = hub.exchange(plainly)
    assert exchange.good
    assert exchange.taken
    assert exchange.openssl.good
    assert hub.opened is not None
    assert Path(hub.opened.path).read_bytes() == by_as2().content
    assert hub.opened.filename == by_as2().file
    assert (hub.opened.security.signed, hub.opened.security.encrypted) == (
        Digest.SHA256,
        Cipher.AES256_CBC,
    )
    said = demo_as2.words(exchange)
    assert "signed (sha-256) and encrypted (aes256-cbc)" in said
    assert "MDN-sent-automatically; processed\n" in said
    assert f"hash in it (MIC)      {hub.opened.mic}\n" in said
    assert "hash of what we sent  the same\n" in said
    assert "verified by OpenSSL: CMS Verification successful" in said
    assert "NOT" not in said
    kept = [path.read_bytes() for path in (tmp_path / demo_as2.FOLDER).rglob("*") if path.is_file()]
    assert kept
    assert not any(b"PRIVATE KEY" in each for each in kept)


def test_the_command_to_verify_by_hand_works_as_it_is(hub: Hub, tmp_path: Path) -> None:
    """Pasted into a shell it verifies the receipt and shows what was signed."""
    exchange = hub.exchange(plainly)
    command = demo_as2.verify_by_hand(tmp_path / demo_as2.FOLDER)
    assert command is not None
    assert command in demo.what_next(tmp_path, "sftp …", kept=True)
    done = subprocess.run(command, shell=True, capture_output=True, check=True)
    assert f"Received-Content-MIC: {exchange.mic}".encode() in done.stdout


def reworded(body: bytes) -> bytes:
    """A letter of what people read."""
    return re.sub(rb"Content-Type: text/plain", b"Content-Type: text/plaim", body)


def regretted(body: bytes) -> bytes:
    """The disposition."""
    return body.replace(b"; processed\r\n", b"; processed/warning: hm\r\n")


def remade(body: bytes) -> bytes:
    """The MIC."""
    return re.sub(rb"(Content-MIC: )[^,]+", rb"\g<1>" + OTHER_MIC.value.encode(), body)


def resigned(body: bytes) -> bytes:
    """The last bytes of the signature."""
    last = body.rindex(b"\r\n\r\n--=_edi_")
    raw = base64.b64decode(body[last - 4 : last])
    return body[: last - 4] + base64.b64encode(bytes(x ^ 1 for x in raw)) + body[last:]


@pytest.mark.parametrize("tamper", [reworded, regretted, remade, resigned])
def test_a_tampered_receipt_is_not_verified(hub: Hub, tamper: Callable[[bytes], bytes]) -> None:
    """Wherever a byte was changed, OpenSSL says no, and so does the demo."""

    def tampered(mdn: Mdn) -> Said:
        assert tamper(mdn.body) != mdn.body
        return Said(200, mdn.headers, tamper(mdn.body))

    exchange = hub.exchange(tampered)
    assert exchange.openssl.good is False
    assert not exchange.good
    said = demo_as2.words(exchange)
    assert "NOT verified by OpenSSL: CMS Verification failure" in said
    good, conclusion = demo.conclusion([], 0, exchange, True)
    assert not good
    assert "The AS2 receipt is NOT as it should be" in conclusion


def test_openssl_alone_finds_it_out(hub: Hub, keys: Keys, tmp_path: Path) -> None:
    """Its verdict does not rest on ours: our own reader is not asked."""
    hub.exchange(plainly)
    folder = tmp_path / demo_as2.FOLDER
    receipt, certificate = folder / demo_as2.RECEIPT, folder / demo_as2.HUB_CERTIFICATE
    assert demo_as2.verify(receipt, certificate).good
    receipt.write_bytes(remade(receipt.read_bytes()))
    assert demo_as2.verify(receipt, certificate).good is False


def test_a_receipt_that_another_signed_is_not_verified(hub: Hub) -> None:
    """Though its certificate comes along, and is as good as the hub's."""
    exchange = hub.changed(identity=demo_as2.make_keys().hub)
    assert exchange.openssl.good is False
    assert "signer certificate not found" in exchange.openssl.words
    assert not exchange.good


def test_an_unsigned_receipt_is_none(hub: Hub) -> None:
    """A signed one was asked for."""
    exchange = hub.changed(identity=None)
    assert not exchange.good
    assert "NOT usable: The receipt cannot be used: it is not signed" in demo_as2.words(exchange)


def test_a_wrong_mic_is_told_though_the_signature_is_sound(hub: Hub) -> None:
    """The hub vouches for other bytes than were sent."""
    exchange = hub.changed(outcome=lambda opened: replace(opened, mic=OTHER_MIC))
    assert exchange.openssl.good
    assert not exchange.good
    assert f"hash of what we sent  {exchange.mic}: NOT the same" in demo_as2.words(exchange)
    assert not demo.conclusion([], 0, exchange, True)[0]


def test_a_refusal_is_told(hub: Hub) -> None:
    """A sound receipt that says the message was not taken."""
    refused = Refused(failure=Failure.DECRYPTION, why="It cannot be read.")
    exchange = hub.changed(outcome=refused)
    assert not exchange.taken
    assert exchange.openssl.good
    assert not exchange.good
    said = demo_as2.words(exchange)
    assert "decryption-failed" in said
    assert "the message was NOT taken" in said
    assert "hash in it (MIC)      NONE" in said


def test_a_receipt_for_another_message_is_told(hub: Hub) -> None:
    """Signed by the hub, with the right MIC even."""
    exchange = hub.changed(request=lambda request: replace(request, message_id="<2@elsewhere>"))
    assert exchange.openssl.good
    assert exchange.mic_agrees
    assert not exchange.good
    assert "NOT ours: it is about <2@elsewhere>" in demo_as2.words(exchange)


def test_an_answer_that_is_no_receipt_is_told(hub: Hub) -> None:
    """The gateway cannot take messages now."""
    exchange = hub.exchange(lambda _: Said(503, (), b"Send it again later."))
    assert not exchange.good
    assert not exchange.taken, "the demo would wait for its verdict"
    assert "HTTP status 503, NOT a receipt" in demo_as2.words(exchange)


def test_without_openssl_the_demo_goes_on_and_says_so(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the name of the package; nothing claims to have been verified by it."""
    without_openssl(monkeypatch)
    exchange = hub.exchange(plainly)
    assert exchange.openssl.good is None
    assert exchange.good
    said = demo_as2.words(exchange)
    assert "apt-get install openssl" in said
    assert "verified" not in said
    assert demo_as2.verify_by_hand(Path("as2")) is None


def test_without_openssl_our_own_reader_still_finds_it_out(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tampered receipt fails the demo in any case."""
    without_openssl(monkeypatch)
    assert not hub.exchange(lambda mdn: Said(200, mdn.headers, remade(mdn.body))).good


@pytest.mark.timeout(300)
def test_the_demo_ends_with_1_when_openssl_says_no(tmp_path: Path) -> None:
    """The whole of it, with an `openssl` that verifies nothing."""
    fake = tmp_path / "bin" / "openssl"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'CMS Verification failure' >&2\nexit 4\n")
    fake.chmod(0o755)
    shown = subprocess.run(
        [sys.executable, "-m", "gateway", "demo", "--once", "--state-dir", tmp_path / "kept"],
        env={
            **os.environ,
            "PATH": f"{fake.parent}:{os.environ['PATH']}",
            "EDI_GATEWAY_RULE_PACKS": str(default_rule_packs()),
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert shown.returncode == 1, shown.stdout + shown.stderr
    assert "MDN-sent-automatically; processed" in shown.stdout
    assert "NOT verified by OpenSSL: CMS Verification failure" in shown.stdout
    assert "The AS2 receipt is NOT as it should be" in shown.stdout
