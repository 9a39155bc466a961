"""Who is who in AS2: partners by the two names a message carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from gateway.model.as2 import As2Access
from gateway.model.partner import Partner

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Relation(msgspec.Struct, frozen=True):
    """A partner and us, by the names we call each other."""

    partner: Partner
    access: As2Access
    our_id: str


class Relations:
    """The enabled AS2 partners, as they are now. `our_id`: our name where a partner has no other.

    Whoever works on a message asks once and goes on with what it got, whatever is replaced.
    """

    def __init__(self, partners: Mapping[str, Partner], our_id: str) -> None:
        self._our_id = our_id
        self.replace(partners)

    def replace(self, partners: Mapping[str, Partner]) -> None:
        """From now on it is these."""
        self._by_name = {
            name: Relation(partner, partner.as2, partner.as2.our_id or self._our_id)
            for name, partner in partners.items()
            if partner.as2 is not None and partner.enabled
        }
        self._by_ids = {(each.our_id, each.access.id): each for each in self._by_name.values()}

    def get(self, name: str) -> Relation | None:
        """By the partner's name in the configuration."""
        return self._by_name.get(name)

    def between(self, our_id: str, their_id: str) -> Relation | None:
        """By the two names of a message: who it is for, and who it is from."""
        return self._by_ids.get((our_id, their_id))


def url_allowed(url: str, allowed: tuple[str, ...]) -> bool:
    """Whether an asynchronous receipt may go to this URL of the sender's (RFC 4130 §7.3).

    Scheme, host and port must be those of an allowed URL, and the path must begin with its path:
    `https://host.example/` does not allow `https://host.example.evil/`, nor a user name in front
    of another host, nor a way up out of the path.
    """
    asked = _parts(url)
    if asked is None:
        return False
    for each in allowed:
        granted = _parts(each)
        if granted is None or granted[:3] != asked[:3]:
            continue
        path, base = asked[3], granted[3]
        if path == base or (base.endswith("/") and path.startswith(base)):
            return True
    return False


def _parts(url: str) -> tuple[str, str, int, str] | None:
    """Scheme, host, port and path; None for what is not plainly a URL of a web server."""
    if any(character <= " " or character > "~" or character in '\\"<>' for character in url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    path = parts.path or "/"
    # An escaped dot or slash would be undone behind our back.
    lowered = path.lower()
    if any(part in {".", ".."} for part in path.split("/")):
        return None
    if "%2e" in lowered or "%2f" in lowered or "%5c" in lowered:
        return None
    return scheme, parts.hostname.lower(), _DEFAULT_PORTS[scheme] if port is None else port, path
