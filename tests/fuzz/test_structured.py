"""Well-formed oddities, by the same promises as damaged inputs (`targets`)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import strategies
from tests.fuzz.child import targets_of
from tests.fuzz.target import Outcome

PARTNER = [
    *("name", "flows", "language", "enabled", "sftp", "as2", "http", "sftp_remote", "folder"),
    *("statuses", "uniqueness", "username", "id", "url", "certificates", "receive", "x"),
]


def end_well(name: str, made: st.SearchStrategy[bytes]) -> None:
    """Each has an outcome: anything else raises."""
    target = targets_of("tests.fuzz.targets")[name]
    parser = target.parser()

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(made)
    def each(data: bytes) -> None:
        assert target.attempt(parser, data) in Outcome

    each()


@pytest.mark.parametrize(
    "name", ["mime", "as2-wrapped", "as2-receipt", "as2-message", "as2-fields"]
)
def test_mime(name: str) -> None:
    """Entities in entities, parameters in pieces, character sets there are none of."""
    end_well(name, strategies.entities())


@pytest.mark.parametrize("name", ["cms-enveloped", "cms-signed", "cms-compressed", "certificates"])
def test_asn1(name: str) -> None:
    """Elements where others should be."""
    end_well(name, strategies.trees())


def test_names() -> None:
    """Characters that change with case or composition, halves of them, separators."""
    end_well("names", strategies.names())


@pytest.mark.parametrize("name", ["http-head", "multipart"])
def test_parameters_over_http(name: str) -> None:
    """Names of files and boundaries, in pieces."""
    parts = st.tuples(strategies.parameters("filename"), strategies.parameters("boundary"))

    def made(said: tuple[str, str]) -> bytes:
        disposition = f"Content-Disposition: attachment{said[0]}"
        kind = f"Content-Type: multipart/form-data{said[1]}; boundary=b"
        if name == "http-head":
            text = f"/v1/interchanges\r\n{disposition}\r\n{kind}"
        else:
            text = f"{kind}\r\n\r\n--b\r\n{disposition}\r\n\r\nx\r\n--b--\r\n"
        return text.encode("latin-1", "replace")

    end_well(name, parts.map(made))


@pytest.mark.parametrize("name", ["partner", "settings", "flow", "status-request"])
def test_toml(name: str) -> None:
    """Every key with any value."""
    keys = PARTNER if name != "settings" else ("paths", "sftp", "http", "as2", "judges", "port")
    end_well(name, strategies.tables(keys))
