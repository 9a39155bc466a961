"""What may be attached to an invoice: MIME code, name, size and content against the lists.

The lists are in schemas/attachments.toml. What a rule pack of the document's chain looks at already
(the MIME code against a code list, the length of the name) is left to it: nobody needs to read the
same twice.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from gateway.core.container.names import extension
from gateway.core.mapping.file_content import content, fits, in_words
from gateway.core.mapping.files import Taken
from gateway.errors import ConfigurationError
from gateway.model.flow import Attachments
from gateway.model.verdict import Severity
from gateway.resources import data_folder

CODES_CHECKED_BY: Final = frozenset(
    {
        *("en16931-ubl", "en16931-cii", "extended-ctc-fr-ubl", "extended-ctc-fr-cii"),
        *("facturx-en16931", "facturx-extended"),
    }
)
"""Rule packs that compare the MIME code (BT-125-1) with a code list. A test reads them."""

NAMES_CHECKED_BY: Final = frozenset({"b2g-ubl", "b2g-noted-ubl", "b2g-cii", "b2g-noted-cii"})
"""Rule packs that ask how long a file's name is (BT-125-2): BR-FR-CPRO-41."""

CODE, NAME, FILE = "BT-125-1", "BT-125-2", "BT-125"


class Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of file: its extensions, and what its first bytes say."""

    extensions: tuple[str, ...]
    content: str


class Conditions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody's conditions; what is None or empty is not asked for."""

    source: str
    mime_codes: tuple[str, ...]
    extensions: tuple[str, ...] = ()
    name_characters: int | None = None
    max_bytes: int | None = None
    advised_bytes: int | None = None
    empty: bool = True


class Lists(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of schemas/attachments.toml."""

    kinds: dict[str, Kind]
    lists: dict[Attachments, Conditions]


class FileRules(NamedTuple):
    """What to look at in one document. `asked`: whose conditions its flow asks for.

    `codes`, `names`: whether MIME codes and the length of names are ours to look at.
    """

    asked: Attachments | None = None
    codes: bool = False
    names: bool = False


class Objection(NamedTuple):
    """Something to say about a file: a code of schemas/findings.toml, and about which term."""

    rule: str
    term: str
    values: dict[str, Any]
    variant: str | None = None
    severity: Severity | None = None


def rules_for(asked: Attachments | None, packs: Collection[str]) -> FileRules:
    """What is left to look at in a document that these rule packs judge."""
    return FileRules(
        asked,
        codes=CODES_CHECKED_BY.isdisjoint(packs),
        names=NAMES_CHECKED_BY.isdisjoint(packs),
    )


def read_lists(file: Path) -> Lists:
    """The lists. Raises ConfigurationError naming file and key."""
    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Lists)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigurationError(
            f"{file}: {error}.", remedy="Reinstall the gateway, or mend the entry."
        ) from error


@functools.cache
def lists() -> Lists:
    """The lists of this installation."""
    return read_lists(data_folder("schemas") / "attachments.toml")


def objections(
    name: str | None, code: str | None, taken: Taken, rules: FileRules
) -> Iterator[Objection]:
    """What there is to say about a file that its sender calls so."""
    conditions = lists().lists[rules.asked or Attachments.EN16931]
    asked = rules.asked is not None
    shown = {"file": name or "?"}
    if rules.codes and code is not None and code not in conditions.mime_codes:
        severity = Severity.ERROR if asked else Severity.WARNING
        values = {**shown, "value": code, "expected": conditions.mime_codes}
        yield Objection("ATTACHMENT-MIME-CODE", CODE, values, severity=severity)
    if not taken.size:
        severity = Severity.WARNING if conditions.empty else Severity.ERROR
        yield Objection("ATTACHMENT-NOTHING", FILE, shown, severity=severity)
    if asked:
        yield from _against(conditions, name, taken.size, rules, shown)
    if taken.size:
        yield from _against_itself(name, code, taken.head, shown)


def _against(
    conditions: Conditions, name: str | None, size: int, rules: FileRules, shown: dict[str, Any]
) -> Iterator[Objection]:
    suffix = extension(name or "")
    if conditions.extensions and suffix not in conditions.extensions:
        values = {**shown, "value": suffix, "expected": conditions.extensions}
        variant = None if suffix else "absent"
        yield Objection("ATTACHMENT-EXTENSION", NAME, values, variant)
    longest, length = conditions.name_characters, len(name or "")
    if rules.names and longest is not None and length > longest:
        values = {**shown, "length": length, "limit": longest}
        yield Objection("ATTACHMENT-LONG-NAME", NAME, values)
    largest, advised = conditions.max_bytes, conditions.advised_bytes
    if largest is not None and size > largest:
        values = {**shown, "size": size, "limit": largest}
        yield Objection("ATTACHMENT-TOO-LARGE", FILE, values)
    elif advised is not None and size > advised:
        values = {**shown, "size": size, "limit": advised}
        yield Objection("ATTACHMENT-TOO-LARGE", FILE, values, "advised", Severity.WARNING)


def _against_itself(
    name: str | None, code: str | None, head: bytes, shown: dict[str, Any]
) -> Iterator[Objection]:
    """Whether name, MIME code and content agree. The content has the last word."""
    kind = lists().kinds.get((code or "").lower())
    if kind is None:
        return
    found = content(head)
    if not fits(kind.content, found):
        words = in_words(found)
        values = {**shown, "value": code, "found_en": words.en, "found_fr": words.fr}
        yield Objection("ATTACHMENT-CONTENT", FILE, values)
        return
    suffix = extension(name or "")
    if suffix and suffix not in kind.extensions:
        values = {**shown, "value": code, "expected": kind.extensions}
        yield Objection("ATTACHMENT-DISAGREES", NAME, values)
