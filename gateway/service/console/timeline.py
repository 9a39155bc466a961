"""What happened to an interchange, in order: every step, what people did, what was sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.service.console.elements import chip
from gateway.service.console.visit import Visit
from gateway.service.console.words import KINDS, moment, state_word
from gateway.service.journal.audit_records import Deed
from gateway.service.journal.evidence_records import MessageHead
from gateway.service.journal.outbox_records import BROKER
from gateway.service.journal.rows import Transition

_OURS = frozenset({"undetermined", "quarantined"})
"""Steps whose cause is a failure of ours: for operators, not for the partner."""


def timeline(
    visit: Visit,
    steps: Sequence[Transition],
    deeds: Sequence[Deed],
    messages: Sequence[MessageHead],
) -> Html:
    """The list, the first step first."""
    entries: list[tuple[dt.datetime, int, Html]] = []
    for step in steps:
        entries.append((step.at, 0, _step(visit, step)))
    for deed in deeds:
        entries.append((deed.at, 1, _deed(visit, deed)))
    for message in messages:
        if message.delivered_at is not None:
            entries.append((message.delivered_at, 2, _delivered(visit, message)))
        if message.fetched_at is not None:
            entries.append((message.fetched_at, 3, _fetched(visit, message)))
    entries.sort(key=lambda entry: entry[:2])
    return element("ol", *(item for _, _, item in entries), class_="timeline")


def _step(visit: Visit, step: Transition) -> Html:
    word, tone = state_word(step.new.value, visit.language)
    what = (
        visit.say(f"Document {step.ordinal}", f"Document {step.ordinal}")
        if step.ordinal
        else visit.say("File", "Fichier")
    )
    ours = step.new.value in _OURS or (step.old is not None and step.old.value in _OURS)
    cause = None if step.cause is None or (ours and visit.scope) else step.cause
    return _item(visit, step.at, tone, what, " ", chip(word, tone), f" {cause}" if cause else None)


def _deed(visit: Visit, deed: Deed) -> Html:
    words = [deed.action, f"{deed.outcome.value}: {deed.said}" if deed.said else deed.outcome.value]
    return _item(
        visit,
        deed.at,
        "",
        element("strong", visit.say("By hand: ", "À la main : ")),
        " – ".join(words),
        element("span", visit.say(f" by {deed.by}", f" par {deed.by}"), class_="by"),
    )


def _delivered(visit: Visit, message: MessageHead) -> Html:
    kind = KINDS[message.kind].to(visit.language) if message.kind in KINDS else message.kind
    to = message.destination
    if not visit.scope and to != BROKER:
        to = f"{to} {message.partner}"
    name = f" {message.filename}" if message.filename else ""
    words = visit.say(f"Sent to {to}: {kind}{name}", f"Envoyé vers {to} : {kind}{name}")
    return _item(visit, message.delivered_at, "good", words)


def _fetched(visit: Visit, message: MessageHead) -> Html:
    words = visit.say(
        f"Fetched by the partner: {message.filename}",
        f"Récupéré par le partenaire : {message.filename}",
    )
    return _item(visit, message.fetched_at, "good", words)


def _item(visit: Visit, at: dt.datetime | None, tone: str, *words: Piece) -> Html:
    return element("li", moment(visit, at), *words, class_=tone or None)
