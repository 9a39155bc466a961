"""What makes an export readable and complete: its index, its summary and its list of sums.

    index.html       a page to read, with links
    index.csv        one row for each document, for spreadsheets
    export.json      what was asked for, and what is odd: open, purged, missing interchanges
    manifest.sha256  the sum of every file; written last: without it the export is not complete

Everything is read from the folders of the interchanges, one line at a time, so an export that was
broken off is finished by whoever comes next, and memory does not grow with the period.
"""

from __future__ import annotations

import csv
import hashlib
import html
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.durable import remove, rename, sync_file, sync_folder
from gateway.service.evidence_folder import MANIFEST, PART, EvidenceIncomplete, sync, writing

SUMMARY: Final = "export.json"
_COLUMNS: Final = (
    *("interchange", "partner", "file", "received", "flow", "state", "document", "name"),
    *("invoice", "issued", "seller", "buyer", "verdict", "findings", "folder"),
)
_PAGE: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body{{font:15px/1.4 sans-serif;margin:2em}}
table{{border-collapse:collapse}}
td,th{{border:1px solid #ccc;padding:.2em .5em;text-align:left;vertical-align:top}}
</style></head><body><h1>{title}</h1>
<p>Each file is in <a href="manifest.sha256">manifest.sha256</a>; check them with
<code>sha256sum -c manifest.sha256</code>. The same as a table:
<a href="index.csv">index.csv</a>. What was asked for: <a href="export.json">export.json</a>.</p>
<table><thead><tr>{heads}</tr></thead><tbody>
"""
_END: Final = "</tbody></table></body></html>\n"


class Counted(msgspec.Struct):
    """How much an export holds."""

    interchanges: int = 0
    documents: int = 0
    files: int = 0


def finish(root: Path, summary: dict[str, Any]) -> Counted:
    """Write index, summary and, last, the list of sums. Raises `EvidenceFailed`.

    The parts of interchanges that a crash left unfinished are no part of it, and are not named.
    """
    counted = Counted()
    sync(root)
    with writing(root):
        if (root / MANIFEST).exists():  # until the new one is there, it is not complete
            remove(root / MANIFEST, "index.name")
            sync_folder(root, "index.folder")
    title = summary.get("title", "Export")
    write_whole(root / "index.csv", lambda: _csv(root, counted))
    write_whole(root / "index.html", lambda: _html(root, str(title)))
    summary = summary | {"interchanges": counted.interchanges, "documents": counted.documents}
    write_whole(
        root / SUMMARY, lambda: [msgspec.json.format(msgspec.json.encode(summary)).decode()]
    )
    write_whole(root / MANIFEST, lambda: _sums(root, counted))
    return counted


def folders(root: Path) -> Iterator[Path]:
    """The complete folders of interchanges, by day and id."""
    days = root / "interchanges"
    for day in sorted(os.listdir(days)) if days.is_dir() else []:
        for name in sorted(os.listdir(days / day)):
            if not name.startswith(PART):
                yield days / day / name


def head_of(folder: Path) -> dict[str, Any]:
    """The `interchange.json` of a folder."""
    try:
        head: dict[str, Any] = msgspec.json.decode((folder / "interchange.json").read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise EvidenceIncomplete(
            f"{folder} is not whole: {error}.", remedy="Put it back from a copy, then go on."
        ) from error
    return head


def _rows(root: Path, counted: Counted | None = None) -> Iterator[list[str]]:
    for folder in folders(root):
        row = head_of(folder)["interchange"]
        here = f"{folder.relative_to(root)}"
        of = [row["id"], row["partner"], row["name"], row["received_at"], row["flow"] or ""]
        number = 0
        for document in _documents(folder):
            number += 1
            judgement = document.get("judgement") or {}
            findings = (judgement.get("verdict") or {}).get("findings", ())
            yield [
                *of,
                row["state"],
                str(document["ordinal"]),
                document["name"],
                document["invoice_number"] or "",
                document["issue_date"] or "",
                document["seller_id"] or "",
                document["buyer_id"] or "",
                document["verdict"] or document["state"],
                " ".join(dict.fromkeys(finding["rule"] for finding in findings)),
                here,
            ]
        if not number:
            yield [*of, row["state"], *[""] * (len(_COLUMNS) - len(of) - 2), here]
        if counted is not None:
            counted.interchanges += 1
            counted.documents += number


def _documents(folder: Path) -> Iterator[dict[str, Any]]:
    path = folder / "documents.jsonl"
    if path.exists():
        with path.open("rb") as lines:
            for line in lines:
                yield msgspec.json.decode(line)


def _csv(root: Path, counted: Counted) -> Iterator[str]:
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(_COLUMNS)
    for row in _rows(root, counted):
        table.writerow([_plain(cell) for cell in row])
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    yield out.getvalue()


def _plain(cell: str) -> str:
    """No formula: a spreadsheet would work out what a partner wrote (CWE-1236)."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _html(root: Path, title: str) -> Iterator[str]:
    heads = "".join(f"<th>{name}</th>" for name in _COLUMNS[:-1])
    yield _PAGE.format(title=html.escape(title), heads=heads)
    for row in _rows(root):
        *cells, folder = (html.escape(cell) for cell in row)
        linked = [f'<a href="{folder}/">{cells[0]}</a>', *cells[1:]]
        yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in linked)}</tr>\n"
    yield _END


def _sums(root: Path, counted: Counted) -> Iterator[str]:
    for name in (SUMMARY, "index.csv", "index.html"):
        with (root / name).open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        counted.files += 1
        yield f"{sha256}  {name}\n"
    for folder in folders(root):
        here = folder.relative_to(root)
        own = folder / MANIFEST
        yield f"{hashlib.sha256(own.read_bytes()).hexdigest()}  {here}/{MANIFEST}\n"
        with own.open() as lines:
            for line in lines:
                sha256, _, path = line.rstrip("\n").partition("  ")
                counted.files += 1
                yield f"{sha256}  {here}/{path}\n"


def write_whole(path: Path, pieces: Callable[[], Any]) -> None:
    """A file that is there whole or not at all."""
    part = path.with_name(f"{PART}{path.name}")
    with writing(path):
        with part.open("w", encoding="utf-8", newline="") as file:
            for piece in pieces():
                file.write(piece)
        sync_file(part, "index.write")
        rename(part, path, "index.name")
        sync_folder(path.parent, "index.folder")
