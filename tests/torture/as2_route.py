"""The torture's partner that comes by AS2: OpenSSL's messages, and a server for what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from http.client import HTTPException
from itertools import count
from pathlib import Path
from random import Random

from tests import as2_receipts
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
from tests.gateway_process import GatewayProcess
from tests.torture.load import Parcel
from tests.torture.routes import Delivered, give_channel, hang_up


class As2Route:
    """OpenSSL's messages, signed and encrypted; acknowledgements are posted to a server of ours.

    A message that is sent again keeps its Message-ID. An acknowledgement may come again: it is one
    if Message-ID and content are the same.
    """

    partner = "signer"

    def __init__(self, gateway: GatewayProcess, folder: Path, port: int) -> None:
        folder.mkdir()
        self._folder = folder
        self._port = port
        self._numbers = count(1)
        self.hangups = 0
        self._us, self._them = Keys(folder, "us"), Keys(folder, "them")
        self._came: dict[str, tuple[str, bytes]] = {}
        self.altered: list[str] = []
        """Acknowledgements that came again as something else, or that could not be opened."""
        self.listener = Listener()
        self.listener.answers["/signer"] = self._answer
        certificates = gateway.folder / "certificates"
        certificates.mkdir(exist_ok=True)
        (certificates / "us.pem").write_bytes(self._us.pem())
        (certificates / "us.pem").chmod(0o600)
        (certificates / "them.crt").write_bytes(self._them.certificate.read_bytes())
        give_channel(
            gateway,
            self.partner,
            f'[as2]\nid = "SIGNER"\ncertificates = ["them.crt"]\n'
            f'url = "{self.listener.url("/signer")}"\n',
        )

    @staticmethod
    def settings() -> str:
        """What the gateway's settings need for it."""
        return '[as2]\nid = "HUB"\nidentities = ["us.pem"]\nprocesses = 1\n'

    def deliver(self, batch: Sequence[Parcel], folder: Path) -> Delivered:
        """Answered with a receipt that OpenSSL verifies and that says processed."""
        del folder
        for number, each in enumerate(batch):
            try:
                answer = post(self._port, self._message(each), "SIGNER", _message_id(each))
            except (OSError, HTTPException) as error:
                return number, repr(error)
            if answer.status != 200:
                return number, f"{answer.status} {answer.body[:300]!r}"
            receipt = verified(answer, self._us)
            if b"automatic-action/MDN-sent-automatically; processed\r\n" not in receipt:
                return number, receipt.decode("latin-1")[:1000]
        return len(batch), ""

    def vanish(self, sent: Parcel, folder: Path, dice: Random) -> bool:
        """Before the receipt; the message comes again later, encrypted anew."""
        del folder
        fields = fields_of("SIGNER", _message_id(sent))
        return hang_up(self._port, "/as2", self._message(sent), fields, dice)

    def _message(self, sent: Parcel) -> bytes:
        return encrypted(signed(part(sent.content, sent.name), self._them), self._us)

    def acknowledgements(self) -> dict[str, bytes]:
        """Those that were posted to us."""
        return dict(self._came.values())

    def _answer(self, came: Said) -> Said:
        folder = self._folder / f"opened-{next(self._numbers)}"
        outcome = as2_receipts.opened(came, self._us, self._them, folder)
        path = Path(getattr(outcome, "path", ""))
        known = getattr(outcome, "filename", ""), path.read_bytes() if path.is_file() else b""
        if self._came.setdefault(came.get("Message-ID"), known) != known or not all(known):
            self.altered.append(f"{came.get('Message-ID')}: {outcome!r}"[:500])
        mdn = as2_receipts.receipt(came, outcome, self._them)
        return Said(200, mdn.headers, mdn.body)


def _message_id(sent: Parcel) -> str:
    return f"<{sent.sha256[:32]}@signer.example>"
