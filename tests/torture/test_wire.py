"""The wire passes everything both ways, and does what it is told to."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.torture.wire import Wire

SECONDS = 20.0


class Echo:
    """Says back whatever it hears, and keeps it."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.heard = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Answer nobody any more."""
        with contextlib.suppress(OSError):  # wakes whoever accepts; closed already
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                each, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(each,), daemon=True).start()

    def _talk(self, each: socket.socket) -> None:
        with each:
            while came := each.recv(1000):
                self.heard += came
                each.sendall(came)


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    yield made
    made.close()


@pytest.fixture
def wire(echo: Echo) -> Iterator[Wire]:
    made = Wire(echo.port)
    yield made
    made.close()


def connected(wire: Wire) -> socket.socket:
    """A client of the wire."""
    made = socket.create_connection(("127.0.0.1", wire.port), SECONDS)
    made.settimeout(SECONDS)
    return made


def test_everything_passes(wire: Wire) -> None:
    """There and back, on several connections."""
    for said in (b"one", b"two"):
        with connected(wire) as client:
            client.sendall(said)
            assert client.recv(10) == said


def test_what_is_held_is_not_lost(wire: Wire, echo: Echo) -> None:
    """Nothing arrives until it flows again; then all of it does, in order."""
    with connected(wire) as client:
        wire.hold()
        client.sendall(b"first ")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(10)
        assert echo.heard == b""
        client.settimeout(SECONDS)
        wire.flow()
        client.sendall(b"second")
        came = b""
        while len(came) < 12:
            came += client.recv(20)
        assert came == echo.heard == b"first second"


def test_a_cut_comes_after_so_many_bytes(wire: Wire, echo: Echo) -> None:
    """In the middle of what is said; the other side has the beginning of it."""
    with connected(wire) as client:
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
        cutting = threading.Thread(target=lambda: happened.append(wire.cut_within(3)))
        happened: list[bool] = []
        cutting.start()
        while cutting.is_alive():
            try:
                client.sendall(b"abcdef")
            except OSError:
                break
        cutting.join(SECONDS)
        assert happened == [True]
        while client.recv(100):  # to the end of the connection
            pass
        assert echo.heard.startswith(b"hello")
    with connected(wire) as client:
        client.sendall(b"again")
        assert client.recv(10) == b"again"


def test_answers_are_lost_and_questions_are_not(wire: Wire, echo: Echo) -> None:
    """The other side heard it; its answer vanishes, and the connection ends."""
    with connected(wire) as client:
        client.sendall(b"x")
        assert client.recv(10) == b"x"
        happened: list[bool] = []
        losing = threading.Thread(target=lambda: happened.append(wire.swallow(4)))
        losing.start()
        while losing.is_alive():
            try:
                client.sendall(b"lost")
            except OSError:
                break
            losing.join(0.05)
        losing.join(SECONDS)
        assert happened == [True]
        assert b"lost" in echo.heard


def test_nobody_behind_it_is_a_connection_that_ends(wire: Wire, echo: Echo) -> None:
    """As when the broker is stopped: connected, and cut off at once."""
    echo.close()
    with connected(wire) as client:
        assert client.recv(10) == b""
