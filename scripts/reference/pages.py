"""Which pages there are."""

from __future__ import annotations

from gateway.model.verdict import Language
from scripts.reference.findings import findings_page
from scripts.reference.http import http_page
from scripts.reference.messages import messages_page
from scripts.reference.rules import rules_page


def pages() -> dict[str, str]:
    """The text of each generated page of docs/reference, by its file name."""
    return {
        "findings.md": findings_page(Language.EN),
        "findings-fr.md": findings_page(Language.FR),
        "http.md": http_page(),
        "messages.md": messages_page(),
        "rules.md": rules_page(Language.EN),
        "rules-fr.md": rules_page(Language.FR),
    }
