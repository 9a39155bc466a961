"""No durable operation without a fault point, and a fault point does what it is told."""

from __future__ import annotations

import ast
import errno
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import durable, faults
from gateway.faults import Faults
from tests.test_walls import MODULES, TOP

WITHOUT_POINT = {
    "gateway.durable": "where the points are",
    "gateway.faults": "the points themselves",
    "gateway.cli.conf_files": "an operator's command, who sees how it ends and can give it again",
    "gateway.cli.probes": "tries a disk out and keeps nothing",
    "gateway.core.schematron.importing": "an operator's command, likewise; core is below faults",
    "gateway.core.mapping.files": "scratch, which nobody was promised",
}
"""Module → why what it does to files may go without."""

OPERATIONS = {"fsync", "fdatasync", "rename", "renames", ".commit"} | {
    "basic_publish",
    "basic_ack",
    "basic_nack",
    "basic_reject",
}
POINTED = {"fsync", "rename", "remove", "sync_folder", "sync_file", "write_durably", "around"}
"""What takes the name of a point."""
AS_POINTS = {"write_durably": (".write", ".name", ".folder")}


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str, bool]]:
    """Every call, the last part of its name, and whether it stands inside `faults.around`."""

    def look(node: ast.AST, *, inside: bool) -> Iterator[tuple[ast.Call, str, bool]]:
        if isinstance(node, ast.With):
            inside = inside or any(
                isinstance(item.context_expr, ast.Call)
                and ast.unparse(item.context_expr.func) == "faults.around"
                for item in node.items
            )
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func).rpartition(".")[2], inside
        for child in ast.iter_child_nodes(node):
            yield from look(child, inside=inside)

    yield from look(tree, inside=False)


def is_pointed(call: ast.Call, name: str) -> bool:
    """Whether this call names a fault point."""
    return name in POINTED and any(point_of(argument) for argument in call.args)


def point_of(argument: ast.expr) -> str | None:
    """The text of an argument, if it is the name of a point or of several."""
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        word = argument.value
        if word in faults.POINTS or f"{word}.write" in faults.POINTS:
            return word
    return None


def naked(source: str) -> list[str]:
    """Durable operations of a module that have no fault point."""
    found = []
    for call, name, inside in calls(ast.parse(source)):
        whole = ast.unparse(call.func)
        operation = (
            name in OPERATIONS
            or (f".{name}" in OPERATIONS and "." in whole)
            or whole in {"os.replace", "os.link"}
            or _is_path_replace(call, whole)
        )
        if operation and not inside and not is_pointed(call, name):
            found.append(f"line {call.lineno}: {whole}")
    return found


def _is_path_replace(call: ast.Call, whole: str) -> bool:
    """`path.replace(other)`: strings take two arguments, structs keywords, parts of ours self."""
    replaced = whole.endswith(".replace") and not whole.startswith("self.")
    return replaced and len(call.args) == 1 and not call.keywords


ELSEWHERE = {
    ("gateway.service.sftp_server.subsystem", "self._home.rename"): "in sftp_server.incoming",
    ("gateway.service.sftp_server.home", "self._incoming.rename"): "in sftp_server.incoming",
    ("gateway.service.sftp_client.upload", "session.rename"): "around the function that calls it",
    ("gateway.service.sftp_client.upload", "session.replace"): "around the function that calls it",
}
"""(module, call) → where its point is."""


@pytest.mark.parametrize("module", [name for name in MODULES if name not in WITHOUT_POINT])
def test_every_durable_operation_has_a_fault_point(module: str) -> None:
    """An fsync, rename, commit, publish or acknowledgement nobody can break in at is untested."""
    found = [
        each
        for each in naked(MODULES[module].read_text(encoding="utf-8"))
        if (module, each.partition(": ")[2]) not in ELSEWHERE
    ]
    assert not found, f"{module}: {found}: call it through gateway.durable or faults.around"


