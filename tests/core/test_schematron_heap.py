"""The heap of SaxonC: small in a process of its own, and left alone where it is not known."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gateway.core.schematron import heap

_MAKE = """
from gateway.core.schematron import heap
print(heap.keep_small({mb}), heap.keep_small({mb}))
from saxonche import PySaxonProcessor
saxon = PySaxonProcessor(license=False)
text = "<a>" + "<b>x</b>" * 20_000 + "</a>"
for _ in range(100):
    node = saxon.parse_xml(xml_text=text)
xpath = saxon.new_xpath_processor()
xpath.set_context(xdm_item=node)
print(xpath.evaluate_single("count(//b)").string_value)
status = open("/proc/self/status").read()
print(int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


def started(mb: int) -> list[str]:
    """What a fresh process says that makes much garbage in Saxon; it ends well."""
    made = subprocess.run(
        [sys.executable, "-c", _MAKE.format(mb=mb)], capture_output=True, text=True, timeout=60
    )
    assert made.returncode == 0, made.stderr
    return made.stdout.split()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere SaxonC starts by itself")
def test_new_objects_get_as_much_room_as_is_said() -> None:
    """Much garbage in little room: the process stays small, works, and ends as others do."""
    *little, peak = started(16)
    *much, higher = started(256)
    assert little == much == ["True", "False", "20000"]
    assert int(peak) + 20 < int(higher)


def test_an_unknown_version_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has looked where it keeps what."""
    monkeypatch.setattr(heap, "KNOWN_VERSIONS", frozenset({"0.0"}))
    assert not heap.keep_small()


def test_the_version_installed_is_known() -> None:
    """With another one judges would hold 250 MB more: look at its library, then add it."""
    assert heap._saxonche_version() in heap.KNOWN_VERSIONS


def test_memory_is_given_back_at_any_time() -> None:
    """It changes nothing that a program can see."""
    kept = [bytes(1000) for _ in range(1000)]
    heap.give_back()
    assert all(each == bytes(1000) for each in kept)
