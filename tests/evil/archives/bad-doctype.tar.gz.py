"""A member asks for a file of the receiver by an entity; the one beside it is good."""

from pathlib import Path

from tests.evil.building import GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    evil = b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><Invoice>&e;</Invoice>'
    path.write_bytes(tar_gz(member("evil.xml", evil), member("good.xml", GOOD)))
