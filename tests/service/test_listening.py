"""Why a server of ours cannot listen, and whether that may pass by itself."""

from __future__ import annotations

import errno
import os
import socket

import pytest
from twisted.internet import error, protocol, reactor

from gateway.errors import AddressUnavailable, ConfigurationError, GatewayError
from gateway.service.listening import cannot_listen, listen


def why(section: str, number: int) -> GatewayError:
    return cannot_listen(section, "192.0.2.7", 40951, OSError(number, os.strerror(number)))


@pytest.mark.parametrize("section", ["sftp", "http", "management"])
def test_a_port_in_use_may_pass_and_how_to_find_who_has_it(section: str) -> None:
    fault = why(section, errno.EADDRINUSE)
    assert isinstance(fault, AddressUnavailable)
    assert "cannot listen on 192.0.2.7 port 40951: Address already in use." in fault.what
    assert f"{section}.port" in fault.remedy
    assert "ss -tlnp 'sport = :40951'" in fault.remedy
    assert "32768" in fault.remedy


def test_an_address_that_is_not_there_yet_may_pass() -> None:
    fault = why("http", errno.EADDRNOTAVAIL)
    assert isinstance(fault, AddressUnavailable)
    assert fault.what.startswith("The HTTP server cannot listen")
    assert "http.listen" in fault.remedy
    assert "network" in fault.remedy


@pytest.mark.parametrize("number", [errno.EACCES, errno.EAFNOSUPPORT, errno.EINVAL])
def test_what_is_forbidden_stays_so(number: int) -> None:
    """A faulty configuration ends with exit code 2, which systemd does not try again."""
    fault = why("sftp", number)
    assert isinstance(fault, ConfigurationError)
    assert "sftp.listen" in fault.remedy


def test_an_address_that_cannot_be_looked_up_is_named_with_why() -> None:
    """Its numbers are not the system's: socket.EAI_NONAME is -2."""
    failure = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    fault = cannot_listen("sftp", "fe80::1%none", 2222, failure)
    assert isinstance(fault, ConfigurationError)
    assert "Name or service not known" in fault.what


@pytest.mark.parametrize(
    ("address", "number"), [("127.0.0.1", errno.EADDRINUSE), ("192.0.2.7", errno.EADDRNOTAVAIL)]
)
def test_what_the_system_says_is_heard(address: str, number: int) -> None:
    """192.0.2.7 is nobody's (RFC 5737)."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(error.CannotListenError) as caught:
            listen(reactor, protocol.ServerFactory(), None, interface=address, port=port)
    assert caught.value.socketError.errno == number
    assert isinstance(
        cannot_listen("http", address, port, caught.value.socketError), AddressUnavailable
    )
