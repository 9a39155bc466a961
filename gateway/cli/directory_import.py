"""A table of recipients (CSV) → a snapshot that B2G rules can ask (core.directory).

Read line by line and sorted in pieces on disk: a table of any size takes the same memory. Nothing
is there under its name before all of it is on disk, so a judge sees the old directory or the new.
"""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import hashlib
import heapq
import operator
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TextIO

from gateway.core.directory import Directory, Recipient, file_name
from gateway.durable import UNFINISHED, fsync, make_folder, rename, sync_folder
from gateway.errors import ConfigurationError

FLAGS: Final = (
    "active",
    "public",
    "service_code_required",
    "engagement_required",
    "either_required",
)
COLUMNS: Final = ("siret", *FLAGS, "service_codes")
"""Names in the first line of the table, in any order; others are not read."""
YES: Final = ("true", "yes", "oui", "1")
NO: Final = ("false", "no", "non", "0")
PIECE: Final = 100_000
"""Rows sorted at once, in memory."""
SHOWN: Final = 50
"""Bad rows that are kept to be shown; the others are counted."""

_TOLD_EVERY: Final = 1000
_MAX_CODE: Final = 100
_SIRET: Final = re.compile(r"\d{14}", re.ASCII)
_BY_SIRET: Final = operator.itemgetter(slice(14))


class BadRow(NamedTuple):
    """A row that cannot be used. `line`: where it ends in the file, 1-based."""

    line: int
    what: str


class Imported(NamedTuple):
    """What came of a table. `snapshot`: None when bad rows kept it from being taken over.

    `bad` are the first `SHOWN` of `bad_rows`. `known`: it says what the snapshot in force said,
    and `snapshot` is that one.
    """

    snapshot: Path | None
    sha256: str
    recipients: int
    bad: tuple[BadRow, ...] = ()
    bad_rows: int = 0
    known: bool = False


