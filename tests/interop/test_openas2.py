"""Messages between our gateway and OpenAS2, both ways."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.model.as2 import Cipher, Compression, Digest, MdnMode
from tests.broker import free_port
from tests.interop.hub import Hub, Scenario, exchange, insist_on
from tests.interop.openas2 import OpenAs2
from tests.interop.peer_process import both_running

# Not base64: OpenAS2 2.10.1 takes the body of a request for binary, whatever its
# Content-Transfer-Encoding says ("Malformed content").
SCENARIOS = [
    Scenario("oas-signed", encrypt=None),
    Scenario("oas-encrypted", sign=None),
    Scenario("oas-both"),
    Scenario("oas-both-sha512-aes128", sign=Digest.SHA512, encrypt=Cipher.AES128_CBC),
    Scenario("oas-zip-before", compress=Compression.BEFORE_SIGNING),
    Scenario("oas-zip-after", compress=Compression.AFTER_SIGNING),
    Scenario("oas-async", mdn=MdnMode.ASYNC),
    Scenario("oas-async-zip", mdn=MdnMode.ASYNC, compress=Compression.BEFORE_SIGNING),
]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, OpenAs2]]:
    """A gateway and an OpenAS2."""
    insist_on("openas2")
    folder = tmp_path_factory.mktemp("openas2")
    hub = Hub(folder, SCENARIOS, free_port(), free_port())
    peer = OpenAs2(folder / "peer", hub, SCENARIOS)
    with both_running(hub, peer):
        yield hub, peer


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_openas2(line: tuple[Hub, OpenAs2], scenario: Scenario) -> None:
    """The invoice is taken and its report arrives; both receipts hold, MICs included."""
    exchange(*line, scenario)
