"""The partners and the flows as they are now, for everybody who looks one up by name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from msgspec.structs import replace

from gateway.model.flow import Flow
from gateway.model.interchange import Environment
from gateway.model.partner import Partner
from gateway.service.messages import NO_FLOW


class Roster(Mapping[str, Partner]):
    """One for the whole gateway. A reload replaces all partners at once.

    Those it took away stay known until the gateway ends, disabled: no door opens to them, but
    what they sent before is judged and answered as it would have been.
    """

    def __init__(self, partners: Mapping[str, Partner]) -> None:
        self._partners = dict(partners)

    def any_test(self) -> bool:
        """Whether one of them tries things out; one that is gone counts: what it sent is here."""
        return any(each.environment is Environment.TEST for each in self._partners.values())

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


class Flows(Mapping[str, Flow]):
    """One for the whole gateway. A reload replaces all flows at once; any thread may look."""

    def __init__(self, flows: Mapping[str, Flow]) -> None:
        self._flows = dict(flows)

    def replace(self, flows: Mapping[str, Flow]) -> None:
        """From now on it is these."""
        self._flows = dict(flows)

    def __getitem__(self, name: str) -> Flow:
        return self._flows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._flows)

    def __len__(self) -> int:
        return len(self._flows)


class Committed(Collection[str]):
    """The flows whose acknowledgements do not wait for their results, as they are when asked."""

    def __init__(self, flows: Flows) -> None:
        self._flows = flows

    def __contains__(self, name: object) -> bool:
        return name in self._now()

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def _now(self) -> list[str]:
        flows = self._flows.values()
        return [flow.name for flow in flows if flow.acknowledge_when == "committed"]


class FlowNames(Collection[str]):
    """The words that mean a flow to an operator, as they are when asked; `none` is one of them."""

    def __init__(self, flows: Flows) -> None:
        self._flows = flows

    def __contains__(self, name: object) -> bool:
        return name == NO_FLOW or name in self._flows

    def __iter__(self) -> Iterator[str]:
        return iter([*self._flows, NO_FLOW])

    def __len__(self) -> int:
        return len(self._flows) + 1
