"""The partners as they are now."""

from __future__ import annotations

import pytest

from gateway.model.partner import Partner
from gateway.service.roster import Roster


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
