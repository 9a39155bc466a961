"""Where asynchronous receipts may go: not wherever a stranger says."""

from __future__ import annotations

import pytest

from gateway.service.as2.partners import url_allowed

AGREED = ("https://partner.example/as2/", "http://partner.example:8080/mdn")


@pytest.mark.parametrize(
    "url",
    [
        "https://partner.example/as2/",
        "https://partner.example/as2/mdn?id=1",
        "https://partner.example:443/as2/mdn",
        "HTTPS://PARTNER.example/as2/mdn",
        "http://partner.example:8080/mdn",
        "http://partner.example:8080/mdn?id=../x",
    ],
)
def test_what_was_agreed_is_allowed(url: str) -> None:
    """The same server, and a path below the agreed one or the agreed one itself."""
    assert url_allowed(url, AGREED)


@pytest.mark.parametrize(
    "url",
    [
        "http://partner.example/as2/",  # another scheme
        "ftp://partner.example/as2/",
        "file:///etc/passwd",
        "//partner.example/as2/",
        "partner.example/as2/",
        "",
        "https:partner.example/as2/",
        "https:///as2/",
        "https://partner.example:8443/as2/",  # another port
        "https://partner.example:0/as2/",
        "https://partner.example:x/as2/",
        "https://partner.example:99999/as2/",
        "https://partner.example.evil.example/as2/",  # another host
        "https://evil.partner.example/as2/",
        "https://partner.example./as2/",
        "https://partner.exampl\u0435/as2/",
        "https://[partner.example/as2/",
        "https://partner.example@evil.example/as2/",  # a user in front of it
        "https://user:word@partner.example/as2/",
        "https://@partner.example/as2/",
        "https://evil.example\\@partner.example/as2/",
        "https://evil.example#@partner.example/as2/",
        "https://evil.example?@partner.example/as2/",
        "https://partner.example\\.evil.example/as2/",
        "https://partner.example/",  # another path
        "https://partner.example/as2",
        "https://partner.example/as2x/",
        "https://partner.example/AS2/",
        "https://partner.example/as2/../admin",
        "https://partner.example/as2/./x",
        "https://partner.example/as2/%2e%2e/admin",
        "https://partner.example/as2/%2E./admin",
        "https://partner.example/as2/..%2fadmin",
        "https://partner.example/as2/..%5Cadmin",
        "http://partner.example:8080/mdn/more",
        "http://partner.example:8080/mdnx",
        "https://partner.example/as2/ x",  # what a parser might cut or skip
        "https://partner.example/as2/\r\nX: y",
        "\thttps://partner.example/as2/",
        "https://partner\t.example/as2/",
        "https://partner.example/as2/\x00",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    """Also what only looks like the agreed server, or leaves the agreed folder."""
    assert not url_allowed(url, AGREED)


def test_nothing_is_allowed_by_default() -> None:
    """A partner without mdn_urls gets receipts in the answer, and nowhere else."""
    assert not url_allowed("https://partner.example/", ())
