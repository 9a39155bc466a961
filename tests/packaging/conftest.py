"""The package, built once for all tests of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.packaging.machine import SETTINGS

ROOT = Path(__file__).parents[2]
QUICKLY: Mapping[str, str] = {"DEB_COMPRESSION": "-Zxz -z0"}


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, as `make deb` builds it but for the compression."""
    if os.geteuid() != 0:
        pytest.skip("installing a package takes root")
    if shutil.which("dpkg-deb") is None or not Path("/etc/debian_version").exists():
        pytest.skip("this is no Debian")
    folder = tmp_path_factory.mktemp("deb")
    done = subprocess.run(
        [str(ROOT / "packaging/deb/build"), str(ROOT / ".venv"), str(folder)],
        env={**os.environ, **QUICKLY},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.deb")
    assert done.stdout.splitlines()[-1] == str(built)
    return built


@pytest.fixture(scope="session")
def newer(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The next revision of it, with a setting more in the file it brings."""
    folder = tmp_path_factory.mktemp("newer")
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True, timeout=120)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^(Version: .*)-1$", r"\1-2", control.read_text()))
    with (tree / SETTINGS.lstrip("/")).open("a") as settings:
        settings.write("\n# A newer version says more here.\n")
    made = folder / "newer.deb"
    subprocess.run(["dpkg-deb", "-Znone", "-b", tree, made], check=True, timeout=120)
    shutil.rmtree(tree)
    return made
