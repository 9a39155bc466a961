"""The partners as they are now, for everybody who looks one up by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from gateway.model.partner import Partner


class Roster(Mapping[str, Partner]):
    """One for the whole gateway. A reload replaces all partners at once.

    Those it took away stay known until the gateway ends, disabled: no door opens to them, but
    what they sent before is judged and answered as it would have been.
    """

    def __init__(self, partners: Mapping[str, Partner]) -> None:
        self._partners = dict(partners)

    def replace(self, partners: Mapping[str, Partner]) -> None:
        """From now on it is these."""
        gone = {
            name: replace(partner, enabled=False)
            for name, partner in self._partners.items()
            if name not in partners
        }
        self._partners = {**gone, **partners}

    def __getitem__(self, name: str) -> Partner:
        return self._partners[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._partners)

    def __len__(self) -> int:
        return len(self._partners)
