"""The two ways people meet the project first: the demo, and the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from gateway.core.schematron.catalogue import default_rule_packs

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(900)


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command without this checkout on its path."""
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        command,
        cwd=cwd,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.ssh
def test_the_wheel_works_from_any_directory_in_an_environment_of_its_own(tmp_path: Path) -> None:
    """A wheel built from the checkout carries its data folders; nothing else is needed."""
    # Built from a copy: a stale build folder in the checkout must not leak into the wheel.
    source = tmp_path / "source"
    unwanted = shutil.ignore_patterns(".*", "build", "dist", "state", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, source, ignore=unwanted)
    built = run(
        *(sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", str(tmp_path)),
        str(source),
        cwd=tmp_path,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("edi_gateway-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if name.startswith("gateway/data/")}
        assert "gateway/core/acknowledgement/page.css" in archive.namelist()
    for kind in ("conf", "flows", "mappings", "schemas", "systemd"):
        here = (file for file in (ROOT / kind).rglob("*") if file.is_file())
        assert {f"gateway/data/{file.relative_to(ROOT)}" for file in here} <= carried
    venv = tmp_path / "venv"
    assert run(sys.executable, "-m", "venv", str(venv), cwd=tmp_path).returncode == 0
    installed = run(
        *(str(venv / "bin" / "pip"), "install", "-q", "-c", str(ROOT / "requirements.lock")),
        str(wheel),
        cwd=tmp_path,
    )
    assert installed.returncode == 0, installed.stderr
    command = str(venv / "bin" / "edi-gateway")
    sample = tmp_path / "ubl.xml"
    sample.write_bytes((ROOT / "gateway" / "samples" / "ubl-invoice.xml").read_bytes())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    judged = run(command, "validate", "--flow", "ctc-fr-invoice", str(sample), cwd=elsewhere)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    mapped = run(command, "map", str(sample), cwd=elsewhere)
    assert '"invoice_number"' in mapped.stdout
    listed = run(command, "rules", cwd=elsewhere)
    assert "en16931-ubl" in listed.stdout

    # The demo, from the wheel alone; only CEN's CII rules, which `make` imports, come from here.
    kept = tmp_path / "kept"
    shown = run(
        *(command, "demo", "--once", "--state-dir", str(kept)),
        cwd=elsewhere,
        EDI_GATEWAY_RULE_PACKS=str(default_rule_packs()),
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "Every sample got the verdict it should." in shown.stdout
    assert "BR-CO-15" in shown.stdout
    assert "batch.tar.gz:" in shown.stdout
    assert "verified by OpenSSL: CMS Verification successful" in shown.stdout
    assert "The AS2 receipt vouches for exactly what was sent." in shown.stdout
    assert len(list((kept / "received").glob("*.report.xml"))) == 10
    assert len(list((kept / "received").glob("CDV_*.xml"))) == 20
    bodies = list((kept / "state" / "publications" / "edi.documents").glob("*/*.headers.json"))
    assert len(bodies) == 20
    assert shown.stderr == "", "the terminal is kept for people"
