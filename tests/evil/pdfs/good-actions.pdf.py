"""The PDF would run a script, start a program and open a page for whoever reads it: not here."""

from pathlib import Path

from tests.evil.building import GOOD_CII
from tests.pdfs import objects, written, xmp


def build(path: Path) -> None:
    """Write the case."""
    parts = objects(
        [("factur-x.xml", GOOD_CII)], xmp(), catalogue="/OpenAction 6 0 R /AA << /WC 7 0 R >>"
    )
    parts[6] = b"<< /S /JavaScript /JS (app.alert(1); this.exportDataObject(0)) /Next 8 0 R >>"
    parts[7] = b"<< /S /Launch /F (cmd.exe) /Win << /F (cmd.exe) /P (/c calc) >> >>"
    parts[8] = b"<< /S /URI /URI (http://127.0.0.1:9/evil) >>"
    path.write_bytes(written(parts))
