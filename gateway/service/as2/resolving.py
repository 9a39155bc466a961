"""Names of partners' servers that lead to ourselves, or to what only this machine can reach.

Whose the name is decides what it resolves to. A partner that points its own at our loopback, or at
the link-local address where cloud machines find their credentials, would have us post there for it.
Whoever really means such an address writes the address itself, or `localhost`, into the URL.
"""

# ruff: noqa: N802, N803 (the names of resolvers' methods are Twisted's)

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IReactorPluggableNameResolver, IResolutionReceiver
from zope.interface import implementer  # type: ignore[import-untyped]  # it has no annotations

_implementer: Any = implementer


def reaches_inside(address: str) -> bool:
    """Whether only this machine, or what it is plugged into, is there."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return True  # what is no address is nobody's
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    found = mapped or parsed
    return found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast


def means_it(name: str) -> bool:
    """Whether an address, or `localhost`, was written out."""
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name.rstrip(".").lower() == "localhost"
    return True


@_implementer(IReactorPluggableNameResolver)
class OutsideReactor:
    """The reactor, but for names that lead inside: those resolve to nothing.

    `inside`: such names → what they led to at last, so that somebody can be told.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.inside: dict[str, str] = {}

    @property
    def nameResolver(self) -> OutsideReactor:
        """Asked for addresses."""
        return self

    def installNameResolver(self, resolver: Any) -> Any:
        """The reactor's business."""
        return self._reactor.installNameResolver(resolver)

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[Any] | None = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        """Ask the reactor's resolver, and pass on what is outside."""
        heard = resolutionReceiver
        if not means_it(hostName):
            self.inside.pop(hostName, None)
            heard = _Outside(self, hostName, resolutionReceiver)
        return self._reactor.nameResolver.resolveHostName(
            heard, hostName, portNumber, addressTypes, transportSemantics
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


@_implementer(IResolutionReceiver)
class _Outside:
    """Hears of each address, and passes on those outside."""

    def __init__(self, names: OutsideReactor, name: str, receiver: Any) -> None:
        self._names = names
        self._name = name
        self._receiver = receiver
        self._dropped = ""
        self._passed = False

    def resolutionBegan(self, resolutionInProgress: Any) -> None:
        """Pass it on."""
        self._receiver.resolutionBegan(resolutionInProgress)

    def addressResolved(self, address: Any) -> None:
        """Pass it on if it is outside."""
        if reaches_inside(address.host):
            self._dropped = address.host
        else:
            self._passed = True
            self._receiver.addressResolved(address)

    def resolutionComplete(self) -> None:
        """Pass it on; note it if there was nothing outside."""
        if self._dropped and not self._passed:
            self._names.inside[self._name] = self._dropped
        self._receiver.resolutionComplete()
