"""An SFTP process: `python -m gateway.service.sftp_server`, started by the daemon. No Twisted.

Descriptors: 0 orders from the daemon, 1 words to it, 2 the log, 3 the listening socket, which all
SFTP processes share. The end of 0 means that the daemon is gone: then this process goes as well,
at once; uploads under way stay as partials.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket
import sys
import threading
from typing import Any, BinaryIO

from gateway import frames, logs
from gateway.garbage import collect_rarely, keep_large_blocks_apart
from gateway.service.sftp_server import channel
from gateway.service.sftp_server.macs import computed_in_c
from gateway.service.sftp_server.process import SftpProcess
from gateway.service.sftp_server.receipts import Daemon


def _read_orders(orders: BinaryIO, daemon: Daemon, process: SftpProcess) -> None:
    """The reading thread. Ends the process when the daemon is gone."""
    try:
        while frame := frames.read_frame(orders):
            order = channel.decode_order(frame[1])
            if isinstance(order, channel.Stop):
                process.stop(order.grace)
            elif isinstance(order, channel.Learn):
                process.learn(order.accounts)
                daemon.send(frames.DONE, channel.encode(channel.Learnt()))
            else:
                daemon.answered(order)
    finally:
        os._exit(0)


def _logger(level: str) -> Any:
    """The log of this process.

    paramiko's own is silenced: it reports every port scan with a traceback. Why a connection
    ended is in ours.
    """
    logs.configure(level, twisted=False)
    paramiko_log = logging.getLogger("paramiko")
    paramiko_log.addHandler(logging.NullHandler())
    paramiko_log.propagate = False
    return logs.logger(part="sftp", process=os.getpid())


def main() -> None:
    """Boot, serve, end."""
    # Ctrl-C in a terminal and a service manager's SIGTERM reach the whole group; it is the daemon
    # that decides how its processes end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    orders = os.fdopen(0, "rb")
    daemon = Daemon(os.fdopen(os.dup(1), "wb", buffering=0))
    # A stray print must not get between the frames.
    os.dup2(2, 1)
    frame = frames.read_frame(orders)
    if frame is None:
        return
    try:
        boot = channel.decode_boot(frame[1])
        log = _logger(boot.log_level)
        process = SftpProcess(boot, daemon, socket.socket(fileno=channel.LISTENER), log)
    except Exception as error:
        daemon.send(frames.BOOT_FAILED, f"{type(error).__name__}: {error}".encode())
        sys.exit(1)
    keep_large_blocks_apart()
    collect_rarely()
    computed_in_c()
    threading.Thread(
        target=_read_orders, args=(orders, daemon, process), name="orders", daemon=True
    ).start()
    daemon.send(frames.READY)
    process.run()
    sys.stderr.flush()
    # Not sys.exit: it would wait for threads of connections that are cut here on purpose.
    os._exit(0)