@pytest.mark.parametrize(
    "source",
    [
        "os.fsync(fd)",
        "durable.fsync(fd, 'no.such.point')",
        "os.rename(a, b)",
        "path.replace(other)",
        "transaction.commit()",
        "channel.basic_ack(tag)",
        "with other.around('spool.name'):\n    os.rename(a, b)",
    ],
)
def test_the_test_above_can_fail(source: str) -> None:
    """It sees an operation without a point for what it is."""
    assert naked(source)


@pytest.mark.parametrize(
    "source",
    [
        "durable.fsync(fd, 'spool.write')",
        "text.replace('a', 'b')",
        "msgspec.structs.replace(value, a=1)",
        "with faults.around('journal.commit'):\n    transaction.commit()",
    ],
)
def test_the_test_above_lets_pass_what_is_well(source: str) -> None:
    """And what has one is not complained about."""
    assert not naked(source)


def test_points_and_their_table_agree() -> None:
    """Every point in the code is in the table, and every one in the table in the code."""
    used = set()
    for module, path in MODULES.items():
        if module == "gateway.durable":
            continue
        for call, name, _ in calls(ast.parse(path.read_text(encoding="utf-8"))):
            for word in filter(None, map(point_of, call.args)) if name in POINTED else ():
                used |= {word + end for end in AS_POINTS.get(name, ("",))}
    assert used | {"folder.made"} == set(faults.POINTS)


def test_a_process_ends_where_it_is_told_to_and_the_next_gets_past(tmp_path: Path) -> None:
    """It dies before the rename; its successor is spared."""
    code = (
        "from pathlib import Path\nfrom gateway.durable import write_durably\n"
        f"write_durably(Path({str(tmp_path)!r}) / 'a', b'x', 'out')\n"
    )
    armed = Faults(tmp_path / "faults")
    armed.arm("out.name", "before", "kill")

    def run() -> int:
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=TOP,
            env={faults.FAULTS: str(tmp_path / "faults")},
            timeout=60,
            check=False,
        ).returncode

    assert run() == -signal.SIGKILL
    assert not (tmp_path / "a").exists()
    assert armed.happened("out.name", "before") is not None
    assert armed.happened("out.name", "before") is None
    assert run() == 0
    assert (tmp_path / "a").exists()


def test_a_disk_that_is_full_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operation before which it happens is not done; the next one is."""
    armed = Faults(tmp_path / "faults")
    monkeypatch.setattr(faults, "_faults", armed)
    armed.arm("out.write", "before", "enospc")
    with pytest.raises(OSError, match=r"fault point out\.write") as caught:
        durable.write_durably(tmp_path / "a", b"x", "out")
    assert caught.value.errno == errno.ENOSPC
    assert not (tmp_path / "a").exists()
    durable.write_durably(tmp_path / "a", b"x", "out")
    assert (tmp_path / "a").read_bytes() == b"x"


def test_a_disk_stays_broken_until_it_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`always` is until it is disarmed."""
    armed = Faults(tmp_path / "faults")
    monkeypatch.setattr(faults, "_faults", armed)
    armed.arm("out.folder", "after", "always eio")
    for _ in range(2):
        with pytest.raises(OSError) as caught:
            durable.write_durably(tmp_path / "a", b"x", "out")
        assert caught.value.errno == errno.EIO
    assert armed.disarm("out.folder", "after")
    assert not armed.disarm("out.folder", "after")
    durable.write_durably(tmp_path / "a", b"x", "out")


@pytest.mark.parametrize(
    ("point", "action", "complaint"),
    [("nowhere", "kill", "no fault point 'nowhere'"), ("out.name", "explode", "not 'explode'")],
)
def test_faults_that_make_no_sense_are_refused(
    tmp_path: Path, point: str, action: str, complaint: str
) -> None:
    """A torture that armed nothing would prove nothing."""
    with pytest.raises(ValueError, match=complaint):
        Faults(tmp_path).arm(point, "before", action)


def test_nothing_is_armed_here() -> None:
    """A gateway that does real work comes by every point to no effect."""
    assert not faults.expected()
    with faults.around("spool.name"):
        pass
