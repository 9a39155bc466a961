"""One SFTP process, as the daemon holds it: pipes, frames, and the sessions it was granted."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet import defer, error, protocol
from twisted.python.failure import Failure

from gateway import frames
from gateway.service.order_pipe import OrderPipe
from gateway.service.sftp_server import channel

MAX_WORD_BYTES = 64 * 1024


class Child(protocol.ProcessProtocol):
    """A process and its pipes.

    `booted` fires once with whether it accepts connections, `ended` once it is gone; neither
    fails.
    """

    transport: Any  # IProcessTransport; Twisted's interfaces and mypy disagree about self

    def __init__(
        self,
        index: int,
        *,
        on_word: Callable[[Child, channel.Word], None],
        on_end: Callable[[Child], None],
    ) -> None:
        self.index = index
        self.pid = 0
        self.ready = False
        self.boot_error = ""
        self.sessions: Counter[str] = Counter()
        self.booted: defer.Deferred[bool] = defer.Deferred()
        self.ended: defer.Deferred[None] = defer.Deferred()
        self._gone = False
        self._learning: deque[defer.Deferred[None]] = deque()
        self._on_word = on_word
        self._on_end = on_end
        self._decoder = frames.FrameDecoder(MAX_WORD_BYTES)
        self._boot_timer: Any = None
        self._since = 0.0
        self._orders: OrderPipe | None = None

    def spawn(
        self,
        reactor: Any,
        command: Sequence[str],
        listener: int,
        boot: channel.Boot,
        boot_seconds: float,
    ) -> None:
        """Start it. Its standard error is the daemon's: its log lines are whole JSON lines."""
        self._since = reactor.seconds()
        orders = self._orders = OrderPipe(reactor)
        self._boot_timer = reactor.callLater(boot_seconds, self._too_slow, boot_seconds)
        try:
            reactor.spawnProcess(
                self,
                command[0],
                list(command),
                env=None,
                childFDs={0: orders.far_end, 1: "r", 2: 2, channel.LISTENER: listener},
            )
        except OSError as failure:
            self.boot_error = str(failure)
            self._over()
            return
        finally:
            orders.started()
        self._send(frames.BOOT, channel.encode(boot))

    def lifetime(self, now: float) -> float:
        """Seconds since it was started."""
        return now - self._since

    def answer(self, answer: channel.Answer) -> None:
        """Send an answer, if somebody is still there to hear it."""
        self._send(frames.JOB, channel.encode(answer))

    def learn(self, accounts: tuple[channel.Account, ...]) -> defer.Deferred[None]:
        """Tell it who may log in; fires once it goes by that, or is gone. Never fails."""
        learnt: defer.Deferred[None] = defer.Deferred()
        if self._gone:
            learnt.callback(None)
        else:
            self._learning.append(learnt)
            self._send(frames.JOB, channel.encode(channel.Learn(accounts)))
        return learnt

    def stop(self, grace: float) -> None:
        """Ask it to end within `grace` seconds."""
        self._send(frames.JOB, channel.encode(channel.Stop(grace)))

    def kill(self) -> None:
        """End it now."""
        if not self._gone:
            try:
                self.transport.signalProcess("KILL")
            except (error.ProcessExitedAlready, OSError):
                return

    def _send(self, kind: bytes, payload: bytes) -> None:
        if not self._gone:
            assert self._orders is not None
            self._orders.write(frames.encode(kind, payload))

    def _too_slow(self, seconds: float) -> None:
        self.boot_error = f"not ready after {seconds:g} seconds"
        self.kill()

    # ---- Twisted calls

    def connectionMade(self) -> None:  # noqa: N802, D102  # Twisted's name
        self.pid = self.transport.pid or 0

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: N802, N803, D102
        try:
            for kind, payload in self._decoder.feed(data):
                self._heard(kind, payload)
        except (frames.FrameError, channel.DecodeError) as failure:
            self.boot_error = f"broke the protocol: {failure}"
            self.kill()

    def _heard(self, kind: bytes, payload: bytes) -> None:
        if kind == frames.READY:
            self.ready = True
            self._boot_over(True)
        elif kind == frames.BOOT_FAILED:
            self.boot_error = payload.decode("utf-8", "replace")
        elif kind == frames.DONE:
            word = channel.decode_word(payload)
            if isinstance(word, channel.Learnt):
                self._learning.popleft().callback(None)
            else:
                self._on_word(self, word)

    def processEnded(self, reason: Failure) -> None:  # noqa: N802, D102
        if not self.boot_error:
            value = reason.value
            signal = getattr(value, "signal", None)
            status = getattr(value, "exitCode", None)
            self.boot_error = f"signal {signal}" if signal else f"exit code {status}"
        self._over()

    def _over(self) -> None:
        self._gone = True
        if self._orders is not None:
            self._orders.close()
        self.sessions.clear()
        while self._learning:
            self._learning.popleft().callback(None)
        self._boot_over(False)
        self._on_end(self)
        self.ended.callback(None)

    def _boot_over(self, ready: bool) -> None:
        if self._boot_timer is not None and self._boot_timer.active():
            self._boot_timer.cancel()
        if not self.booted.called:
            self.booted.callback(ready)
