"""The walls of the house: imports point down, judges stay light, judging touches no network."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gateway
from gateway.samples import SAMPLES

PACKAGE = Path(gateway.__file__).parent
TOP = PACKAGE.parent

SHARED = {
    *("errors", "resources", "logs", "harmless", "garbage"),
    *("frames", "faults", "durable", "spool", "config"),
}
"""Rooms without a floor of their own: used from service up, two of them from core up."""

MAY_IMPORT: dict[str, set[str]] = {
    "model": {"model"},
    "resources": set(),
    "frames": set(),
    "faults": set(),
    "durable": {"faults"},
    "spool": {"errors", "durable"},
    "errors": {"errors", "model"},
    "harmless": set(),
    "garbage": set(),
    "logs": {"logs", "errors", "harmless"},
    "samples": {"samples", "model"},
    "core": {"core", "model", "errors", "resources"},
    "config": {"config", "core", "model", "errors", "resources"},
    "worker": {"core", "model", "errors", "worker_loop"},
    "crypto_worker": {
        *("core", "model", "errors"),
        *("durable", "garbage", "spool", "worker_loop"),
    },
    "worker_loop": {"errors", "frames", "worker_setup"},
    "worker_setup": set(),
    "service": {"service", "core", "model", *SHARED},
    "daemon": {"daemon", "service", "core", "model", *SHARED},
    "cli": {"cli", "daemon", "service", "core", "model", "samples", "worker", *SHARED},
    "__main__": {"cli"},
    "__init__": set(),
}
"""Room → the rooms it may import. The order of the house: model, core, service, daemon and cli."""

FOREIGN_TO_MODEL_AND_CORE = {"twisted", "paramiko", "pika", "sqlalchemy", "alembic", "socket"}


def room(module: str) -> str:
    """The part of the house a module of ours is in."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the package, with its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(TOP).with_suffix("").parts
        if "data" not in parts:
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path, module: str) -> Iterator[str]:
    """Every module a file imports, late imports included, in absolute form."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".")[: -node.level]
                base = ".".join([*package, base]).rstrip(".")
            if base == "gateway":
                yield from (f"gateway.{name.name}" for name in node.names)
            else:
                yield base


MODULES = dict(modules())


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    """No module imports from a room above its own; a new room must be given its floor."""
    allowed = MAY_IMPORT[room(module)]
    wrong = [
        name
        for name in imports(MODULES[module], module)
        if name.split(".")[0] == "gateway" and name != "gateway" and room(name) not in allowed
    ]
    assert not wrong, f"{module} imports {wrong}"


@pytest.mark.parametrize("module", [name for name in MODULES if room(name) in {"model", "core"}])
def test_model_and_core_know_no_network(module: str) -> None:
    """Pure rooms import neither sockets nor what is built on them."""
    roots = {name.split(".")[0] for name in imports(MODULES[module], module)}
    assert not roots & FOREIGN_TO_MODEL_AND_CORE


@pytest.mark.parametrize("module", [name for name in MODULES if room(name) == "model"])
def test_the_model_needs_only_msgspec(module: str) -> None:
    """Values are made of the standard library and msgspec."""
    roots = {name.split(".")[0] for name in imports(MODULES[module], module)}
    assert roots <= {*sys.stdlib_module_names, "msgspec", "gateway"}


def run_python(code: str) -> str:
    """The output of a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=TOP,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_judge_loads_neither_twisted_nor_paramiko_nor_pika() -> None:
    """The worker starts fast, and a hostile document finds no network stack in it."""
    loaded = run_python("import sys, gateway.worker; print(*sys.modules)").split()
    assert "gateway.core.pipeline" in loaded
    roots = {name.split(".")[0] for name in loaded}
    assert not roots & {"twisted", "paramiko", "pika", "sqlalchemy", "requests"}


JUDGING = """
import datetime, hashlib, sys

events = []
def audit(event, args):
    if event == "urllib.Request" and args[0].startswith("file:"):
        return  # xmlschema reads its own files this way
    if event.startswith(("socket.", "urllib.", "http.", "ftplib.", "smtplib.", "subprocess.")):
        events.append((event, args))
    if event == "open" and isinstance(args[0], str) and args[0].startswith(("http:", "https:")):
        events.append((event, args))
sys.addaudithook(audit)

from gateway.config import load_flows
from gateway.core.pipeline import Judge
from gateway.core.schematron.catalogue import Catalogue
from gateway.model.job import DocumentLimits, JudgeJob
from gateway.model.verdict import verdict_name
from gateway.samples import SAMPLES, sample_bytes

judge = Judge(load_flows().values(), Catalogue.load(), DocumentLimits())
evil = b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>'
for name, data in [(s.file, sample_bytes(s.file)) for s in SAMPLES] + [("evil.xml", evil)]:
    job = JudgeJob(path="", name=name, sha256=hashlib.sha256(data).hexdigest(), size=len(data),
                   partner=None, partner_flows=None, on=datetime.date(2026, 10, 1),
                   flow="ctc-fr-invoice")
    print(name, verdict_name(judge.judge(job, data).verdict))
import socket
before = len(events)
try:
    socket.create_connection(("127.0.0.1", 9), timeout=1)
except OSError:
    pass
print("hook", "works" if len(events) > before else "is deaf")
print("events", events[:before])
"""


def test_judging_opens_no_connection() -> None:
    """Under an audit hook, every sample and a hostile document are judged without a socket."""
    lines = run_python(JUDGING).splitlines()
    assert lines[-1] == "events []"
    assert lines[-2] == "hook works"
    verdicts = dict(line.split() for line in lines[:-2])
    assert verdicts["evil.xml"] == "rejected"
    for sample in SAMPLES:
        # CEN's CII rules may not have been imported here.
        assert verdicts[sample.file] in {sample.expected_verdict, "undetermined"}
    assert verdicts["ubl-invoice.xml"] == "accepted"


def test_setup_cfg_lists_every_package_on_disk() -> None:
    """A folder that is not listed would be missing from the wheel."""
    setup = configparser.ConfigParser()
    setup.read(TOP / "setup.cfg", encoding="utf-8")
    if not setup.has_section("options"):
        pytest.skip("an installed package has no setup.cfg beside it")
    listed = set(setup["options"]["packages"].split())
    folders = {
        ".".join(path.parent.relative_to(TOP).parts) for path in PACKAGE.rglob("__init__.py")
    }
    data = {name for name in listed if name.startswith("gateway.data.")}
    assert listed - data == folders
    assert {name.removeprefix("gateway.data.") for name in data} == {
        "flows",
        "schemas",
        "mappings",
        "conf",
        "systemd",
    }
    for name in data:
        assert (TOP / name.removeprefix("gateway.data.")).is_dir()
