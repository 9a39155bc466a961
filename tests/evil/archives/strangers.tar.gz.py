"""A program, a script, a page, a text and a letter beside an invoice."""

from pathlib import Path

from tests.evil.building import GOOD, member, tar_gz, zip_of


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("FA-1.xml", GOOD),
            member("setup.exe", b"MZ\x90\x00"),
            member("run.sh", b"#!/bin/sh\nrm -rf /\n"),
            member("présentation.pptx", zip_of({"ppt/presentation.xml": b"<p/>"})),
            member("page.html", b"<!DOCTYPE html><html><body>FA-1</body></html>"),
            member("LISEZMOI.txt", b"Bonjour\n"),
            member("lettre.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100)),
        )
    )
