"""What a partner's [as2] table may say: names, URLs, and which of it makes sense together.

Pure functions over values that have already been read. Complaints keep the gateway from starting;
remarks are shown and stop nothing, such as a message security weaker than the default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from gateway.config.strict import Complaint
from gateway.model.as2 import STRONG_CIPHERS, STRONG_DIGESTS, As2Access, As2Receive, Digest
from gateway.model.partner import Partner

Complaints = Iterator[tuple[str, Complaint]]


def as2_name_complaint(name: str) -> Complaint | None:
    """An AS2 name (RFC 4130 §6.2): 1 to 128 printable ASCII characters, case-sensitive.

    The RFC also has escaped quotes and backslashes. Hardly any software agrees on these, so they
    are not for new agreements.
    """
    if '"' in name or "\\" in name:
        return Complaint(
            "An AS2 name with quotes or backslashes is read differently by every software.",
            "Agree on another one. Quotes around a name with spaces are no part of it: leave "
            "them out, the gateway adds them.",
        )
    if re.fullmatch(r"[\x21-\x7e]([\x20-\x7e]{0,126}[\x21-\x7e])?", name):
        return None
    return Complaint(
        f'"{name}" is not an AS2 name.',
        "Use 1 to 128 printable ASCII characters, no space first or last; capitals count.",
    )


def own_name_complaint(name: str) -> Complaint | None:
    """As `as2_name_complaint`; "" stands for no name, or for that of the settings."""
    return as2_name_complaint(name) if name else None


def url_complaint(url: str) -> Complaint | None:
    """Where acknowledgements are posted to. "" for nowhere.

    The URL is not repeated: somebody may have put a password into it.
    """
    if not url:
        return None
    host, flaw = _host(url)
    if flaw is not None:
        return flaw
    if "#" in url:
        return Complaint("A URL to post to has no # part.", "Remove it.")
    return None if host else _no_url()


def own_url_complaint(url: str) -> Complaint | None:
    """Where partners send receipts to: what they will be told, letter by letter. "" for nowhere."""
    complaint = url_complaint(url)
    if complaint == _no_url():
        return Complaint(
            complaint.what, 'Write it as partners reach it: "https://edi.example.com/as2".'
        )
    return complaint


def mdn_url_complaint(url: str) -> Complaint | None:
    """A beginning of the URLs that asynchronous receipts may go to.

    `https://partner.example` would let `https://partner.example.evil.example/` pass as well, so
    that at least the slash behind the host is asked for.
    """
    host, flaw = _host(url)
    if flaw is not None:
        return flaw
    if not host:
        return _no_url()
    if not urlsplit(url).path:
        return Complaint(
            f'"{url}" is also the beginning of URLs of other hosts, as {url}.evil.example is.',
            f'End the host with a slash: "{url}/" allows every path of it, "{url}/as2/" those '
            "below /as2/.",
        )
    return None


def _host(url: str) -> tuple[str, Complaint | None]:
    """The host of a URL, "" if it has none; a complaint if the URL must not be repeated."""
    try:
        parts = urlsplit(url)
        user, host, _ = parts.username, parts.hostname, parts.port  # a bad port raises
    except ValueError:
        return "", None
    if user is not None or "@" in parts.netloc:
        return "", Complaint(
            "The URL contains a user name or password (it is not shown).",
            "Remove everything up to the @; AS2 knows partners by their certificates.",
        )
    sound = parts.scheme in {"http", "https"} and re.fullmatch(r"[\x21-\x7e]+", url)
    return (host or "") if sound else "", None


def _no_url() -> Complaint:
    return Complaint(
        "This is not a URL of http or https.", 'Write it in full: "https://partner.example/as2".'
    )


def file_name_complaint(name: str) -> Complaint | None:
    """A certificate is the name of a file in `paths.certificates`, not a path."""
    if name and name == Path(name).name and not name.startswith(".") and "\\" not in name:
        return None
    return Complaint(
        f'"{name}" is not a plain file name.',
        "Put the file into the folder paths.certificates (`edi-gateway cert import` does) and give "
        "its name alone.",
    )


def as2_complaints(access: As2Access) -> Complaints:
    """What cannot work. Of enabled partners only: a disabled one need not be complete."""
    needs = []
    if access.receive.require_signature:
        needs.append("to verify the signatures that as2.receive.require_signature asks for")
    if access.url and access.send.encrypt is not None:
        needs.append("to encrypt what goes to as2.url")
    if needs and not access.certificates:
        yield (
            "as2.certificates",
            Complaint(
                f"No certificate of the partner is named, and one is needed {' and '.join(needs)}.",
                "Ask the partner for its AS2 certificate and run: "
                "edi-gateway cert import FILE --partner NAME",
            ),
        )
    if len(set(access.certificates)) < len(access.certificates):
        yield "as2.certificates", Complaint("A file is named twice.", "Name it once.")
    for name in ("digests", "ciphers"):
        if not getattr(access.receive, name):
            yield (
                f"as2.receive.{name}",
                Complaint("The list is empty: nothing would be allowed.", "Leave the key out."),
            )


def as2_remarks(access: As2Access) -> Complaints:
    """Where messages of the partner may be less protected than by default, or what looks odd."""
    receive = access.receive
    for name, meaning in (
        ("require_signature", "Messages without a signature are taken: anybody can send as it."),
        ("require_encryption", "Messages that are not encrypted are taken."),
    ):
        if not getattr(receive, name):
            yield f"as2.receive.{name}", Complaint(meaning, "Set it to true once the partner can.")
    for key, weak in _weak(receive):
        yield (
            f"as2.receive.{key}",
            Complaint(
                f"{', '.join(weak)} is allowed, which is no longer safe.",
                "Remove it from the list as soon as the partner can do better.",
            ),
        )
    if access.send.sign is Digest.SHA1:
        yield (
            "as2.send.sign",
            Complaint("We sign with sha-1, which is no longer safe.", 'Agree on "sha-256".'),
        )
    if access.send.encrypt is not None and access.send.encrypt not in STRONG_CIPHERS:
        yield (
            "as2.send.encrypt",
            Complaint(
                f"We encrypt with {access.send.encrypt}, which is no longer safe.",
                'Agree on "aes256-cbc".',
            ),
        )


def _weak(receive: As2Receive) -> Iterator[tuple[str, list[str]]]:
    for key, allowed, strong in (
        ("digests", receive.digests, STRONG_DIGESTS),
        ("ciphers", receive.ciphers, STRONG_CIPHERS),
    ):
        weak = [str(each) for each in allowed if each not in strong]
        if weak:
            yield key, weak


def as2_pairs(partners: Mapping[str, Partner], our_id: str) -> Iterator[tuple[str, str, Complaint]]:
    """(partner, key, complaint): who could not be told from another by AS2-From and AS2-To."""
    taken: dict[tuple[str, str], str] = {}
    for name, partner in partners.items():
        if partner.as2 is None or not partner.enabled:
            continue
        pair = (partner.as2.id, partner.as2.our_id or our_id)
        other = taken.setdefault(pair, name)
        if other != name:
            complaint = Complaint(
                f'A message from "{pair[0]}" to "{pair[1]}" already belongs to partner "{other}".',
                "Give one of the two another as2.id, or another as2.our_id and tell the partner.",
            )
            yield name, "as2.id", complaint
        if pair[0] == pair[1]:
            complaint = Complaint(
                f'"{pair[0]}" is our own AS2 name towards this partner.',
                "as2.id is the partner's name, as2.our_id ours: give the partner's here.",
            )
            yield name, "as2.id", complaint
