"""What the demo sends, and a few files nobody can read, with what their sender gets, as pairs.

`python -m tests.report_pairs` writes the pairs of tests/data/reports as the gateway answers now,
for review. The tests never do this: whoever ran it reads `git diff tests/data/reports` and judges
whether every word that changed is right.

    batch.tar.gz.fr.xml, .json, .html, .csv    the report, in every form
    batch.tar.gz.fr.CDV_213_….xml              each lifecycle message, under the name it has in out/

All files are sent one after the other to one journal, as in the demo: so the corrected batch meets
the first one. What is sent is made by gateway/samples.
"""

from __future__ import annotations

import functools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gateway.core.acknowledgement.forms import Form, Forms
from gateway.core.naming import interface_code
from gateway.model.verdict import Language
from gateway.samples import sample_bytes
from gateway.samples.sendings import batch, by_as2, corrected, sendings
from tests.reports import form_of, report
from tests.sent_files import Answer, SentFiles

DATA = Path(__file__).parent / "data" / "reports"


@functools.cache
def cases() -> dict[str, bytes]:
    """What is sent, by name, in this order: the demo's files, then some that cannot be used."""
    demo = [*sendings(), by_as2(), corrected()]
    return {sending.file: sending.content for sending in demo} | {
        "cut.tar.gz": batch()[:3000],
        "cut-invoice.xml": sample_bytes("ubl-invoice.xml")[:3000],
        "FSO1100A_ABC123_ABC1231100000000000000001.xml": b"",
    }


@functools.cache
def answers() -> dict[str, Answer]:
    """What became of every file, by its name."""
    with tempfile.TemporaryDirectory() as folder, SentFiles(Path(folder)) as sent:
        return {
            name: sent.send(name, content, alike=name.endswith((".gz", ".pdf")))
            for name, content in cases().items()
        }


def pair(name: str, language: Language, what: str) -> Path:
    """Where what is expected lies; `what`: a form of the report, or the name of a message."""
    return DATA / f"{name}.{language}.{what}"


def expected(name: str) -> Iterator[tuple[Path, bytes]]:
    """Every pair of a file, in both languages, and what the gateway says now."""
    answer = answers()[name]
    for language in Language:
        for form in Form:
            yield pair(name, language, form), form_of(_forms(answer, language), form)
        for message in answer.messages(language):
            yield pair(name, language, message.filename), message.body


def _forms(answer: Answer, language: Language) -> Forms:
    interchange, documents = answer.interchange, answer.documents
    flows = {row.flow for row in answer.rows}
    head = report(
        interchange_id=interchange.id,
        file_name=interchange.envelope.name,
        sha256=interchange.sha256,
        size=interchange.size,
        flow=flows.pop() if len(flows) == 1 else None,
        interface_code=interface_code(interchange.envelope.name),
        received_at=interchange.envelope.received_at,
        reported_at=answer.reported_at,
    )
    return Forms(head, lambda: [documents], language)


def main() -> int:
    """Write the pairs that are missing or say something else; remove those of nothing any more."""
    DATA.mkdir(exist_ok=True)
    known = set()
    for name in cases():
        for file, said in expected(name):
            known.add(file)
            if not file.exists() or file.read_bytes() != said:
                file.write_bytes(said)
                print(f"{file} written")
    for file in set(DATA.iterdir()) - known:
        file.unlink()
        print(f"{file} removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
