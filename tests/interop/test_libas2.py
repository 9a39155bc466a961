"""Messages between our gateway and libas2, both ways."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.model.as2 import Cipher, Digest, KeyTransport, MdnMode
from tests.broker import free_port
from tests.interop.hub import Hub, Scenario, exchange, insist_on
from tests.interop.libas2_peer import LibAs2
from tests.interop.peer_process import both_running

# What libas2 0.8.2 cannot do, and its script therefore does not ask of it:
# - compression: `AS2Crypto.compress` throws NOT YET IMPLEMENTED;
# - a MIC for what is not signed, so that its receipts for that would vouch for nothing;
# - text that is not ASCII, behind encryption: it takes the decrypted bytes for Latin-1;
# - RSA PKCS#1 v1.5 decryption, which Node refuses since CVE-2023-46809: OAEP it can.
OURS = {"key_transport": KeyTransport.OAEP, "language": "en"}
SCENARIOS = [
    Scenario("lib-signed", encrypt=None),
    Scenario("lib-encrypted", sign=None, one_way=True),
    Scenario("lib-both", **OURS),
    Scenario("lib-both-sha512-aes128", sign=Digest.SHA512, encrypt=Cipher.AES128_CBC, **OURS),
    Scenario("lib-base64", base64=True, **OURS),
    Scenario("lib-async", mdn=MdnMode.ASYNC, **OURS),
]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, LibAs2]]:
    """A gateway and a libas2."""
    insist_on("libas2")
    folder = tmp_path_factory.mktemp("libas2")
    hub = Hub(folder, SCENARIOS, free_port())
    peer = LibAs2(folder / "peer", hub, SCENARIOS)
    with both_running(hub, peer):
        yield hub, peer


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_libas2(line: tuple[Hub, LibAs2], scenario: Scenario) -> None:
    """The invoice is taken and its report arrives; both receipts hold, MICs included."""
    exchange(*line, scenario)
