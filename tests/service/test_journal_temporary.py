"""Where SQLite keeps what a statement may have to undo."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WRITES = """
import os, sys
from pathlib import Path
from gateway.service.journal.engine import driver, writer_engine

seen = set()

def look():
    for number in os.listdir("/proc/self/fd"):
        try:
            seen.add(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            pass
    return 1

with writer_engine(Path(sys.argv[1])).connect() as conn:
    raw = driver(conn)
    raw.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b UNIQUE, c)")
    raw.executemany("INSERT INTO t VALUES (?, ?, ?)", [(n, n, "x" * 2000) for n in range(500)])
    raw.create_function("look", 0, look)
    raw.execute("BEGIN IMMEDIATE")
    raw.execute("UPDATE t SET b = b + 1000, c = c || look()")  # a duplicate would undo all of it
    raw.execute("COMMIT")
print(*{Path(each).parent for each in seen if "etilqs_" in each}, sep="\\n")
"""


def temporary_folders(journal: Path, **environment: str) -> set[str]:
    """Folders of SQLite's temporary files while a long statement runs."""
    done = subprocess.run(
        [sys.executable, "-c", WRITES, str(journal)],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stdout.split())


def test_they_lie_where_the_environment_says(tmp_path: Path) -> None:
    """So a full /tmp stops no commit of a gateway whose unit names the state directory."""
    state, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    state.mkdir()
    elsewhere.mkdir()
    journal = state / "journal.sqlite"
    said = {"TMPDIR": str(elsewhere), "SQLITE_TMPDIR": str(state)}
    assert temporary_folders(journal, **said) == {str(state)}
