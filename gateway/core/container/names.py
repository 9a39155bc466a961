"""Names of the files of an archive: their senders' words, for people, never paths.

Nothing is ever written under such a name. A name that would lead elsewhere, or that two systems
would read differently, is refused all the same: whoever opens the archive after us may be less
careful, and nobody sends such a name by intent.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from gateway.core.container.entries import Flaw

MAX_NAME_BYTES: Final = 255
"""The longest name every usual file system takes."""

_MAX_SHOWN: Final = 200

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of controls, of marks that turn the direction of writing or take no room, of
halves of characters, and of line breaks."""
_NO_CHARACTERS: Final = frozenset("\ufffd\ufffe\uffff")
"""What stands for bytes that were none, and what XML has no place for."""

_DRIVE = re.compile(r"[A-Za-z]:")
_CLUTTER: Final = frozenset({".ds_store", "thumbs.db"})


def shown(name: str, position: int) -> str:
    """A name as it may stand in a sentence, a report or a listing, however it came.

    Tidied, but for the slash at either end that makes a name absolute or that of a folder: it is
    what is wrong with it.
    """
    tidy = tidied(name)
    if tidy.strip():
        tidy = "/" * name.startswith("/") + tidy + "/" * name.endswith("/")
    clean = "".join("\N{WHITE SQUARE}" if _is_invisible(each) else each for each in tidy)
    if len(clean.encode()) > MAX_NAME_BYTES:
        clean = clean[:_MAX_SHOWN].encode()[: MAX_NAME_BYTES - 3].decode(errors="ignore") + "…"
    return clean if clean.strip() else f"#{position}"


def tidied(name: str) -> str:
    """A name without the `./` that many tools put before every name."""
    return "/".join(part for part in name.split("/") if part not in {"", "."})


def name_flaw(name: str) -> Flaw | None:
    """What is wrong with a name as it stands in the archive."""
    if not tidied(name).strip():
        return Flaw("CONTAINER-MEMBER-NAME", "empty")
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        return Flaw("CONTAINER-MEMBER-PATH", "absolute")
    if ".." in re.split(r"[/\\]", name):
        return Flaw("CONTAINER-MEMBER-PATH")
    if any(map(_is_invisible, name)):
        return Flaw("CONTAINER-MEMBER-NAME", "control")
    if "\\" in name:
        return Flaw("CONTAINER-MEMBER-NAME", "backslash")
    if len(name.encode()) > MAX_NAME_BYTES:
        return Flaw("CONTAINER-MEMBER-NAME", "long", {"limit": MAX_NAME_BYTES})
    if name.endswith("/"):
        return Flaw("CONTAINER-MEMBER-NAME", "folder")
    return None


def comparable(name: str) -> str:
    """Equal for names that some system takes for the same (`FA.xml` and `fa.xml`)."""
    composed = unicodedata.normalize("NFC", tidied(name))
    return unicodedata.normalize("NFC", composed.casefold())


def is_clutter(name: str) -> bool:
    """Whether an operating system put this file into the archive without being asked."""
    folder, _, base = tidied(name).rpartition("/")
    return folder.split("/")[0] == "__MACOSX" or base.lower() in _CLUTTER or base.startswith("._")


def base_name(name: str) -> str:
    """The name without its folders."""
    return name.rpartition("/")[2]


def extension(name: str) -> str:
    """What follows the last point of the name, in small letters; "" when there is none."""
    stem, _, suffix = base_name(name).rpartition(".")
    return suffix.lower() if stem else ""


def stem(name: str) -> str:
    """The name, folders included, without its extension."""
    folder, slash, base = name.rpartition("/")
    start, _, suffix = base.rpartition(".")
    return folder + slash + start if start and suffix else name


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE or character in _NO_CHARACTERS
