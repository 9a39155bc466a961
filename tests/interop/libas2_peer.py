"""libas2 as a partner: a Node process of our own (libas2/peer.js) around that library."""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from gateway.model.as2 import Cipher, MdnMode
from tests.interop.hub import OUR_ID, TOOLS, Hub, Scenario, until

SCRIPT = Path(__file__).with_name("libas2") / "peer.js"
_numbers = itertools.count(1)


class LibAs2:
    """One process. Each scenario has an AS2 name."""

    def __init__(self, folder: Path, hub: Hub, scenarios: list[Scenario]) -> None:
        folder.mkdir()
        self._port = hub.peer_port
        self.log_file = folder / "libas2.log"
        self._config = folder / "peer.json"
        self._process: subprocess.Popen[bytes] | None = None
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

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                ["node", str(SCRIPT), str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(self._up, lambda: f"libas2 did not start:\n{self.log()}")

    def stop(self) -> None:
        """End it, by its own process id."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)

    def log(self) -> str:
        """All it said."""
        return self.log_file.read_text(errors="replace")

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

    def _up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"libas2 ended:\n{self.log()}"
        return "listening" in self.log()


def _cipher(cipher: Cipher) -> str:
    """Its names are ours, with the mode in capitals."""
    name, _, mode = cipher.value.partition("-")
    return f"{name}-{mode.upper()}"
