"""A private RabbitMQ node for tests: own ports on 127.0.0.1, own folder, own port mapper.

It disturbs no other node on the machine and ends by its own process id. `stop()` and `start()`
may alternate: the node comes back on the same ports with the same queues and messages, which is
how tests take the broker away from the gateway.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pika
import pytest
import trustme

SERVER = Path("/usr/lib/rabbitmq/bin")
"""Debian's own scripts behind the wrappers in /usr/sbin, which insist on the user `rabbitmq`."""

NO_BROKER = "EDI_GATEWAY_NO_BROKER"
"""Set to 1 to skip what needs RabbitMQ; otherwise its absence is a failure, not a silent pass."""

MAX_MESSAGE_BYTES = 2_000_000
START_SECONDS = 120.0
STOP_SECONDS = 60.0


def require_rabbitmq() -> None:
    """Skip when told to; fail with the remedy where the server is not installed."""
    if os.environ.get(NO_BROKER) == "1":
        pytest.skip(f"{NO_BROKER}=1")
    if not (SERVER / "rabbitmq-server").exists() or shutil.which("epmd") is None:
        pytest.fail(
            "RabbitMQ is not installed: run `make test`, which installs Debian's package,"
            f" or set {NO_BROKER}=1 to leave these tests out."
        )


# Below those that Linux gives to outgoing connections (32768 and up): any connection of any test
# could hold a port from there while the server that had it is away for a moment.
_PORTS = range(10_000, 32_000)
_given: set[int] = set()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on, also after its server was away for a while.

    No port is given twice by one process; two that draw at once hardly draw the same.
    """
    while True:
        port = secrets.choice(_PORTS)
        if port in _given:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port


class Broker:
    """One node. `username` and `password` are RabbitMQ's own defaults, open to loopback only."""

    host = "127.0.0.1"
    username = "guest"
    password = "guest"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port, self.tls_port, dist_port, epmd_port = (free_port() for _ in range(4))
        self._process: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        for name in ("home", "data", "log"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(self.ca_file)
        certificate = self.authority.issue_cert("localhost", "127.0.0.1")
        certificate.cert_chain_pems[0].write_to_path(folder / "server.pem")
        certificate.private_key_pem.write_to_path(folder / "server.key")
        (folder / "plugins").write_text("[].")
        (folder / "rabbitmq.conf").write_text(self._configuration())
        loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        self._environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(folder / "home"),  # holds this node's own Erlang cookie
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(epmd_port),
            "RABBITMQ_NODENAME": f"edi{os.getpid()}x{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(dist_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": loopback,
            "RABBITMQ_CTL_ERL_ARGS": loopback,
            # The script then becomes the node instead of waiting for it, so its pid is the node's.
            "RABBITMQ_ALLOW_INPUT": "1",
        }

    def _configuration(self) -> str:
        return "\n".join(
            [
                f"listeners.tcp.1 = 127.0.0.1:{self.port}",
                f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}",
                f"ssl_options.cacertfile = {self.ca_file}",
                f"ssl_options.certfile = {self._folder / 'server.pem'}",
                f"ssl_options.keyfile = {self._folder / 'server.key'}",
                "ssl_options.verify = verify_peer",
                "ssl_options.fail_if_no_peer_cert = false",
                f"max_message_size = {MAX_MESSAGE_BYTES}",
                "log.console = true",
                "log.file = false",
                "",
            ]
        )

    def start(self) -> None:
        """Start the node, or let a frozen one go on; return once it answers."""
        if self._process is not None:
            self.thaw()
            return
        if self._epmd is None:
            self._epmd = self._spawn("epmd")
        self._process = self._spawn(str(SERVER / "rabbitmq-server"), "-noinput")
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                pytest.fail(f"RabbitMQ did not start:\n{self.output()[-4000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the node in good order; what it stored stays."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Stop the node as a crash would."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let the node hang: connections stay, nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen node go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop the node and its port mapper."""
        self.stop()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
            self._epmd = None

    def ctl(self, *words: str) -> str:
        """Run `rabbitmqctl`; it takes some seconds, so use it sparingly."""
        done = subprocess.run(
            [str(SERVER / "rabbitmqctl"), *words],
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def connect(self) -> pika.BlockingConnection:
        """A consumer's connection, for checks in tests."""
        return pika.BlockingConnection(
            pika.ConnectionParameters(
                self.host,
                self.port,
                credentials=pika.PlainCredentials(self.username, self.password),
                heartbeat=0,
            )
        )

    def take(self, queue: str, count: int, *, timeout: float = 60.0) -> list[Message]:
        """Consume until `count` messages came, and whatever else is there already.

        Ends early after `timeout` seconds without a message: the caller then sees too few.
        """
        messages: list[Message] = []
        connection = self.connect()
        try:
            channel = connection.channel()
            channel.basic_qos(prefetch_count=500)
            waiting = timeout
            for method, properties, body in channel.consume(queue, inactivity_timeout=0.5):
                if method is None:
                    waiting -= 0.5
                    if len(messages) >= count or waiting <= 0:
                        break
                    continue
                waiting = timeout
                channel.basic_ack(method.delivery_tag)
                messages.append(Message(method, properties, body))
            channel.cancel()
        finally:
            connection.close()
        return messages

    def output(self) -> str:
        """What the node wrote so far."""
        return (self._folder / "log" / "console").read_text(errors="replace")

    def _spawn(self, *command: str) -> subprocess.Popen[bytes]:
        with (self._folder / "log" / "console").open("ab") as log:
            return subprocess.Popen(
                command,
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in pytest ends the tests, and they end the node
            )

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except (pika.exceptions.AMQPError, OSError):
            return False
        return True

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Message:
    """One consumed message, with the names tests ask for."""

    def __init__(self, method: Any, properties: Any, body: bytes) -> None:
        self.exchange: str = method.exchange
        self.routing_key: str = method.routing_key
        self.redelivered: bool = method.redelivered
        self.properties = properties
        self.body = body

    @property
    def message_id(self) -> str:
        """The id a consumer de-duplicates by."""
        return str(self.properties.message_id)
