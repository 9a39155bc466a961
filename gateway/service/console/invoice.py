"""The canonical invoice as people read one: parties, lines, VAT, totals; then every field."""

from __future__ import annotations

import functools
from typing import Any, Final

import msgspec

from gateway.core.acknowledgement.markup import Html, Piece, element, joined
from gateway.core.mapping import fields
from gateway.core.mapping.fields import ModelField
from gateway.core.terms import term_label
from gateway.model.invoice import Invoice
from gateway.model.invoice_types import BusinessGroup
from gateway.model.verdict import Language
from gateway.service.console.elements import facts, table
from gateway.service.console.visit import Visit

MOST_LINES: Final = 100
MOST_FIELDS: Final = 1500
_KINDS: Final = {
    "380": ("Invoice", "Facture"),
    "381": ("Credit note", "Avoir"),
    "384": ("Corrected invoice", "Facture rectificative"),
    "386": ("Prepayment invoice", "Facture d'acompte"),
    "389": ("Self-billed invoice", "Facture auto-facturée"),
}


@functools.cache
def model_fields(struct: type[BusinessGroup]) -> tuple[ModelField, ...]:
    """Fields of a group; asked for each of a thousand lines."""
    return fields.model_fields(struct)


def readable(visit: Visit, body: bytes) -> Html:
    """The invoice; what is no invoice of ours is said to be none."""
    try:
        invoice = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        return element("p", visit.say("This result cannot be read.", "Résultat illisible."))
    shown = _Shown(visit, invoice)
    return element(
        "section",
        shown.head(),
        element(
            "div",
            shown.party("seller", visit.say("Seller", "Vendeur")),
            shown.party("buyer", visit.say("Buyer", "Acheteur")),
            class_="columns",
        ),
        shown.lines(),
        shown.vat(),
        shown.totals(),
        shown.everything(),
        class_="card invoice",
    )


