"""A person on the console of a running gateway, and all that watches one, for `bench.console`."""

from __future__ import annotations

import http.client
import re
import secrets
import threading
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlencode

from gateway.service.console.visit import ROOT
from tests.gateway_process import GatewayProcess

_SECONDS = 60.0
_SCRAPED_SECONDS = 2.0
_LOOKED_SECONDS = 2.0
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Page(NamedTuple):
    """An answer: its status, its bytes and the seconds until the last of them."""

    status: int
    body: bytes
    seconds: float


def settings(port: int) -> str:
    """What a gateway needs to have a console there."""
    return f"[management]\nenabled = true\nport = {port}\n"


def login(gateway: GatewayProcess, name: str) -> str:
    """A new administrator's password."""
    password = secrets.token_urlsafe(12)
    file = gateway.folder / f"{name}.password"
    file.write_text(password)
    done = gateway.command(
        "user", "add", name, "--role", "administrator", "--password-file", str(file)
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return password


class Visitor:
    """Logged in, on one connection that is kept open as a browser keeps it."""

    def __init__(self, port: int, name: str, password: str) -> None:
        self._port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
        self._cookies: dict[str, str] = {}
        form = self.get("/login")
        token = re.search(rb'name="token" value="([^"]*)"', form.body)
        if token is None:
            raise SystemExit(f"no login page: {form.status} {form.body[:300]!r}")
        said = {"token": token[1].decode(), "name": name, "password": password}
        entered = self._ask("POST", f"{ROOT}/login", urlencode(said))
        if entered.status != 303 or self.get("/").status != 200:
            raise SystemExit(f"not logged in: {entered.status} {entered.body[:300]!r}")

    def get(self, path: str) -> Page:
        """One page below the console's address."""
        return self._ask("GET", f"{ROOT}{path}")

    def close(self) -> None:
        """Leave."""
        self._connection.close()

    def _ask(self, method: str, path: str, body: str | None = None) -> Page:
        headers = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
            "Origin": f"http://127.0.0.1:{self._port}",
            **(_FORM if body is not None else {}),
        }
        began = time.perf_counter()
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        seconds = time.perf_counter() - began
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        return Page(answer.status, content, seconds)


class Watching:
    """Prometheus scraping every two seconds, and people with the first page open.

    Each looks at another page every two seconds besides, which is more than anybody does all day.
    """

    def __init__(self, port: int, people: int, password: str, name: str) -> None:
        self.pages = self.scrapes = 0
        self.faults: list[str] = []
        self._stop = threading.Event()
        visitors = [Visitor(port, name, password) for _ in range(people)]
        self._threads = [
            threading.Thread(target=self._guarded, args=(lambda: self._scrape(port),)),
            *(
                threading.Thread(target=self._guarded, args=(lambda v=each: self._look(v),))
                for each in visitors
            ),
        ]

    def __enter__(self) -> Watching:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (OSError, http.client.HTTPException) as error:
            self.faults.append(repr(error))

    def _scrape(self, port: int) -> None:
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            answer.read()
            connection.close()
            if answer.status != 200:
                self.faults.append(f"/metrics: {answer.status}")
            self.scrapes += 1
            if self._stop.wait(_SCRAPED_SECONDS):
                return

    def _look(self, visitor: Visitor) -> None:
        paths = ("/", "/events", "/interchanges", "/queue", "/statistics", "/search?text=FA-00")
        number = 0
        while not self._stop.wait(_LOOKED_SECONDS):
            for path in ("/events", paths[number % len(paths)]):
                page = visitor.get(path)
                if page.status != 200:
                    self.faults.append(f"{path}: {page.status}")
                self.pages += 1
            number += 1
        visitor.close()
