"""The two ways people meet the project first: the demo, and the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
def test_the_demo_shows_every_sample_with_the_verdict_it_should_have(tmp_path: Path) -> None:
    """`edi-gateway demo --once` ends by itself with 0 and keeps the state it was told to keep."""
    state = tmp_path / "kept"
    done = run(
        *(sys.executable, "-m", "gateway", "demo", "--once", "--state-dir", str(state)),
        cwd=tmp_path,
        PYTHONPATH=str(ROOT),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every sample got the verdict it should." in done.stdout
    assert "BR-CO-15" in done.stdout
    assert len(list((state / "received").iterdir())) == 6
    bodies = list((state / "state" / "publications" / "edi.documents").glob("*/*.headers.json"))
    assert len(bodies) == 6


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
    checked = run(command, "rules", cwd=elsewhere)
    assert "en16931-ubl" in checked.stdout
