"""Pieces pages are made of: forms with their token, tables, facts, chips, links."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from gateway.core.acknowledgement.markup import Html, Piece, element, joined
from gateway.service.console.visit import ROOT, Visit


def form(visit: Visit, path: str, *content: Piece, class_: str | None = None) -> Html:
    """A form that changes something, with the token of the session."""
    return element(
        "form",
        element("input", type="hidden", name="token", value=visit.login.token()),
        *content,
        method="post",
        action=f"{ROOT}{path}",
        class_=class_,
    )


def field(label: str, name: str, *hint: Piece, **attributes: str | None) -> Html:
    """One line to fill in, with its label and what helps."""
    told = element("span", *hint, class_="hint", id=f"{name}-hint") if hint else None
    return element(
        "p",
        element("label", label, for_=name),
        told,
        element(
            "input",
            id=name,
            name=name,
            aria_describedby=f"{name}-hint" if hint else None,
            **attributes,
        ),
        class_="field",
    )


def choice(label: str, name: str, options: list[tuple[str, str]], chosen: str = "") -> Html:
    """One of several words."""
    return element(
        "p",
        element("label", label, for_=name),
        element(
            "select",
            *(
                element("option", words, value=value, selected="" if value == chosen else None)
                for value, words in options
            ),
            id=name,
            name=name,
        ),
        class_="field",
    )


def received_between(visit: Visit, filled: Mapping[str, str]) -> list[Html]:
    """Two days of receipt to choose between, as the form was filled in."""
    return [
        field(words, name, type="date", value=filled.get(name))
        for words, name in (
            (visit.say("Received since", "Reçu depuis"), "since"),
            (visit.say("Received until", "Reçu jusqu'au"), "until"),
        )
    ]


def failure(words: str) -> Html | None:
    """What kept something from being done, read out at once; nothing without words."""
    return element("p", words, class_="failed", role="alert") if words else None


def table(
    caption: str, titles: list[str], rows: list[list[Piece]], figures: Collection[int] = ()
) -> Html:
    """A table whose cells know their column, so that a narrow screen can show them as lists.

    `figures`: columns that stand flush right.

    The roles say what the elements say by themselves, until a style sheet shows them otherwise.
    """
    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element(
                "thead",
                element(
                    "tr",
                    *(
                        element(
                            "th",
                            each,
                            scope="col",
                            role="columnheader",
                            class_="num" if at in figures else None,
                        )
                        for at, each in enumerate(titles)
                    ),
                    role="row",
                ),
                role="rowgroup",
            ),
            element(
                "tbody",
                *(
                    element(
                        "tr",
                        *(
                            element(
                                "td",
                                cell,
                                role="cell",
                                data_label=titles[at],
                                class_="num" if at in figures else None,
                            )
                            for at, cell in enumerate(row)
                        ),
                        role="row",
                    )
                    for row in rows
                ),
                role="rowgroup",
            ),
            role="table",
        ),
        class_="wide",
    )


def facts(rows: list[tuple[str, Piece]]) -> Html:
    """What there is to say, each with its label."""
    return element(
        "dl",
        *(
            element("div", element("dt", label), element("dd", value))
            for label, value in rows
            if value is not None
        ),
        class_="facts",
    )


def empty(*words: Piece) -> Html:
    """What stands where nothing is: it says what would."""
    return element("p", *words, class_="empty")


def chip(words: str, tone: str = "") -> Html:
    """One word that tells how something stands; never by its colour alone."""
    return element("span", words, class_=f"chip {tone}".strip())


def link(words: Piece, path: str) -> Html:
    """A link to another page of the console."""
    return element("a", words, href=f"{ROOT}{path}")


def lines(*pieces: Piece) -> Html:
    """Pieces, one after the other with a space between."""
    kept = [piece for piece in pieces if piece is not None]
    return joined([part for piece in kept for part in (piece, " ")][:-1])