class _Shown:
    def __init__(self, visit: Visit, invoice: dict[str, Any]) -> None:
        self._visit = visit
        self._invoice = invoice
        self._currency = _text(invoice.get("invoice_currency_code"))
        self._left = MOST_FIELDS

    def head(self) -> Html:
        say, invoice = self._visit.say, self._invoice
        kind = _KINDS.get(_text(invoice.get("invoice_type_code")), ("Invoice", "Facture"))
        totals = _group(invoice.get("document_totals"))
        due = _text(totals.get("amount_due_for_payment"))
        return element(
            "div",
            element(
                "div",
                element(
                    "h2", f"{say(*kind)} ", element("bdi", _text(invoice.get("invoice_number")))
                ),
                facts(
                    [
                        (say("Issued", "Émise le"), self._date("invoice_issue_date")),
                        (say("Due", "Échéance"), self._date("payment_due_date")),
                        (
                            say("Purchase order", "Bon de commande"),
                            _text(invoice.get("purchase_order_reference")) or None,
                        ),
                    ]
                ),
            ),
            element(
                "p",
                say("To be paid", "À payer"),
                element("br"),
                element("span", self._money(due), class_="total"),
            )
            if due
            else None,
            class_="head",
        )

    def party(self, key: str, title: str) -> Html:
        party = _group(self._invoice.get(key))
        address = _group(party.get("postal_address"))
        registered = _group(party.get("legal_registration_identifier"))
        place = " ".join(
            each for each in (_text(address.get("post_code")), _text(address.get("city"))) if each
        )
        rows = [
            _text(party.get("name")),
            *(_text(address.get(f"address_line_{n}")) for n in (1, 2, 3)),
            " ".join(each for each in (place, _text(address.get("country_code"))) if each),
        ]
        told: list[Piece] = []
        for row in rows:
            if row:
                told += [element("bdi", row), element("br")]
        return element(
            "div",
            element("h3", title),
            element("p", *told[:-1]),
            facts(
                [
                    (
                        self._visit.say("Registration", "Immatriculation"),
                        _text(registered.get("value")) or None,
                    ),
                    (
                        self._visit.say("VAT identifier", "N° de TVA"),
                        _text(party.get("vat_identifier")) or None,
                    ),
                ]
            ),
        )

    def lines(self) -> Html | None:
        say = self._visit.say
        found = _list(self._invoice.get("invoice_lines"))
        if not found:
            return None
        rows: list[list[Piece]] = []
        for line in found[:MOST_LINES]:
            item = _group(line.get("item_information"))
            price = _group(line.get("price_details"))
            vat = _group(line.get("vat_information"))
            rate = _text(vat.get("invoiced_item_vat_rate"))
            quantity = _text(line.get("invoiced_quantity"))
            unit = _text(line.get("invoiced_quantity_unit_of_measure_code"))
            rows.append(
                [
                    _text(line.get("identifier")),
                    element("bdi", _text(item.get("name"))),
                    f"{self._decimal(quantity)} {unit}".strip(),
                    self._decimal(_text(price.get("item_net_price"))),
                    f"{self._decimal(rate)} %" if rate else "",
                    self._decimal(_text(line.get("net_amount"))),
                ]
            )
        titles = [
            say("Line", "Ligne"),
            say("Item", "Article"),
            say("Quantity", "Quantité"),
            say("Net price", "Prix net"),
            say("VAT", "TVA"),
            say("Net amount", "Montant net"),
        ]
        left = len(found) - MOST_LINES
        return joined(
            (
                table(say("Lines", "Lignes"), titles, rows, figures=(2, 3, 4, 5)),
                element(
                    "p",
                    say(
                        f"And {left} more lines: download the result for all of them.",
                        f"Et {left} lignes de plus : téléchargez le résultat pour les voir toutes.",
                    ),
                )
                if left > 0
                else None,
            )
        )

    def vat(self) -> Html | None:
        say = self._visit.say
        found = _list(self._invoice.get("vat_breakdown"))[:20]
        if not found:
            return None
        return table(
            say("VAT", "TVA"),
            [
                say("Category", "Catégorie"),
                say("Rate", "Taux"),
                say("Base", "Base"),
                say("VAT", "TVA"),
            ],
            [
                [
                    _text(each.get("vat_category_code")),
                    self._decimal(_text(each.get("vat_category_rate"))),
                    self._decimal(_text(each.get("vat_category_taxable_amount"))),
                    self._decimal(_text(each.get("vat_category_tax_amount"))),
                ]
                for each in found
            ],
            figures=(1, 2, 3),
        )

    def totals(self) -> Html | None:
        totals = _group(self._invoice.get("document_totals"))
        field = next(
            (each for each in model_fields(Invoice) if each.name == "document_totals"), None
        )
        if not totals or field is None or field.struct is None:
            return None
        rows: list[tuple[str, Piece]] = [
            (term_label(each.term, self._visit.language), self._money(_text(totals[each.name])))
            for each in model_fields(field.struct)
            if isinstance(totals.get(each.name), str)
        ]
        return joined((element("h3", self._visit.say("Totals", "Totaux")), facts(rows)))

    def everything(self) -> Html:
        title = self._visit.say(
            "Every field, with its business term", "Tous les champs, avec leur terme métier"
        )
        return element("details", element("summary", title), self._tree(self._invoice, Invoice))

    def _tree(self, group: dict[str, Any], struct: type[BusinessGroup]) -> Html:
        rows: list[Piece] = []
        for each in model_fields(struct):
            value = group.get(each.name)
            if value is None or value == [] or self._left <= 0:
                continue
            for one in value if isinstance(value, list) else [value]:
                self._left -= 1
                if self._left <= 0:
                    break
                rows.append(self._row(each, one))
        return element("dl", *rows, class_="tree")

    def _row(self, field: ModelField, value: Any) -> Html:
        label = f"{term_label(field.term, self._visit.language)} ({field.term})"
        if isinstance(value, dict) and field.struct is not None:
            return element(
                "div", element("dt", label), element("dd", self._tree(value, field.struct))
            )
        shown = _text(value) if not isinstance(value, dict) else _flat(value)
        return element("div", element("dt", label), element("dd", element("bdi", shown)))

    def _date(self, key: str) -> str | None:
        text = _text(self._invoice.get(key))
        year, _, rest = text.partition("-")
        month, _, day = rest.partition("-")
        if self._visit.language is Language.FR and day:
            return f"{day}/{month}/{year}"
        return text or None

    def _money(self, amount: str) -> str:
        return f"{self._decimal(amount)} {self._currency}".strip()

    def _decimal(self, text: str) -> str:
        """The figure as it was read, grouped as the language does; never rounded."""
        sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
        whole, point, rest = digits.partition(".")
        if not whole.isdigit():
            return text
        french = self._visit.language is Language.FR
        shown = f"{int(whole):,}"
        if french:
            shown = shown.replace(",", "\N{NARROW NO-BREAK SPACE}")
        return f"{sign}{shown}{(',' if french else '.') if point else ''}{rest}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return _flat(value)
    return "" if value is None or isinstance(value, list) else str(value)


def _flat(value: dict[str, Any]) -> str:
    return " ".join(str(each) for each in value.values() if not isinstance(each, dict | list))


def _group(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
