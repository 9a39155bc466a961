"""What is different between two configurations, in words: never with a value that may be secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.config.certificates import Held
from gateway.config.configuration import Configuration
from gateway.config.settings import Settings


def differing(old: Any, new: Any, above: str = "") -> list[str]:
    """The keys that differ between two structs of one type, as TOML writes them; tables by name."""
    out = []
    for name in type(old).__struct_fields__:
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(before, msgspec.Struct) and type(before) is type(after):
            out += differing(before, after, f"{above}{name}.")
        elif before != after:
            out.append(f"{above}{name}")
    return out


def changes(old: Configuration, new: Configuration) -> list[str]:
    """One line for each thing that is not as it was: settings, flows, partners, certificates."""
    return [
        *_settings(old.settings, new.settings),
        *_flows(old, new),
        *_partners(old, new),
        *_certificates(old, new),
    ]


def _settings(old: Settings, new: Settings) -> list[str]:
    return [f"setting {key}: changed" for key in differing(old, new)]


def _flows(old: Configuration, new: Configuration) -> Iterator[str]:
    for name in sorted({*old.flows, *new.flows}):
        before, after = old.flows.get(name), new.flows.get(name)
        if before is None:
            yield f"flow {name}: added"
        elif after is None:
            yield f"flow {name}: removed"
        elif before != after:
            yield f"flow {name}: changed {', '.join(differing(before, after))}"


def _partners(old: Configuration, new: Configuration) -> Iterator[str]:
    for name in sorted({*old.partners, *new.partners}):
        before, after = old.partners.get(name), new.partners.get(name)
        if before is None and after is not None:
            yield f"partner {name}: added{'' if after.enabled else ', disabled'}"
        elif after is None:
            yield f"partner {name}: removed"
        elif before is not None and before != after:
            yield f"partner {name}: changed {', '.join(differing(before, after))}"


def _certificates(old: Configuration, new: Configuration) -> Iterator[str]:
    before, after = _by_content(old), _by_content(new)
    for found, others, word in ((after, before, "added"), (before, after, "removed")):
        for key, held in found.items():
            if key not in others:
                yield f"certificate of {held.owner or 'ours'}: {word} {_words(held)}"


def _by_content(configuration: Configuration) -> dict[tuple[str | None, bytes], Held]:
    from gateway.core.as2.cms import fingerprint  # late: a gateway without AS2 starts without it

    return {
        (held.owner, fingerprint(held.certificate).encode()): held for held in configuration.held
    }


def _words(held: Held) -> str:
    certificate = held.certificate
    return (
        f"{held.file.name} ({certificate.subject.rfc4514_string()}, serial "
        f"{certificate.serial_number:x}, {certificate.not_valid_before_utc:%Y-%m-%d} to "
        f"{certificate.not_valid_after_utc:%Y-%m-%d})"
    )
