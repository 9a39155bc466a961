"""Business terms by name."""

from __future__ import annotations

import pytest

from gateway.core.terms import labelled, term_label, terms, terms_in
from gateway.model.verdict import Language


def test_every_term_of_the_standard_has_a_name_in_both_languages() -> None:
    """BT-1 to BT-165 (BT-4 does not exist) and BG-1 to BG-32."""
    wanted = {f"BT-{n}" for n in range(1, 166) if n != 4} | {f"BG-{n}" for n in range(1, 33)}
    assert wanted <= terms().keys()
    assert all(name.en.strip() and name.fr.strip() for name in terms().values())


def test_names_are_those_of_their_own_term() -> None:
    """No name stands for two terms, except where a group is called like a term of it."""
    for language in Language:
        names = [name.to(language) for term, name in terms().items() if term.startswith("BT-")]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("term", "english", "french"),
    [
        ("BT-112", "Invoice total amount with VAT", "Montant total de la facture avec TVA"),
        ("BG-25", "Invoice line", "Ligne de facture"),
        ("BT-31-7", "Seller VAT identifier", "Identifiant à la TVA du vendeur"),
        ("EXT-FR-FE-163", "Invoice line subtype", "Sous-type de ligne"),
        ("BT-999", "BT-999", "BT-999"),
    ],
)
def test_a_term_is_called_by_its_name(term: str, english: str, french: str) -> None:
    """A part of a term is called after the whole, an unknown one by its id."""
    assert term_label(term, Language.EN) == english
    assert term_label(term, Language.FR) == french


def test_a_labelled_term_keeps_its_id() -> None:
    """People read the name, and look the id up."""
    assert labelled("BT-1", Language.EN) == "“Invoice number” (BT-1)"
    assert labelled("BT-1", Language.FR) == "« Numéro de facture » (BT-1)"
    assert labelled("BT-999", Language.FR) == "BT-999"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[BR-CO-15]-(BT-112) = (BT-109) + (BT-110), BT-112", ("BT-112", "BT-109", "BT-110")),
        ("[BR-FR-CO-14/BT-29-1] : BG-1", ("BT-29-1", "BG-1")),
        ("[BR-FR-09/EXT-FR-FE-06] EXT-FR-FE-BG-12", ("EXT-FR-FE-06", "EXT-FR-FE-BG-12")),
        ("sumAllowBT-92 UBL-CR-001 ABT-1 BTX-1", ()),
        ("", ()),
    ],
)
def test_terms_are_found_in_a_rule_s_text(text: str, found: tuple[str, ...]) -> None:
    """Each once, in order of first mention; look-alikes inside other words are left."""
    assert terms_in(text) == found
