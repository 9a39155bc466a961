"""A real Chromium without a window, asked over its DevTools protocol.

Debian's `chromium`, spoken to through two pipes (`--remote-debugging-pipe`: JSON, each message
ended by a NUL), so that no port is opened and nothing more has to be installed. The browser knows
no network: every host name leads nowhere.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMMAND = shutil.which("chromium") or "chromium"
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
    "about:blank",
)
_PIPES = ("/bin/sh", "-c", 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null', "sh")
"""Chromium takes its commands at file descriptor 3 and answers at 4."""
_PATIENCE = 60.0


def _resolving(loopback: bool) -> list[str]:
    if not loopback:
        return list(_FLAGS)
    return [
        f"{flag}, EXCLUDE 127.0.0.1" if flag.startswith("--host-resolver-rules") else flag
        for flag in _FLAGS
    ]


class Page:
    """One tab, and everything it complained of or asked the network for since it was opened."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to = to_browser
        self._from = from_browser
        self._received = b""
        self._last = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.ask(f"{domain}.enable")

    def open(
        self,
        file: Path,
        *,
        width: int,
        dark: bool = False,
        media: str = "screen",
        forced: bool = False,
    ) -> None:
        """Show a file in a window of this width. `forced`: the system chooses the colours."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        colours = {"name": "forced-colors", "value": "active" if forced else "none"}
        self.ask("Emulation.setEmulatedMedia", media=media, features=[scheme, colours])
        self.events.clear()
        self.ask("Page.navigate", url=file.resolve().as_uri())
        end = time.monotonic() + _PATIENCE
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._read(end)

    def evaluate(self, script: str) -> Any:
        """What a script of ours makes of the page."""
        said = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """One key, down and up."""
        for kind in ("rawKeyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code)

    def screenshot(self, file: Path, *, grey: bool = False) -> None:
        """The whole page as PNG, without scrollbars; `grey`: as who sees no colour sees it."""
        self.ask("Emulation.setScrollbarsHidden", hidden=True)
        sight = "achromatopsia" if grey else "none"
        self.ask("Emulation.setEmulatedVisionDeficiency", type=sight)
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))
        self.ask("Emulation.setEmulatedVisionDeficiency", type="none")
        self.ask("Emulation.setScrollbarsHidden", hidden=False)

    def printed(self) -> bytes:
        """The page as PDF, on A4."""
        said = self.ask("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)
        return base64.b64decode(said["data"])

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its answer."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + _PATIENCE
        while True:
            answer = self._read(end)
            if answer.get("id") == self._last:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def _read(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._from], [], [], max(0.0, end - time.monotonic()))
            assert ready, "Chromium does not answer"
            chunk = os.read(self._from, 1 << 20)
            assert chunk, "Chromium has ended"
            self._received += chunk
        message, _, self._received = self._received.partition(b"\0")
        said: dict[str, Any] = json.loads(message)
        if "method" in said:
            self.events.append(said)
        return said


@contextmanager
def browser(*, loopback: bool = False) -> Iterator[Page]:
    """A browser of its own with one tab; it and its folder are gone afterwards.

    `loopback`: it reaches what listens on 127.0.0.1, and still nothing else.
    """
    assert shutil.which(COMMAND), "Chromium is missing: scripts/install-test-tools installs it"
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as home:
        process = subprocess.Popen(
            [*_PIPES, COMMAND, f"--user-data-dir={home}", *_resolving(loopback)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={"HOME": home, "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin, process.stdout:
            try:
                yield Page(process.stdin.fileno(), process.stdout.fileno())
            finally:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
