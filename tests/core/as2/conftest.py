"""Layers of a message are in memory or in files, by their size: small ones must work in both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.core.as2 import streams


@pytest.fixture(scope="module", params=["in memory", "in files"])
def layers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where the layers of the tests' messages are."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "in files":
            patch.setattr(streams, "KEPT", 0)
        yield
