"""No partner has us post to ourselves, or to a cloud machine's credentials, by way of its DNS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address

from gateway.errors import DeliveryFailed
from gateway.service.as2.posting import Poster
from gateway.service.as2.resolving import OutsideReactor, means_it, reaches_inside
from tests.as2_partner import Listener, Said


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254", "224.0.0.1"),
        *("::1", "::", "fe80::1%eth0", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254"),
        "no address",
    ],
)
def test_what_is_inside(address: str) -> None:
    """Loopback, link-local where metadata are, nothing in particular; also dressed up as IPv6."""
    assert reaches_inside(address)


@pytest.mark.parametrize("address", ["192.0.2.1", "10.1.2.3", "fd00::1", "2001:db8::1"])
def test_what_is_outside(address: str) -> None:
    """Private networks are where some partners are."""
    assert not reaches_inside(address)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        *(("127.0.0.1", True), ("::1", True), ("[::1]", True), ("localhost", True)),
        *(("LOCALHOST.", True), ("partner.example", False), ("localhost.example", False)),
        ("127.0.0.1.example", False),
    ],
)
def test_an_address_that_is_written_out_is_meant(name: str, meant: bool) -> None:
    """By the operator, in the partner file."""
    assert means_it(name) is meant


class Dns:
    """The reactor's resolver, with one name more; `leads_to` says where it is."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.leads_to: list[str] = []

    def resolveHostName(self, receiver: Any, name: str, port: int, *more: Any) -> Any:  # noqa: N802
        """Answer at once for that name."""
        if name != "partner.example":
            return self._real.resolveHostName(receiver, name, port, *more)
        receiver.resolutionBegan(None)
        for address in self.leads_to:
            kind = IPv6Address if ":" in address else IPv4Address
            receiver.addressResolved(kind("TCP", address, port))
        receiver.resolutionComplete()
        return None


@pytest.fixture
def dns() -> Iterator[Dns]:
    """In place of the real one for as long as the test runs."""
    loop: Any = reactor
    before = loop.nameResolver
    made = Dns(before)
    loop.installNameResolver(made)
    yield made
    loop.installNameResolver(before)


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Something that listens on loopback."""
    made = Listener()
    made.answers["/"] = lambda _: Said(200, (), b"ok")
    yield made
    made.close()


@async_yield_fixture
async def poster() -> AsyncIterator[Poster]:
    made = Poster(reactor, seconds=10, max_answer_bytes=1000)
    yield made
    await made.stop()


@pytest.mark.parametrize("leads_to", [["127.0.0.1"], ["::1", "127.0.0.1"], ["169.254.169.254"]])
@ensureDeferred
async def test_a_name_that_leads_inside_is_not_posted_to(
    dns: Dns, listener: Listener, poster: Poster, leads_to: list[str]
) -> None:
    """And the operator reads where it leads, and what to do who means it."""
    dns.leads_to = leads_to
    url = listener.url("/").replace("127.0.0.1", "partner.example")
    with pytest.raises(DeliveryFailed, match=r"its name leads to .* this machine's own"):
        await poster.post(url, (), b"abc")
    assert listener.at("/") == []


@ensureDeferred
async def test_an_address_written_out_is_posted_to(listener: Listener, poster: Poster) -> None:
    """A proxy on the same machine, say."""
    for host in ("127.0.0.1", "localhost"):
        answer = await poster.post(listener.url("/").replace("127.0.0.1", host), (), b"abc")
        assert answer.status == 200
    assert len(listener.at("/")) == 2


def test_addresses_outside_are_passed_on(dns: Dns) -> None:
    """Of several, those inside are left out."""
    heard: list[str] = []

    class Receiver:
        def resolutionBegan(self, _: Any) -> None:  # noqa: N802
            """Nothing to do."""

        def addressResolved(self, address: Any) -> None:  # noqa: N802
            heard.append(address.host)

        def resolutionComplete(self) -> None:  # noqa: N802
            heard.append("over")

    dns.leads_to = ["192.0.2.1", "127.0.0.1", "2001:db8::1"]
    outside = OutsideReactor(reactor)
    outside.resolveHostName(Receiver(), "partner.example", 443)
    assert heard == ["192.0.2.1", "2001:db8::1", "over"]
    assert outside.inside == {}
    dns.leads_to = ["127.0.0.1"]
    outside.resolveHostName(Receiver(), "partner.example", 443)
    assert outside.inside == {"partner.example": "127.0.0.1"}
