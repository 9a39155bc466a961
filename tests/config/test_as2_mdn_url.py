"""`as2.mdn_url`: partners post their receipts to it, so it must be a URL they can post to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.as2_folder import SETTINGS, As2Folder


@pytest.mark.parametrize(
    "url",
    [
        "edi.example.com/as2",
        "/as2",
        "ftp://edi.example.com/as2",
        "https://",
        "https:///as2",
        "https://edi.example.com:port/as2",
        "https://edi.example.com/ü",
        "https://edi.example.com/a b",
        "https://edi.example.com/as2#top",
        "https://user:secret@edi.example.com/as2",
    ],
)
def test_what_nobody_can_post_to_is_a_fault(tmp_path: Path, url: str) -> None:
    """The fault names file and key, says what to do, and repeats no password."""
    folder = As2Folder(tmp_path)
    folder.settings(f'{SETTINGS}mdn_url = "{url}"\n')
    fault = folder.fault()
    assert (fault.file, fault.key) == (str(folder.file), "as2.mdn_url")
    assert "secret" not in str(fault)


@pytest.mark.parametrize("url", ["", "https://edi.example.com/as2", "http://127.0.0.1:8080/as2?x"])
def test_what_is_sound(tmp_path: Path, url: str) -> None:
    """Any port of http or https; or no URL at all."""
    folder = As2Folder(tmp_path)
    folder.settings(f'{SETTINGS}mdn_url = "{url}"\n')
    assert folder.load().settings.as2.mdn_url == url


def test_the_remedy_speaks_of_our_url(tmp_path: Path) -> None:
    """Not of a partner's, as it does elsewhere."""
    folder = As2Folder(tmp_path)
    folder.settings(f'{SETTINGS}mdn_url = "edi.example.com"\n')
    assert '"https://edi.example.com/as2"' in folder.fault().remedy
