"""`python -m bench.limits`, with documents that are not so hard."""

from __future__ import annotations

import json

import pytest

from bench.limits import main


@pytest.mark.timeout(300)
def test_it_says_what_each_document_took_and_was_allowed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Good ones are accepted, and everything stays far within what the settings allow."""
    assert (
        main(["--flow", "en16931-invoice", "--lines", "600", "--mb", "1", "--more", "30", "--json"])
        == 0
    )
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]
    assert {row["what"]: row["verdict"] for row in rows} == {
        "first": "accepted",
        "warm": "accepted",
        "lines": "accepted",
        "attachment": "accepted",
        "schema errors": "rejected",
        "every pack": "accepted",
        "and more": "accepted",
    }
    assert [row["after"] is None for row in rows] == [False] + 6 * [True]
    assert [row["rss_mb"] is None for row in rows] == [True] * 5 + [False] * 2
    assert all(50 < row["rss_mb"] <= row["peak_mb"] < 450 for row in rows[5:])
    for row in rows:
        assert 0 < row["seconds"] < row["allowed_seconds"] / 2
        assert 50 < row["peak_mb"] < row["allowed_mb"]
