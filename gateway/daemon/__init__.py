"""The composition root: the only place, with the command line, that builds and wires objects."""

from gateway.daemon.daemon import Daemon

__all__ = ["Daemon"]
