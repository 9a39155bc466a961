"""Writes edi-gateway(1) from the commands there are; `packaging/deb/build` packs it."""

from __future__ import annotations

import sys

from gateway.cli.main import COMMANDS, version

EXIT_CODES = {
    "0": "Done, or accepted.",
    "1": "Rejected, a check failed, or something needs a human.",
    "2": "Usage or configuration error.",
    "3": "It could not be determined.",
}
FILES = {
    "/etc/edi-gateway/gateway.toml": "Settings, each with its default and a comment.",
    "/etc/edi-gateway/partners/*.toml": "Partners; /usr/share/doc/edi-gateway/examples has one.",
    "/var/lib/edi-gateway": "Journal, payloads, partners' homes.",
    "/usr/share/doc/edi-gateway": "The guides: installation, configuration, commands, backup.",
}


def escaped(text: str) -> str:
    """Text in which roff sees nothing to obey."""
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")


def listed(entries: dict[str, str]) -> list[str]:
    """Terms with what they mean."""
    return [
        line
        for term, text in entries.items()
        for line in (".TP", f".B {escaped(term)}", escaped(text))
    ]


def page() -> str:
    """The whole page."""
    sentences = {name: f"{text[0].upper()}{text[1:]}." for name, text in COMMANDS.items()}
    lines = [
        f'.TH EDI\\-GATEWAY 1 "" "edi\\-gateway {escaped(version())}" "User commands"',
        ".SH NAME",
        "edi\\-gateway \\- receives, checks and publishes electronic invoices",
        ".SH SYNOPSIS",
        ".B edi\\-gateway",
        ".I COMMAND",
        "[\\fIoption\\fR ...]",
        ".SH DESCRIPTION",
        ".B edi\\-gateway",
        escaped("COMMAND --help tells the options of a command."),
        ".SH COMMANDS",
        *listed(sentences),
        ".SH EXIT STATUS",
        *listed(EXIT_CODES),
        ".SH FILES",
        *listed(FILES),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
