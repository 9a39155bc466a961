"""[management]: where it may listen, and what is remarked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.as2_folder import SETTINGS, As2Folder


@pytest.fixture
def folder(tmp_path: Path) -> As2Folder:
    return As2Folder(tmp_path)


@pytest.mark.parametrize(
    ("listen", "remarked"),
    [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True), ("::", True), ("192.0.2.7", True)],
)
def test_others_can_read_what_is_not_on_loopback(
    folder: As2Folder, listen: str, remarked: bool
) -> None:
    """There is no login: a notice says so. Switched off it does not matter."""
    for enabled in ("true", "false"):
        folder.settings(f'{SETTINGS}[management]\nenabled = {enabled}\nlisten = "{listen}"\n')
        expected = ["management.listen"] if remarked and enabled == "true" else []
        assert folder.notices() == expected


def test_a_port_for_each(folder: As2Folder) -> None:
    """Two listeners on one address and port are a fault; port 0 is any."""
    settings = SETTINGS.replace(
        "[http]\nenabled = true\nport = 0", "[http]\nenabled = true\nport = 9464"
    )
    folder.settings(f"{settings}[management]\nenabled = true\n")
    fault = folder.fault()
    assert fault.key == "management.port"
    assert "The HTTP server listens on 127.0.0.1 port 9464 already" in fault.what
    folder.settings(f"{SETTINGS}[management]\nenabled = true\nport = 0\n")
    assert folder.notices() == []


def test_a_name_is_no_address(folder: As2Folder) -> None:
    """As for the other listeners."""
    folder.settings(f'{SETTINGS}[management]\nenabled = true\nlisten = "localhost"\n')
    assert folder.fault().key == "management.listen"
