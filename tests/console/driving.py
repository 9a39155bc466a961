"""How a test uses the console: as a person with a browser does, by what stands on the page."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.chromium import Page

AXE = Path(__file__).parents[2] / ".axe" / "axe.min.js"
PATIENCE = 60.0


class Driver:
    """A tab on the console at `base`."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.look(1280)

    def look(self, width: int, *, dark: bool = False) -> None:
        """In a window of this width."""
        self.page.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.page.ask("Emulation.setEmulatedMedia", media="screen", features=[scheme])

    def go(self, path: str) -> None:
        """Open a page by its address."""
        self.page.events.clear()
        self.page.ask("Page.navigate", url=f"{self.base}{path}")
        self._loaded()

    def fill(self, label: str, value: str) -> None:
        """Write into the field with this label."""
        found = self.page.evaluate(
            "(() => { const label = [...document.querySelectorAll('label')]"
            f".find((each) => each.textContent.trim() === {json.dumps(label)});"
            " const field = label && document.getElementById(label.htmlFor);"
            f" if (field) field.value = {json.dumps(value)}; return Boolean(field); }})()"
        )
        assert found, f"no field {label!r} on:\n{self.text}"

    def press(self, words: str) -> None:
        """Click the button or link that says this, and wait for the page it leads to."""
        self.page.events.clear()
        found = self.page.evaluate(
            "(() => { const wanted = [...document.querySelectorAll('button, a')]"
            f".find((each) => each.textContent.trim() === {json.dumps(words)});"
            " if (wanted) wanted.click(); return Boolean(wanted); })()"
        )
        assert found, f"nothing says {words!r} on:\n{self.text}"
        self._loaded()

    def until(self, path: str, words: str) -> None:
        """Load a page again until it says this."""
        end = time.monotonic() + PATIENCE
        while True:
            self.go(path)
            if words in self.text:
                return
            assert time.monotonic() < end, f"never {words!r} on:\n{self.text}"
            time.sleep(0.5)

    def press_key(self, key: str, code: int) -> None:
        """One key of the keyboard."""
        text = {"text": "\r"} if key == "Enter" else {}
        self.page.ask(
            "Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text
        )
        self.page.ask("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def focused(self) -> str:
        """What the element says that has the focus."""
        return str(self.page.evaluate("document.activeElement.textContent.trim()"))

    @property
    def text(self) -> str:
        """What a person reads."""
        return str(self.page.evaluate("document.body.innerText"))

    @property
    def title(self) -> str:
        """The heading."""
        return str(self.page.evaluate("document.querySelector('h1').textContent"))

    @property
    def too_wide(self) -> int:
        """By how many pixels the page is wider than the window."""
        width = "document.documentElement"
        return int(self.page.evaluate(f"{width}.scrollWidth - {width}.clientWidth"))

    def complaints(self) -> list[str]:
        """What the browser complained of since the page was asked for: scripts, policies."""
        return [
            json.dumps(event["params"])
            for event in self.page.events
            if event["method"] == "Runtime.exceptionThrown"
            or (
                event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error"
            )
        ]

    def barriers(self) -> list[str]:
        """What axe-core calls serious or critical."""
        self.page.evaluate(AXE.read_text(encoding="utf-8") + "; true")
        said = self.page.ask(
            "Runtime.evaluate",
            expression="axe.run(document, {resultTypes: ['violations']}).then((found) =>"
            " JSON.stringify(found.violations))",
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in said, said
        violations: list[dict[str, Any]] = json.loads(said["result"]["value"])
        return [
            f"{each['id']}: {each['help']}: {[node['html'] for node in each['nodes']][:3]}"
            for each in violations
            if each["impact"] in ("serious", "critical")
        ]

    def _loaded(self) -> None:
        end = time.monotonic() + PATIENCE
        while not any(event["method"] == "Page.loadEventFired" for event in self.page.events):
            self.page._read(end)
