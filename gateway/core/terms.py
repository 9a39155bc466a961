"""Business terms by name.

BT-112 means nothing to an accountant, "Invoice total amount with VAT" does. The names stand in
schemas/terms.toml, in English and French.
"""

from __future__ import annotations

import functools
import re

import msgspec

from gateway.model.verdict import Language, Text
from gateway.resources import data_folder

_TERM = re.compile(r"(?<![A-Za-z0-9-])(?:B[TG]-(?:X-)?\d+(?:-\d+)?|EXT-FR-FE-(?:BG-)?\d+(?:-\d+)?)")


@functools.cache
def terms() -> dict[str, Text]:
    """Every term known by name: id (BT-1, BG-25, EXT-FR-FE-163) → its names."""
    file = data_folder("schemas") / "terms.toml"
    return msgspec.toml.decode(file.read_bytes(), type=dict[str, Text])


def term_label(term: str, language: Language) -> str:
    """The name of a term (EN 16931-1), or its id when it has no name here.

    A part of a term (BT-30-1) that has no name of its own is called after the whole.
    """
    named = terms().get(term)
    if named is None:
        whole, _, part = term.rpartition("-")
        named = terms().get(whole) if part.isdigit() else None
    return term if named is None else named.to(language)


@functools.lru_cache(maxsize=4096)
def labelled(term: str, language: Language) -> str:
    """Name and id, to stand in a sentence: `“Amount due for payment” (BT-115)`."""
    label = term_label(term, language)
    if label == term:
        return term
    return f"« {label} » ({term})" if language is Language.FR else f"“{label}” ({term})"


@functools.lru_cache(maxsize=4096)
def terms_in(text: str) -> tuple[str, ...]:
    """The ids of business terms a text mentions, each once, in order of first mention."""
    return tuple(dict.fromkeys(_TERM.findall(text)))
