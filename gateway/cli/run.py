"""`edi-gateway run`: the daemon in the foreground, until SIGTERM or SIGINT. SIGHUP: `reload`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from typing import Any

from gateway.cli import options
from gateway.config import Configuration
from gateway.errors import ConfigurationError, GatewayError
from gateway.garbage import collect_rarely, keep_large_blocks_apart
from gateway.logs import configure as configure_logs
from gateway.logs import logger

_TO_STOP = (signal.SIGTERM, signal.SIGINT)


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    options.add_configuration(parser)


def run(args: argparse.Namespace) -> int:
    """Run until told to stop: 0 after an orderly stop, 2 for a configuration nobody can run."""
    for number in _TO_STOP:
        signal.signal(number, _nothing_begun)
    # A SIGHUP that comes before anybody listens waits: what is read now may be outdated already.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    return serve(options.configuration(args))


def _nothing_begun(_number: int, _frame: object) -> None:
    """Asked to stop while still reading the configuration: an orderly stop, of nothing.

    At once: an exception could come up anywhere in what is being imported, and be swallowed there.
    """
    os._exit(0)


def serve(configuration: Configuration) -> int:
    """Run a gateway with this configuration in this process."""
    from gateway.service.activation import handed_over, refuse_unwanted

    settings = configuration.settings
    sockets = handed_over()  # before Twisted is loaded, which would take them for itself
    refuse_unwanted(
        sockets,
        {
            "sftp": settings.sftp.enabled,
            "http": settings.http.enabled,
            "management": settings.management.enabled,
        },
    )

    from twisted.internet import defer, reactor

    from gateway.daemon import Daemon
    from gateway.service.sd_notify import Notifier

    # Whoever starts us, nothing we write is for everybody; all our processes have this from here.
    os.umask(os.umask(0o777) | 0o027)
    keep_large_blocks_apart()
    configure_logs(settings.log.level, sys.stderr)
    log = logger()
    loop: Any = reactor
    # Twisted's own is the time of day: every pause would last an hour more when that is set back.
    loop.seconds = time.monotonic
    for notice in configuration.notices:
        log.warning("configuration_notice", notice=str(notice))
    outcome: list[int] = [0]
    asked: list[str] = []
    starting: list[defer.Deferred[None]] = []

    def on_fatal(error: GatewayError) -> None:
        outcome[0] = 3  # the service manager starts us again
        if not asked:
            asked.append("fatal")
            defer.ensureDeferred(stop())

    daemon = Daemon(
        loop, configuration, log=log, notifier=Notifier(), on_fatal=on_fatal, sockets=sockets
    )

    async def stop() -> None:
        try:
            await daemon.stop()
        finally:
            if loop.running:
                loop.stop()

    def on_signal(number: int, _frame: object) -> None:
        loop.callFromThread(asked_to_stop, signal.Signals(number).name)

    def asked_to_stop(name: str) -> None:
        log.info("signal", name=name)
        asked.append(name)
        if len(asked) > 1:
            return  # a drain is bounded already; asking again does not hurry it
        if starting:
            starting[0].cancel()
        else:
            defer.ensureDeferred(stop())

    def on_hangup(_number: int, _frame: object) -> None:
        loop.callFromThread(lambda: defer.ensureDeferred(daemon.reload()))

    def started(_: object) -> None:
        starting.clear()
        collect_rarely()
        if asked:
            defer.ensureDeferred(stop())

    def failed(failure: Any) -> None:
        starting.clear()
        if not asked:
            error = failure.value
            outcome[0] = 2 if isinstance(error, ConfigurationError) else 3
            # What we have words for needs no traceback, and under systemd it comes every 2 seconds.
            known = isinstance(error, GatewayError)
            more = {} if known else {"traceback": failure.getTraceback()}
            log.critical("start_failed", error=str(error), **more)
            print(f"edi-gateway: {error}", file=sys.stderr)
        loop.stop()

    def begin() -> None:
        for number in _TO_STOP:
            signal.signal(number, on_signal)
        signal.signal(signal.SIGHUP, on_hangup)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*_TO_STOP, signal.SIGHUP})
        deferred = defer.Deferred.fromCoroutine(daemon.start())
        starting.append(deferred)
        deferred.addCallbacks(started, failed)

    loop.callWhenRunning(begin)
    # Twisted's own handlers would end it without stopping anything: a signal waits for ours.
    signal.pthread_sigmask(signal.SIG_BLOCK, _TO_STOP)
    loop.run(installSignalHandlers=True)
    return outcome[0]