def import_table(
    table: TextIO,
    folder: Path,
    *,
    now: dt.datetime,
    newest: Directory | None = None,
    without_bad_rows: bool = False,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Imported:
    """Write the table as a snapshot into `folder`, durably.

    `table` is opened with newline="". `newest`: the snapshot in force. With `without_bad_rows`,
    good rows are taken over although others are bad; else nothing is. `progress` hears how many
    rows were read. Raises ConfigurationError when this is no such table.
    """
    bad = _BadRows()
    make_folder(folder)
    temporary = folder / f"{UNFINISHED}{secrets.token_hex(8)}"
    with contextlib.ExitStack() as cleaning:
        cleaning.callback(temporary.unlink, missing_ok=True)
        rows = _counted(_rows(table, bad), progress)
        pieces = [cleaning.enter_context(piece) for piece in _pieces(rows, folder)]
        sha256, recipients = _write(temporary, _merged(pieces, bad))
        found = Imported(None, sha256, recipients, tuple(bad.shown), bad.count)
        if bad.count and not without_bad_rows:
            return found
        if newest is not None and newest.sha256 == sha256:
            return found._replace(snapshot=newest.path, known=True)
        # The newest is the last by name, also when the clock was set back.
        imported = now if newest is None else max(now, newest.imported + dt.timedelta(seconds=1))
        path = folder / file_name(sha256, imported)
        rename(temporary, path, "snapshot.name")
    sync_folder(folder, "snapshot.folder")
    return found._replace(snapshot=path)


class _BadRows:
    def __init__(self) -> None:
        self.shown: list[BadRow] = []
        self.count = 0

    def add(self, line: int, what: str) -> None:
        self.count += 1
        if len(self.shown) < SHOWN:
            self.shown.append(BadRow(line, what))


def _counted(
    rows: Iterable[tuple[int, Recipient]], progress: Callable[[str, int, int], None]
) -> Iterator[tuple[int, Recipient]]:
    for number, row in enumerate(rows, 1):
        if number % _TOLD_EVERY == 0:
            progress("rows read", number, 0)
        yield row


def _rows(table: TextIO, bad: _BadRows) -> Iterator[tuple[int, Recipient]]:
    """The good rows, with their lines."""
    try:
        header = table.readline(100_000).removeprefix("\ufeff")
        # Spreadsheets set to French write semicolons.
        separator = ";" if header.count(";") > header.count(",") else ","
        names = [_column(name) for name in next(csv.reader([header], delimiter=separator), [])]
        _check_columns(names)
        reader = csv.reader(table, delimiter=separator)
        for cells in reader:
            line = reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(names):
                bad.add(line, f"it has {len(cells)} columns, the first line {len(names)}")
                continue
            row = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
            try:
                yield line, _recipient(row)
            except ValueError as error:
                bad.add(line, str(error))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(
            f"The table cannot be read: {error}.",
            remedy="Save it as CSV in UTF-8, with quotes around cells that hold a comma.",
        ) from error


def _column(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip()).lower()


def _check_columns(names: list[str]) -> None:
    missing = [name for name in COLUMNS if name not in names]
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if missing or twice:
        raise ConfigurationError(
            f"The first line of the table lacks the column {missing[0]}."
            if missing
            else f"The first line of the table has the column {twice[0]} twice.",
            remedy=f"Columns, in any order: {', '.join(COLUMNS)}.",
        )


def _recipient(row: dict[str, str]) -> Recipient:
    """What a row says. Raises ValueError, whose text says what is wrong with it."""
    siret = "".join(row["siret"].split())
    if not _SIRET.fullmatch(siret):
        raise ValueError(f"the siret {row['siret']!r} is not 14 digits")
    codes = tuple(code.strip() for code in row["service_codes"].split("|") if code.strip())
    for code in codes:
        if len(code) > _MAX_CODE or not code.isprintable():
            raise ValueError(f"the service code {code[:_MAX_CODE]!r} is none")
    one, two, three, four, five = (_flag(name, row[name]) for name in FLAGS)
    return Recipient(siret, one, two, three, four, five, codes)


def _flag(name: str, text: str) -> bool:
    if text.lower() in YES:
        return True
    if text.lower() in NO:
        return False
    said = "is empty" if not text else f"is {text!r}"
    raise ValueError(f"{name} {said}: write {', '.join(YES)} or {', '.join(NO)}")


def _pieces(rows: Iterable[tuple[int, Recipient]], folder: Path) -> Iterator[BinaryIO]:
    """Files without a name, each sorted: lines of a snapshot, followed by where they come from."""
    piece: list[bytes] = []
    for line, recipient in rows:
        piece.append(recipient.line().rstrip(b"\n") + f"\t{line}\n".encode())
        if len(piece) == PIECE:
            yield _sorted(piece, folder)
            piece = []
    yield _sorted(piece, folder)


def _sorted(piece: list[bytes], folder: Path) -> BinaryIO:
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by import_table
    piece.sort(key=_BY_SIRET)
    file.writelines(piece)
    file.seek(0)
    return file


def _merged(pieces: list[BinaryIO], bad: _BadRows) -> Iterator[bytes]:
    """The lines of the snapshot; of a SIRET that stands twice, the first."""
    siret, first = b"", b""
    for line in heapq.merge(*pieces, key=_BY_SIRET):
        content, _, number = line.rstrip(b"\n").rpartition(b"\t")
        if content[:14] == siret:
            bad.add(int(number), f"the siret {siret.decode()} stands on line {first.decode()} too")
            continue
        siret, first = content[:14], number
        yield content + b"\n"


def _write(path: Path, lines: Iterator[bytes]) -> tuple[str, int]:
    """The sum and the number of the lines, which are on disk then."""
    digest, count = hashlib.sha256(), 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for line in lines:
            digest.update(line)
            file.write(line)
            count += 1
        file.flush()
        fsync(file.fileno(), "snapshot.write")
    return digest.hexdigest(), count
