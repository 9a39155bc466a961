"""Editing one list of a TOML file: what is written, that comments stay, and when it gives up."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.toml_edit import edited_list

FILE = """\
name = "acme"  # who

[as2] # theirs
# what they sign with
certificates = {}
id = "ACME"

[as2.receive]
require_signature = true
"""


@pytest.mark.parametrize(
    ("before", "add", "remove", "after"),
    [
        ("[]", ["b"], [], '["b"]'),
        ('["a"]', ["b"], [], '["a", "b"]'),
        ("['a',]", ["b"], [], "['a', \"b\"]"),
        ('["a", "b"]', [], ["a"], '["b"]'),
        ('["a", "b"]', [], ["b"], '["a"]'),
        ('["a"]', ["b"], ["a"], '["b"]'),
        ('["a"] # the old one', ["b"], [], '["a", "b"] # the old one'),
        ('[\n  "a", # old\n]', ["b"], [], '[\n  "a", # old\n  "b",\n]'),
        ('[\n  "a" # old\n]', ["b"], [], '[\n  "a", # old\n  "b",\n]'),
        ('[\n    # "x",\n]', ["b"], [], '[\n  "b",\n    # "x",\n]'),
        ('[\n  # first\n  "a", # old\n  "b",\n]', [], ["a"], '[\n  # first\n  "b",\n]'),
        ('[\n  "a",\n  "b" # ] new\n]', [], ["b"], '[\n  "a",\n]'),
        ('["]", "#"]', ["b"], ["#"], '["]", "b"]'),
    ],
)
def test_only_the_list_changes(before: str, add: list[str], remove: list[str], after: str) -> None:
    """Comments, quotes, order and line breaks stay as somebody wrote them."""
    text = FILE.format(before)
    assert edited_list(text, "as2", "certificates", add=add, remove=remove) == FILE.format(after)


def test_a_list_that_is_not_there_is_made() -> None:
    """Below the header of its table."""
    made = edited_list('[as2]\nid = "A"\n', "as2", "certificates", add=["b"])
    assert made == '[as2]\ncertificates = ["b"]\nid = "A"\n'
    assert edited_list("[as2]", "as2", "identities", add=["b"]) == '[as2]\nidentities = ["b"]\n'


@pytest.mark.parametrize(
    "text",
    [
        'name = "acme"\n',
        'as2 = {id = "A", certificates = ["a"]}\n',
        'as2.id = "A"\nas2.certificates = ["a"]\n',
        '["as2"]\ncertificates = ["a"]\n',
        'note = """\n[as2]\ncertificates = ["x"]\n"""\n["as2"]\ncertificates = ["a"]\n',
    ],
)
def test_what_is_written_in_another_way_is_left_alone(text: str) -> None:
    """No table, or TOML that this does not see through: None, and a person does it."""
    assert edited_list(text, "as2", "certificates", add=["b"]) is None


_names = st.lists(st.sampled_from(["a", "b.pem", "c,d", "e]f", "g#h", "i'j"]), unique=True)
_gaps = st.sampled_from(["", " ", "\n", "\n  ", " # x, ]\n", "\n  # 'y\n\n"])


@given(names=_names, add=_names, remove=_names, gaps=st.lists(_gaps, min_size=14, max_size=14))
def test_whatever_the_layout_the_meaning_is_right(
    names: list[str], add: list[str], remove: list[str], gaps: list[str]
) -> None:
    """Any layout of a list is edited to what was asked for, with nothing else changed."""
    add = [name for name in add if name not in names]
    body = ",".join(f'{gaps[i]}"{name}"{gaps[i + 6]}' for i, name in enumerate(names))
    text = FILE.format(f"[{body}{gaps[12] if names else gaps[13]}]")
    made = edited_list(text, "as2", "certificates", add=add, remove=remove)
    assert made is not None
    wanted = [name for name in names if name not in remove] + add
    assert tomllib.loads(made)["as2"]["certificates"] == wanted
    assert made.startswith(FILE.split("{}", maxsplit=1)[0])
    assert made.endswith(FILE.split("{}")[1])
