"""libas2 as a partner: a Node process of our own (libas2/peer.js) around that library."""

from __future__ import annotations

import base64
import itertools
import json
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from gateway.model.as2 import Cipher, MdnMode
from tests.interop.hub import OUR_ID, TOOLS, Hub, Scenario
from tests.interop.peer_process import PeerProcess

SCRIPT = Path(__file__).with_name("libas2") / "peer.js"
_numbers = itertools.count(1)


class LibAs2(PeerProcess):
    """Each scenario has an AS2 name."""

    name = "libas2"

    def __init__(self, folder: Path, hub: Hub, scenarios: list[Scenario]) -> None:
        folder.mkdir()
        self._port = hub.peer_port
        super().__init__(folder / "libas2.log")
        self._config = folder / "peer.json"
        told = {
            "modules": str(TOOLS / "libas2" / "node_modules"),
            "port": hub.peer_port,
            "key": str(hub.them.key),
            "certificate": str(hub.them.certificate),
            "hubCertificate": str(hub.us.certificate),
            "hubId": OUR_ID,
            "hubUrl": hub.url,
            "mdnUrl": hub.peer_mdn_url,
            "partners": {
                each.as2_id: {
                    "id": each.as2_id,
                    "sign": each.sign,
                    "encrypt": each.encrypt and _cipher(each.encrypt),
                    "async": each.mdn is MdnMode.ASYNC,
                }
                for each in scenarios
            },
        }
        self._config.write_text(json.dumps(told))

    # ---- the peer

    def send(self, scenario: Scenario, payload: bytes) -> str:
        """Have it send, verify our receipt and compare the MIC with what libas2 computed."""
        message_id = f"<{next(_numbers)}@libas2.example>"
        said = self._ask(
            "/send",
            {
                "id": scenario.as2_id,
                "messageId": message_id,
                "payload": base64.b64encode(payload).decode(),
            },
        )
        assert said["matched"], said
        assert said["original"] == message_id
        assert said["disposition"]["processed"], said
        return json.dumps(said)

    def received(self, scenario: Scenario, message_id: str) -> bytes:
        """The content of a message of ours."""
        return base64.b64decode(self._ask("/received", {})[message_id])

    def _ask(self, path: str, question: dict[str, Any]) -> dict[str, Any]:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request("POST", path, json.dumps(question))
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, f"{body.decode(errors='replace')}\n{self.log()}"
        told: dict[str, Any] = json.loads(body)
        return told

    def _command(self) -> list[str]:
        return ["node", str(SCRIPT), str(self._config)]

    def _listens(self) -> bool:
        return "listening" in self.log()


def _cipher(cipher: Cipher) -> str:
    """Its names are ours, with the mode in capitals."""
    name, _, mode = cipher.value.partition("-")
    return f"{name}-{mode.upper()}"
