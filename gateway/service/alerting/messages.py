"""What is sent of an alert: one JSON object for programs, one text for people, of the same words.

The JSON is a contract (docs/alerts.md has its schema): fields are added, never changed.
"""

from __future__ import annotations

import datetime as dt
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final, Literal

import msgspec

from gateway.harmless import harmless
from gateway.model.verdict import Language
from gateway.service.alerting.kinds import TITLES, AlertKind, Severity
from gateway.service.alerting.words import moment, span

SCHEMA_VERSION: Final = 1
Event = Literal["began", "over", "test"]


class AlertMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `id` is the same at every attempt: a receiver that saw it can drop it.

    `alert` is what beginning and end have in common. `since`: when it began to be so, `at`: when
    this was written. `lasted_seconds`: of an end. `more`: so many others began at the same time and
    have no message of their own. `partner` and `subject` are "" where the kind says it all.
    """

    version: int = SCHEMA_VERSION
    id: str
    event: Event
    alert: str
    kind: str
    severity: Severity
    gateway: str
    subject: str
    partner: str
    since: dt.datetime
    at: dt.datetime
    lasted_seconds: int | None = None
    more: int = 0
    title: str
    what: str
    remedy: str


_HEADS: Final = {
    ("began", Language.EN): "ALERT",
    ("over", Language.EN): "OVER",
    ("test", Language.EN): "TEST",
    ("began", Language.FR): "ALERTE",
    ("over", Language.FR): "TERMINÉ",
    ("test", Language.FR): "TEST",
}
_SECTIONS: Final = {
    Language.EN: ("What", "Since", "What to do"),
    Language.FR: ("Quoi", "Depuis", "Que faire"),
}


def title_of(kind: str, language: Language) -> str:
    """What an alert of this kind is called."""
    if kind == "test":
        return "test"
    return TITLES[AlertKind(kind)].to(language)


def over_words(what: str, lasted: dt.timedelta, language: Language) -> tuple[str, str]:
    """What is said at an alert's end, and what there is to do then."""
    long = span(lasted).to(language)
    if language is Language.FR:
        return f"C’est terminé, après {long} : {what}", "Rien."
    return f"It is over, after {long}: {what}", "Nothing."


def more_words(number: int, language: Language) -> str:
    """That others began at the same time."""
    if language is Language.FR:
        return f"{number} autres alertes ont commencé en même temps : edi-gateway alerts"
    return f"{number} other alerts began at the same time: edi-gateway alerts"


def subject_line(message: AlertMessage, language: Language) -> str:
    """The subject of a mail: who, how bad, what, about what."""
    about = " ".join(filter(None, (message.subject, message.partner)))
    head = _HEADS[message.event, language]
    line = f"[{message.gateway}] {head}: {message.title}{f' ({about})' if about else ''}"
    return " ".join(harmless(line).split())


def text_of(message: AlertMessage, language: Language) -> str:
    """The body of a mail: what, since when, what to do. Plain words, no links."""
    what, since, todo = _SECTIONS[language]
    paragraphs = [
        f"{what}\n  {message.what}",
        f"{since}\n  {moment(message.since)}",
        f"{todo}\n  {message.remedy}",
    ]
    if message.more:
        paragraphs.append(more_words(message.more, language))
    paragraphs.append(f"-- \nedi-gateway {message.gateway}, {moment(message.at)}, {message.alert}")
    return harmless("\n\n".join(paragraphs)) + "\n"


def mail_of(
    message: AlertMessage, language: Language, *, sender: str, recipients: tuple[str, ...]
) -> bytes:
    """The mail, with the line ends that Twisted's sender expects: it makes them CRLF."""
    mail = EmailMessage(policy=SMTP.clone(linesep="\n", cte_type="7bit"))
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Subject"] = subject_line(message, language)
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2]}>"
    # Beginning and end stand together in the reader's list, and no vacation notice answers.
    mail["References"] = f"<{message.alert}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text_of(message, language), cte="quoted-printable")
    return mail.as_bytes()
