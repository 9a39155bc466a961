"""The partners and the flows as they are now."""

from __future__ import annotations

from typing import Literal

import pytest

from gateway.model.flow import Flow, FlowMatch
from gateway.model.partner import Partner
from gateway.service.messages import NO_FLOW
from gateway.service.roster import Committed, FlowNames, Flows, Roster


def test_who_is_gone_stays_known_and_disabled() -> None:
    """So that what it sent is judged; once it is back it is as its file says."""
    one, two = Partner(name="one", flows=("a",)), Partner(name="two")
    roster = Roster({"one": one, "two": two})
    assert dict(roster) == {"one": one, "two": two}
    changed = Partner(name="two", flows=("b",))
    roster.replace({"two": changed})
    assert roster["two"] == changed
    assert (roster["one"].enabled, roster["one"].flows) == (False, ("a",))
    assert len(roster) == 2
    roster.replace({"one": one})
    assert roster["one"] == one
    assert not roster["two"].enabled
    with pytest.raises(KeyError):
        roster["three"]


def a_flow(name: str, when: Literal["confirmed", "committed"] = "confirmed") -> Flow:
    """A flow without anything to judge by."""
    return Flow(name=name, match=FlowMatch(), chain=(), acknowledge_when=when)


def test_what_depends_on_the_flows_changes_with_them() -> None:
    """Names an operator may say, and whose acknowledgements do not wait."""
    flows = Flows({"a": a_flow("a"), "b": a_flow("b", "committed")})
    committed, names = Committed(flows), FlowNames(flows)
    assert (list(committed), len(committed), "a" in committed) == (["b"], 1, False)
    assert list(names) == ["a", "b", NO_FLOW]
    flows.replace({"c": a_flow("c", "committed")})
    assert (sorted(committed), "b" in committed, "c" in committed) == (["c"], False, True)
    assert (list(names), len(names)) == (["c", NO_FLOW], 2)
    assert NO_FLOW in names
    assert "a" not in names
