"""The package, built once for all tests of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
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


@pytest.fixture(scope="session")
def clean_debian(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files of a Debian 12 that has what the package depends on, and nothing else."""
    maker = shutil.which("debootstrap")
    if maker is None:
        pytest.skip("debootstrap is not installed")
    depends = subprocess.run(
        ["dpkg-deb", "-f", package, "Depends"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    names = {re.split(r"[ (|]", each.strip())[0] for each in depends.split(",")}
    folder = tmp_path_factory.mktemp("clean") / "debian"
    words = [maker, "--variant=minbase", f"--include={','.join(sorted(names))}", "bookworm"]
    done = subprocess.run(
        [*words, folder, _mirror()], capture_output=True, text=True, timeout=600, check=False
    )
    said = done.stdout + done.stderr
    if "release file" in said and done.returncode != 0:
        pytest.skip(f"no mirror of Debian can be reached: {said[-300:]}")
    assert done.returncode == 0, said  # a dependency that Debian does not have, for example
    yield folder
    shutil.rmtree(folder)


def _mirror() -> str:
    """Where this machine has Debian 12 from."""
    words = ["apt-get", "indextargets", "--format", "$(RELEASE) $(SITE)", "Created-By: Packages"]
    told = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False).stdout
    sites = [line.split()[1] for line in told.splitlines() if line.startswith("bookworm ")]
    return sites[0] if sites else "https://deb.debian.org/debian"
