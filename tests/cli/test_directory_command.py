"""`edi-gateway directory`: a table is taken over whole or not at all."""

from __future__ import annotations

import io
import json
import random
import sys
from pathlib import Path

import pytest

from gateway.cli import directory_import
from gateway.cli.main import main
from gateway.core.directory import Directories, Recipient
from tests.b2g_documents import BUYER_SIRET, DOCUMENTS

HEADER = (
    "siret,active,public,service_code_required,engagement_required,either_required,service_codes"
)
GOOD = f"""{HEADER}
{BUYER_SIRET},yes,true,1,no,0,ECOLES|VOIRIE
00012345500016,OUI,non,0,0,0,
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory, which need not exist."""
    return tmp_path / "state"


def table(tmp_path: Path, text: str, *, encoding: str = "utf-8") -> str:
    """A file with a table."""
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode(encoding))
    return str(path)


def current(state: Path) -> list[Recipient]:
    """What the directory in force holds, in its order."""
    found = Directories(state / "directory").current()
    assert found is not None
    return [Recipient.of_line(line) for line in found.path.read_bytes().splitlines()]


def test_a_table_is_taken_over(
    tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sorted by SIRET, under its sum and the time of its import; and shown again."""
    assert main(["directory", "import", table(tmp_path, GOOD), "--state-dir", str(state)]) == 0

    assert current(state) == [
        Recipient("00012345500016", True, False, False, False, False),
        Recipient(BUYER_SIRET, True, True, True, False, False, ("ECOLES", "VOIRIE")),
    ]
    (path,) = (state / "directory").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    said = capsys.readouterr().out
    assert said.startswith("2 recipients; ")
    assert str(path) in said

    assert main(["directory", "show", BUYER_SIRET, "--state-dir", str(state)]) == 0
    assert "service_codes: ECOLES, VOIRIE" in capsys.readouterr().out
    assert main(["directory", "show", "00000000000001", "--state-dir", str(state)]) == 1


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + GOOD.replace(",", ";"),
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("service_code_required", " Service-Code Required "),
        "\n".join(
            [
                "Name,Either required,SERVICE CODES,engagement_required,"
                "service_code_required,public,active,SIRET",
                '"Brest, 2e",non,,non,non,non,oui,000 123 455 00016',
                "",
                f"Mairie,0,VOIRIE | ECOLES|,0,1,1,1,{BUYER_SIRET}",
            ]
        ),
    ],
    ids=["semicolons", "crlf", "spelling", "order"],
)
def test_tables_are_read_as_people_write_them(tmp_path: Path, state: Path, text: str) -> None:
    """Other separators, line ends, spellings and orders are the same snapshot."""
    main(["directory", "import", table(tmp_path, text), "--state-dir", str(state)])
    (path,) = (state / "directory").iterdir()
    main(["directory", "import", table(tmp_path, GOOD), "--state-dir", str(state)])
    assert list((state / "directory").iterdir()) == [path]


def test_bad_rows_are_named_and_nothing_is_taken_over(
    tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each with its line, whatever is wrong; the directory in force stays."""
    main(["directory", "import", table(tmp_path, GOOD), "--state-dir", str(state)])
    before = current(state)
    capsys.readouterr()
    rows = [
        "1234,1,1,0,0,0,",
        "00000000000001,1,1,0,0,0,",
        "00000000000002,perhaps,1,0,0,0,",
        "00000000000003,1,,0,0,0,",
        "00000000000004,1,1,0,0,0",
        '00000000000005,1,1,0,0,0,"A\tB"',
        "00000000000001,1,1,0,0,1,",
        "٠٠٠٠٠٠٠٠٠٠٠٠٠٦,1,1,0,0,0,",
    ]
    bad = table(tmp_path, "\n".join([HEADER, *rows]))

    assert main(["directory", "import", bad, "--state-dir", str(state)]) == 1

    told = capsys.readouterr()
    for line, what in {
        2: "the siret '1234' is not 14 digits",
        4: "active is 'perhaps'",
        5: "public is empty",
        6: "it has 6 columns, the first line 7",
        7: "the service code 'A\\tB' is none",
        8: "the siret 00000000000001 stands on line 3 too",
        9: "is not 14 digits",
    }.items():
        assert f"{bad}, line {line}: " in told.err
        assert what in told.err
    assert told.out.startswith("Nothing was taken over: 7 of the rows")
    assert current(state) == before
    assert len(list((state / "directory").iterdir())) == 1


def test_good_rows_can_be_taken_over_without_the_bad_ones(
    tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On request; of a SIRET that stands twice, the first row."""
    text = f"{GOOD}x,1,1,1,1,1,\n{BUYER_SIRET},0,0,0,0,0,\n"
    words = ["--without-bad-rows", "--json", "--state-dir", str(state)]

    assert main(["directory", "import", table(tmp_path, text), *words]) == 0

    said = json.loads(capsys.readouterr().out)
    assert (said["recipients"], said["bad_rows"], said["known"]) == (2, 2, False)
    assert current(state)[1].active


def test_many_bad_rows_are_counted(
    tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table of the wrong kind does not fill the screen."""
    text = f"{HEADER}\n" + "x,1,1,1,1,1,\n" * 300
    main(["directory", "import", table(tmp_path, text), "--state-dir", str(state)])
    told = capsys.readouterr().err
    assert told.count("\n") == directory_import.SHOWN + 1
    assert "250 more" in told


def test_a_large_table_is_sorted_in_pieces(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The snapshot does not depend on how many pieces there are; doubles across them are found."""
    numbers = random.Random(7).sample(range(100_000), 5_000)
    text = f"{HEADER}\n" + "".join(f"{number:014},1,1,0,0,1,C{number}\n" for number in numbers)
    main(["directory", "import", table(tmp_path, text), "--state-dir", str(tmp_path / "whole")])
    monkeypatch.setattr(directory_import, "PIECE", 77)

    main(["directory", "import", table(tmp_path, text), "--state-dir", str(state)])

    assert current(state) == current(tmp_path / "whole")
    assert [each.siret for each in current(state)] == [
        f"{number:014}" for number in sorted(numbers)
    ]
    capsys.readouterr()
    double = f"{text}{numbers[0]:014},1,1,0,0,1,\n"
    assert main(["directory", "import", table(tmp_path, double), "--state-dir", str(state)]) == 1
    assert "line 5002: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "encoding", "says"),
    [
        ("siret,active\n", "utf-8", "lacks the column public"),
        ("", "utf-8", "lacks the column siret"),
        (HEADER.replace("public", "active"), "utf-8", "lacks the column public"),
        (f"{HEADER},siret\n", "utf-8", "has the column siret twice"),
        (f"{GOOD}00000000000009,1,1,0,0,0,É\n", "latin-1", "cannot be read"),
        (f'{GOOD}00000000000009,1,1,0,0,0,"{"x" * 200_000}', "utf-8", "cannot be read"),
    ],
)
def test_what_is_no_such_table_is_refused(
    tmp_path: Path,
    state: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    encoding: str,
    says: str,
) -> None:
    """With what it should be; nothing is left behind."""
    file = table(tmp_path, text, encoding=encoding)

    assert main(["directory", "import", file, "--state-dir", str(state)]) == 2

    assert says in capsys.readouterr().err
    assert list((state / "directory").iterdir()) == []


def test_a_file_that_is_not_there_is_refused(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Usage: exit code 2."""
    assert main(["directory", "import", "none.csv", "--state-dir", str(state)]) == 2
    assert "none.csv" in capsys.readouterr().err


def test_standard_input_is_read(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For tables that come out of a pipe, whatever the locale says."""
    text = GOOD.replace("ECOLES", "ÉCOLES")
    stdin = io.TextIOWrapper(io.BytesIO(text.encode()), encoding="ascii")
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["directory", "import", "-", "--state-dir", str(state)]) == 0
    assert current(state)[1].service_codes == ("VOIRIE", "ÉCOLES")


def test_snapshots_stay_and_are_listed_the_newest_first(
    tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Within one second too, and back to an old table: the last import is in force."""
    other = GOOD.replace("ECOLES|", "")
    for text in (GOOD, other, GOOD):
        assert main(["directory", "import", table(tmp_path, text), "--state-dir", str(state)]) == 0
    capsys.readouterr()

    assert main(["directory", "list", "--json", "--state-dir", str(state)]) == 0

    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["in_force"] for each in listed] == [True, False, False]
    assert listed[0]["sha256"] == listed[2]["sha256"] != listed[1]["sha256"]
    assert current(state)[1].service_codes == ("ECOLES", "VOIRIE")


def test_without_an_import_the_list_says_how(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people; JSON has no line."""
    assert main(["directory", "list", "--state-dir", str(state)]) == 0
    assert "directory import" in capsys.readouterr().out
    assert main(["directory", "show", BUYER_SIRET, "--state-dir", str(state)]) == 1
    capsys.readouterr()
    assert main(["directory", "list", "--json", "--state-dir", str(state)]) == 0
    assert capsys.readouterr().out == ""


def test_an_altered_directory_is_replaced_by_the_next_import(
    tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """That is what its remedy says."""
    main(["directory", "import", table(tmp_path, GOOD), "--state-dir", str(state)])
    (path,) = (state / "directory").iterdir()
    path.write_bytes(b"")
    assert main(["directory", "show", BUYER_SIRET, "--state-dir", str(state)]) == 3
    assert "sha256 differs" in capsys.readouterr().err
    assert main(["directory", "import", table(tmp_path, GOOD), "--state-dir", str(state)]) == 0
    assert len(current(state)) == 2


def test_validate_asks_the_snapshot_it_is_given(
    tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says which one, among the rule packs."""
    text = GOOD.replace("ECOLES|VOIRIE", "ECOLES")
    main(["directory", "import", table(tmp_path, text), "--state-dir", str(state)])
    (path,) = (state / "directory").iterdir()
    invoice = tmp_path / "invoice.xml"
    invoice.write_bytes(DOCUMENTS["ubl-invoice"])
    capsys.readouterr()

    words = ["--flow", "b2g-invoice", "--json", "--directory", str(path)]
    assert main(["validate", str(invoice), *words]) == 1

    said = json.loads(capsys.readouterr().out)
    assert said["rules"][-1]["pack"] == "directory"
    assert said["rules"][-1]["sha256"] in path.name
    rules = {finding["rule"] for finding in said["findings"]}
    assert {"BR-FR-CPRO-11_KNOWN", "BR-FR-CPRO-22_NOT-CHECKED"} <= rules
