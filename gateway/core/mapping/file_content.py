"""What an attached file is, told from its first bytes, whatever its name and MIME code say.

Only what is plain counts: a file that begins like another kind than it is said to be. Whether a PDF
is whole, or a spreadsheet opens, is not looked at.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.core.container.kinds import kind
from gateway.model.verdict import Text

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"\x7fELF", "program"),
    (b"{\\rtf", "RTF"),
)
_ZIP: Final = b"PK\x03\x04"
_MEDIA_TYPE: Final = slice(30, 100)
"""Where an OpenDocument package says what it is (ODF 1.3 part 2, 3.3): its first entry."""
_SPREADSHEET: Final = b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet"
_BYTE_ORDER: Final = (b"\xff\xfe", b"\xfe\xff")
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_HTML = re.compile(rb"(?i)<(?:!doctype\s+html|html)\b")

_FITTING: Final = {
    "text": frozenset({"text", ""}),  # in an encoding that looks like none, perhaps
    "XML": frozenset({"XML", "HTML"}),
    "OpenDocument spreadsheet": frozenset({"OpenDocument spreadsheet", "ZIP"}),
}
"""What a kind may look like where that is not its own name. "": nothing that is known."""

_WORDS: Final = {
    "": Text(en="nothing this gateway knows", fr="rien que la passerelle reconnaisse"),
    "text": Text(en="plain text", fr="du texte brut"),
    "program": Text(en="a program", fr="un programme"),
    "ZIP": Text(en="ZIP, or an Office document", fr="ZIP, ou un document Office"),
    "Microsoft Office": Text(
        en="Microsoft Office before 2007, or encrypted",
        fr="Microsoft Office d'avant 2007, ou chiffré",
    ),
    "OpenDocument spreadsheet": Text(
        en="an OpenDocument spreadsheet", fr="une feuille de calcul OpenDocument"
    ),
    "OpenDocument": Text(
        en="an OpenDocument that is no spreadsheet",
        fr="un OpenDocument qui n'est pas une feuille de calcul",
    ),
}


def content(head: bytes) -> str:
    """What a file is that begins so; "" for nothing that is known."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head.startswith(_ZIP):
        return _package(head[_MEDIA_TYPE])
    if head.startswith(b"MZ") and b"\0" in head[:64]:
        return "program"
    found = kind(head)
    if found is not None:
        return found
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if _HTML.match(start):
        return "HTML"
    if start.startswith((b"<?xml", b"<")) or head.startswith((b"\xff\xfe<\0", b"\xfe\xff\0<")):
        return "XML"
    return "text" if head.startswith(_BYTE_ORDER) or not _NO_TEXT.search(head) else ""


def fits(wanted: str, found: str) -> bool:
    """Whether a file may be `wanted` whose first bytes say `found`."""
    return found in _FITTING.get(wanted, (wanted,))


def in_words(found: str) -> Text:
    """What a file is, in a sentence."""
    return _WORDS.get(found, Text(en=found, fr=found))


def _package(media_type: bytes) -> str:
    if not media_type.startswith(b"mimetypeapplication/vnd.oasis.opendocument."):
        return "ZIP"
    return "OpenDocument spreadsheet" if media_type.startswith(_SPREADSHEET) else "OpenDocument"
