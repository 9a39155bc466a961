"""The versions we fix can be installed where the README says: Debian 12 has Python 3.11.2."""

from __future__ import annotations

import re
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
DEBIAN_12 = "3.11.2"
LEAST_INSTALLED = 0.5
"""Of a lock: the rest is for other systems. Less would mean that the wrong place was looked at."""


def pinned(lock: Path) -> dict[str, str]:
    """Name → version."""
    found = re.findall(r"(?m)^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;]+)", lock.read_text())
    return {canonicalize_name(name): version for name, version in found}


@pytest.mark.parametrize(
    ("lock", "environment"),
    [
        ("requirements.lock", Path(sys.prefix)),
        ("requirements.docs.lock", ROOT / ".venv" / "docs"),
        ("requirements.audit.lock", ROOT / ".venv" / "audit"),
    ],
    ids=["requirements.lock", "requirements.docs.lock", "requirements.audit.lock"],
)
def test_debian_12_can_install_what_is_fixed(lock: str, environment: Path) -> None:
    """Whichever Python runs this: a version that asks for a newer one stops `make` there."""
    folders = [str(each) for each in environment.glob("lib/python*/site-packages")]
    if not folders:
        pytest.skip(f"{environment} is not there; `make docs` or `make audit` makes it")
    wanted = pinned(ROOT / lock)
    asked = {
        canonicalize_name(each.metadata["Name"]): each.metadata["Requires-Python"] or ""
        for each in distributions(path=folders)
        if wanted.get(canonicalize_name(each.metadata["Name"])) == each.version
    }
    assert len(asked) > len(wanted) * LEAST_INSTALLED
    too_new = {
        name: python for name, python in asked.items() if DEBIAN_12 not in SpecifierSet(python)
    }
    assert too_new == {}, f"{lock}: fix older versions of these, or say in README what it takes"
